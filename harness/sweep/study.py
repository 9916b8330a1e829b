"""One Optuna study on a queue: points drawn, values reported, trials pruned, importance.

With one worker the same seed draws the same points however often a study was stopped: the sampler is made again for
each trial, seeded by the study's seed and the trial's number. Several workers know of one another's running trials
(constant liar), and which of them ends first decides what the next one knows.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from harness.config.values import content_hash
from harness.queue.jobs import FIXED, owned
from harness.queue.optuna_storage import experimental
from harness.queue.queue import Queue
from harness.queue.worker_lock import Presence
from harness.sweep.ended_trials import FACTS, ended_jobs, ended_trial, ended_trials
from harness.sweep.optuna_parts import STARTUP_TRIALS, build_pruner, build_sampler, suggest
from harness.sweep.settings import Search
from harness.sweep.space import Axis
from harness.sweep.trial import Trial


class RunningTrial:
    """A trial under way, in Optuna; once it has ended, `Trial` holds what is known of it.

    `number` counts from 0 and stays the same when the trial is resumed.
    """

    def __init__(self, study: "Study", job: FrozenTrial, number: int) -> None:
        self.job, self.number = job, number
        self._queue, self._trial = study.queue, study.queue.trial(job)
        self.params = {axis.key: suggest(self._trial, axis) for axis in study.axes}

    def report(self, step: int, value: float) -> bool:
        """Take the value at a step; return whether the trial should end early."""
        if len(self._trial.study.directions) > 1:
            return False
        with warnings.catch_warnings(), owned(self.job):
            warnings.filterwarnings("ignore", message=".*already reported.*")
            self._trial.report(value, step)
            return self._trial.should_prune()

    def note(self, **facts: Any) -> None:
        """Keep facts beside the trial: `runs`, `metrics`, `seconds`."""
        self._queue.note(self.job, FACTS, facts)

    def weigh(self, excess: Mapping[str, float]) -> None:
        """Note how far each cost is above its limit; 0 or less is within."""
        with experimental(), owned(self.job):
            for name, value in excess.items():
                self._trial.set_constraint(name, value)

    def finish(self, values: Sequence[float]) -> bool:
        """End the trial with its values; False when it was taken from this worker, because it sent no heartbeats."""
        return self._queue.end(self.job, TrialState.COMPLETE, values)

    def prune(self) -> bool:
        """End the trial because it fell behind."""
        return self._queue.end(self.job, TrialState.PRUNED)

    def fail(self, error: Exception) -> bool:
        """End the trial because it broke, keeping type, message and traceback."""
        return self._queue.fail(self.job, error)

    def put_back(self) -> None:
        """Leave the trial because a person stopped it: it is resumed with the study."""
        self._queue.put_back(self.job)


class Study:
    """A study on a queue.

    Args:
        queue: the jobs.
        axes: the search space.
        search: sampler, pruner, objectives, constraints.
        seed: seed of the sampler.
        epochs: epochs of one run, and how many of them warm-up takes.
    """

    def __init__(
        self, queue: Queue, axes: Sequence[Axis], search: Search, seed: int, epochs: tuple[int, int]
    ) -> None:
        self.queue, self.axes, self.search, self.seed = queue, list(axes), search, seed
        self.name, self.place = queue.name, queue.place
        queue.study.pruner = build_pruner(search, *epochs)

    @property
    def n_done(self) -> int:
        """How many trials count towards the total."""
        return len(self.trials())

    def trials(self) -> list[Trial]:
        """Return all ended trials in order."""
        return ended_trials(self.queue)

    def last_ended(self, n: int) -> list[Trial]:
        """Return the trials that ended last, the latest at the end."""
        jobs = sorted(
            ended_jobs(self.queue),
            key=lambda item: (item[1].datetime_complete or item[1].datetime_start, item[0]),
        )
        return [ended_trial(*item) for item in jobs[-n:]]

    def prepare(self, points: Sequence[Mapping[str, Any]]) -> None:
        """Make trials up to the total and let those that have not begun start with `points` not tried yet."""
        with self.queue.exclusive():
            jobs = list(self.queue.jobs().values())[: self.search.trials]
            tried = [job.params or job.system_attrs.get(FIXED) for job in jobs]
            new = [dict(point) for point in points if dict(point) not in tried]
            for job, point in zip(jobs, tried, strict=True):
                if new and not point and job.state is TrialState.WAITING:
                    self.queue.fix(job, new.pop(0))
            for point in new[: self.search.trials - len(jobs)]:
                self.queue.add(params=point)
            self.queue.fill(self.search.trials)

    def take(self, worker: Presence) -> RunningTrial | None:
        """Take the next trial; None when none waits."""
        job = self.queue.take(worker, self.search.trials)
        if job is None:
            return None
        try:
            number = self.queue.number_of(job)
            with experimental(), owned(job):
                seed = int(content_hash([self.seed, number])[:8], 16)
                self.queue.study.sampler = build_sampler(self.search, seed)
                return RunningTrial(self, job, number)
        except BaseException:
            self.queue.put_back(job)
            raise

    def importance(self) -> dict[str, float]:
        """Return each searched key's share in the spread of values, as fANOVA estimates it; {} of too few trials."""
        finished = self.queue.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if len({trial.values[0] for trial in finished}) < 2 or len(finished) < STARTUP_TRIALS:
            return {}
        with experimental():
            found = optuna.importance.get_param_importances(
                self.queue.study,
                evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0),
                target=lambda trial: trial.values[0],
            )
        return {key: float(value) for key, value in found.items()}
