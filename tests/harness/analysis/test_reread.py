"""Re-reading: intervals anew from per-query results, and what is left alone."""

import errno
import json
import os
import re
import socket

import pytest

from harness.analysis.reread import reread_runs
from harness.errors import UsageError
from harness.evaluate.intervals import METHOD
from harness.evaluate.measure import intervals
from harness.evaluate.per_identity import query_values
from harness.files import locked, read_json, write_json
from harness.metric_names import ALL_METRICS, DIRECTIONS
from harness.record import BOOTSTRAP, QUERIES, RECORD, RunFolder
from harness.run.several_seeds import summarise
from harness.track.publish import publish, publish_group

KEY = "test/icfg/t2i/R1"


def both_ways(arrays):
    return {f"{way}/{name[4:]}": values for way in DIRECTIONS for name, values in arrays.items()}


def measured(arrays, dataset):
    values = {
        f"test/{dataset}/{way}/{name}": 100 * float(query_values(arrays, name, way).mean())
        for way in DIRECTIONS
        for name in ALL_METRICS
    }
    return values, {name: (value - 3, value + 3) for name, value in values.items()}


def kept(root, fake, seed=1, **more):
    """Write a run whose intervals were made by the earlier method, and return its folder."""
    known = {"identity": f"{seed}23456789abc", "interval_method": BOOTSTRAP}
    made, arrays = fake.record("cskt", "icfg", 40, seed=seed, **known | more)
    arrays = both_ways(arrays)
    made.metrics, made.intervals = measured(arrays, "icfg")
    folder = RunFolder(root / made.name)
    folder.write(made)
    folder.write_queries(arrays)
    return folder


def elsewhere(folder, fake, dataset="cuhk"):
    """Test a run on another dataset, by the earlier method."""
    arrays = both_ways(fake.queries(20, 5))
    metrics, ends = measured(arrays, dataset)
    folder.write_queries(arrays, f"transfer/{dataset}.npz")
    result = {"dataset": dataset, "protocol": 1, "fingerprint": "d", "metrics": metrics, "intervals": ends}
    write_json(folder.file(f"transfer/{dataset}.json"), result)
    return result


def grouped(root, folders):
    """Write the group of some seeds, by the earlier method."""
    group = summarise([folder.read() for folder in folders], folders)
    del group["interval_method"]
    for metric in group["metrics"].values():
        metric |= {"low": 1.0, "high": 99.0}
    write_json(root / "groups" / f"{group['name']}.json", group)
    return group


def expected(folder, file, dataset):
    return {f"test/{dataset}/{name}": ends for name, ends in intervals(folder.queries(file)).items()}


@pytest.fixture
def old(untracked, fake, tmp_path):
    """Return two seeds of the earlier method, the first tested elsewhere, and their group."""
    folders = [kept(tmp_path, fake, seed) for seed in (1, 2)]
    elsewhere(folders[0], fake)
    return folders, grouped(tmp_path, folders)


def test_intervals_are_those_of_the_per_query_results_and_nothing_else_changes(old, tmp_path):
    folders, group = old
    before, other = folders[0].read(), read_json(folders[0].file("transfer/cuhk.json"))
    found = reread_runs(runs=tmp_path)
    names = [folders[0].path.name, f"{folders[0].path.name} on cuhk", folders[1].path.name, group["name"]]
    assert sorted(one.result for one in found.reread) == sorted(names)
    assert (found.left, found.skipped) == (0, {})
    now, ends = folders[0].read(), expected(folders[0], QUERIES, "icfg")
    changed = {"intervals": ends, "interval_method": METHOD, "tracking": now.tracking}
    assert now == before.model_copy(update=changed)
    ends = expected(folders[0], "transfer/cuhk.npz", "cuhk")
    changed = {"intervals": {name: list(pair) for name, pair in ends.items()}, "interval_method": METHOD}
    assert read_json(folders[0].file("transfer/cuhk.json")) == other | changed
    new = read_json(tmp_path / "groups" / f"{group['name']}.json")
    assert new["interval_method"] == METHOD
    assert new["metrics"] == summarise([folder.read() for folder in folders], folders)["metrics"]
    assert {key: new[key] for key in group if key != "metrics"} == {
        key: group[key] for key in group if key != "metrics"
    }
    (own,) = [one for one in found.reread if one.result == now.name]
    assert (own.value, own.before, own.now) == (
        before.metrics[KEY],
        before.intervals[KEY],
        now.intervals[KEY],
    )


