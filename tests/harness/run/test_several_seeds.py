"""Several seeds as one result: means and deviations by hand, and the rows of their table."""

from types import SimpleNamespace

import numpy as np
import pytest

from harness.evaluate.intervals import METHOD, seed_summary
from harness.metric_names import ALL_METRICS, DIRECTIONS
from harness.presets.resolve import resolve
from harness.record import RunFolder
from harness.run import several_seeds
from harness.run.several_seeds import group_table_rows, run_seeds, summarise, with_seeds

IDENTITIES = np.array([3, 3, 8, 8, 8, 1])
RANKS = {1: [1, 2, 1, 6, 11, 1], 2: [1, 1, 1, 20, 3, 4], 3: [2, 2, 1, 1, 1, 1]}


@pytest.fixture
def made(fake, tmp_path):
    """Return the maker of records and folders of runs with chosen ranks, one a seed."""

    def make(*seeds):
        records, folders = [], []
        for seed in seeds:
            record, _ = fake.record("cskt", "icfg", seed=seed, identity=f"{seed}" * 20)
            record.selection = {"rule": "val"}
            rank = np.array(RANKS[seed])
            arrays = {}
            for direction in DIRECTIONS:
                arrays |= {f"{direction}/identity": IDENTITIES, f"{direction}/rank": rank}
                arrays |= {f"{direction}/AP": 1 / rank, f"{direction}/INP": 1 / rank**2}
            folder = RunFolder(tmp_path / record.name)
            folder.path.mkdir()
            folder.write_queries(arrays)
            records.append(record)
            folders.append(folder)
        return records, folders

    return make


def test_means_values_and_deviations_are_those_of_a_loop(made):
    group = summarise(*made(1, 2, 3))
    assert group["interval_method"] == METHOD
    assert set(group["metrics"]) == {f"test/icfg/{way}/{name}" for way in DIRECTIONS for name in ALL_METRICS}
    hits = [100 * np.mean([rank <= 1 for rank in RANKS[seed]]) for seed in (1, 2, 3)]
    found = group["metrics"]["test/icfg/t2i/R1"]
    assert found["values"] == pytest.approx(hits)
    assert found["mean"] == pytest.approx(sum(hits) / 3)
    assert found["sd"] == pytest.approx((sum((hit - sum(hits) / 3) ** 2 for hit in hits) / 2) ** 0.5)
    precision = [100 * np.mean([1 / rank for rank in RANKS[seed]]) for seed in (1, 2, 3)]
    assert group["metrics"]["test/icfg/i2t/mAP"]["values"] == pytest.approx(precision)
    summary = seed_summary([[rank <= 5 for rank in RANKS[seed]] for seed in (1, 2, 3)], IDENTITIES)
    five = group["metrics"]["test/icfg/t2i/R5"]
    assert five["low"] == pytest.approx(max(100 * summary.low, 0))
    assert five["high"] == pytest.approx(min(100 * summary.high, 100))


def test_one_seed_has_no_deviation_and_intervals_stay_between_0_and_100(made):
    group = summarise(*made(1))
    assert {metric["sd"] for metric in group["metrics"].values()} == {0.0}
    for metric in group["metrics"].values():
        assert 0 <= metric["low"] <= metric["mean"] <= metric["high"] <= 100
        assert metric["values"] == [pytest.approx(metric["mean"])]


def test_a_group_names_its_runs_seeds_and_twin(made):
    records, folders = made(2, 1)
    group = summarise(records, folders)
    assert group["seeds"] == [2, 1]
    assert group["runs"] == [record.name for record in records]
    assert group["name"] == f"cskt-icfg-2seeds-{group['identity'][:12]}"
    assert group["synthetic"] is True
    assert summarise(records, folders)["identity"] == group["identity"]
    assert summarise(records[::-1], folders[::-1])["identity"] != group["identity"]
    assert summarise(records[:1], folders[:1])["identity"] != group["identity"]


def test_the_table_has_a_row_for_each_direction_and_metric(made):
    header, rows = group_table_rows(summarise(*made(1, 2)))
    assert len(header) == 4 + 2
    assert [row[:2] for row in rows] == [[way, name] for way in DIRECTIONS for name in ALL_METRICS]
    assert rows[0][4:] == ["50.0", "50.0"]
    assert all(len(row) == len(header) for row in rows)


def test_seeds_count_up_from_that_of_the_config_and_the_group_is_written(made, world, tmp_path, monkeypatch):
    records, _ = made(2, 3)
    asked, sent = [], []
    monkeypatch.setattr(
        several_seeds,
        "run",
        lambda config, **more: asked.append((config.seed, more["force"])) or records[len(asked) - 1],
    )
    monkeypatch.setattr(several_seeds, "publish_group", lambda group, *more: sent.append(group))
    config = world.quick(tmp_path, "linear_probe", "icfg", "seed=2")
    group = run_seeds(config, 2, runs=tmp_path, force=True)
    assert asked == [(2, True), (3, True)]
    assert sent == [group]
    assert [file.stem for file in (tmp_path / "groups").iterdir()] == [group["name"]]


def test_a_process_that_does_not_write_takes_the_group_from_the_one_that_does(world, tmp_path, monkeypatch):
    monkeypatch.setattr(several_seeds, "run", lambda config, **more: SimpleNamespace(name=str(config.seed)))
    monkeypatch.setattr(several_seeds, "is_main_process", lambda: False)
    monkeypatch.setattr(several_seeds, "agreed", lambda value: {"name": "mine"} if value is None else value)
    assert run_seeds(world.quick(tmp_path, "linear_probe"), 2, runs=tmp_path) == {"name": "mine"}
    assert not list(tmp_path.iterdir())


def test_seeds_of_what_no_seed_changes_are_one_run():
    given = resolve("zero_shot", "icfg", synthetic=True)
    random = resolve("zero_shot", "icfg", synthetic=True, overrides=["backbone.pretrained=null"])
    trained = resolve("linear_probe", "icfg", synthetic=True)
    assert [len(with_seeds(config, 3)) for config in (given, random, trained)] == [1, 3, 3]
    assert [config.seed for config in with_seeds(trained, 3)] == [1, 2, 3]


def test_a_group_of_two_seeds_says_that_they_tell_little(made):
    assert "two seeds tell little" in summarise(*made(1, 2))["note"]
    assert "two seeds" not in summarise(*made(3))["note"]
