"""What a study in the storage says of its sweep, and what it found: for workers, and for those who only look."""

import json
import random
from collections.abc import Sequence
from typing import Any

from harness.config.removed import without_removed
from harness.config.sections import RunConfig
from harness.presets.resolve import build_stored
from harness.queue.jobs import SPEC
from harness.queue.optuna_storage import may_exist, study_names
from harness.queue.queue import Queue
from harness.queue.work_setup import WorkSetup
from harness.sweep.settings import Search, space_of
from harness.sweep.space import Axis, grid, most_epochs, start
from harness.sweep.study import Study
from harness.sweep.summary import Summary, summarise

SETTINGS = "settings"


def read_spec(queue: Queue) -> tuple[RunConfig, list[Axis], Search]:
    """Return config, space and search of a study in the storage."""
    spec = queue.notes[SPEC]
    axes = [Axis.model_validate(axis) for axis in spec["axes"]]
    return build_stored(spec["config"]), axes, Search.model_validate(spec["search"])


def held_settings(queue: Queue) -> dict[str, Any] | None:
    """Return what all trials of a study share, without the settings that are gone since; None of a new study.

    The space is that of the axes themselves: an earlier harness noted a text that several spaces had.
    """
    notes = queue.notes
    if (held := notes.get(SETTINGS)) is None:
        return None
    axes = [Axis.model_validate(axis) for axis in notes.get(SPEC, {}).get("axes", [])]
    return {**held, "config": without_removed(held["config"]), "space": {**held["space"], **space_of(axes)}}


def begun_before(name: str, settings: dict[str, Any], setup: WorkSetup) -> str:
    """Return what the study of these settings is called that began when there were others beside them, else `name`.

    A study that nobody named is called after its settings, so one that began before has another name.
    """
    known = study_names(setup.url) if may_exist(setup.url) else []
    plain, start = json.loads(json.dumps(settings, default=str)), name.rpartition("-")[0]
    for other in known if name not in known else ():
        if other.startswith(f"{start}-") and held_settings(setup.open_queue(other, None)) == plain:
            return other
    return name


def study_on(queue: Queue, config: RunConfig, axes: Sequence[Axis], search: Search) -> Study:
    """Return the Optuna study that a queue is."""
    warmup = getattr(config.method, "warmup_epochs", 0)
    return Study(queue, axes, search, config.seed, (most_epochs(config, axes), warmup))


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
