"""One run, one MLflow run: whatever is killed, deleted or moved, `sync` leaves each record's run once and whole."""

import os
import shutil
import signal
from contextlib import suppress

import pytest

from harness.errors import UsageError
from harness.files import write_json
from harness.record import HISTORY, RunFolder, all_runs
from harness.run import resume
from harness.run.resume import sync_runs
from harness.track import own_runs, patience
from harness.track.keeping import archive_run
from harness.track.mlflow_opening import _lay_out, sqlite_url
from harness.track.mlflow_store import ARTIFACTS, Store
from harness.track.own_runs import FOLDER, HOST, KEY, new_key
from harness.track.publish import publish, publish_group
from harness.track.run_tracker import Tracker

ROWS = [{"epoch": 1, "train/loss": 2.0}, {"epoch": 2, "train/loss": 1.0}]
METRIC = {"mean": 30.0, "low": 25.0, "high": 35.0, "sd": 2.0, "values": [28.0, 32.0]}


class Killed(BaseException):
    """What ends a process here: nothing of the harness catches it."""


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory):
    """Return a database whose tables are there, and nothing else: making them takes seconds."""
    folder = tmp_path_factory.mktemp("laid-out")
    _lay_out(sqlite_url(folder / "mlflow.db"), folder)
    return folder / "mlflow.db"


@pytest.fixture
def new_root(laid_out, tmp_path):
    """Return the maker of runs folders with an empty store."""

    def make(name):
        runs = tmp_path / str(name)
        runs.mkdir()
        shutil.copy(laid_out, runs)
        return runs

    return make


@pytest.fixture
def root(new_root):
    """Return a runs folder with an empty store."""
    return new_root("runs")


def begun(fake, root, seed=1):
    """Return the record and folder of a run that ended and of which nothing was sent."""
    made, arrays = fake.record("cskt", "icfg", seed=seed, identity=f"{seed}" * 64)
    made.key = new_key()
    folder = RunFolder(root / made.name)
    folder.write_queries(arrays)
    write_json(folder.file(HISTORY), ROWS)
    folder.write(made)
    return made, folder


def send(made, folder):
    made.tracking = publish(made, folder, Store(folder.path.parent))
    folder.write(made)
    return made


def tracked(root):
    """Return all runs that the store has, of any kind and in any state."""
    return Store(root).search("")


def assert_once_and_whole(root, made, folder):
    (row,) = tracked(root)
    assert (row.status, row.tags[KEY]) == ("FINISHED", made.key)
    assert row.metrics["train/loss"] == 1.0
    sent = {file.path for file in Store(root).client.list_artifacts(row.id)}
    assert {name for name in ARTIFACTS if folder.file(name).is_file()} | {"config.yaml"} <= sent
    assert RunFolder(folder.path).read().tracking["run_id"] == row.id


def killing(monkeypatch, at, kill):
    """Let the call to the store of that number, and all later ones, find the process dead; count them."""
    calls, bounded = [], patience.bounded

    def counted(uri, work, more=0.0):
        calls.append(work)
        if len(calls) >= at:
            kill()
        return bounded(uri, work, more)

    monkeypatch.setattr(patience, "bounded", counted)
    return calls


def _die():
    raise Killed


@pytest.mark.slow
def test_killed_before_any_call_of_sending_it_is_sent_once_and_whole(fake, new_root, monkeypatch):
    calls = dead_at(monkeypatch, 10**6, *begun(fake, new_root("whole")))
    assert calls > 8
    for at in range(1, calls + 1):
        made, folder = begun(fake, root := new_root(at))
        assert dead_at(monkeypatch, at, made, folder) == at
        sync_runs(root)
        assert_once_and_whole(root, made, folder)
        assert sync_runs(root)["sent"] == []


def dead_at(monkeypatch, at, made, folder):
    """Send a record until a call to the store; return how many were made."""
    with monkeypatch.context() as patch, suppress(Killed):
        calls = killing(patch, at, _die)
        publish(made, folder, Store(folder.path.parent))
    return len(calls)


