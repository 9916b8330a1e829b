"""Re-read recorded results: intervals anew from the stored per-query results, by today's method.

Metrics stay as they were recorded. Where the per-query results do not give them, they are not those of the record, and
the result is left alone.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.evaluate.intervals import METHOD
from harness.evaluate.measure import intervals, metrics_of
from harness.files import BROKEN, Busy, locked, write_json
from harness.paths import runs_root
from harness.record import (
    BOOTSTRAP,
    QUERIES,
    Record,
    RunFolder,
    all_runs,
    find_run,
    queries_elsewhere,
    readable,
    result_elsewhere,
)
from harness.run.several_seeds import groups, summarise
from harness.track.mlflow_store import Store
from harness.track.patience import noted, reason, warn
from harness.track.publish import publish_group, publish_intervals

_CLOSE = 1e-6
_MISSING = "it has no per-query results"
_FIRST = "t2i/R1"
Ends = tuple[float, float] | None
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reread:
    """A result whose intervals were made anew: its name, and of R@1 the value and both intervals in percent."""

    result: str
    value: float | None
    before: Ends
    now: Ends


@dataclass
class Outcome:
    """What was re-read.

    Attributes:
        reread: each result whose intervals were made anew: of a run, of its test elsewhere, of a group of seeds.
        left: how many are by today's method already.
        skipped: why each other one was left alone, by its name.
        unsent: names of the runs and groups whose new intervals MLflow does not have.
    """

    reread: list[Reread] = field(default_factory=list)
    left: int = 0
    skipped: dict[str, str] = field(default_factory=dict)
    unsent: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON-able values, with the method."""
        return asdict(self) | {"interval_method": METHOD}


class _Unlike(HarnessError):
    """The per-query results of a result cannot give its intervals; the message says why."""


def reread_runs(names: Sequence[str] = (), runs: str | Path | None = None) -> Outcome:
    """Make the intervals of finished runs, of their tests elsewhere and of their groups of seeds anew.

    Args:
        names: of runs, as `find_run` takes them; none means all that have finished or still run.
        runs: folder of the records.

    Raises `UsageError` for an unknown name and for a folder that cannot be written to; what was done before stays.
    """
    root = runs_root(runs).path
    folders = [find_run(name, root) for name in dict.fromkeys(names)] or all_runs(root)
    found = Outcome()
    for folder in folders:
        _reread_run(folder, found, named=bool(names))
    for place in dict.fromkeys([*(folder.path.parent for folder in folders), *([] if names else [root])]):
        chosen = {folder.path.name for folder in folders if folder.path.parent == place}
        _reread_groups(place, chosen, found, every=not names)
    return found


def _reread_run(folder: RunFolder, found: Outcome, *, named: bool) -> None:
    name = folder.path.name
    try:
        record = folder.read()
    except (HarnessError, ValueError) as error:
        found.skipped[name] = f"its record cannot be read: {str(error).splitlines()[0]}"
        return
    assert record is not None
    if record.status != "finished":
        if named or record.status == "running":
            found.skipped[name] = f"it is {record.status}, not finished"
        return
    try:
        with locked(folder.path):
            _anew(folder, found)
    except Busy:
        found.skipped[name] = "another process works on it"


def _anew(folder: RunFolder, found: Outcome) -> None:
    """Make all intervals of a run anew whose folder is held, and send MLflow those that changed."""
    record = folder.read()
    assert record is not None
    n_before = len(found.reread)
    prefix = f"test/{record.config['dataset']['name']}/"
    values: dict[str, Any] = {
        "metrics": record.metrics,
        "intervals": record.intervals,
        "interval_method": record.interval_method,
    }
    if not record.metrics:
        found.skipped[record.name] = "it was never tested"
    elif _take(folder, QUERIES, prefix, values, record.name, found):
        record.intervals, record.interval_method = values["intervals"], METHOD
        folder.write(record)
    for result in _results(folder, found):
        dataset = str(result["dataset"])
        file = folder.file(result_elsewhere(dataset))
        place, title = queries_elsewhere(dataset), f"{record.name} on {dataset}"
        if _take(folder, place, f"test/{dataset}/", result, title, found):
            write_json(file, result)
    if len(found.reread) > n_before and not _send(record, folder):
        found.unsent.append(record.name)


