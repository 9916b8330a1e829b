"""The queue under any order of events: workers and coordinators that die before any statement, silence, stops, repeats.

A model beside it says what must hold whatever happened: no job lost, each with one living attempt, done again only for
a cause, its number, notes and values kept, its worker's word counted exactly as long as the job is the worker's.
"""

import os
from collections import Counter
from dataclasses import dataclass
from itertools import combinations, count, product

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine
from optuna.trial import TrialState
from sqlalchemy import create_engine, text

from harness.queue.jobs import (
    ERROR,
    FIXED,
    KILLED,
    MOST_KILLS,
    OVER,
    REPEATS,
    STOPPED,
    WORKER,
    Changed,
    TakenAway,
)
from harness.queue.queue import Queue
from harness.queue.storage_place import DATABASE
from harness.queue.worker_lock import Presence

pytestmark = pytest.mark.filterwarnings("ignore:.*is an experimental feature")
WRITES = (
    "create_new_trial",
    "record_heartbeat",
    "set_study_user_attr",
    "set_trial_param",
    "set_trial_intermediate_value",
    "set_trial_state_values",
    "set_trial_system_attr",
    "set_trial_user_attr",
)
HEARTBEAT, SILENCE = 30, 125
LATER = {
    "sqlite": "UPDATE trial_heartbeats SET heartbeat = strftime('%Y-%m-%d %H:%M:%f', heartbeat, '-{} seconds')",
    "postgresql": "UPDATE trial_heartbeats SET heartbeat = heartbeat - interval '{} seconds'",
}
# Before which statement a process dies, if at all; most events make one to four.
DEATH = [None] * 9 + [0, 1, 2, 3, 5]
WHO, ASKS = range(3), range(2)
BEATING = list(product((False, True), repeat=3))
SOME = [some for n in range(4) for some in combinations(range(6), n)]
# What happens, how often among all events that can, and what is chosen for it.
EVENTS = {
    "take": (8, {"who": WHO, "death": DEATH, "even": (False, True)}),
    "end": (6, {"who": WHO, "death": DEATH, "how": ("value", "value", "error", "put back")}),
    "note": (1, {"who": WHO}),
    "die": (2, {"who": WHO}),
    "time_passes": (1, {"beating": BEATING}),
    "add": (3, {"who": ASKS, "n": (1, 2), "death": DEATH}),
    "recover": (3, {"who": ASKS, "death": DEATH}),
    "stop": (1, {"who": ASKS, "death": DEATH}),
    "resume": (2, {"who": ASKS, "death": DEATH}),
    "repeat": (2, {"who": ASKS, "death": DEATH, "some": SOME}),
    "end_of_time": (1, {"who": ASKS}),
    "other_material": (1, {"who": ASKS}),
}
_studies = count()


class Killed(BaseException):
    """The process is gone, before a statement reached the storage."""


class Process:
    """A process with a connection of its own, that may be killed before its n-th statement from now."""

    def __init__(self, machine, folder):
        self.folder = machine.folder / folder
        self.queue = Queue(machine.name, machine.url, folder=self.folder, heartbeat=HEARTBEAT)
        self.left = None
        for name in WRITES:
            setattr(self.queue.storage, name, self._counted(getattr(self.queue.storage, name)))

    def _counted(self, write):
        def counted(*arguments, **options):
            if self.left == 0:
                raise Killed
            if self.left is not None:
                self.left -= 1
            return write(*arguments, **options)

        return counted

    def does(self, work, death):
        """Return what `work` returns and False; None and True when the process died in it."""
        self.left = death
        try:
            return work(), False
        except Killed:
            return None, True
        finally:
            self.left = None


class Worker(Process):
    """A worker: its lock, the job it believes to have, and whether it was silent for too long."""

    def __init__(self, machine, folder):
        super().__init__(machine, folder)
        self.presence, self.job, self.root, self.silent = None, None, None, False
        self.begin()

    def begin(self):
        """Start to live."""
        self.presence = Presence(self.folder)
        self.presence.__enter__()
        self.job, self.root, self.silent = None, None, False

    def die(self):
        """Die, as SIGKILL does it: the lock is freed, its file stays; another takes the place."""
        os.close(os.dup(self.presence._file.fileno()))
        self.presence.__exit__(Killed, None, None)
        self.begin()

    def leave(self):
        """End in order."""
        self.presence.__exit__(None, None, None)