@pytest.mark.slow
def test_a_process_that_is_killed_before_any_call_leaves_nothing_that_sync_does_not_mend(
    fake, new_root, monkeypatch, record_property
):
    n_killed = at = 0
    while True:
        at += 1
        made, folder = begun(fake, root := new_root(at))
        child = os.fork()
        if not child:
            killing(monkeypatch, at, lambda: os.kill(os.getpid(), signal.SIGKILL))
            tracker = Tracker(made, folder, root)
            tracker.on_resume(ROWS, 0)
            made.tracking = tracker.finish(made)
            folder.write(made)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sync_runs(root)
        assert_once_and_whole(root, made, folder)
        if not os.WIFSIGNALED(status):
            break
        n_killed += 1
    record_property("kills", n_killed)
    assert n_killed > 8


def test_what_was_sent_is_asked_of_the_store_and_not_of_the_record(fake, root, new_root, monkeypatch):
    made, folder = begun(fake, root)
    send(made, folder)
    assert sync_runs(root) | {"uri": ""} == {"sent": [], "left": 1, "closed": 0, "uri": ""}
    Store(root).remove(made.tracking["run_id"])
    assert sync_runs(root)["sent"] == [made.name]
    assert_once_and_whole(root, made, folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{new_root('other')}/mlflow.db")
    assert sync_runs(root)["sent"] == [made.name]
    assert_once_and_whole(root, made, folder)


def test_a_database_that_was_moved_has_its_runs(fake, root, tmp_path, monkeypatch):
    made, folder = begun(fake, root)
    send(made, folder)
    (root / "mlflow.db").rename(tmp_path / "moved.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/moved.db")
    assert sync_runs(root)["sent"] == []
    assert folder.read().tracking["uri"].endswith("moved.db")
    assert len(tracked(root)) == 1


def test_a_folder_that_was_moved_keeps_its_runs(fake, root, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root}/mlflow.db")
    made, _ = begun(fake, root)
    other = tmp_path / "other"
    shutil.copytree(root, other)
    send(made, RunFolder(root / made.name))
    shutil.rmtree(root / made.name)
    assert sync_runs(other)["sent"] == [made.name]
    assert_once_and_whole(root, made, RunFolder(other / made.name))


def test_a_run_that_is_repeated_takes_the_place_of_the_one_that_is_gone(fake, root):
    made, folder = begun(fake, root)
    send(made, folder)
    folder.set_aside()
    again, folder = begun(fake, root)
    send(again, folder)
    assert again.key != made.key
    assert_once_and_whole(root, again, folder)


def test_an_equal_run_of_another_folder_or_machine_is_left_alone(fake, root, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root}/mlflow.db")
    first, _ = begun(fake, root)
    second, folder = begun(fake, tmp_path / "other")
    send(first, RunFolder(root / first.name))
    send(second, folder)
    assert len(tracked(root)) == 2
    with monkeypatch.context() as patch:
        patch.setattr(own_runs.socket, "gethostname", lambda: "elsewhere")
        third, folder = begun(fake, tmp_path / "third")
        send(third, folder)
    shutil.rmtree(tmp_path / "third")
    send(*begun(fake, tmp_path / "fourth"))
    assert len(tracked(root)) == 4
    shutil.rmtree(tmp_path / "fourth")
    send(*begun(fake, tmp_path / "fifth"))
    assert len(tracked(root)) == 4


def test_a_run_whose_folder_went_to_another_machine_is_found_by_its_key(fake, root, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root}/mlflow.db")
    made, folder = begun(fake, root)
    shutil.copytree(root, tmp_path / "there")
    send(made, folder)
    with monkeypatch.context() as patch:
        patch.setattr(own_runs.socket, "gethostname", lambda: "elsewhere")
        assert sync_runs(tmp_path / "there")["sent"] == [made.name]
    assert_once_and_whole(root, made, RunFolder(tmp_path / "there" / made.name))


def test_what_a_person_wrote_and_the_parent_stay_with_a_run_that_is_sent_anew(fake, root):
    made, folder = begun(fake, root)
    send(made, folder)
    store = Store(root)
    parent = store.open("study", {"harness.kind": "study"}, {})
    store.end(parent, "finished")
    store.set_tags(made.tracking["run_id"], {"note": "look here", "mlflow.parentRunId": parent})
    sync_runs(root, everything=True)
    row = store.run(folder.read().tracking["run_id"])
    assert (row.tags["note"], row.parent) == ("look here", parent)
    store.remove(parent)
    sync_runs(root, everything=True)
    assert store.run(folder.read().tracking["run_id"]).parent is None


def test_a_run_that_nobody_will_end_is_ended(fake, root):
    made, folder = begun(fake, root)
    store = Store(root)
    lost = store.create(made, folder)
    elsewhere = store.open("theirs", {HOST: "another", FOLDER: "/none", KEY: "k"}, {})
    own = store.open("study", {"harness.kind": "study"}, {})
    shutil.rmtree(folder.path)
    assert sync_runs(root)["closed"] == 1
    assert store.run(lost).status == "KILLED"
    assert [store.run(one).status for one in (elsewhere, own)] == ["RUNNING", "RUNNING"]


def test_a_record_of_an_earlier_harness_is_found_by_what_it_noted(fake, root):
    made, folder = begun(fake, root)
    send(made, folder)
    store = Store(root)
    for name in (KEY, HOST, FOLDER):
        store.client.delete_tag(made.tracking["run_id"], name)
    made.key = ""
    folder.write(made)
    assert sync_runs(root)["left"] == 1
    sync_runs(root, everything=True)
    (row,) = tracked(root)
    assert row.tags[KEY] == folder.read().key != ""


@pytest.mark.slow
def test_a_group_that_was_killed_while_it_was_sent_is_there_once(fake, root, monkeypatch):
    records = [send(*begun(fake, root, seed)) for seed in (1, 2)]
    group = {
        "name": "g",
        "identity": "gi",
        "seeds": [1, 2],
        "metrics": {"test/icfg/t2i/R1": METRIC},
        "runs": [record.name for record in records],
    }
    write_json(root / "groups" / "g.json", group)
    at, calls = 1, [None, None]
    while len(calls) > at - 1:
        at += 1
        with monkeypatch.context() as patch, suppress(Killed):
            calls = killing(patch, at, _die)
            publish_group(group, records, root)
        sync_runs(root)
        (parent,) = Store(root).search("tags.`harness.kind` = 'group'")
        assert parent.status == "FINISHED"
        assert {row.parent for row in Store(root).finished_runs()} == {parent.id}
    assert len(all_runs(root)) == 2


def test_a_group_with_an_archived_run_is_sent_and_then_left(fake, root, monkeypatch):
    made = [begun(fake, root, seed) for seed in (1, 2)]
    records = [send(*one) for one in made]
    group = {"name": "g", "identity": "gi", "seeds": [1, 2], "metrics": {"test/icfg/t2i/R1": METRIC}}
    write_json(root / "groups" / "g.json", group | {"runs": [record.name for record in records]})
    assert archive_run(made[0][1], records[0]) is None
    sync_runs(root)
    (parent,) = Store(root).search("tags.`harness.kind` = 'group'")
    assert {row.parent for row in Store(root).finished_runs()} == {parent.id}
    monkeypatch.setattr(resume, "publish_group", lambda *given: pytest.fail("sent again"))
    sync_runs(root)


def test_whether_a_run_is_there_is_not_said_of_a_store_that_is_away(root, monkeypatch):
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE

    def away(run_id):
        raise MlflowException("the server is gone", error_code=TEMPORARILY_UNAVAILABLE)

    store = Store(root)
    assert not store.is_there("0" * 32)
    monkeypatch.setattr(store.client._client, "get_run", away)
    with pytest.raises(MlflowException):
        store.is_there("0" * 32)


def test_a_run_that_the_store_does_not_take_is_named_and_the_others_are_sent(fake, root, monkeypatch):
    (bad, _), (good, _) = (begun(fake, root, seed) for seed in (1, 2))
    real = resume.resend

    def refuse_one(record, folder, store):
        return 1 / 0 if record.name == bad.name else real(record, folder, store)

    monkeypatch.setattr(resume, "resend", refuse_one)
    with pytest.raises(
        UsageError, match=rf"does not take {bad.name} \(ZeroDivisionError: .*; 1 sent, 0 there"
    ):
        sync_runs(root)
    assert [row.name for row in tracked(root)] == [good.name]
    monkeypatch.setattr(resume, "resend", real)
    assert sync_runs(root)["sent"] == [bad.name]