def test_the_second_time_nothing_is_left_to_do(old, tmp_path):
    reread_runs(runs=tmp_path)
    files = [file for file in tmp_path.rglob("*.json") if file.is_file()]
    before = [file.read_bytes() for file in files]
    found = reread_runs(runs=tmp_path)
    assert (found.reread, found.left, found.skipped, found.unsent) == ([], 4, {}, [])
    assert [file.read_bytes() for file in files] == before


def lose(folder):
    folder.file(QUERIES).unlink()


def spoil(folder):
    folder.file(QUERIES).write_bytes(b"PK no archive")


def cut(folder):
    folder.write_queries({name: a for name, a in folder.queries().items() if name != "i2t/AP"})


def swap(folder):
    arrays = folder.queries()
    folder.write_queries(arrays | {"t2i/AP": arrays["t2i/AP"] * (1 - 1e-7)})


def forget(folder):
    folder.write(folder.read().model_copy(update={"metrics": {}, "intervals": {}}))


def garble(folder):
    folder.file(RECORD).write_text("{")


def misspell(folder):
    write_json(folder.file(RECORD), {"identity": "x"})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lose, "it has no per-query results"),
        (spoil, r"queries\.npz cannot be read"),
        (cut, r"queries\.npz cannot be read: 'i2t/AP'"),
        (swap, "its per-query results are not those of its record: t2i/mAP is .* by them and .* there"),
        (forget, "it was never tested"),
        (garble, "its record cannot be read: .*record.json"),
        (misspell, "its record cannot be read"),
    ],
)
def test_what_cannot_be_re_read_is_named_with_the_reason_and_left_as_it_is(
    untracked, fake, tmp_path, change, why
):
    whole, folder = kept(tmp_path, fake, 1), kept(tmp_path, fake, 2)
    change(folder)
    before = folder.file(RECORD).read_bytes()
    found = reread_runs(runs=tmp_path)
    assert [one.result for one in found.reread] == [whole.path.name]
    ((name, said),) = found.skipped.items()
    assert name == folder.path.name
    assert re.fullmatch(f"{why}.*", said)
    assert folder.file(RECORD).read_bytes() == before


def test_a_test_elsewhere_is_re_read_where_the_run_s_own_cannot_be(untracked, fake, tmp_path):
    folder = kept(tmp_path, fake)
    elsewhere(folder, fake)
    lose(folder)
    folder.file("transfer/rstp.json").write_text("{")
    found = reread_runs(runs=tmp_path)
    assert [one.result for one in found.reread] == [f"{folder.path.name} on cuhk"]
    assert found.skipped.keys() == {folder.path.name, f"{folder.path.name}/transfer/rstp.json"}


def test_what_another_process_works_on_and_what_did_not_finish_is_left_alone(untracked, fake, tmp_path):
    busy, running, failed = (kept(tmp_path, fake, seed) for seed in (1, 2, 3))
    host = {"host": socket.gethostname()}
    running.write(running.read().model_copy(update={"status": "running", "environment": host}))
    failed.write(failed.read().model_copy(update={"status": "failed"}))
    with locked(busy.path), locked(running.path):
        found = reread_runs(runs=tmp_path)
    assert found.skipped == {
        busy.path.name: "another process works on it",
        running.path.name: "it is running, not finished",
    }
    assert reread_runs([failed.path.name], tmp_path).skipped == {
        failed.path.name: "it is failed, not finished"
    }


def test_of_named_runs_only_they_and_their_groups_are_re_read(old, fake, tmp_path):
    folders, group = old
    alone = kept(tmp_path, fake, 3)
    assert [one.result for one in reread_runs([alone.path.name] * 2, tmp_path).reread] == [alone.path.name]
    found = reread_runs([folders[1].path.name], tmp_path)
    assert [one.result for one in found.reread] == [folders[1].path.name, group["name"]]
    with pytest.raises(UsageError, match=r"No run 'ckst' in "):
        reread_runs(["ckst"], tmp_path)


