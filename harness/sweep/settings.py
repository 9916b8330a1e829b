"""How a sweep searches, what is refused before it starts, and what makes two studies the same."""

import json
import os
import re
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.config.faults import check_trial
from harness.config.fields import Range
from harness.config.identity import identity_values
from harness.config.sections import RunConfig
from harness.config.values import content_hash, flatten
from harness.errors import UsageError, unknown
from harness.limits import MOST_SECONDS, MOST_SEEDS, MOST_TRIALS
from harness.metric_names import CUTOFFS, DIRECTIONS
from harness.record import twin_name
from harness.sweep.space import Axis, check_axes

NAMES = (*(f"R{k}" for k in CUTOFFS), "mAP", "mINP", "Rsum")
SCORES = tuple(f"val/{way}/{name}" for way in DIRECTIONS for name in NAMES)
COSTS = ("trainable_parameters", "peak_memory", "step_seconds")
_OBJECTIVES = (*SCORES, *COSTS)
SAMPLERS = ("tpe", "gp", "random", "grid", "cmaes", "nsga2")
PRUNERS = ("median", "hyperband", "wilcoxon", "none")
_WILCOXON_SEEDS = 5
# What these look like as values and as words is one text.
_NOT_WORDS = ("None", "True", "False", "nan", "inf")
_UNITS = {"K": 1e3, "M": 1e6, "G": 1e9, "KB": 1e3, "MB": 1e6, "GB": 1e9, "": 1.0}