@dataclass
class Job:
    """What the model knows of a job: how often it may have been begun again, and how it ended."""

    index: int
    causes: int = 0
    deaths: int = 0
    value: float | None = None
    failed: bool = False


class QueueMachine(RuleBasedStateMachine):
    """Events in any order; `url` and `folder` are set by the test."""

    url, folder, counts = "", None, Counter()

    @initialize(chance=st.randoms(use_true_random=True))
    def begin(self, chance):
        """Open a study by two coordinators and three workers, the last of them on another machine."""
        self.chance, self.waits = chance, True
        self.name, self.jobs, self.values = f"s{next(_studies)}", {}, count(1)
        self.asking = [Process(self, "here"), Process(self, "there")]
        self.workers = [Worker(self, folder) for folder in ("here", "here", "there")]
        self.seen = Queue(self.name, self.url, folder=self.folder / "here", heartbeat=HEARTBEAT)
        self.engine = create_engine(self.url)
        self.stops, self.over = [None], [None]
        self.seen.hold("material", {"sha": "a"})
        self.add(0, 3, None)

    def trials(self):
        return self.seen.study.get_trials(deepcopy=False)

    def chains(self):
        """Return the attempts of each job that count, in order, without the queue's own reading of them."""
        trials, after = self.trials(), {}
        for trial in trials:
            if REPEATS in trial.user_attrs:
                after.setdefault(trial.user_attrs[REPEATS], trial)
        chains = {}
        for trial in trials:
            if REPEATS not in trial.user_attrs:
                chains[trial.number] = [trial]
                while chains[trial.number][-1].number in after:
                    chains[trial.number].append(after[chains[trial.number][-1].number])
        return chains

    def last(self):
        return {root: chain[-1] for root, chain in self.chains().items()}

    def lost(self, worker):
        """A worker died: what it held, or had just taken without anybody knowing, may be begun again."""
        self.counts["kills of workers"] += 1
        held = {worker.root} - {None}
        owned = {other.root for other in self.workers if other is not worker and not other.silent}
        held |= {
            root
            for root, job in self.last().items()
            if job.state is TrialState.RUNNING and root not in owned and not self.silent_owner(root)
        }
        for root in held:
            self.jobs[root].causes += 1
            self.jobs[root].deaths += 1
        worker.die()

    def silent_owner(self, root):
        return any(worker.root == root and worker.silent for worker in self.workers)

    @rule()
    def happens(self):
        """Let something happen that can; rules of their own would be drawn evenly, and some left out of an example."""
        free = [worker for worker in self.workers if worker.job is None]
        busy = [worker for worker in self.workers if worker.job is not None]
        of = {"take": free * self.waits, "end": busy, "note": busy}
        possible = [name for name, (weight, _) in EVENTS.items() if of.get(name, True) for _ in range(weight)]
        name = self.chance.choice(possible)
        drawn = {key: self.chance.choice(values) for key, values in EVENTS[name][1].items()}
        if name in of:
            drawn["worker"] = of[name][drawn.pop("who") % len(of[name])]
        getattr(self, name)(**drawn)

    def add(self, who, n, death):
        """Add jobs, each with a point of its own."""

        def work():
            with self.asking[who].queue.exclusive():
                for _ in range(n):
                    index = len(self.asking[who].queue.jobs())
                    self.asking[who].queue.add({"index": index}, {"x": index / 64})

        self.ask(who, work, death)
        for root, job in self.last().items():
            self.jobs.setdefault(root, Job(job.user_attrs["index"]))

    def ask(self, who, work, death):
        """Let a coordinator do something; count it when it dies."""
        result, died = self.asking[who].does(work, death)
        self.counts["kills of coordinators"] += died
        return result

    def take(self, worker, death, even):
        """Take the next job: one that was begun first, then in order."""
        waiting = [
            (REPEATS not in job.user_attrs, job.number, root)
            for root, job in self.last().items()
            if job.state is TrialState.WAITING and not (even and job.user_attrs["index"] % 2)
        ]

        def work():
            fits = {"fits": lambda job: job.user_attrs["index"] % 2 == 0} if even else {}
            return worker.queue.take(worker.presence, **fits)

        job, died = worker.does(work, death)
        if died:
            self.lost(worker)
        elif waiting:
            root = min(waiting)[2]
            assert job is not None, "a waiting job was not taken"
            assert worker.queue.number_of(job) == root
            assert job.user_attrs[WORKER] == worker.presence.token
            assert worker.queue.trial(job).suggest_float("x", 0, 1) == self.jobs[root].index / 64
            worker.job, worker.root = job, root
            self.counts["taken"] += 1
        else:
            assert job is None

    def end(self, worker, death, how):
        """End a job with a value, an error, or because a person stopped the worker."""
        root, job, value = worker.root, worker.job, float(next(self.values))
        own = self.trials()[job.number].state is TrialState.RUNNING
        assert own or worker.silent, "a living worker's job was taken away"
        works = {
            "value": lambda: worker.queue.end(job, TrialState.COMPLETE, [value]),
            "error": lambda: worker.queue.fail(job, ValueError("broken")),
            "put back": lambda: worker.queue.put_back(job),
        }
        if how == "put back" and own:
            self.jobs[root].causes += 1
        said, died = worker.does(works[how], death)
        now = self.trials()[job.number]
        assert own or died or how == "put back" or said is False, "a late word was counted"
        if own and now.state is TrialState.COMPLETE:
            self.jobs[root].value = value
        elif own and now.state is TrialState.FAIL and how == "error":
            self.jobs[root].failed = True
        elif own and died:
            self.jobs[root].causes += 1
            self.jobs[root].deaths += 1
        if died:
            worker.root = None
            self.lost(worker)
        else:
            assert how == "put back" or said is own
            self.counts["ended"] += own
            worker.job, worker.root, worker.silent = None, None, False

    def note(self, worker):
        """Note something beside a job: taken as long as it is the worker's."""
        own = self.trials()[worker.job.number].state is TrialState.RUNNING
        try:
            worker.queue.note(worker.job, "noted", worker.presence.token)
            taken = True
        except TakenAway:
            taken = False
        assert taken is own

    def die(self, who):
        """Kill a worker between two statements."""
        self.lost(self.workers[who])

    def time_passes(self, beating):
        """Let more time pass than four heartbeats, in which some workers send theirs."""
        with self.engine.begin() as connection:
            connection.execute(text(LATER[self.engine.dialect.name].format(SILENCE)))
        for worker, beats in zip(self.workers, beating, strict=True):
            if worker.job is None:
                continue
            if beats:
                worker.queue.storage.record_heartbeat(worker.queue._id(worker.job))
            elif not worker.silent:
                worker.silent = True
                self.jobs[worker.root].causes += 1
                self.jobs[worker.root].deaths += 1

    def recover(self, who, death):
        """Look for the dead."""
        self.ask(who, self.asking[who].queue.recover, death)

    def stop(self, who, death):
        """Stop the queue because jobs failed, which are to be tried again."""
        failed = [root for root, job in self.jobs.items() if job.failed]
        before = self.seen.study.user_attrs.get(STOPPED)
        self.ask(who, lambda: self.asking[who].queue.stop("broken", failed), death)
        now = self.seen.study.user_attrs.get(STOPPED)
        assert now in (before, {"reason": "broken", "jobs": failed})

    def resume(self, who, death):
        """Begin again after a stop, a deadline or a death."""
        stopped = (self.seen.study.user_attrs.get(STOPPED) or {"jobs": []})["jobs"]
        for root in stopped:
            self.again(root)
        _, died = self.asking[who].does(self.asking[who].queue.resume, death)
        self.counts["kills of coordinators"] += died
        self.settle(stopped)
        if not died:
            assert self.seen.stopped is None
            assert self.seen.notes[OVER] is False
            assert not any(self.jobs[root].failed for root in stopped)

    def again(self, root):
        """A person asked for a job again."""
        if self.last()[root].state.is_finished():
            self.jobs[root].causes += 1

    def settle(self, roots):
        """Forget how jobs ended that are queued again now."""
        for root in roots:
            if not self.last()[root].state.is_finished():
                self.jobs[root].value, self.jobs[root].failed = None, False

    def repeat(self, who, death, some):
        """Ask for jobs again, some of which wait or run."""
        roots = [root for place, root in enumerate(sorted(self.jobs)) if place in some]
        for root in roots:
            self.again(root)
        before = self.last()
        _, died = self.asking[who].does(lambda: self.asking[who].queue.repeat(roots), death)
        self.counts["kills of coordinators"] += died
        self.settle(roots)
        for root in roots:
            same = self.last()[root].number == before[root].number
            assert died or same is not before[root].state.is_finished()

    def end_of_time(self, who):
        """Say that no further job starts."""
        self.asking[who].queue.remember(OVER, True)
        assert self.seen.notes[OVER] is True

    def other_material(self, who):
        """Try to go on with other data."""
        with pytest.raises(Changed):
            self.asking[who].queue.hold("material", {"sha": "b"})

    @invariant()
    def nothing_is_lost_or_doubled(self):
        """Hold the storage against the model."""
        chains = self.chains()
        self.waits = any(chain[-1].state is TrialState.WAITING for chain in chains.values())
        assert chains.keys() == self.jobs.keys()
        assert sorted(job.index for job in self.jobs.values()) == list(range(len(self.jobs)))
        assert self.seen.jobs() == {root: chain[-1] for root, chain in chains.items()}
        for root, chain in chains.items():
            job, last = self.jobs[root], chain[-1]
            assert all(attempt.state.is_finished() for attempt in chain[:-1]), "two attempts at once"
            assert len(chain) - 1 <= job.causes, "done again without a cause"
            assert {attempt.user_attrs["index"] for attempt in chain} == {job.index}
            assert {attempt.system_attrs[FIXED]["x"] for attempt in chain} == {job.index / 64}
            assert last.user_attrs.get(KILLED, 0) <= min(job.deaths, MOST_KILLS)
            assert (last.state is TrialState.COMPLETE) == (job.value is not None)
            assert job.value is None or last.values == [job.value]
            assert not job.failed or last.user_attrs[ERROR]["type"] == "ValueError"
            if last.user_attrs.get(ERROR, {}).get("type") == "WorkerDied":
                assert last.user_attrs[KILLED] == MOST_KILLS
        for worker in self.workers:
            if worker.job is not None and not worker.silent:
                held = chains[worker.root][-1]
                assert (held.number, held.state) == (worker.job.number, TrialState.RUNNING)
        assert self.seen.study.user_attrs["material"] == {"sha": "a"}

    def teardown(self):
        """Let all die, go on, and see every job done or given up with a reason."""
        if not getattr(self, "jobs", None):
            return
        for worker in self.workers:
            self.lost(worker)
            worker.leave()
        self.time_passes((False,) * 3)
        self.resume(0, None)
        worker = Worker(self, "there")
        while (job := worker.queue.take(worker.presence)) is not None:
            root, value = worker.queue.number_of(job), float(next(self.values))
            assert worker.queue.end(job, TrialState.COMPLETE, [value])
            self.jobs[root].value = value
        worker.leave()
        self.nothing_is_lost_or_doubled()
        for job in self.last().values():
            assert job.state is TrialState.COMPLETE or ERROR in job.user_attrs, "a job was left"
            self.counts["done" if job.state is TrialState.COMPLETE else "given up"] += 1
        self.engine.dispose()