def test_a_group_whose_runs_are_gone_or_others_is_left_alone(old, tmp_path):
    folders, group = old
    swap(folders[0])
    found = reread_runs(runs=tmp_path)
    assert "not those of its record" in found.skipped[group["name"]]
    lose(folders[1])
    found = reread_runs(runs=tmp_path)
    assert found.skipped[group["name"]] == "a run of it, or the per-query results of one, are gone"
    assert read_json(tmp_path / "groups" / f"{group['name']}.json") == group


def test_a_folder_that_refuses_is_one_message_and_its_record_stays(old, tmp_path, monkeypatch):
    before = old[0][0].file(RECORD).read_bytes()

    def refuse(*given):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("harness.files.os.fsync", refuse)
    with pytest.raises(
        UsageError, match=r"cannot be written to \(Read-only file system\): make it writable"
    ) as told:
        reread_runs(runs=tmp_path)
    assert told.value.exit_code == 2
    assert old[0][0].file(RECORD).read_bytes() == before


def test_no_run_is_nothing_to_do(untracked, tmp_path):
    assert reread_runs(runs=tmp_path / "none").as_dict() == {
        "reread": [],
        "left": 0,
        "skipped": {},
        "unsent": [],
        "interval_method": METHOD,
    }


def test_mlflow_gets_the_new_ends_in_the_same_run_and_the_group_anew(experiment, fake):
    root = experiment.runs
    folders = [kept(root, fake, seed, identity=f"{seed}reread-mlflow") for seed in (1, 2)]
    elsewhere(folders[0], fake)
    for folder in folders:
        record = folder.read()
        record.tracking = publish(record, folder, experiment)
        folder.write(record)
    group = grouped(root, folders)
    publish_group(group, [folder.read() for folder in folders], root)
    found = reread_runs([folder.path.name for folder in folders], root)
    assert (len(found.reread), found.unsent) == (4, [])
    record = folders[0].read()
    run = experiment.run(record.tracking["run_id"])
    low, high = record.intervals[KEY]
    assert (run.metrics[f"{KEY}/low"], run.metrics[f"{KEY}/high"]) == (low, high)
    other = expected(folders[0], "transfer/cuhk.npz", "cuhk")["test/cuhk/t2i/mAP"]
    assert run.metrics["test/cuhk/t2i/mAP/low"] == other[0]
    assert (run.tag("interval_method"), run.tag("transfer_interval_method.cuhk")) == ("2", "2")
    assert f"[{low:.1f}, {high:.1f}]" in run.tags["mlflow.note.content"]
    file = experiment.artifact(run.id, RECORD, folders[0].path / "fetched")
    assert json.loads(file.read_text())["interval_method"] == METHOD
    (parent,) = [one for one in experiment.finished_runs("group") if one.name == group["name"]]
    assert (parent.tag("interval_method"), parent.metrics["interval_method"]) == ("2", 2.0)
    assert parent.metrics[f"{KEY}/low"] > 1.0
    assert {experiment.run(f.read().tracking["run_id"]).parent for f in folders} == {parent.id}


@pytest.mark.parametrize("tracking", [{"uri": "elsewhere"}, {"run_id": "gone"}, {"synced": False}])
def test_what_the_store_does_not_have_is_left_to_sync(experiment, fake, tracking):
    folder = kept(experiment.runs, fake, identity=f"9{next(iter(tracking))}-unsent")
    record = folder.read()
    record.tracking = publish(record, folder, experiment) | tracking
    folder.write(record)
    found = reread_runs([folder.path.name], experiment.runs)
    assert found.unsent == [folder.path.name]
    assert (folder.read().interval_method, folder.read().tracking["synced"]) == (METHOD, False)


def test_a_store_that_is_away_costs_a_warning_and_none_is_made(old, tmp_path, caplog):
    assert len(reread_runs([old[0][1].path.name], tmp_path).unsent) == 2
    assert not caplog.text
    assert not list(tmp_path.glob("mlflow*"))
    (tmp_path / "mlflow.db").touch()
    found = reread_runs(runs=tmp_path)
    assert found.unsent == [old[0][0].path.name]
    assert "MLflow did not take the intervals" in caplog.text
