"""How long a run should take, by hand, and how many bytes it writes."""

import pytest

from harness.datasets import DATASETS
from harness.images.store import disk_bytes
from harness.record import RunFolder
from harness.run.estimate import expected_seconds, finished_runs, store_bytes, weight_bytes


@pytest.fixture
def config(world, tmp_path):
    """Return the config of a run of three epochs."""
    return world.quick(tmp_path, "linear_probe", "icfg", "train.epochs=3")


@pytest.fixture
def earlier(fake, config):
    """Return the maker of an earlier run's record: 10 seconds beside training, 2 epochs of 100 pairs."""

    def make(training=40.0, pairs=100, method="linear_probe", status="finished", seed=1, **changes):
        plain = config.model_dump(mode="json")
        record, _ = fake.record(method, "icfg", seed=seed, seconds=training, train_pairs=pairs, status=status)
        record.config = plain | {"seed": seed, "method": plain["method"] | {"name": method}}
        for key, value in changes.items():
            section, _, name = key.partition("__")
            record.config[section] = record.config[section] | {name: value}
        record.seconds, record.selection = training + 10.0, {"epochs": 2}
        return record

    return make


def test_without_an_earlier_run_nothing_is_known(config, earlier):
    assert expected_seconds(config, []) == (None, 0)
    others = [
        earlier(method="cskt"),
        earlier(backbone__name="RN50"),
        earlier(backbone__image_size=[384, 128]),
    ]
    assert expected_seconds(config, others) == (None, 0)


def test_training_counts_by_pairs_and_epochs_and_the_rest_as_it_was(config, earlier):
    assert expected_seconds(config, [earlier()]) == (pytest.approx(10 + 40 / 200 * 100 * 3), 1)
    assert expected_seconds(config, [earlier()], pairs=50) == (pytest.approx(10 + 40 / 200 * 50 * 3), 1)
    three = [earlier(20.0, seed=1), earlier(40.0, seed=2), earlier(900.0, seed=3)]
    assert expected_seconds(config, three) == (pytest.approx(10 + 40 / 200 * 100 * 3), 3)


def test_runs_on_the_same_data_come_first_and_the_last_of_them_tells_the_pairs(config, earlier):
    elsewhere, here = earlier(400.0, dataset__name="cuhk"), earlier(40.0, pairs=80)
    assert expected_seconds(config, [elsewhere, here]) == (pytest.approx(10 + 40 / 160 * 80 * 3), 1)
    published = DATASETS.get("icfg").expected["train"].captions
    assert expected_seconds(config, [elsewhere]) == (pytest.approx(10 + 400 / 200 * published * 3), 1)
    twice = [earlier(pairs=80, seed=1), earlier(pairs=120, seed=2)]
    seconds, n_runs = expected_seconds(config, twice)
    assert n_runs == 2
    assert seconds == pytest.approx(10 + (40 / 160 + 40 / 240) / 2 * 120 * 3)


def test_what_trains_nothing_takes_what_it_took(world, tmp_path, earlier):
    config = world.quick(tmp_path, "zero_shot")
    assert expected_seconds(config, [earlier(0.0, method="zero_shot")]) == (10.0, 1)


def test_only_finished_runs_are_read_and_no_folder_is_no_run(earlier, tmp_path):
    assert finished_runs(tmp_path / "nowhere") == []
    kept = {"first": "finished", "second": "failed", "third~1": "finished", "fourth": "finished"}
    for seed, (name, status) in enumerate(kept.items()):
        (tmp_path / name).mkdir()
        RunFolder(tmp_path / name).write(earlier(status=status, seed=seed))
    assert sorted(record.config["seed"] for record in finished_runs(tmp_path)) == [0, 3]


def test_bytes_are_those_of_what_is_trained_and_of_each_store_once(world, tmp_path):
    assert weight_bytes(world.quick(tmp_path, "zero_shot")) == 0
    probe, full = (weight_bytes(world.quick(tmp_path, name)) for name in ("linear_probe", "full_finetune"))
    assert 0 < probe < full
    assert store_bytes([]) == 0
    images = sum(counts.images for counts in DATASETS.get("icfg").expected.values())
    one = disk_bytes(images, (96, 32))
    assert store_bytes([("icfg", (96, 32)), ("icfg", (96, 32))]) == one
    assert store_bytes([("icfg", (96, 32)), ("icfg", (384, 128))]) == one + disk_bytes(images, (384, 128))
