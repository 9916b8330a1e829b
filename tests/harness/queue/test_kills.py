"""SIGKILL of sweeps, suites and workers before a storage statement: going on loses no job and does none without cause.

Each is a fork that counts the statements that change the storage and ends itself before the n-th; runs are stand-ins.
Which n are looked at follows from the queue's code, so that each change of it is looked at in other places;
`HARNESS_ALL_KILLS=1` looks at all.
"""

import hashlib
import os
import random
import shutil
import signal
import sys
import traceback
from collections import Counter
from pathlib import Path

import pytest
from optuna.trial import TrialState
from sqlalchemy import event
from sqlalchemy.engine import Engine

from harness.listener import Listener
from harness.queue import queue as queue_module
from harness.queue.jobs import KILLED, REPEATS
from harness.queue.queue import Queue
from harness.queue.storage_place import DATABASE
from harness.queue.work_loop import do_jobs
from harness.queue.work_setup import WorkSetup
from harness.suites import run_suite as suite_module
from harness.suites.cells import expand
from harness.suites.run_suite import run_suite
from harness.suites.suite_files import load_suite
from harness.sweep import sweep as sweep_module
from harness.sweep import trial_job
from harness.sweep.settings import Search
from harness.sweep.sweep import open_sweep, sweep
from tests import suite_runs
from tests.sweep_runs import RATE, Runs

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*is an experimental feature")]
N_TRIALS = 3
STUDY = "killed"
MOST = {"sweep": 10, "worker": 5, "suite": 6}
CHANGES = ("INSERT", "UPDATE", "DELETE")


def apart(work, kill_before=None):
    """Do work in a fork, killed before its n-th change of the storage; return whether it was, and how many it made."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        made = 0

        def count(connection, cursor, statement, *_):
            nonlocal made
            if statement.lstrip().upper().startswith(CHANGES):
                made += 1
                if made == kill_before:
                    os.kill(os.getpid(), signal.SIGKILL)

        event.listen(Engine, "before_cursor_execute", count)
        try:
            work()
            os.write(write, str(made).encode())
            os._exit(0)
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
            os._exit(1)
    os.close(write)
    _, status = os.waitpid(child, 0)
    with os.fdopen(read) as said:
        text = said.read()
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -signal.SIGKILL), "the work broke"
    return code < 0, int(text or 0)


def places(n_changes, most):
    """Return which changes are died before: one of each stretch of them, drawn by a hash of the queue's code."""
    if os.environ.get("HARNESS_ALL_KILLS") or n_changes <= most:
        return list(range(1, n_changes + 1))
    code = b"".join(file.read_bytes() for file in sorted(Path(queue_module.__file__).parent.glob("*.py")))
    chance = random.Random(hashlib.sha256(code).digest())
    ends = [round(stretch * n_changes / most) for stretch in range(most + 1)]
    return [1 + chance.randrange(*ends[stretch : stretch + 2]) for stretch in range(most)]


class Noted(Runs):
    """A stand-in that notes each run that it begins where a killed process's notes stay."""

    def __init__(self, file):
        super().__init__()
        self.file, self.fatal = file, False

    def __call__(self, config, **options):
        with self.file.open("a") as notes:
            notes.write(f"{config.method.lr:.12g}\n")
        if self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(config, **options)


@pytest.fixture
def sweeping(untracked, monkeypatch, tmp_path, config, empty_storage):
    """Return what makes a sweep in a folder: its work, a worker's, and its stand-in for a run."""

    def make(name):
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(empty_storage, folder / DATABASE)
        runs = Noted(folder / "begun")
        monkeypatch.setattr(sweep_module, "run", runs)
        monkeypatch.setattr(trial_job, "run", runs)
        setup = WorkSetup(folder, heartbeat=1)
        search = Search(trials=N_TRIALS, test_seeds=0, sampler="random", pruner="none")

        def work():
            queue = setup.open_queue(STUDY, None)
            do_jobs(open_sweep(queue, setup), None, Listener())

        return folder, lambda: sweep(config, [RATE], search, setup, STUDY), work, runs

    return make


def chains(folder, name):
    """Return the attempts at each job."""
    queue = Queue(name, f"sqlite:///{folder / DATABASE}", directions=None, folder=folder)
    trials, found = queue.study.get_trials(deepcopy=False), {}
    for trial in trials:
        root = trial
        while REPEATS in root.user_attrs:
            root = trials[root.user_attrs[REPEATS]]
        found.setdefault(root.number, []).append(trial)
    return found


