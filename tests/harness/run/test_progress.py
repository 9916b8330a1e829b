"""How far a run has come, as its folder says while it runs and after."""

import pytest

from harness.files import file_hash, read_json, write_json
from harness.record import HISTORY, PROGRESS, RunFolder
from harness.record.time_left import TimeLeft
from harness.run import progress
from harness.run.progress import ProgressFile


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets."""

    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    own = Clock()
    monkeypatch.setattr(progress, "time", own)
    return own


def test_epoch_step_and_seconds_are_noted_once_a_second(clock, fake, tmp_path):
    folder = RunFolder(tmp_path)
    own = ProgressFile(folder, TimeLeft(9))
    clock.now += 5
    own.on_step(3, 7, 10)
    assert read_json(tmp_path / PROGRESS) == {"epoch": 2, "step": 7, "epochs": 9, "seconds": 5.0}
    clock.now += 0.5
    own.on_epoch(3, {"epoch": 3.0})
    assert read_json(tmp_path / PROGRESS)["step"] == 7
    clock.now += 0.5
    own.on_count(1, 2)
    assert read_json(tmp_path / PROGRESS) == {"epoch": 3, "step": 0, "epochs": 9, "seconds": 6.0}
    assert folder.history() == [{"epoch": 3.0}]
    own.on_epoch(4, {"epoch": 4.0})
    record = fake.record("cskt", "icfg")[0]
    own.end(record)
    assert record.files == {HISTORY: file_hash(tmp_path / HISTORY)}
    assert folder.history() == [{"epoch": 3.0}, {"epoch": 4.0}]
    assert not (tmp_path / PROGRESS).exists()


@pytest.mark.parametrize(("goes_on", "seconds"), [(True, 42.0), (False, 2.0)])
def test_an_attempt_that_goes_on_from_a_checkpoint_goes_on_counting(clock, fake, tmp_path, goes_on, seconds):
    folder = RunFolder(tmp_path)
    folder.write(fake.record("cskt", "icfg", status="interrupted")[0].model_copy(update={"seconds": 40.0}))
    if goes_on:
        folder.file("checkpoint.pt").touch()
    own = ProgressFile(folder, TimeLeft(9))
    clock.now += 2
    assert own.seconds == seconds
    own.on_resume([{"epoch": 1.0}], 4)
    assert own.done == {"epoch": 1, "step": 4, "epochs": 9}


def test_a_run_that_was_killed_counts_on_from_what_it_noted(clock, fake, tmp_path):
    folder = RunFolder(tmp_path)
    folder.write(fake.record("cskt", "icfg", status="running")[0])
    folder.file("checkpoint.pt").touch()
    write_json(folder.file(PROGRESS), {"epoch": 1, "step": 0, "epochs": 9, "seconds": 7.5})
    assert ProgressFile(folder, TimeLeft(9)).seconds == 7.5


def test_the_time_left_is_noted_once_it_is_known_and_an_interrupted_record_has_none(clock, fake, tmp_path):
    folder = RunFolder(tmp_path)
    own = ProgressFile(folder, TimeLeft(4))
    clock.now += 5
    own.on_step(1, 5, 10)
    assert "left" not in read_json(tmp_path / PROGRESS)
    clock.now += 5
    own.on_epoch(1, {"epoch": 1.0, "seconds": 10.0, "validation_seconds": 2.0, "val/t2i/R1": 1.0})
    assert read_json(tmp_path / PROGRESS)["left"] == 36
    clock.now += 5
    own.on_step(2, 5, 10)
    assert read_json(tmp_path / PROGRESS)["left"] == 31
    assert own.done == {"epoch": 1, "step": 5, "epochs": 4}
