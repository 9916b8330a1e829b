"""How long a run should take, by hand, and how many bytes it writes."""

import pytest

from harness.datasets import DATASETS
from harness.images.store import disk_bytes
from harness.record import RunFolder
from harness.run.estimate import expected_seconds, finished_runs, store_bytes, weight_bytes
from harness.twins.marker import read_marker
from harness.twins.writer import twin_captions


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


def on_real_data(config):
    return config.model_copy(update={"dataset": config.dataset.model_copy(update={"synthetic": False})})


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


def test_runs_on_the_same_data_come_first_and_the_last_of_them_tells_the_pairs(config, earlier, tmp_path):
    elsewhere, here = earlier(400.0, dataset__name="cuhk"), earlier(40.0, pairs=80)
    assert expected_seconds(config, [elsewhere, here]) == (pytest.approx(10 + 40 / 160 * 80 * 3), 1)
    generated = twin_captions(DATASETS.get("icfg"), tmp_path, "train")
    assert expected_seconds(config, [elsewhere]) == (pytest.approx(10 + 400 / 200 * generated * 3), 1)
    other_method = earlier(pairs=70, method="cskt")
    assert expected_seconds(config, [elsewhere, other_method])[0] == pytest.approx(10 + 400 / 200 * 70 * 3)
    twice = [earlier(pairs=80, seed=1), earlier(pairs=120, seed=2)]
    seconds, n_runs = expected_seconds(config, twice)
    assert n_runs == 2
    assert seconds == pytest.approx(10 + (40 / 160 + 40 / 240) / 2 * 120 * 3)


def test_twins_are_estimated_from_twins_and_real_data_from_the_published_number(
    world, twins, tmp_path, earlier
):
    twin = world.quick(twins, "linear_probe", "icfg", "train.epochs=3")
    real = on_real_data(twin)
    on_real = earlier(700.0, dataset__synthetic=False, dataset__name="rstp")
    on_real.synthetic = False
    on_twin = earlier(400.0, dataset__name="rstp")
    both = [on_twin, on_real]
    has = read_marker(twins / "synthetic" / "ICFG-PEDES").counts["train"].captions
    assert expected_seconds(twin, both) == (pytest.approx(10 + 400 / 200 * has * 3), 1)
    published = DATASETS.get("icfg").expected["train"].captions
    assert expected_seconds(real, both) == (pytest.approx(10 + 700 / 200 * published * 3), 1)
    assert published > 100 * has
    assert twin_captions(DATASETS.get("icfg"), twins, "train") == has


def test_a_dataset_without_published_counts_has_no_estimate_before_its_first_run(
    config, earlier, monkeypatch
):
    monkeypatch.setattr(DATASETS.get("icfg"), "expected", {})
    config = on_real_data(config)
    elsewhere = earlier(400.0, dataset__name="cuhk", dataset__synthetic=False)
    assert expected_seconds(config, [elsewhere]) == (None, 0)
    assert expected_seconds(config, [elsewhere], pairs=10) == (pytest.approx(10 + 400 / 200 * 10 * 3), 1)
    assert store_bytes([("icfg", (96, 32))]) == 0


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
