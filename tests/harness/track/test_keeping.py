"""Runs deleted, archived, restored, tagged and noted, on disk and in MLflow, whether that answers or not."""

import shutil

import pytest

from harness.errors import UsageError
from harness.record import RunFolder, all_runs
from harness.record.marks import MARKS, read_marks, write_marks
from harness.track import keeping
from harness.track.keeping import archive_run, delete_run, leftovers, note_run, restore_run, tag_run
from harness.track.notes import NOTE
from harness.track.publish import publish


@pytest.fixture
def sent(experiment, fake, tmp_path, monkeypatch):
    """Return a tracked record in a folder of its own, whose store is the experiment."""
    made, arrays = fake.record("cskt", "icfg", 40)
    folder = RunFolder(tmp_path / made.name)
    folder.write_queries(arrays)
    folder.write(made)
    made.tracking = publish(made, folder, experiment)
    folder.write(made)
    monkeypatch.setattr(keeping, "_store", lambda folder: experiment)
    return made, folder


@pytest.fixture
def away(monkeypatch):
    """Let MLflow not answer."""

    def refuse(folder):
        raise ConnectionError("refused")

    return lambda: monkeypatch.setattr(keeping, "_store", refuse)


def test_a_deleted_run_is_gone_here_and_there(sent, experiment):
    made, folder = sent
    delete_run(folder, made)
    assert list(folder.path.parent.iterdir()) == []
    assert not experiment.is_there(made.tracking["run_id"])


def test_nothing_is_deleted_while_mlflow_does_not_answer_unless_only_here(sent, experiment, away):
    made, folder = sent
    away()
    with pytest.raises(
        UsageError, match=r"was not deleted, because MLflow does not take it: .*--only-here\. \S"
    ):
        delete_run(folder, made)
    assert folder.read() == made
    delete_run(folder, made, only_here=True)
    assert not folder.path.exists()
    assert experiment.is_there(made.tracking["run_id"])


def test_a_death_while_files_go_leaves_no_run_and_what_is_left_is_known(sent, monkeypatch):
    made, folder = sent

    def die(path, **options):
        if path.exists():
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", die)
        with pytest.raises(KeyboardInterrupt):
            delete_run(folder, made)
    root = folder.path.parent
    assert all_runs(root) == []
    assert [path.name for path in leftovers(root)] == [f"{made.name}~deleted"]


def test_an_archived_run_leaves_mlflow_and_comes_back(sent, experiment):
    made, folder = sent
    assert archive_run(folder, made) is None
    assert read_marks(folder).archived
    assert not experiment.is_there(made.tracking["run_id"])
    assert restore_run(folder, made) is None
    assert not read_marks(folder).archived
    assert experiment.is_there(made.tracking["run_id"])


def test_tags_and_note_are_here_and_there_and_arrive_again_with_the_run(sent, experiment):
    made, folder = sent
    assert tag_run(folder, made, {"paper": "", "table": "2"}, []) is None
    assert tag_run(folder, made, {}, ["paper"]) is None
    assert note_run(folder, made, "see *me*") is None
    row = experiment.run(made.tracking["run_id"])
    assert row.tags["table"] == "2"
    assert "paper" not in row.tags
    assert "Note: see" in row.tags[NOTE]
    again = experiment.run(publish(made, folder, experiment)["run_id"])
    assert (again.tags["table"], "Note: see" in again.tags[NOTE]) == ("2", True)


def test_what_mlflow_does_not_take_is_kept_and_sent_by_the_next_sync(sent, away):
    made, folder = sent
    away()
    assert "harness runs sync" in str(tag_run(folder, made, {"paper": ""}, []))
    assert read_marks(folder).tags == {"paper": ""}
    assert folder.read().tracking["synced"] is False
    assert f"harness runs archive {made.name}" in str(archive_run(folder, made))


def test_a_tag_that_was_removed_while_mlflow_was_away_does_not_come_back(sent, experiment, monkeypatch):
    made, folder = sent
    tag_run(folder, made, {"paper": "", "table": "2", "draft": ""}, [])
    experiment.set_tags(made.tracking["run_id"], {"theirs": "given in MLflow's pages"})
    with monkeypatch.context() as patch:
        patch.setattr(keeping, "_store", lambda folder: 1 / 0)
        tag_run(folder, made, {}, ["paper", "draft"])
        tag_run(folder, made, {"draft": "again"}, ["table"])
    assert read_marks(folder).removed == ["paper", "table"]
    assert not {"paper", "table"} & experiment.run(experiment.create(made, folder)).tags.keys()
    again = experiment.run(publish(made, folder, experiment)["run_id"])
    assert not {"paper", "table"} & again.tags.keys()
    assert (again.tags["theirs"], again.tags["draft"]) == ("given in MLflow's pages", "again")
    assert read_marks(folder).removed == []
    assert "removed" not in folder.file(MARKS).read_text(), "an earlier harness would not read it"


def test_a_tag_that_was_removed_meanwhile_goes_with_the_next_word_and_at_the_end_of_a_run(
    sent, experiment, monkeypatch
):
    made, folder = sent
    tag_run(folder, made, {"one": "", "two": ""}, [])
    for name, end in (
        ("one", lambda: tag_run(folder, made, {"three": ""}, [])),
        ("two", lambda: experiment.close(made.tracking["run_id"], made, folder)),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(keeping, "_store", lambda folder: 1 / 0)
            tag_run(folder, made, {}, [name])
        assert name in experiment.run(made.tracking["run_id"]).tags
        end()
        assert name not in experiment.run(made.tracking["run_id"]).tags
        assert read_marks(folder).removed == []


def test_half_a_sign_in_what_an_earlier_version_noted_is_sent_written_out(sent, experiment):
    made, folder = sent
    made.command = "harness run --data /data/\udcff"
    write_marks(folder, read_marks(folder).model_copy(update={"note": "n\udcff", "tags": {"v": "a\udcff"}}))
    row = experiment.run(publish(made, folder, experiment)["run_id"])
    assert row.tags["v"] == r"a\udcff"
    assert "n" in row.tags[NOTE]


def test_a_run_that_cannot_be_sent_stays_in_mlflow_as_it_was(sent, experiment, monkeypatch):
    made, folder = sent
    monkeypatch.setattr(experiment, "log_params", lambda *given: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        experiment.create(made, folder)
    assert experiment.is_there(made.tracking["run_id"])
