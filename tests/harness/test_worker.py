"""Workers: jobs until none is left, a share of the machine each, and what a storage that goes away says."""

import time
from contextlib import nullcontext

import pytest
from sqlalchemy.exc import OperationalError

from harness.errors import HarnessError
from harness.files import Busy
from harness.listener import Listener
from harness.storage import lost
from harness.worker import Job, Work, share, until, visible_gpus, when_free, work_off


class Jobs(Work):
    """A queue of calls that stands in for a study."""

    def __init__(self, folder, calls, running=0):
        self.folder, self.calls, self.busy, self.queue = folder, list(calls), running, self
        self.stopped, self.place, self.told = None, "sqlite:///here", 0

    def recover(self):
        return []

    def running(self):
        self.busy -= 1
        if self.busy == 0:
            self.calls.append(lambda: None)
        return [None] * max(self.busy + 1, 0)

    def take(self, worker):
        return OneCall(self.calls.pop(0)) if self.calls else None

    def left(self):
        return len(self.calls)

    def news(self):
        self.told += 1
        return []


class OneCall(Job):
    def __init__(self, call):
        self.call = call

    def alive(self):
        return nullcontext()

    def do(self):
        self.call()


def test_a_worker_does_all_jobs_and_tells_the_news(tmp_path):
    done = []
    jobs = Jobs(tmp_path, [lambda: done.append(1), lambda: done.append(2)])
    work_off(jobs, None, Listener())
    assert done == [1, 2]
    assert jobs.told == 2
    assert not list((tmp_path / "workers").glob("*.lock"))


def test_a_worker_with_nothing_to_do_waits_for_what_others_may_leave_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.worker.IDLE", 0.01)
    jobs = Jobs(tmp_path, [], running=2)
    work_off(jobs, None, Listener())
    assert jobs.busy < 0
    assert not jobs.calls


def test_no_job_begins_after_the_deadline(tmp_path):
    done = []
    work_off(Jobs(tmp_path, [lambda: done.append(1)]), until(-1), Listener())
    assert not done


def test_a_stopped_study_is_left_with_its_reason(tmp_path):
    jobs = Jobs(tmp_path, [lambda: None])
    jobs.stopped = "three failed alike"
    with pytest.raises(HarnessError, match="three failed alike"):
        work_off(jobs, None, Listener())


def test_a_storage_that_goes_away_is_one_message():
    gone = OperationalError("select", {}, Exception("server closed the connection\nmore"))
    with (
        pytest.raises(HarnessError, match=r"db was lost.*the same command goes on") as told,
        lost("a.db"),
    ):
        raise gone
    assert "\n" not in str(told.value)
    with pytest.raises(ZeroDivisionError), lost("a.db"):
        raise ZeroDivisionError


def test_cores_and_gpus_are_divided_among_the_workers(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,3")
    shares = [share(index, 3) for index in range(3)]
    assert [one["OMP_NUM_THREADS"] for one in shares] == ["2", "2", "2"]
    assert [one["CUDA_VISIBLE_DEVICES"] for one in shares] == ["0", "3", "0"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []
    assert share(0, 16)["OMP_NUM_THREADS"] == "1"
    assert share(0, 1)["CUDA_VISIBLE_DEVICES"] == ""


def test_a_busy_folder_is_waited_for(monkeypatch):
    monkeypatch.setattr("harness.worker.BUSY_WAIT", 0.01)
    begun = time.monotonic()

    def work():
        if time.monotonic() - begun < 0.05:
            raise Busy("another")
        return "done"

    assert when_free(work) == "done"
