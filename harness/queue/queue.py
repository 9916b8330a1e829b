"""A queue of jobs in a relational storage, done by any number of processes on any number of machines.

Each job is an Optuna trial: waiting, running, ended. A worker takes one by one statement of the database, so none is
taken twice. A worker that dies is noticed at once by those of its machine that share its folder, because the system
frees its lock, and after four missed heartbeats by all others; its job is queued again with all that it knew.
"""

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.trial import FrozenTrial, TrialState

from harness.config.values import flatten
from harness.errors import unknown
from harness.queue.jobs import (
    ERROR,
    FIXED,
    OVER,
    REPEATS,
    STOPPED,
    WORKER,
    Changed,
    TakenAway,
    is_cut_off,
    owned,
)
from harness.queue.optuna_storage import (
    GONE,
    HEARTBEAT,
    alone,
    exclusive,
    open_storage,
    reachable,
    shown,
)
from harness.queue.recovery import recover, requeue, was_killed
from harness.queue.worker_lock import Presence
from harness.secrets import error_facts

__all__ = ["FrozenTrial", "Queue", "TrialState"]


class Queue:
    """The jobs of one name in a storage.

    Args:
        name: name of the study in the storage.
        url: SQLAlchemy URL of the storage.
        directions: Optuna's directions of the values that a job ends with; None opens what is there already.
        folder: where the workers of this machine hold their locks.
        heartbeat: seconds between two heartbeats of a running job.

    Raises `UsageError` when the storage cannot be opened, or holds no study of that name and none may be made.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        directions: Sequence[Literal["minimize", "maximize"]] | None = ("maximize",),
        folder: Path,
        heartbeat: int = HEARTBEAT,
    ) -> None:
        self.name, self.place, self.url = name, shown(url), url
        self.heartbeat = heartbeat
        self._locks = folder / "workers"
        self.storage = open_storage(url, partial(requeue, killed=True), heartbeat)
        self.study = self._open(directions)
        self._study_id = self.storage.get_study_id_from_name(name)

    @property
    def notes(self) -> dict[str, Any]:
        """What the study remembers, by name."""
        return dict(self.study.user_attrs)

    def remember(self, what: str, value: Any) -> None:
        """Note something for all who open the study."""
        self.study.set_user_attr(what, value)

    def hold(self, what: str, values: dict[str, Any]) -> None:
        """Remember what all jobs must share; raise `Changed` when the study was started with something else."""
        values = json.loads(json.dumps(values, default=str))
        if self.study.user_attrs.get(what) is None:
            self.remember(what, values)
        old = self.study.user_attrs[what]
        if old != values:
            before, after = flatten(old), flatten(values)
            keys = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
            said = "; ".join(f"{key}: {before.get(key)} before, {after.get(key)} now" for key in keys[:5])
            raise Changed(
                f"The study {self.name!r} was started with other {what} ({said}), so its trials cannot be compared "
                "with new ones: start another with --study NAME."
            )

    def jobs(self) -> dict[int, FrozenTrial]:
        """Return the jobs that count, by the number that each had at first; of a repeated one the last attempt.

        Two processes may queue one job again at the same time: the first of both counts, the other is never taken.
        """
        jobs: dict[int, FrozenTrial] = {}
        roots: dict[int, int] = {}
        for trial in self.study.get_trials(deepcopy=False):
            before = trial.user_attrs.get(REPEATS)
            root = trial.number if before is None else roots.pop(before, None)
            if root is not None:
                roots[trial.number] = root
                jobs[root] = trial
        return jobs

    def number_of(self, job: FrozenTrial) -> int:
        """Return the number that a job had at first."""
        trials = self.study.get_trials(deepcopy=False)
        while REPEATS in job.user_attrs:
            job = trials[job.user_attrs[REPEATS]]
        return int(job.number)

    def running(self) -> list[FrozenTrial]:
        """Return the jobs under way."""
        return self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other processes from reading the queue and adding to it while the block runs; not to be nested."""
        with exclusive(self.url):
            yield

    def add(self, notes: Mapping[str, Any] | None = None, params: Mapping[str, Any] | None = None) -> None:
        """Append a job, with its notes and with values that are fixed before it begins."""
        fixed = {FIXED: dict(params)} if params else {}
        self.study.add_trial(
            optuna.create_trial(state=TrialState.WAITING, user_attrs=dict(notes or {}), system_attrs=fixed)
        )

    def fill(self, total: int) -> None:
        """Append empty jobs until `total` count."""
        for _ in range(total - len(self.jobs())):
            self.add()

    def fix(self, job: FrozenTrial, params: Mapping[str, Any]) -> None:
        """Fix the values of a waiting job."""
        self.storage.set_trial_system_attr(self._id(job), FIXED, dict(params))

    def take(
        self,
        worker: "Presence",
        total: int | None = None,
        fits: Callable[[FrozenTrial], bool] = lambda job: True,
    ) -> FrozenTrial | None:
        """Take the next waiting job that fits among the first `total`, begun ones first; None: none waits."""
        with alone(self.url):
            counted = list(self.jobs().values())[:total]
            waiting = [job for job in counted if job.state is TrialState.WAITING and fits(job)]
            for job in sorted(waiting, key=lambda job: (REPEATS not in job.user_attrs, job.number)):
                if self._take(job):
                    self.storage.set_trial_user_attr(self._id(job), WORKER, worker.token)
                    return self.storage.get_trial(self._id(job))
        return None

    def trial(self, job: FrozenTrial) -> optuna.Trial:
        """Return a taken job as Optuna's trial."""
        return optuna.Trial(self.study, self._id(job))

    def note(self, job: FrozenTrial, key: str, value: Any) -> None:
        """Note something beside a running job; raise `TakenAway` when the job is no longer this worker's."""
        with owned(job):
            self.storage.set_trial_user_attr(self._id(job), key, value)

    def end(self, job: FrozenTrial, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """End a taken job; False when it was taken away meanwhile because its worker sent no heartbeats."""
        with alone(self.url):
            return self._end(job, state, values)

    def _end(self, job: FrozenTrial, state: TrialState, values: Sequence[float] | None = None) -> bool:
        if self.storage.get_trial(self._id(job)).state is not TrialState.RUNNING:
            return False
        try:
            self.study.tell(job.number, values=values, state=state)
        except (optuna.exceptions.UpdateFinishedTrialError, ValueError):
            if self.storage.get_trial(self._id(job)).state is TrialState.RUNNING:
                raise
            return False
        return True

    def fail(self, job: FrozenTrial, error: Exception) -> bool:
        """End a job because it broke, keeping type, message and traceback."""
        try:
            self.note(job, ERROR, error_facts(error))
        except TakenAway:
            return False
        return self.end(job, TrialState.FAIL)

    def put_back(self, job: FrozenTrial) -> None:
        """Queue a taken job again because a person stopped its worker."""
        with self.exclusive():
            if (ended := self._cut_off(job)) is not None:
                requeue(self.study, ended, killed=False)

    def leave(self, worker: "Presence") -> None:
        """Queue again what a worker that is stopped took and did not end."""
        for job in self.running():
            if job.user_attrs.get(WORKER) == worker.token:
                self.put_back(job)

    def repeat(self, numbers: Iterable[int]) -> None:
        """Take ended jobs out of the count and queue them again; those that wait or run already are left.

        Call it in `exclusive`: two at once would both queue them.
        """
        jobs = self.jobs()
        for number in numbers:
            if jobs[number].state.is_finished():
                requeue(self.study, jobs[number], killed=False, fresh=True)

    def stop(self, reason: str, numbers: Sequence[int]) -> None:
        """Let no worker take another job, until `resume` tries those of `numbers` again."""
        self.remember(STOPPED, {"reason": reason, "jobs": list(numbers)})

    @property
    def stopped(self) -> str | None:
        """Why no worker may take another job; None while they may."""
        known = self.study.user_attrs.get(STOPPED)
        return str(known["reason"]) if known else None

    def resume(self) -> None:
        """Queue again what a stop or a dead worker left behind."""
        with self.exclusive():
            known = self.study.user_attrs.get(STOPPED)
            if known:
                self.repeat(known["jobs"])
                self.remember(STOPPED, None)
            self.remember(OVER, False)
        self.recover()

    def recover(self) -> list[int]:
        """Queue again the jobs whose worker died, also while it queued them again; return their numbers.

        No other process may look between an end and the new job: it would take the end for one that was cut off.
        """
        with self.exclusive():
            roots = {job.number: root for root, job in self.jobs().items()}
            dead = recover(self.study, self._locks, self._cut_off)
            found = {roots.get(number, number) for number in dead}
            for root, job in self.jobs().items():
                if is_cut_off(job):
                    requeue(self.study, job, killed=was_killed(job, self._locks))
                    found.add(root)
            return sorted(found)

    @contextmanager
    def alive(self, job: FrozenTrial) -> Iterator[None]:
        """Send heartbeats for a job while the block runs; a failed one does not end them."""
        stop, key = threading.Event(), self._id(job)

        def beat() -> None:
            while not stop.wait(self.heartbeat):
                with suppress(*GONE):
                    self.storage.record_heartbeat(key)

        self.storage.record_heartbeat(key)
        thread = threading.Thread(target=beat, name=f"heartbeat {job.number}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _open(self, directions: Sequence[Literal["minimize", "maximize"]] | None) -> optuna.Study:
        with reachable(self.url):
            names = optuna.get_all_study_names(self.storage)
            if directions is None and self.name not in names:
                raise unknown("study", self.name, names)
            if self.name in names:
                return optuna.load_study(study_name=self.name, storage=self.storage)
            return optuna.create_study(
                study_name=self.name, storage=self.storage, directions=directions, load_if_exists=True
            )

    def _take(self, job: FrozenTrial) -> bool:
        """Set a job running, its first heartbeat before it: one that never had any would never be found dead."""
        self.storage.record_heartbeat(self._id(job))
        try:
            return self.storage.set_trial_state_values(self._id(job), TrialState.RUNNING)
        except optuna.exceptions.UpdateFinishedTrialError:
            return False

    def _cut_off(self, job: FrozenTrial) -> FrozenTrial | None:
        """End a running job without a reason; return it as it is then, None where another process came first."""
        return self.storage.get_trial(self._id(job)) if self._end(job, TrialState.FAIL) else None

    def _id(self, job: FrozenTrial) -> int:
        return int(self.storage.get_trial_id_from_study_id_trial_number(self._study_id, job.number))
