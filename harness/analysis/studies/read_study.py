"""Read a study from MLflow: its parent run, the runs of its trials, and the summary from its end.

A study that ended has its summary there. For one that still runs, or was killed, the parent run and the runs of its
trials hold less, and `notes` say what is missing.
"""

import logging
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any

from harness.analysis.studies.tracked_study import TrackedStudy
from harness.config.fields import Choice
from harness.config.values import flatten
from harness.errors import HarnessError, UsageError, unknown
from harness.pages.escaping import visible
from harness.presets.resolve import resolve
from harness.record import has_earlier_intervals
from harness.strict_json import read_json_text
from harness.sweep.settings import COSTS, Search
from harness.sweep.space import Axis, parse_axis_text
from harness.sweep.study_folder import BEST, SUMMARY
from harness.sweep.summary import Summary
from harness.sweep.trial import Trial, best_of
from harness.track.mlflow_store import Store
from harness.track.run_row import RunRow, as_number, as_whole
from harness.track.tags import SEARCH

_SEARCHED = "search: "
_ENDED = ("finished", "pruned", "failed")
log = logging.getLogger(__name__)


def read_study(store: Store | None, name: str) -> TrackedStudy:
    """Return the newest study of a name; raise `UsageError` with the nearest match when none is tracked."""
    parents = store.search("tags.`harness.kind` = 'study'") if store else []
    if store is None or not parents:
        raise UsageError(f"No study is tracked here, so not {name!r} either: `harness sweep` makes one.")
    named = [run for run in parents if run.tag("study") == name]
    if not named:
        raise unknown("study", name, {run.tag("study") for run in parents})
    parent = named[0]
    with tempfile.TemporaryDirectory(prefix="harness-study-") as place:
        folder = Path(place)
        study = _begun(parent, _artifact(store, parent, SEARCH, folder), len(named))
        preset = store.artifact(parent.id, BEST, folder)
        study.preset = preset.read_text(encoding="utf-8", errors="replace") if preset else None
        found = _summary(_artifact(store, parent, SUMMARY, folder))
    if found is not None:
        _take(study, found)
    if found is None or study.status == "running":
        _take_runs(study, store, parent, known=found is not None)
    study.trials.sort(key=lambda trial: trial.number)
    best = best_of(study.trials)
    study.best_number = None if best is None else best.number
    study.minimised = tuple(name for name in study.objectives if name in COSTS)
    study.defaults = _defaults(study)
    return study


def _begun(parent: RunRow, noted: Any, n_named: int) -> TrackedStudy:
    """Return what was known of a study when it began."""
    search, axes = _search(noted)
    study = TrackedStudy(
        name=parent.tag("study"),
        status="running" if parent.running else parent.tag("status") or "finished",
        n_named=n_named,
        started=_time(parent.started),
        ended=None if parent.running else _time(parent.ended),
        method=parent.tag("method"),
        dataset=parent.tag("dataset"),
        synthetic=parent.synthetic,
        seed=parent.tag("seed"),
        objectives=search.objectives if search else (parent.tag("objective") or "val/t2i/R1",),
        constraints=tuple(map(str, search.constraints)) if search else (),
        sampler=parent.tag("sampler"),
        pruner=parent.tag("pruner"),
        seeds=search.seeds if search else None,
        wanted=search.trials if search else None,
        axes=_axes(parent.params) if axes is None else axes,
    )
    if n_named > 1:
        study.notes.append(f"{n_named} studies of this name are tracked; this is the newest.")
    return study


def _search(noted: Any) -> tuple[Search, list[Axis]] | tuple[None, None]:
    """Return how a study searches and what, as it noted it; None of one that did not, or in another form."""
    if noted is None:
        return None, None
    try:
        return Search.model_validate(noted["search"]), [Axis.model_validate(axis) for axis in noted["axes"]]
    except (ValueError, TypeError, KeyError) as error:
        log.warning("the search settings of the study cannot be read: %s", error)
        return None, None


def _axes(params: Mapping[str, str]) -> list[Axis]:
    """Return the search space as the words of a study's parameters have it."""
    texts = (value.removeprefix(_SEARCHED) for value in params.values() if value.startswith(_SEARCHED))
    found = []
    for text in texts:
        try:
            found.append(parse_axis_text(text))
        except ValueError as error:
            log.warning("the searched range %r cannot be read: %s", visible(text), error)
    return found


