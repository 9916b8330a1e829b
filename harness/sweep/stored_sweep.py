"""What a study in the storage says of its sweep, and what it found: for workers, and for those who only look."""

import random
from collections.abc import Sequence
from typing import Any

from harness.config.sections import RunConfig
from harness.presets.resolve import build
from harness.queue.jobs import SPEC
from harness.queue.queue import Queue
from harness.sweep.settings import Search
from harness.sweep.space import Axis, grid, start
from harness.sweep.study import Study
from harness.sweep.summary import Summary, summarise

KIND = "sweep"


def read_spec(queue: Queue) -> tuple[RunConfig, list[Axis], Search]:
    """Return config, space and search of a study in the storage."""
    spec = queue.notes[SPEC]
    axes = [Axis.model_validate(axis) for axis in spec["axes"]]
    return build(spec["config"]), axes, Search.model_validate(spec["search"])


def study_on(queue: Queue, config: RunConfig, axes: Sequence[Axis], search: Search) -> Study:
    """Return the Optuna study that a queue is."""
    warmup = getattr(config.method, "warmup_epochs", 0)
    return Study(queue, axes, search, config.seed, (config.train.epochs, warmup))


def summary_of(study: Study, config: RunConfig, importance: bool = False) -> Summary:
    """Return what a study found so far, tests apart; importance takes seconds with hundreds of trials."""
    summary = summarise(study.name, config, study.axes, study.search, study.trials())
    if importance:
        summary.importance = study.importance()
    summary.storage = study.place
    return summary


def find_points(config: RunConfig, axes: Sequence[Axis], search: Search) -> list[dict[str, Any]]:
    """Return what a search tries first: given points, all points of a grid, or the config's own point."""
    if search.points is not None:
        return [dict(point) for point in search.points]
    if search.sampler == "grid":
        points = grid(axes)
        if search.trials < len(points):
            random.Random(config.seed).shuffle(points)
        return points
    return start(config, axes)
