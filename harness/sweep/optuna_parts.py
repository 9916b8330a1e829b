"""A search in Optuna's terms: distributions, samplers and pruners."""

from collections.abc import Sequence
from copy import copy
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial

from harness.config.fields import Choice
from harness.queue.optuna_storage import experimental
from harness.sweep.settings import Search
from harness.sweep.space import Axis

STARTUP_TRIALS = 5
PATIENCE = 1
_POPULATION = 10
_REDUCTION = 3


class PatientMedian(optuna.pruners.BasePruner):
    """Prunes a trial whose best so far is behind the others' median at two validations in a row.

    Optuna's own PatientPruner waits instead until a trial gets no better, which short and noisy curves seldom do for
    long enough: see `benchmarks/pruning.py`.

    Args:
        warmup: epochs after which the first validation may count; no trial ends before five others have finished.
        patience: how many validations more than one it must be behind.
    """

    def __init__(self, warmup: int, patience: int = PATIENCE) -> None:
        self._median = optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=warmup)
        self._patience = patience

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Return whether the trial is behind now, and was at the validations before."""
        steps = sorted(trial.intermediate_values)
        if len(steps) <= self._patience:
            return False
        pasts = (self._at(trial, steps[: len(steps) - back]) for back in range(self._patience + 1))
        return all(self._median.prune(study, past) for past in pasts)

    @staticmethod
    def _at(trial: FrozenTrial, steps: Sequence[int]) -> FrozenTrial:
        """Return a trial as it was after some steps."""
        past = copy(trial)
        past.intermediate_values = {step: trial.intermediate_values[step] for step in steps}
        return past


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


def suggest(trial: optuna.Trial, axis: Axis) -> Any:
    """Return the value that the sampler gives a trial on an axis."""
    if isinstance(axis.over, Choice):
        return trial.suggest_categorical(axis.key, axis.over.values)
    low, high, log = axis.over.low, axis.over.high, axis.over.log
    if axis.integer:
        return trial.suggest_int(axis.key, int(low), int(high), log=log)
    return trial.suggest_float(axis.key, low, high, log=log)


def build_sampler(search: Search, seed: int) -> optuna.samplers.BaseSampler:
    """Return the sampler of one trial; a grid's points are fixed beforehand, so what draws there does not matter."""
    samplers = optuna.samplers
    if search.sampler == "tpe":
        return samplers.TPESampler(multivariate=True, group=False, constant_liar=True, seed=seed)
    if search.sampler == "gp":
        return samplers.GPSampler(seed=seed, n_startup_trials=STARTUP_TRIALS, warn_independent_sampling=False)
    if search.sampler == "cmaes":
        return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
    if search.sampler == "nsga2":
        return samplers.NSGAIISampler(population_size=_POPULATION, seed=seed)
    return samplers.RandomSampler(seed=seed)


def build_pruner(search: Search, n_epochs: int, warmup: int) -> optuna.pruners.BasePruner:
    """Return the pruner that a search names, for trials of so many epochs and of warm-up."""
    pruners = optuna.pruners
    with experimental():
        if search.pruner == "median":
            return PatientMedian(warmup)
        if search.pruner == "hyperband":
            most = max(n_epochs * search.seeds, 1)
            return pruners.HyperbandPruner(
                min_resource=min(warmup + 1, most), max_resource=most, reduction_factor=_REDUCTION
            )
        if search.pruner == "wilcoxon":
            return pruners.WilcoxonPruner(p_threshold=0.1)
    return pruners.NopPruner()
