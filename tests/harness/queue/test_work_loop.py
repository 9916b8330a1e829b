"""Workers: jobs until none is left, a share of the machine each, and what a storage that goes away says."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import nullcontext

import pytest
from sqlalchemy.exc import OperationalError

from harness.errors import HarnessError
from harness.files import Busy
from harness.listener import Listener
from harness.queue.jobs import KILLED
from harness.queue.optuna_storage import lost
from harness.queue.queue import Queue, TrialState
from harness.queue.work_loop import Job, Work, do_jobs, until, when_free
from harness.track.mlflow_store import Store
from harness.track.run_row import PARENT

STUDY, TRIALS, EPOCHS = "killed", 3, 8


class Jobs(Work):
    """A queue of calls that stands in for a study."""

    def __init__(self, folder, calls, running=0):
        self.folder, self.calls, self.busy, self.queue = folder, list(calls), running, self
        self.stopped, self.place, self.reported, self.notes = None, "sqlite:///here", 0, {}

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

    def progress(self):
        self.reported += 1
        return []


class OneCall(Job):
    def __init__(self, call):
        self.call = call

    def alive(self):
        return nullcontext()

    def do(self):
        self.call()


def test_a_worker_does_all_jobs_and_reports_progress(tmp_path):
    done = []
    jobs = Jobs(tmp_path, [lambda: done.append(1), lambda: done.append(2)])
    do_jobs(jobs, None, Listener())
    assert done == [1, 2]
    assert jobs.reported == 2
    assert not list((tmp_path / "workers").glob("*.lock"))


def test_a_worker_with_nothing_to_do_waits_for_what_others_may_leave_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.queue.work_loop.IDLE", 0.01)
    jobs = Jobs(tmp_path, [], running=2)
    do_jobs(jobs, None, Listener())
    assert jobs.busy < 0
    assert not jobs.calls


def test_no_job_begins_after_the_deadline(tmp_path):
    done = []
    do_jobs(Jobs(tmp_path, [lambda: done.append(1)]), until(-1), Listener())
    assert not done


def test_no_job_begins_once_the_time_of_the_whole_study_is_over(tmp_path):
    done = []
    jobs = Jobs(tmp_path, [lambda: done.append(1)])
    jobs.notes = {"over": True}
    do_jobs(jobs, None, Listener())
    assert not done


def test_a_stopped_study_is_left_with_its_reason(tmp_path):
    jobs = Jobs(tmp_path, [lambda: None])
    jobs.stopped = "three failed alike"
    with pytest.raises(HarnessError, match="three failed alike"):
        do_jobs(jobs, None, Listener())


class Stopped(Jobs):
    """Jobs of a real queue, interrupted at a moment when none is being done."""

    def __init__(self, folder, moment):
        super().__init__(folder, [])
        self.queue, self.moment = Queue(STUDY, f"sqlite:///{folder / 'optuna.db'}", folder=folder), moment

    def take(self, worker):
        job = self.queue.take(worker)
        if self.moment == "taken":
            raise KeyboardInterrupt
        return OneCall(lambda: self.queue.end(job, TrialState.COMPLETE, [1.0]))

    def progress(self):
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("moment", "left"),
    [("taken", ["FAIL", "WAITING", "WAITING"]), ("done", ["COMPLETE", "WAITING"])],
)
def test_a_worker_that_is_interrupted_between_jobs_leaves_none_running(tmp_path, moment, left):
    jobs = Stopped(tmp_path, moment)
    jobs.queue.fill(2)
    with pytest.raises(KeyboardInterrupt):
        do_jobs(jobs, None, Listener())
    trials = jobs.queue.study.get_trials()
    assert sorted(trial.state.name for trial in trials) == left
    assert not any(KILLED in trial.user_attrs for trial in trials)


def test_a_storage_that_goes_away_is_one_message():
    gone = OperationalError("select", {}, Exception("server closed the connection\nmore"))
    with (
        pytest.raises(HarnessError, match=r"db was lost.*run the same command to resume") as told,
        lost("a.db"),
    ):
        raise gone
    assert "\n" not in str(told.value)
    with pytest.raises(ZeroDivisionError), lost("a.db"):
        raise ZeroDivisionError


def test_a_busy_folder_is_waited_for(monkeypatch):
    monkeypatch.setattr("harness.queue.work_loop.BUSY_WAIT", 0.01)
    begun = time.monotonic()

    def work():
        if time.monotonic() - begun < 0.05:
            raise Busy("another")
        return "done"

    assert when_free(work) == "done"


@pytest.fixture
def start_sweep(world, twins, tmp_path):
    """Return a call that starts a real sweep with two worker processes."""
    quick = world.without_epochs()
    settings = [part for text in (*quick, f"train.epochs={EPOCHS}") for part in ("--set", text)]
    command = [sys.executable, "-m", "harness", "sweep", "-m", "full_finetune", "-d", "icfg", "--synthetic"]
    command += ["--runs", str(tmp_path), "--data-root", str(twins), "--study", STUDY, "--workers", "2"]
    command += ["--trials", str(TRIALS), "--test-seeds", "0", *settings]
    quiet = {
        "env": os.environ | {"OMP_NUM_THREADS": "1"},
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
    }
    return lambda *more, **options: subprocess.Popen([*command, *more], text=True, **quiet, **options)


def running(tmp_path):
    """Return the process of a worker that is at a trial of which it has reported few epochs, once there is one.

    One that has reported most of them may be at its next trial by the time that it is stopped.
    """
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        if (tmp_path / "optuna.db").is_file() and (tmp_path / "studies" / STUDY / "workers").is_dir():
            queue = Queue(STUDY, f"sqlite:///{tmp_path / 'optuna.db'}", folder=tmp_path)
            for job in queue.running():
                if 0 < len(job.intermediate_values) <= EPOCHS // 2 and "worker" in job.user_attrs:
                    return int(job.user_attrs["worker"].split("-")[-2]), job
        time.sleep(0.1)
    raise AssertionError("no worker began a trial")


def states(tmp_path):
    queue = Queue(STUDY, f"sqlite:///{tmp_path / 'optuna.db'}", folder=tmp_path)
    return [job.state for job in queue.jobs().values()]


@pytest.mark.slow
def test_the_trial_of_a_killed_worker_goes_on_from_its_checkpoint_and_none_is_lost(start_sweep, tmp_path):
    sweep = start_sweep("--json")
    victim, _ = running(tmp_path)
    os.kill(victim, signal.SIGKILL)
    out, err = sweep.communicate(timeout=300)
    assert sweep.returncode == 0, err
    summary = json.loads(out)
    assert [trial["number"] for trial in summary["trials"]] == list(range(TRIALS))
    assert summary["counts"]["failed"] == 0
    logs = [file.read_text() for file in (tmp_path / "studies" / STUDY / "workers").glob("*.log")]
    assert sum("resuming from the checkpoint" in log for log in logs) == 1
    tracked = [run for run in Store(tmp_path).search("") if run.tags["harness.kind"] == "trial"]
    assert Counter(run.tags["harness.trial"] for run in tracked) == Counter(map(str, range(TRIALS)))
    assert len({run.tags[PARENT] for run in tracked}) == 1
    assert {run.status for run in tracked} <= {"FINISHED", "KILLED"}


def in_background():
    """Do what a shell does to a command in the background of a script: let it not hear Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.mark.slow