def judged(folder, name, kills, n, values):
    """Hold what a study came to against one that nobody killed; return what there is to count."""
    found = chains(folder, name)
    done = {root: [one for one in chain if one.state is TrialState.COMPLETE] for root, chain in found.items()}
    counts = Counter(kills=kills)
    counts["lost"] = n - sum(bool(one) for one in done.values())
    counts["doubled"] = sum(len(one) > 1 for one in done.values())
    counts["left"] = sum(not one.state.is_finished() for chain in found.values() for one in chain)
    counts["wrong"] = sum(one[-1].values != [values[root]] for root, one in done.items() if one)
    counts["begun again without cause"] = max(0, sum(len(chain) - 1 for chain in found.values()) - kills)
    counts["kills not counted right"] = sum(
        chain[-1].user_attrs.get(KILLED, 0) > len(chain) - 1 for chain in found.values()
    )
    return counts


def clean(counts, kills):
    return counts["kills"] >= kills and not any(n for what, n in counts.items() if what != "kills")


def test_a_sweep_killed_before_any_change_goes_on_as_if_nobody_had(sweeping, record_property):
    folder, whole, *_ = sweeping("whole")
    _, n_changes = apart(whole)
    values = {root: chain[-1].values[0] for root, chain in chains(folder, STUDY).items()}
    begun = sorted((folder / "begun").read_text().split())
    total = Counter()
    for place in places(n_changes, MOST["sweep"]):
        folder, work, *_ = sweeping(f"sweep-{place}")
        killed, _ = apart(work, place)
        assert apart(work)[0] is False
        total += judged(folder, STUDY, int(killed), N_TRIALS, values)
        again = sorted((folder / "begun").read_text().split())
        assert set(again) == set(begun)
        assert len(again) <= N_TRIALS + killed
    record_property("counts", dict(total))
    assert clean(total, MOST["sweep"] - 1), total


def test_workers_killed_before_any_change_leave_nothing_that_others_do_not_take_up(sweeping, record_property):
    folder, whole, *_ = sweeping("whole")
    _, n_changes = apart(whole)
    values = {root: chain[-1].values[0] for root, chain in chains(folder, STUDY).items()}
    total = Counter()
    for place in places(n_changes * 2 // 3, MOST["worker"]):
        folder, coordinate, work, kills = orphan(sweeping, f"worker-{place}", place)
        assert apart(work)[0] is False
        total += judged(folder, STUDY, kills, N_TRIALS, values)
        assert apart(coordinate)[0] is False
        total += judged(folder, STUDY, kills, N_TRIALS, values) - Counter(kills=kills)
    record_property("counts", dict(total))
    assert clean(total, 2 * MOST["worker"]), total


def orphan(sweeping, name, kill_before):
    """Make a sweep whose process is killed in its first run, and a worker that is killed after it; count the kills."""
    folder, coordinate, work, runs = sweeping(name)
    runs.fatal = True
    assert apart(coordinate)[0]
    runs.fatal = False
    return folder, coordinate, work, 1 + apart(work, kill_before)[0]


def test_a_suite_killed_before_any_change_goes_on_as_if_nobody_had(
    untracked, monkeypatch, tmp_path, empty_storage, record_property
):
    def suite(name):
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(empty_storage, folder / DATABASE)
        (folder / "small.yaml").write_text(suite_runs.TABLE)
        runs = suite_runs.Runs()
        monkeypatch.setattr(suite_module, "run", runs)
        monkeypatch.setattr(suite_module, "evaluate_run", runs.evaluate)
        expansion = expand(load_suite(str(folder / "small.yaml")), synthetic=True)
        return folder, lambda: run_suite(expansion, WorkSetup(folder, heartbeat=1))

    folder, work = suite("whole")
    _, n_changes = apart(work)
    found = chains(folder, "suite-small-twin")
    values = {root: chain[-1].values[0] for root, chain in found.items()}
    total = Counter()
    for place in places(n_changes, MOST["suite"]):
        folder, work = suite(f"suite-{place}")
        killed, _ = apart(work, place)
        assert apart(work)[0] is False
        total += judged(folder, "suite-small-twin", int(killed), len(values), values)
    record_property("counts", dict(total))
    assert clean(total, MOST["suite"] - 1), total
