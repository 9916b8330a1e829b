"""The tags and metrics under which MLflow knows a run."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from harness.config.values import content_hash, flatten
from harness.record import BOOTSTRAP, Record, reached, sets_name
from harness.track.notes import settings_tag
from harness.track.run_row import RunRow

_STUDY, _BUDGET = "harness.study", "harness.budget"
SETTINGS = "harness.settings"
INTERVALS = "harness.interval_method"
SUITE, PLACE = "harness.suite.", "harness.suite_place."
SEARCH = "search.json"
REACHED = "harness.reached"
_LONGEST = 4_900


def joined_marks(known: Mapping[str, str], marks: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of a run that a study chose, when another study may have chosen it before.

    All studies are named, and the budget is the largest: two searches with the same result cost no less than the
    larger one.

    >>> old = {"harness.study": "a", "harness.budget": "30"}
    >>> joined_marks(old, {"harness.study": "b", "harness.budget": "9"})
    {'harness.study': 'a b', 'harness.budget': '30'}
    """
    if _STUDY not in marks:
        return dict(marks)
    studies = dict.fromkeys([*known.get(_STUDY, "").split(), *marks[_STUDY].split()])
    budgets = [text for text in (known.get(_BUDGET, ""), marks[_BUDGET]) if text.isdigit()]
    return {**marks, _STUDY: " ".join(studies), _BUDGET: max(budgets, key=int) if budgets else marks[_BUDGET]}


def tags(record: Record) -> dict[str, str]:
    """Return the tags by which runs are found and distinguished."""
    config = record.config
    values = {
        "harness.kind": "run",
        "harness.identity": record.identity,
        "harness.method": config["method"]["name"],
        "harness.dataset": config["dataset"]["name"],
        "harness.synthetic": str(record.synthetic).lower(),
        "harness.rule": config["eval"]["rule"],
        "harness.seed": str(config["seed"]),
        "harness.settings": settings_tag(record),
        "harness.status": record.status,
        "harness.fingerprint": record.fingerprint,
        "harness.backbone": str(record.backbone.get("name")),
        "harness.weights": str(record.backbone.get("sha256") or "random"),
        "harness.device": str(record.environment.get("device_name") or "unknown"),
    }
    values |= {f"harness.version.{part}": str(number) for part, number in record.versions.items()}
    values |= {f"harness.pictures.{split}": sha256 for split, sha256 in record.pictures.items()}
    if record.further:
        values |= {"harness.trained_on": sets_name(config), "harness.further": content_hash(record.further)}
    if record.intervals:
        values[INTERVALS] = str(record.interval_method)
    if text := faults_tag(record.data.get("faults", ())):
        values["harness.faults"] = text
    if words := reached(record.progress):
        values[REACHED] = words
    if record.error:
        values["harness.error"] = record.error["message"][:500]
    return values | record.tags


def result_tags(result: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags of a run that was tested on another dataset, too: what its result there is of."""
    dataset = result["dataset"]
    values = {
        f"harness.transfer.{dataset}": result["fingerprint"],
        f"harness.transfer_protocol.{dataset}": str(result["protocol"]),
        f"harness.transfer_interval_method.{dataset}": str(result.get("interval_method", BOOTSTRAP)),
    }
    if "pictures" in result:
        values |= {
            f"harness.transfer_pictures.{dataset}": result["pictures"],
            f"harness.transfer_left_out.{dataset}": str(result["left_out"]),
        }
    if text := faults_tag(result.get("faults", ())):
        values[f"harness.transfer_faults.{dataset}"] = text
    return values


def faults_tag(lines: Iterable[str]) -> str:
    """Return what is odd about a run's data as one tag, a line each, as long as MLflow takes it."""
    return "\n".join(lines)[:_LONGEST]


def results(record: Record) -> dict[str, float]:
    """Return a record's final numbers as flat metrics: results, interval ends, selection, accounting and counts."""
    flat = with_ends(record.metrics, record.intervals)
    for group in ("selection", "accounting", "data", "statistics"):
        numbers = flatten(getattr(record, group)).items()
        flat |= {f"{group}/{key}": float(value) for key, value in numbers if isinstance(value, int | float)}
    return flat


def with_ends(metrics: Mapping[str, float], intervals: Mapping[str, Iterable[float]]) -> dict[str, float]:
    """Return metrics with the ends of their intervals beside them, as `name/low` and `name/high`."""
    flat = dict(metrics)
    for name, (low, high) in intervals.items():
        flat[f"{name}/low"], flat[f"{name}/high"] = low, high
    return flat


def milliseconds(stamp: str) -> int:
    """Return an ISO 8601 time as MLflow counts it."""
    return int(datetime.fromisoformat(stamp).timestamp() * 1000)


def record_row(record: Record, elsewhere: Iterable[Mapping[str, Any]] = ()) -> RunRow:
    """Return a finished record with its results on other datasets, as MLflow would give it back; its id is its name."""
    metrics, marks = results(record), tags(record)
    for result in elsewhere:
        metrics |= with_ends(result["metrics"], result["intervals"])
        marks |= result_tags(result)
    return RunRow(
        id=record.name,
        name=record.name,
        status="FINISHED",
        started=milliseconds(record.started),
        ended=milliseconds(record.finished) if record.finished else None,
        tags=marks,
        params={key: str(value) for key, value in flatten(record.config).items()},
        metrics=metrics,
    )
