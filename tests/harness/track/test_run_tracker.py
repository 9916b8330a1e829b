"""Tracking: what of a run reaches MLflow, what happens when the store is away, and that no step waits for it."""

import time

import numpy as np
import pytest

from harness.config.values import flatten
from harness.inference.transfer import evaluate_run
from harness.record import RunFolder, all_runs
from harness.run.resume import sync_runs
from harness.run.run import run
from harness.run.several_seeds import run_seeds
from harness.track import mlflow_store
from harness.track.mlflow_store import Store
from harness.track.run_row import PARENT
from harness.track.run_tracker import Tracker


@pytest.fixture(scope="module")
def tracked(world, twins, tmp_path_factory):
    """Two seeds of a quick run with a real SQLite store, tested on another dataset too; made once."""
    root = tmp_path_factory.mktemp("tracked")
    group = run_seeds(world.quick(twins), 2, runs=root)
    evaluate_run(group["runs"][0], ["cuhk"], runs=root, data_root=str(twins))
    return root, group, Store(root)


def mlflow_run(store, root, name):
    return store.client.get_run(RunFolder(root / name).read().tracking["run_id"])


def test_a_run_arrives_with_parameters_metrics_tags_dataset_and_artifacts(tracked):
    root, group, store = tracked
    record = RunFolder(root / group["runs"][0]).read()
    seen = mlflow_run(store, root, record.name)
    assert seen.info.status == "FINISHED"
    assert seen.info.run_name == record.name
    assert seen.data.params == {key: str(value) for key, value in flatten(record.config).items()}
    for name, value in record.metrics.items():
        assert seen.data.metrics[name] == pytest.approx(value)
    for name, (low, high) in record.intervals.items():
        assert (seen.data.metrics[f"{name}/low"], seen.data.metrics[f"{name}/high"]) == pytest.approx(
            (low, high)
        )
    assert seen.data.tags["harness.identity"] == record.identity
    assert seen.data.tags["harness.synthetic"] == "true"
    (given,) = seen.inputs.dataset_inputs
    assert given.dataset.name == "icfg-twin"
    assert record.fingerprint.startswith(given.dataset.digest)
    names = {file.path for file in store.client.list_artifacts(seen.info.run_id)}
    kept = {
        "record.json",
        "queries.npz",
        "embeddings.npz",
        "weights.safetensors",
        "holdout.json",
        "config.yaml",
    }
    assert kept <= names


def test_each_epoch_is_one_point_of_the_curves(tracked):
    root, group, store = tracked
    record = RunFolder(root / group["runs"][0]).read()
    points = store.client.get_metric_history(record.tracking["run_id"], "train/loss")
    rows = RunFolder(root / record.name).history()
    assert [(point.step, point.value) for point in points] == [
        (row["epoch"], row["train/loss"]) for row in rows
    ]


def test_several_seeds_are_children_of_one_parent_with_mean_and_interval(tracked):
    root, group, store = tracked
    (parent,) = store.finished_runs("group")
    name = "test/icfg/t2i/R1"
    assert parent.metrics[name] == pytest.approx(group["metrics"][name]["mean"])
    assert parent.metrics[f"{name}/low"] <= parent.metrics[name]
    assert parent.metrics["n_seeds"] == 2
    for child in group["runs"]:
        assert mlflow_run(store, root, child).data.tags[PARENT] == parent.id


def test_a_test_on_another_dataset_is_logged_beside_the_runs_own(tracked):
    root, group, store = tracked
    metrics = mlflow_run(store, root, group["runs"][0]).data.metrics
    assert "test/cuhk/t2i/R1" in metrics
    assert "test/icfg/t2i/R1" in metrics


def test_what_galleries_and_slices_need_is_in_the_store_for_each_test_set(tracked, tmp_path):
    root, group, store = tracked
    run_id = RunFolder(root / group["runs"][0]).read().tracking["run_id"]
    for name in ("queries.npz", "transfer/cuhk.npz"):
        with np.load(store.artifact(run_id, name, tmp_path), allow_pickle=False) as kept:
            assert {"t2i/top", "i2t/top", "t2i/n_words", "t2i/colours", "words/garments"} <= set(kept.files)
            assert len(kept["t2i/top"]) == len(kept["t2i/n_words"]) == len(kept["t2i/rank"])


def test_what_did_not_arrive_is_synced_later_and_only_once(world, twins, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Store, "__init__", _away)
        record = run(world.quick(twins), runs=tmp_path)
    assert record.status == "finished"
    assert not record.tracking["synced"]
    assert "away" in record.tracking["error"]
    assert sync_runs(tmp_path)["sent"] == [record.name]
    again = sync_runs(tmp_path)
    assert (again["sent"], again["left"]) == ([], 1)
    (folder,) = all_runs(tmp_path)
    store = Store(tmp_path)
    assert len(store.finished_runs()) == 1
    assert len(store.client.get_metric_history(folder.read().tracking["run_id"], "train/loss")) == 2
    sync_runs(tmp_path, everything=True)
    assert len(store.finished_runs()) == 1


def test_handing_over_metrics_never_waits_for_the_store(tracked, monkeypatch):
    root, group, _ = tracked
    folder = RunFolder(root / group["runs"][0])
    slow = []
    monkeypatch.setattr(Store, "__init__", lambda self, *a: (time.sleep(0.5), slow.append(1))[0])
    monkeypatch.setattr(Store, "create", lambda self, record, folder: "id")
    monkeypatch.setattr(Store, "remove", lambda self, run_id: None)
    monkeypatch.setattr(Store, "log", lambda self, run_id, rows: slow.extend(rows))
    monkeypatch.setattr(Store, "close", lambda self, *a: None)
    tracker = Tracker(folder.read(), folder, root)
    for epoch in range(50):
        tracker.on_epoch(epoch, {"epoch": epoch, "loss": 1.0})
    assert not slow, "the caller waited for the store"
    tracker.finish(folder.read())
    assert [row["epoch"] for row in slow[1:]] == list(range(50))


def test_the_tracking_uri_of_the_environment_wins(monkeypatch, tmp_path):
    assert mlflow_store.tracking_uri(tmp_path).startswith("sqlite:///")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert mlflow_store.tracking_uri(tmp_path) == "http://127.0.0.1:9"


def _away(self, *arguments):
    raise ConnectionError("the store is away")