class Constraint(BaseModel):
    """A cost that a configuration may not exceed to count as the best."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    cost: Literal["trainable_parameters", "peak_memory", "step_seconds"]
    at_most: float = Field(ge=0, le=1e18)

    def __str__(self) -> str:
        return f"{self.cost} <= {self.at_most:g}"


class Search(BaseModel):
    """How a sweep searches.

    Attributes:
        trials: total number of trials, those of earlier commands included.
        objectives: what is optimised at the epoch that validation chose: validation metrics are maximised, costs
            minimised; the first decides which trial is the best.
        constraints: costs that the best may not exceed.
        sampler: how points are drawn: `tpe` (multivariate), `gp`, `random`, `grid`, `cmaes`, `nsga2`.
        pruner: what prunes a trial: `median` (behind the others' median at two validations in a row), `hyperband`,
            `wilcoxon` (over the seeds of a trial, against the best one), `none`.
        seeds: runs of each trial, with seeds from the config's on; the value is their mean.
        timeout: seconds after which no further trial starts.
        test_seeds: fresh seeds with which the best configuration is retrained and tested; 0 tests nothing.
        points: what is tried first; None tries the config's own point when it is in the space.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    trials: int = Field(20, ge=1, le=MOST_TRIALS)
    objectives: tuple[str, ...] = Field((SCORES[0],), min_length=1)
    constraints: tuple[Constraint, ...] = ()
    sampler: Literal["tpe", "gp", "random", "grid", "cmaes", "nsga2"] = "tpe"
    pruner: Literal["median", "hyperband", "wilcoxon", "none"] = "median"
    seeds: int = Field(1, ge=1, le=MOST_SEEDS)
    timeout: float | None = Field(None, gt=0, le=MOST_SECONDS)
    test_seeds: int = Field(3, ge=0, le=MOST_SEEDS)
    points: tuple[dict[str, Any], ...] | None = None

    @property
    def objective(self) -> str:
        """The objective that decides which trial is the best."""
        return self.objectives[0]

    @property
    def directions(self) -> tuple[Literal["minimize", "maximize"], ...]:
        """Optuna's direction of each objective."""
        return tuple("minimize" if name in COSTS else "maximize" for name in self.objectives)


def parse_constraint(text: str) -> Constraint:
    """Return the constraint that `COST<=LIMIT` describes; the limit may end in K, M, G, KB, MB or GB.

    >>> parse_constraint("trainable_parameters<=12M").at_most
    12000000.0
    """
    cost, sign, limit = (part.strip() for part in text.partition("<="))
    found = re.fullmatch(r"([0-9.]+(?:[eE][+-]?[0-9]+)?)\s*([A-Za-z]*)", limit)
    if not sign or not found or found[2].upper() not in _UNITS:
        raise UsageError(
            f"--constraint takes COST<=LIMIT, such as trainable_parameters<=12M or peak_memory<=20GB, but got {text!r}."
        )
    if cost not in COSTS:
        raise unknown("cost", cost, COSTS)
    try:
        return Constraint.model_validate(
            {"cost": cost, "at_most": float(found[1]) * _UNITS[found[2].upper()]}
        )
    except ValueError as error:
        raise UsageError(f"The limit in --constraint {text!r} is not a number.") from error


def check_search(config: RunConfig, axes: Sequence[Axis], search: Search) -> None:
    """Raise `UsageError` for a sweep that would see test data, measure nothing, or that the config does not take."""
    check_trial(config)
    for name in search.objectives:
        if name not in _OBJECTIVES:
            raise unknown("objective", name, _OBJECTIVES)
    if search.objective not in SCORES:
        raise UsageError(
            f"The first objective decides which trial is the best and must be a validation metric, but got "
            f"{search.objective!r}: name {SCORES[0]} first, costs after it."
        )
    if len(set(search.objectives)) < len(search.objectives):
        raise UsageError(f"An objective is given twice: {', '.join(search.objectives)}.")
    if len(search.objectives) > 1:
        _check_several(search)
    if search.pruner == "wilcoxon" and search.seeds < _WILCOXON_SEEDS:
        raise UsageError(
            f"The pruner wilcoxon compares trials over their seeds; with fewer than {_WILCOXON_SEEDS} its test can "
            f"never be significant before the last, but got --seeds {search.seeds}."
        )
    if search.sampler == "cmaes" and not any(not axis.named for axis in axes):
        raise UsageError(
            "The sampler cmaes needs a numeric axis: none of those searched is one. Use tpe, random or grid."
        )
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("A sweep runs in one process: call `harness sweep` without torchrun.")
    check_axes(config, axes)


def settings_of(config: RunConfig, axes: Sequence[Axis], search: Search) -> dict[str, Any]:
    """Return what all trials of a study share; budget, searched values and first points are no part of it."""
    searched = {axis.key for axis in axes}
    values = flatten(identity_values(config))
    return {
        "config": {key: value for key, value in values.items() if key not in searched},
        "space": space_of(axes),
        "objectives": list(search.objectives),
        "constraints": [str(constraint) for constraint in search.constraints],
        "sampler": search.sampler,
        "pruner": search.pruner,
        "seeds": search.seeds,
    }


def space_of(axes: Sequence[Axis]) -> dict[str, str]:
    """Return each axis as what tells it from all others: its text, by which studies are named, where that does.

    >>> space_of([Axis.model_validate({"key": "a.b", "over": {"values": ["8", "16"]}})])
    {'a.b': 'a.b in ["8", "16"]'}
    """
    return {axis.key: _exact(axis) for axis in axes}


def _exact(axis: Axis) -> str:
    if isinstance(axis.over, Range):
        same = all(float(f"{end:g}") == end for end in (axis.over.low, axis.over.high))
        ends = f"{axis.over.low!r} to {axis.over.high!r}"
        return str(axis) if same else f"{axis.key} from {ends}{' (log)' if axis.over.log else ''}"
    words = [value for value in axis.over.values if isinstance(value, str)]
    same = all(re.fullmatch(r"[A-Za-z][\w-]*", word) and word not in _NOT_WORDS for word in words)
    return str(axis) if same else f"{axis.key} in {json.dumps(axis.over.values)}"


def default_name(config: RunConfig, settings: dict[str, Any]) -> str:
    """Return the name of a study that nobody named: equal settings, equal name."""
    data = twin_name(config.dataset.name, config.dataset.synthetic)
    return f"{config.method.name}-{data}-sweep-{content_hash(settings)[:8]}"


def study_name(text: str) -> str:
    """Return a study's name; raise `UsageError` for one that cannot name a folder.

    >>> study_name("cskt-first_try.2")
    'cskt-first_try.2'
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", text):
        raise UsageError(
            f"A study's name has letters, digits, dots, hyphens and underscores, at most 100, but got {text!r}."
        )
    return text


def _check_several(search: Search) -> None:
    """Raise `UsageError` for what Optuna cannot do with several objectives."""
    if search.sampler == "cmaes":
        raise UsageError(
            "The sampler cmaes takes one objective: use nsga2, tpe, gp, random or grid for several."
        )
    if search.pruner != "none":
        raise UsageError(
            f"With several objectives no trial can be pruned, but the pruner is {search.pruner}: use "
            "--pruner none."
        )
