"""One Optuna study: opened, drawn from, counted and taken up again; the only file that knows Optuna.

The same seed draws the same points however often a study was stopped: the sampler is made anew for each trial,
seeded by the study's seed and the number of trials done.
"""

import json
import logging
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from harness.config import Choice, content_hash, flatten
from harness.errors import UsageError
from harness.space import Axis
from harness.study_results import State, TrialRow

STATES: dict[TrialState, State] = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}
REPEATS = "repeats"
ERROR = "error"
FACTS = "facts"
STARTUP_TRIALS = 5
PATIENCE = 1


class Changed(UsageError):
    """A study was begun with other settings, data, weights or versions."""


class Trial:
    """A trial under way."""

    def __init__(self, study: optuna.Study, trial: optuna.Trial) -> None:
        self._study, self._trial = study, trial
        self.number, self.params = trial.number, dict(trial.params)

    def report(self, epoch: int, value: float) -> bool:
        """Take the value after an epoch; return whether the trial should end early."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*already reported.*")
            self._trial.report(value, epoch)
        return self._trial.should_prune()

    def note(self, **facts: Any) -> None:
        """Keep facts beside the trial: `run`, `metrics`, `seconds`."""
        self._trial.set_user_attr(FACTS, facts)

    def finish(self, value: float) -> None:
        """End the trial with its value."""
        self._study.tell(self._trial, value)

    def prune(self) -> None:
        """End the trial because it fell behind."""
        self._study.tell(self._trial, state=TrialState.PRUNED)

    def fail(self, error: Exception) -> None:
        """End the trial because it broke, keeping type, message and traceback."""
        self._trial.set_user_attr(ERROR, fault(error))
        self._study.tell(self._trial, state=TrialState.FAIL)

    def cut_off(self) -> None:
        """End the trial because a person stopped it: it is repeated when the study goes on."""
        self._study.tell(self._trial, state=TrialState.FAIL)


class Study:
    """A study that counts ended trials towards a total and repeats those that were cut off.

    Args:
        name: name in the storage.
        url: SQLAlchemy URL of the storage.
        settings: what makes two studies the same; `Changed` is raised when the study of this name has others.
        axes: the search space.
        seed: seed of the sampler.
        points: what is tried first, in order.
        prune_after: epochs after which a trial ends early that is behind the median of the others and gets no better;
            None never ends one.

    One process at a time works on a study: a trial found running was cut off, and is repeated first.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        settings: dict[str, Any],
        axes: Sequence[Axis],
        seed: int,
        points: Sequence[dict[str, Any]] = (),
        prune_after: int | None = None,
    ) -> None:
        self.name, self.seed, self.place = name, seed, _shown(url)
        self._space = {axis.key: distribution(axis) for axis in axes}
        self._study = _open(name, url, _pruner(prune_after))
        self.hold("settings", settings)
        for point in points:
            self._study.enqueue_trial(point, skip_if_exists=True)
        self.repeat_cut_off()

    @property
    def n_done(self) -> int:
        """How many trials count towards the total."""
        return len(self.rows())

    def rows(self) -> list[TrialRow]:
        """Return all ended trials in order; those that were cut off or repeated are left out."""
        trials = self._study.get_trials(deepcopy=False)
        repeated = _repeated(trials)
        ended = (trial for trial in trials if trial.state in STATES and not _was_cut_off(trial))
        return [_row(trial) for trial in ended if trial.number not in repeated]

    def ask(self, n_done: int) -> Trial:
        """Begin the trial after `n_done` others: one to repeat, a first point, or one that the sampler draws."""
        with _experimental():
            self._study.sampler = optuna.samplers.TPESampler(
                multivariate=True, seed=int(content_hash([self.seed, n_done])[:8], 16)
            )
        return Trial(self._study, self._study.ask(self._space))

    def repeat_cut_off(self) -> None:
        """Queue again what was running, or ended without a reason, when the study stopped."""
        trials = self._study.get_trials(deepcopy=False)
        for trial in trials:
            if trial.state is TrialState.RUNNING:
                self._study.tell(trial.number, state=TrialState.FAIL)
        repeated = _repeated(trials)
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.FAIL,)):
            if _was_cut_off(trial) and trial.number not in repeated:
                self._again(trial, trial.intermediate_values)

    def repeat(self, numbers: Sequence[int]) -> None:
        """Take ended trials out of the count and try their points again when the study goes on."""
        for trial in self._study.get_trials(deepcopy=False):
            if trial.number in numbers:
                self._again(trial, {})

    def hold(self, what: str, values: dict[str, Any]) -> None:
        """Remember what all trials must share; raise `Changed` when the study was begun with something else."""
        values = json.loads(json.dumps(values, default=str))
        old = self._study.user_attrs.get(what)
        if old is None:
            self._study.set_user_attr(what, values)
        elif old != values:
            before, after = flatten(old), flatten(values)
            keys = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
            told = "; ".join(f"{key}: {before.get(key)} before, {after.get(key)} now" for key in keys[:5])
            raise Changed(
                f"The study {self.name!r} was begun with other {what} ({told}), so its trials cannot be compared "
                "with new ones: begin another with --study NAME."
            )

    def _again(self, trial: FrozenTrial, values: dict[int, float]) -> None:
        again = optuna.create_trial(
            state=TrialState.WAITING,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs={REPEATS: trial.number},
            system_attrs=trial.system_attrs,
            intermediate_values=values,
        )
        self._study.add_trial(again)