def _take(
    folder: RunFolder, file: str, prefix: str, result: dict[str, Any], title: str, found: Outcome
) -> bool:
    """Put a result's intervals in place and note what became of it; say whether they are new."""
    if result.get("interval_method", BOOTSTRAP) == METHOD:
        found.left += 1
        return False
    try:
        ends = _ends(folder, file, prefix, result["metrics"])
    except _Unlike as why:
        found.skipped[title] = str(why)
        return False
    key = prefix + _FIRST
    before = result["intervals"].get(key)
    found.reread.append(Reread(title, result["metrics"].get(key), before and tuple(before), ends[key]))
    result |= {"intervals": ends, "interval_method": METHOD}
    return True


def _ends(
    folder: RunFolder, file: str, prefix: str, metrics: Mapping[str, float]
) -> dict[str, tuple[float, float]]:
    """Return the intervals of per-query results by the record's names; raise `_Unlike` where they are others."""
    if not folder.file(file).is_file():
        raise _Unlike(_MISSING)
    try:
        queries = folder.queries(file)
        # A sum of others, which not every record notes.
        values = {name: value for name, value in metrics_of(queries).items() if not name.endswith("Rsum")}
        ends = intervals(queries)
    except (*BROKEN, HarnessError, KeyError) as error:
        raise _Unlike(f"{file} cannot be read: {error}") from error
    _check_same((name, metrics.get(prefix + name), value) for name, value in values.items())
    return {prefix + name: pair for name, pair in ends.items()}


def _check_same(pairs: Iterable[tuple[str, float | None, float]]) -> None:
    """Raise `_Unlike` for the first metric that is recorded as another value than its queries give."""
    for name, recorded, value in pairs:
        if recorded is None or not abs(recorded - value) <= _CLOSE:
            known = "unknown" if recorded is None else f"{recorded:.6f}"
            raise _Unlike(
                f"its per-query results are not those of its record: {name} is {value:.6f} by them and {known} there"
            )


def _send(record: Record, folder: RunFolder) -> bool:
    """Bring the run's MLflow run up to date; where that fails, `harness runs sync` is left to send it whole."""
    try:
        record.tracking = publish_intervals(record, folder, Store.existing(folder.path.parent))
    except Exception as error:
        warn(log, error, "MLflow did not take the intervals of %s: %s", record.name, reason(error))
        record.tracking = {**record.tracking, "synced": False, "error": noted(error)}
    folder.write(record)
    return bool(record.tracking["synced"])


def _reread_groups(root: Path, chosen: set[str], found: Outcome, *, every: bool) -> None:
    """Make the intervals of groups of seeds anew: of all, or of those that hold a chosen run."""
    for file, group in groups(root, partial(_skip, found)):
        if not every and not chosen & set(group["runs"]):
            continue
        if group.get("interval_method", BOOTSTRAP) == METHOD:
            found.left += 1
            continue
        try:
            new, records = _group_anew(root, group)
        except _Unlike as why:
            found.skipped[group["name"]] = str(why)
            continue
        key = next(name for name in new["metrics"] if name.endswith(_FIRST))
        ends = [(one["metrics"][key]["low"], one["metrics"][key]["high"]) for one in (group, new)]
        found.reread.append(Reread(group["name"], group["metrics"][key]["mean"], *ends))
        write_json(file, new)
        tracked = any(record.tracking.get("synced") for record in records)
        if not tracked or publish_group(new, records, root) is None:
            found.unsent.append(group["name"])


def _results(folder: RunFolder, found: Outcome) -> Iterator[dict[str, Any]]:
    """Yield a run's results on other datasets; one that cannot be read is skipped."""
    yield from folder.results(partial(_skip, found))


def _skip(found: Outcome, file: Path, why: str) -> None:
    found.skipped[str(file.relative_to(file.parent.parent.parent))] = why


def _group_anew(root: Path, group: Mapping[str, Any]) -> tuple[dict[str, Any], list[Record]]:
    """Return a group with the intervals of today, and its records; raise `_Unlike` where its runs are others."""
    folders = [RunFolder(root / name) for name in group["runs"]]
    records = [record for _, record in readable(folders, lambda file, why: None)]
    if len(records) < len(folders) or not all(folder.file(QUERIES).is_file() for folder in folders):
        raise _Unlike("a run of it, or the per-query results of one, are gone")
    try:
        metrics = summarise(records, folders)["metrics"]
    except (*BROKEN, HarnessError, KeyError) as error:
        raise _Unlike(f"the per-query results of its runs cannot be read: {error}") from error
    before = group["metrics"]
    _check_same((name, before.get(name, {}).get("mean"), one["mean"]) for name, one in metrics.items())
    return {**group, "metrics": metrics, "interval_method": METHOD}, records