@pytest.mark.parametrize(("sign", "before"), [(signal.SIGINT, None), (signal.SIGTERM, in_background)])
def test_an_interrupted_sweep_leaves_no_worker_behind_and_goes_on(start_sweep, tmp_path, sign, before):
    sweep = start_sweep(preexec_fn=before)
    worker, _ = running(tmp_path)
    sweep.send_signal(sign)
    _, err = sweep.communicate(timeout=300)
    assert sweep.returncode == 130, err
    assert "Run the same command to resume." in err
    assert TrialState.RUNNING not in states(tmp_path)
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)
    if before:  # what is left behind is the same
        return
    again = start_sweep()
    _, err = again.communicate(timeout=300)
    assert again.returncode == 0, err
    assert len(states(tmp_path)) == TRIALS
    assert all(state.is_finished() for state in states(tmp_path))


FOLLOWER = """
import time
from harness.queue import work_loop

work_loop.AGAIN = 0.3
try:
    work_loop.follow(0)
    time.sleep(30)
except KeyboardInterrupt:
    print("swallowed", flush=True)
try:
    time.sleep(30)
except KeyboardInterrupt:
    print("stopped", flush=True)
"""


def test_a_worker_whose_starter_is_gone_is_interrupted_again_when_the_first_time_was_swallowed():
    done = subprocess.run([sys.executable, "-c", FOLLOWER], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["swallowed", "stopped"]


@pytest.mark.slow
def test_workers_stop_in_order_when_the_sweep_itself_is_killed(start_sweep, tmp_path):
    sweep = start_sweep()
    running(tmp_path)
    sweep.kill()
    sweep.communicate()
    deadline = time.monotonic() + 60
    while TrialState.RUNNING in states(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert TrialState.RUNNING not in states(tmp_path)
    assert states(tmp_path).count(TrialState.WAITING) >= 1
