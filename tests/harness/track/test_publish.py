"""Whole records, results on other datasets, files and groups of seeds, sent to a store."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from mlflow.store.tracking import sqlalchemy_store

from harness.evaluate.intervals import METHOD
from harness.files import write_json
from harness.metric_names import PROTOCOL_VERSION
from harness.record import BOOTSTRAP, COMPRESSION, HISTORY, RunFolder
from harness.track.patience import _unless_overtaken
from harness.track.publish import (
    _group_metrics,
    log_result_file,
    log_transfer,
    publish,
    publish_group,
)

DATASET = "icfg"


@pytest.fixture
def sent(experiment, fake):
    """Return a record and its folder, published with two epochs."""
    made, arrays = fake.record("cskt", DATASET, 40)
    folder = RunFolder(experiment.runs / f"{made.name}-{experiment.experiment_id}")
    folder.write_queries(arrays)
    write_json(folder.file(HISTORY), [{"epoch": 1, "train/loss": 2.0}, {"epoch": 2, "train/loss": 1.0}])
    folder.write(made)
    made.tracking = publish(made, folder, experiment)
    return made, folder


def transfer(dataset="cuhk", r1=20.0):
    name = f"test/{dataset}/t2i/R1"
    return {
        "dataset": dataset,
        "fingerprint": "data",
        "protocol": PROTOCOL_VERSION,
        "metrics": {name: r1},
        "intervals": {name: (r1 - 1, r1 + 2)},
    }


def files(store, run_id, folder=None):
    return {file.path for file in store.client.list_artifacts(run_id, folder)}


def test_a_record_arrives_with_its_epochs_and_where_it_went(experiment, sent):
    made, _ = sent
    run = experiment.run(made.tracking["run_id"])
    assert made.tracking == {"synced": True, "run_id": run.id, "uri": experiment.place, "error": None}
    assert run.status == "FINISHED"
    assert run.metrics[f"test/{DATASET}/t2i/R1"] == made.metrics[f"test/{DATASET}/t2i/R1"]
    assert experiment.history(run.id, ["train/loss"]) == [
        {"epoch": 1, "train/loss": 2.0},
        {"epoch": 2, "train/loss": 1.0},
    ]
    assert {"record.json", "queries.npz"} <= files(experiment, run.id)


def test_runs_that_note_the_same_dataset_at_the_same_moment_both_arrive(experiment, fake, monkeypatch):
    made = [fake.record("cskt", DATASET, 40, seed=seed, fingerprint="of both")[0] for seed in (1, 2)]
    run_ids = [experiment.open(one.name, {}, {}) for one in made]
    together, waiting = threading.Barrier(2, timeout=60), iter(range(2))

    def uuid4():
        """Wait until both have looked for the dataset, found none, and are about to write it."""
        if next(waiting, None) is not None:
            together.wait()
        return uuid.uuid4()

    monkeypatch.setattr(sqlalchemy_store, "uuid", SimpleNamespace(uuid4=uuid4))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(experiment._dataset, run_ids, made))
    inputs = [experiment.client.get_run(run_id).inputs.dataset_inputs for run_id in run_ids]
    assert [one.dataset.digest for (one,) in inputs] == ["of both"] * 2


def test_an_error_of_what_was_asked_is_not_tried_again():
    for text, times in {"UNIQUE constraint failed: datasets.name": 3, "no such run": 1}.items():
        calls = []

        def work(text=text, calls=calls):
            calls.append(text)
            raise ValueError(text)

        with pytest.raises(ValueError, match=text):
            _unless_overtaken(work)
        assert len(calls) == times


def test_the_chosen_epoch_and_its_validation_are_metrics_beside_the_last_epochs(experiment, fake, tmp_path):
    made, _ = fake.record("cskt", DATASET)
    made.selection = {"rule": "val", "epoch": 3, "epochs": 9, "val/t2i/R1": 61.5}
    folder = RunFolder(tmp_path)
    write_json(folder.file(HISTORY), [{"epoch": 9, "val/t2i/R1": 40.0}])
    metrics = experiment.run(publish(made, folder, experiment)["run_id"]).metrics
    assert (metrics["selection/epoch"], metrics["selection/epochs"]) == (3, 9)
    assert (metrics["selection/val/t2i/R1"], metrics["val/t2i/R1"]) == (61.5, 40.0)


def test_published_again_it_takes_its_own_place_with_all_results(experiment, sent):
    made, folder = sent
    write_json(folder.file("transfer/cuhk.json"), transfer())
    folder.write_queries({"t2i/rank": [1]}, "transfer/cuhk.npz")
    write_json(folder.file(COMPRESSION), {"a": 1})
    before = made.tracking["run_id"]
    made.tracking = publish(made, folder, experiment)
    (run,) = experiment.finished_runs()
    assert run.id == made.tracking["run_id"] != before
    assert run.metrics["test/cuhk/t2i/R1/high"] == 22.0
    assert files(experiment, run.id, "transfer") == {"transfer/cuhk.npz"}
    assert run.tag(f"file.{COMPRESSION}") == "sent"


def test_a_result_on_another_dataset_joins_the_run_with_the_ends_of_its_intervals(experiment, sent):
    made, folder = sent
    folder.write_queries({"t2i/rank": [1]}, "transfer/cuhk.npz")
    assert log_transfer(made, folder, transfer())
    run = experiment.run(made.tracking["run_id"])
    assert [run.metrics[f"test/cuhk/t2i/R1{end}"] for end in ("", "/low", "/high")] == [20, 19, 22]
    assert (run.tag("transfer.cuhk"), run.tag("transfer_protocol.cuhk")) == ("data", str(PROTOCOL_VERSION))
    assert (run.tag("interval_method"), run.tag("transfer_interval_method.cuhk")) == (
        str(METHOD),
        str(BOOTSTRAP),
    )
    assert log_transfer(made, folder, transfer() | {"interval_method": METHOD})
    assert experiment.run(run.id).tag("transfer_interval_method.cuhk") == str(METHOD)


def test_what_was_never_sent_and_what_is_missing_is_told_by_a_false(experiment, sent, caplog):
    made, folder = sent
    whole = made.tracking
    assert not log_transfer(made, folder, transfer("rstp"))
    assert folder.read().tracking["error"] == "the result on rstp did not arrive"
    made.tracking = whole
    assert not log_result_file(made, folder, COMPRESSION)
    assert folder.read().tracking == {
        **whole,
        "synced": False,
        "error": f"{COMPRESSION} of {made.name} did not arrive",
    }
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 2
    made.tracking = {"synced": False}
    assert not log_transfer(made, folder, transfer())
    assert not log_result_file(made, folder, HISTORY)


def test_a_file_is_sent_and_marked(experiment, sent):
    made, folder = sent
    write_json(folder.file(COMPRESSION), {"a": 1})
    assert log_result_file(made, folder, COMPRESSION)
    assert COMPRESSION in files(experiment, made.tracking["run_id"])
    assert experiment.run(made.tracking["run_id"]).tag(f"file.{COMPRESSION}") == "sent"


def seeds(metric):
    return {"name": "g", "identity": "gi", "seeds": [1, 2], "metrics": {"test/icfg/t2i/R1": metric}}


METRIC = {"mean": 30.0, "low": 25.0, "high": 35.0, "sd": 2.0, "values": [28.0, 32.0]}


def test_a_group_is_the_parent_of_its_seeds_and_replaces_an_earlier_one(experiment, fake):
    records = [fake.send(experiment, *fake.record("cskt", DATASET, 40, seed=seed)) for seed in (1, 2)]
    first = publish_group(seeds(METRIC), records, experiment.runs)
    second = publish_group(seeds(METRIC | {"mean": 31.0}), records, experiment.runs)
    (group,) = experiment.finished_runs("group")
    assert group.id == second != first
    assert group.metrics["test/icfg/t2i/R1"] == 31.0
    assert (group.tag("seeds"), group.tag("interval_method")) == ("[1, 2]", "1")
    assert "seed" not in group.params
    assert {run.parent for run in experiment.finished_runs()} == {second}


def test_a_store_that_is_away_gives_no_group(untracked, fake, tmp_path, caplog):
    assert publish_group(seeds(METRIC), [fake.record("cskt", DATASET)[0]], tmp_path) is None
    assert "harness runs sync" in caplog.text


def test_a_group_s_numbers_are_flat():
    assert _group_metrics(seeds(METRIC) | {"interval_method": 2}) == {
        "n_seeds": 2.0,
        "interval_method": 2.0,
        "test/icfg/t2i/R1": 30.0,
        "test/icfg/t2i/R1/low": 25.0,
        "test/icfg/t2i/R1/high": 35.0,
        "test/icfg/t2i/R1/sd": 2.0,
    }
    assert _group_metrics({"seeds": [], "metrics": {}}) == {"n_seeds": 0.0, "interval_method": 1.0}