def fault(error: Exception) -> dict[str, str]:
    """Return an error as plain values: type, message and traceback."""
    text = "".join(traceback.format_exception(error))
    return {"type": type(error).__name__, "message": str(error), "traceback": text}


def distribution(axis: Axis) -> BaseDistribution:
    """Return an axis as Optuna wants it; whole numbers stay whole."""
    if isinstance(axis.over, Choice):
        return CategoricalDistribution(axis.over.values)
    low, high, log = axis.over.low, axis.over.high, axis.over.log
    return (
        IntDistribution(int(low), int(high), log=log)
        if axis.integer
        else FloatDistribution(low, high, log=log)
    )


def _open(name: str, url: str, pruner: optuna.pruners.BasePruner) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        storage = optuna.storages.RDBStorage(url)
        return optuna.create_study(
            study_name=name, storage=storage, direction="maximize", load_if_exists=True, pruner=pruner
        )
    except (SQLAlchemyError, ImportError, OSError, RuntimeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UsageError(
            f"The study storage {_shown(url)} cannot be opened: {reason} "
            "--storage takes an SQLAlchemy URL such as sqlite:///optuna.db."
        ) from error


def _shown(url: str) -> str:
    """Return a storage URL without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return repr(url)


def _pruner(warmup: int | None) -> optuna.pruners.BasePruner:
    if warmup is None:
        return optuna.pruners.NopPruner()
    median = optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=warmup)
    with _experimental():
        return optuna.pruners.PatientPruner(median, patience=PATIENCE)


def _repeated(trials: Sequence[FrozenTrial]) -> set[int]:
    return {trial.user_attrs[REPEATS] for trial in trials if REPEATS in trial.user_attrs}


def _was_cut_off(trial: FrozenTrial) -> bool:
    return trial.state is TrialState.FAIL and ERROR not in trial.user_attrs


def _row(trial: FrozenTrial) -> TrialRow:
    known = trial.user_attrs
    return TrialRow(
        number=trial.number,
        state=STATES[trial.state],
        value=trial.value,
        params=trial.params,
        error=known.get(ERROR),
        **known.get(FACTS, {}),
    )


@contextmanager
def _experimental() -> Iterator[None]:
    """Silence Optuna's notes on parts that it calls experimental: the tests of the harness hold them down."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield
