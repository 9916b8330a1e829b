"""A study's run in MLflow: opened once, shared by its processes, parent of its trials; no store is no hindrance."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.queue.parent_run import STUDY_KEY, StudyTracker
from harness.record import RunFolder, trials_folder
from harness.track.mlflow_store import Store
from harness.track.own_runs import HOST, KEY, marks
from harness.track.run_row import PARENT
from harness.track.tags import SEARCH


class Queue:
    """Stands in for a queue: its name and what the study remembers."""

    def __init__(self, name="noted", **notes):
        self.name, self.notes = name, notes

    def remember(self, what, value):
        self.notes[what] = value


@pytest.fixture
def track(experiment):
    """Return the maker of trackers on one queue."""

    def make(queue, kind="study", tags=None, params=None, **options):
        return StudyTracker(queue, experiment.runs, kind, tags or {}, params or {}, **options)

    return make


def run_of(store, run_id):
    return store.client.get_run(run_id)


def test_all_processes_of_a_study_share_one_run_that_only_its_leader_sets_running(track, experiment):
    queue = Queue()
    leader = track(queue, tags={"harness.method": "cskt"}, params={"space": 1})
    made = run_of(experiment, leader.run_id)
    assert made.info.run_name == "noted"
    assert made.data.params == {"space": "1"}
    expected = {"harness.kind": "study", "harness.study": "noted", "harness.method": "cskt"}
    assert expected.items() <= made.data.tags.items()
    assert queue.notes["tracking"] == {experiment.place: leader.run_id}
    leader.close("finished", {"harness.best": "3"}, [])
    helper = track(queue, leads=False)
    assert helper.run_id == leader.run_id
    assert run_of(experiment, leader.run_id).info.status == "FINISHED"
    assert run_of(experiment, leader.run_id).data.tags["harness.best"] == "3"
    track(queue)
    assert run_of(experiment, leader.run_id).info.status == "RUNNING"


def test_a_run_that_is_gone_or_of_another_store_is_opened_again(track, experiment):
    queue = Queue(tracking={"elsewhere": "other"})
    first = track(queue).run_id
    assert queue.notes["tracking"] == {"elsewhere": "other", experiment.place: first}
    experiment.remove(first)
    second = track(queue).run_id
    assert second != first
    assert queue.notes["tracking"][experiment.place] == second


@pytest.mark.parametrize(("kind", "kept"), [("study", True), ("suite", False)])
def test_a_study_notes_what_it_searches_with_its_first_number(track, experiment, kind, kept):
    queue = Queue(spec={"axes": [], "search": {"trials": 7}})
    tracker = track(queue, kind)
    tracker.log(0, {"x": 1.0})
    names = [file.path for file in experiment.client.list_artifacts(tracker.run_id)]
    assert (SEARCH in names) == kept
    if kept:
        place = experiment.client.download_artifacts(tracker.run_id, SEARCH)
        assert json.loads(Path(place).read_text()) == queue.notes["spec"]
    tracker.log(4, {"x": 2.0})
    assert experiment.history(tracker.run_id, ["x"]) == [{"epoch": 0, "x": 1.0}, {"epoch": 4, "x": 2.0}]


def test_runs_that_arrived_become_children_once(track, experiment, fake, monkeypatch):
    tracker = track(Queue())
    child = experiment.open("child", {}, {})
    records = [
        SimpleNamespace(tracking={"synced": True, "run_id": child}),
        SimpleNamespace(tracking={"synced": False, "run_id": "lost"}),
    ]
    adopted = []
    adopt = Store.adopt
    monkeypatch.setattr(Store, "adopt", lambda self, *given: adopted.append(given) or adopt(self, *given))
    tracker.adopt(records)
    tracker.adopt(records)
    assert [set(children) for _, children in adopted] == [{child}, set()]
    assert run_of(experiment, child).data.tags[PARENT] == tracker.run_id
    tracker.adopt([SimpleNamespace(tracking={"synced": True, "run_id": tracker.run_id})], parent=child)
    assert run_of(experiment, tracker.run_id).data.tags[PARENT] == child


def test_a_run_that_did_not_arrive_is_sent_once_it_has_ended_and_is_whole(track, experiment, fake):
    tracker = track(Queue())
    record, arrays = fake.record("cskt", "icfg", 40, seed=7)
    folder = RunFolder(experiment.runs / record.name)
    folder.write_queries(arrays)
    for status, sent in {"running": False, "finished": True}.items():
        record.status = status
        folder.write(record)
        tracker.send(record, folder)
        assert bool(folder.read().tracking.get("synced")) is sent
    first = record.tracking["run_id"]
    assert run_of(experiment, first).info.status == "FINISHED"
    tracker.send(record, folder)
    assert record.tracking["run_id"] == first


def test_a_trial_of_several_seeds_is_a_run_of_its_own_and_taken_up_where_it_is_known(track, experiment):
    tracker = track(Queue(), params={"space": 1})
    opened = tracker.begin_trial(3, None, {"method.lr": 0.1})
    trial = run_of(experiment, opened)
    assert trial.data.params == {"space": "1", "method.lr": "0.1"}
    assert (trial.data.tags["harness.kind"], trial.data.tags["harness.trial"]) == ("trial", "3")
    assert trial.data.tags[PARENT] == tracker.run_id
    tracker.end_trial(opened, "pruned", {"score": 2.5})
    ended = run_of(experiment, opened)
    assert (ended.info.status, ended.data.tags["harness.status"]) == ("KILLED", "pruned")
    assert ended.data.metrics == {"score": 2.5}
    assert tracker.begin_trial(3, opened, {}) == opened
    assert run_of(experiment, opened).info.status == "RUNNING"
    assert tracker.begin_trial(3, "unknown", {}) == opened, "the run of a trial is found that nobody noted"
    assert tracker.begin_trial(4, "unknown", {}) not in (opened, "unknown", None)


def test_a_study_whose_run_was_made_and_never_noted_has_one(track, experiment):
    queue = Queue("unnoted")
    first = track(queue).run_id
    double = track(queue)
    other = double._store.open("unnoted", {**double.tags, KEY: queue.notes["tracking_key"]}, {})
    del queue.notes["tracking"]
    assert track(queue).run_id in (first, other)
    assert len(experiment.search(f"tags.`{KEY}` = '{queue.notes['tracking_key']}'")) == 1


def test_runs_left_open_are_ended_but_for_the_study_s_own(track, experiment, fake):
    tracker = track(Queue("buried"))
    tags = {"harness.study": "buried"}
    trial = tags | {"harness.kind": "trial", PARENT: tracker.run_id}
    kept = {
        "done": experiment.open("done", trial, {}),
        "another study": experiment.open("other", trial | {"harness.study": "another"}, {}),
        "the run that tests the best": experiment.open("best", trial | {"harness.kind": "run"}, {}),
    }
    experiment.end(kept["done"], "finished")
    several = experiment.open("several", trial, {})
    record, _ = fake.record("cskt", "icfg", 40)
    folder = RunFolder(trials_folder(experiment.runs, "buried") / record.name)
    left = {
        "several": several,
        "its seed": experiment.open("seed", tags | {"harness.kind": "trial_seed", PARENT: several}, {}),
        "in the study's folder": experiment.open(
            "here", tags | {"harness.kind": "trial"} | marks("key", folder.path), {}
        ),
        "on another machine": experiment.open(
            "far", tags | {"harness.kind": "trial", STUDY_KEY: tracker.key}, {}
        ),
    }
    tracker.bury()
    states = {name: run_of(experiment, run).info.status for name, run in (kept | left).items()}
    assert states == {
        "done": "FINISHED",
        "another study": "RUNNING",
        "the run that tests the best": "RUNNING",
        **dict.fromkeys(left, "KILLED"),
    }
    assert run_of(experiment, tracker.run_id).info.status == "RUNNING"
    assert {run_of(experiment, run).data.tags["harness.status"] for run in left.values()} == {"interrupted"}
    parents = {name: run_of(experiment, run).data.tags[PARENT] for name, run in left.items()}
    assert parents == {
        "several": tracker.run_id,
        "its seed": several,
        "in the study's folder": tracker.run_id,
        "on another machine": tracker.run_id,
    }


def test_a_study_of_the_same_name_in_a_shared_store_is_another_s(
    track, experiment, fake, tmp_path, monkeypatch
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", experiment.uri)
    theirs = StudyTracker(Queue("shared"), tmp_path, "study", {}, {})
    trial = {"harness.study": "shared", "harness.kind": "trial"}
    record, _ = fake.record("cskt", "icfg", 40)
    record.key = "theirs"
    there = RunFolder(trials_folder(experiment.runs, "shared") / "there")
    far = {HOST: "elsewhere"}
    others = {
        "their study": theirs.run_id,
        "their trial": theirs._store.open("their", trial | {PARENT: theirs.run_id}, {}),
        "in their folder": theirs._store.open("here", trial | marks("theirs", tmp_path / "a"), {}),
        "with their key": theirs._store.open("key", trial | {STUDY_KEY: theirs.key}, {}),
        "on their machine": theirs._store.open("far", trial | marks("theirs", there.path) | far, {}),
    }
    before = {name: run_of(experiment, run).data.tags for name, run in others.items()}
    tracker = track(Queue("shared"))
    tracker.bury()
    assert {run_of(experiment, run).info.status for run in others.values()} == {"RUNNING"}
    assert {name: run_of(experiment, run).data.tags for name, run in others.items()} == before
    there.write(record)
    tracker.bury()
    ended = run_of(experiment, others["on their machine"])
    assert ended.info.status == "KILLED", "a trial in folders that machines share was left running"


def test_a_run_that_was_archived_deleted_or_sent_elsewhere_stops_nothing(track, experiment, fake, caplog):
    tracker = track(Queue("gaps"))
    archived, whole = experiment.open("archived", {}, {}), experiment.open("whole", {}, {})
    experiment.remove(archived)
    children = [
        SimpleNamespace(tracking={"synced": True, "run_id": run_id}) for run_id in (archived, "0" * 32, whole)
    ]
    tracker.adopt(children)
    record, arrays = fake.record("cskt", "icfg", 40)
    fake.send(experiment, record, arrays)
    folder = RunFolder(experiment.runs / record.name)
    experiment.remove(record.tracking["run_id"])
    tracker.mark(record, folder, {"harness.budget": "6"})
    assert not folder.read().tracking["synced"], "`runs sync` would not know of the tags"
    assert not caplog.records, "nothing is wrong with a run that a person archived"
    tracker.end_trial(archived, "finished", {"x": 1.0})
    tracker.end_trial(archived, "finished", {"x": 1.0})
    assert len(caplog.records) == 1, "what the store does not take is said once"
    tracker.close("finished", {}, [])
    assert run_of(experiment, whole).data.tags[PARENT] == tracker.run_id
    assert run_of(experiment, tracker.run_id).info.status == "FINISHED"


def test_after_a_store_that_is_away_nothing_more_is_asked(track, experiment, monkeypatch):
    tracker, asked = track(Queue("away")), []
    monkeypatch.setattr(Store, "log", lambda self, *given: asked.append(given) or _refuse())
    tracker.log(0, {"x": 1.0})
    tracker.log(1, {"x": 1.0})
    assert len(asked) == 1


def _refuse():
    raise ConnectionError("gone")


def test_tags_go_to_the_record_and_to_its_run(track, experiment, fake):
    record, arrays = fake.record("cskt", "icfg", 40)
    fake.send(experiment, record, arrays)
    folder = RunFolder(experiment.runs / record.name)
    tracker = track(Queue())
    tracker.mark(record, folder, {"harness.budget": "6"})
    assert folder.read().tags["harness.budget"] == "6"
    assert run_of(experiment, record.tracking["run_id"]).data.tags["harness.budget"] == "6"
    folder.file("record.json").unlink()
    tracker.mark(record, folder, {"harness.budget": "6"})
    assert folder.read() is None, "tags that are there already were written again"


def test_a_store_that_does_not_answer_is_one_warning_and_no_hindrance(untracked, tmp_path, caplog, fake):
    queue = Queue()
    tracker = StudyTracker(queue, tmp_path, "study", {}, {})
    record, _ = fake.record("cskt", "icfg", 40)
    tracker.log(0, {"x": 1.0})
    tracker.close("finished", {}, [])
    tracker.bury()
    tracker.mark(record, RunFolder(tmp_path), {"a": "b"})
    assert tracker.begin_trial(0, None, {}) is None
    assert (tracker.run_id, queue.notes) == (None, {})
    assert RunFolder(tmp_path).read().tags == {"a": "b"}
    assert len(caplog.records) == 1
    assert "noted" in caplog.text