def _take(study: TrackedStudy, found: Summary) -> None:
    """Add what the summary of a study holds."""
    study.objectives, study.seeds = found.objectives, found.seeds
    study.trials, study.importance, study.front = [*map(_finite, found.trials)], found.importance, found.front
    study.command = found.command
    study.anew = {
        record.name: float(record.selection[study.objective])
        for record in found.tests
        if study.objective in record.selection
    }
    if found.test is not None:
        metrics = found.test["metrics"].items()
        study.test = {name: (one["mean"], one["low"], one["high"]) for name, one in metrics}
    else:
        for record in found.tests[:1]:
            none = (None, None)
            study.test = {k: (v, *record.intervals.get(k, none)) for k, v in record.metrics.items()}
    if any(map(has_earlier_intervals, [found.test] if found.test else found.tests)):
        study.notes.append("The intervals of its tests are by the earlier method, a bootstrap.")


def _finite(trial: Trial) -> Trial:
    """Return a trial as the summary of its study has it; without its values where one is no finite number."""
    known = all(isfinite(value) for value in trial.values)
    return trial if known else trial.model_copy(update={"value": None, "values": ()})


def _defaults(study: TrackedStudy) -> dict[str, Any]:
    """Return the searched keys as the method sets them; nothing of a method or dataset that is not installed."""
    try:
        config = resolve(study.method, study.dataset, synthetic=study.synthetic)
    except HarnessError:
        return {}
    values = flatten(config.model_dump(mode="json"))
    return {axis.key: values[axis.key] for axis in study.axes if axis.key in values}


def _take_runs(study: TrackedStudy, store: Store, parent: RunRow, known: bool) -> None:
    """Add what the runs of a study's trials hold and its summary, if there is one, does not yet."""
    key = f"trial/{study.objective}"
    values = {int(row["epoch"]): row[key] for row in store.history(parent.id, [key])}
    have = {trial.number for trial in study.trials}
    for number, run in _children(store, study, parent.id).items():
        status = run.tag("status") or "running"
        study.running += status == "running" and study.status == "running"
        value = values.get(number, run.metrics.get(study.objective))
        if status in _ENDED and number not in have and (status != "finished" or value is not None):
            study.trials.append(_row(study, number, run, status, value))
    study.notes.append(_STILL if study.status == "running" else _NO_SUMMARY)
    if not known:
        study.notes.append(_LESS)


def _children(store: Store, study: TrackedStudy, run_id: str) -> dict[int, RunRow]:
    """Return the newest run of each trial, one that ended before one that did not; a running one has no parent yet."""
    found: dict[int, RunRow] = {}
    for run in store.search("tags.`harness.kind` = 'trial'"):
        place = as_whole(run.tag("trial"))
        own = run.parent == run_id or (run.parent is None and run.running)
        if run.tag("study") != study.name or not own or place is None or place < 0:
            continue
        if place not in found or found[place].running:
            found[place] = run
    return found


def _row(study: TrackedStudy, number: int, run: RunRow, status: Any, value: float | None) -> Trial:
    """Return a trial from its run."""
    params = {axis.key: _value(axis, run.params.get(axis.key)) for axis in study.axes}
    return Trial(
        number=number,
        state=status,
        values=() if value is None else (value,),
        params=params,
        seconds=run.seconds,
        error={"type": "", "message": run.tag("error") or "unknown"} if status == "failed" else None,
    )


def _value(axis: Axis, text: str | None) -> Any:
    """Return a parameter as the number that it is, on an axis of numbers."""
    return text if isinstance(axis.over, Choice) else as_number(text)


def _artifact(store: Store, parent: RunRow, name: str, folder: Path) -> Any:
    """Return the content of a JSON artifact of the study's run; None for one not there or broken."""
    file = store.artifact(parent.id, name, folder)
    try:
        return None if file is None else read_json_text(file.read_text(encoding="utf-8"), finite=False)
    except (OSError, ValueError) as error:
        log.warning("the file %s of the study cannot be read: %s", name, error)
        return None


def _summary(content: Any) -> Summary | None:
    """Return a study's summary; None for one not there or of another form."""
    try:
        return None if content is None else Summary.model_validate(content)
    except ValueError as error:
        log.warning("the summary of the study cannot be read: %s", error)
        return None


def _time(stamp: int | None) -> str:
    return "" if stamp is None else datetime.fromtimestamp(stamp / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


_STILL = "This study still runs, or was killed: this is its state so far; the same command of harness sweep resumes it."
_NO_SUMMARY = "This study has no summary: this is what the runs of its trials hold."
_LESS = (
    "Importance, epochs, further objectives, which limits are kept, and the best configuration as a preset are known "
    "once the sweep writes its summary, at its end or when it is stopped."
)