def campaign(url, folder, examples, steps):
    """Run the machine over a storage; return what it did, by kind."""

    class Machine(QueueMachine):
        counts = Counter()

    Machine.url, Machine.folder = url, folder
    run_machine(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],  # a failure is told at once: finding its shortest form takes minutes
            suppress_health_check=list(HealthCheck),
        ),
    )
    return Machine.counts


@pytest.fixture
def sqlite(empty_storage, tmp_path):
    (tmp_path / DATABASE).write_bytes(empty_storage.read_bytes())
    return f"sqlite:///{tmp_path / DATABASE}"


def test_no_order_of_events_loses_or_doubles_a_job(sqlite, tmp_path):
    counts = campaign(sqlite, tmp_path, examples=3, steps=20)
    assert counts["taken"]
    assert counts["kills of workers"]


@pytest.mark.slow
def test_no_order_of_many_events_loses_or_doubles_a_job_in_sqlite(sqlite, tmp_path, record_property):
    counts = campaign(sqlite, tmp_path, examples=6, steps=30)
    record_property("counts", dict(counts))
    assert counts["kills of coordinators"]


@pytest.mark.slow
def test_no_order_of_many_events_loses_or_doubles_a_job_on_a_server(database, tmp_path, record_property):
    counts = campaign(database, tmp_path, examples=4, steps=30)
    record_property("counts", dict(counts))
    assert counts["kills of coordinators"]
