"""How a sweep searches, what is refused before it begins, and what makes two studies the same."""

import os
import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from harness.config import RunConfig, content_hash, flatten, identity_values
from harness.errors import UsageError, unknown
from harness.metrics import CUTOFFS, DIRECTIONS
from harness.run import check_trial
from harness.space import Axis, check_axes

NAMES = (*(f"R{k}" for k in CUTOFFS), "mAP", "mINP", "Rsum")
OBJECTIVES = tuple(f"val/{way}/{name}" for way in DIRECTIONS for name in NAMES)


class Search(BaseModel):
    """How a sweep searches.

    Attributes:
        trials: total number of trials, those of earlier commands included.
        objective: validation metric of the chosen epoch, to be maximised.
        pruning: end a trial early that falls behind the median of the others and gets no better.
        timeout: seconds after which no further trial begins.
        test: run the best configuration once more with a fresh seed, and test it.
        points: what is tried first; None tries the config's own point when it lies in the space.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    trials: int = Field(20, ge=1)
    objective: str = OBJECTIVES[0]
    pruning: bool = True
    timeout: float | None = None
    test: bool = True
    points: tuple[dict[str, Any], ...] | None = None


def check_search(config: RunConfig, axes: Sequence[Axis], search: Search) -> None:
    """Raise `UsageError` for a sweep that would see test data, measure nothing, or that the config does not take."""
    check_trial(config)
    if search.objective not in OBJECTIVES:
        raise unknown("objective", search.objective, OBJECTIVES)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("A sweep runs in one process: call `harness sweep` without torchrun.")
    check_axes(config, axes)


def settings_of(config: RunConfig, axes: Sequence[Axis], search: Search) -> dict[str, Any]:
    """Return what all trials of a study share; budget, searched values and first points are no part of it."""
    searched = {axis.key for axis in axes}
    values = flatten(identity_values(config))
    return {
        "config": {key: value for key, value in values.items() if key not in searched},
        "space": {axis.key: str(axis) for axis in axes},
        "objective": search.objective,
        "pruning": search.pruning,
    }


def default_name(config: RunConfig, settings: dict[str, Any]) -> str:
    """Return the name of a study that nobody named: equal settings, equal name."""
    twin = "-twin" if config.dataset.synthetic else ""
    return f"{config.method.name}-{config.dataset.name}{twin}-sweep-{content_hash(settings)[:8]}"


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
