"""Check a bundle: every figure, interval and test is computed anew from the per-query results."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness.bundle.agreement import told, unlike
from harness.bundle.figures import figures, run_folders
from harness.bundle.layout import PERSONS, RESULTS, Contents
from harness.bundle.privacy import HIDDEN
from harness.bundle.query_checks import query_faults
from harness.bundle.zips import unpack
from harness.config.identity import identity_values
from harness.config.values import content_hash
from harness.errors import HarnessError
from harness.evaluate.intervals import METHOD
from harness.evaluate.measure import correlation, intervals, metrics_of
from harness.evaluate.per_identity import PARTS, load_persons
from harness.files import BROKEN, read_json
from harness.presets.resolve import build_stored
from harness.record import BOOTSTRAP, QUERIES, Record, RunFolder, queries_elsewhere
from harness.scoring.told import SCORES, identity_of

# Of a run, what no per-query result gives: it is as it was written, and that is all that can be said.
SEALED = "costs, times, versions of packages and the validation of each epoch are as they were written, not recomputed"
_CORRELATION = "t2i/R1/intra_identity_correlation"
_FAILED = (*BROKEN, HarnessError, KeyError, IndexError, TypeError, AttributeError, MemoryError)


@dataclass(frozen=True)
class Check:
    """One check: what of, whether it agrees (None: it cannot be told), and in words what does not."""

    of: str
    what: str
    agrees: bool | None
    why: str = ""

    @property
    def line(self) -> str:
        """The check in words."""
        return f"{self.of}: {self.what}{': ' * bool(self.why)}{self.why}"


@dataclass
class Verified:
    """What was found in a bundle.

    Attributes:
        created, harness: when it was written, and by which version.
        runs: the names of its runs.
        checks: what was checked, in order.
    """

    created: str
    harness: str
    runs: list[str]
    checks: list[Check] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether nothing that can be checked is otherwise than said."""
        return all(check.agrees is not False for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON-able values."""
        return {"agrees": self.agrees, "sealed": SEALED} | asdict(self)


def verify_bundle(path: str | Path) -> Verified:
    """Check a bundle, all of it in a folder of its own that is removed.

    Raises `DataError` for a file that is no bundle, or that holds what no bundle may.
    """
    with tempfile.TemporaryDirectory(prefix="harness-bundle-") as name:
        contents, faults = unpack(Path(path), Path(name))
        return verify_folder(Path(name), contents, faults)


def verify_folder(folder: Path, contents: Contents, faults: list[str] | None = None) -> Verified:
    """Check an unpacked bundle; `faults` are the lines of files that are not as listed."""
    found = Verified(contents.created, contents.harness, [entry.name for entry in contents.runs])
    add = found.checks.append
    add(Check("bundle", "each file is as listed", not faults, told(faults or [])))
    names = [run.path.name for run in run_folders(folder)] if (folder / "runs").is_dir() else []
    add(_check("bundle", "the runs are those listed", lambda: unlike(sorted(found.runs), names)))
    for name in names:
        found.checks += _run_checks(RunFolder(folder / "runs" / name), name)
    add(_check("bundle", "seeds combined, ranks, differences and p-values", lambda: _together(folder)))
    return found


def _check(of: str, what: str, lines: Callable[[], Iterator[str]]) -> Check:
    """Return a check that agrees when it yields no line; one that cannot be made does not."""
    try:
        found = list(lines())
    except _FAILED as error:
        return Check(of, what, False, f"cannot be computed ({type(error).__name__}: {str(error)[:200]})")
    return Check(of, what, not found, told(found))


def _run_checks(folder: RunFolder, name: str) -> Iterator[Check]:
    """Yield the checks of one run."""
    try:
        record = folder.read()
        if record is None:
            raise HarnessError("it has none")
    except _FAILED as error:
        yield Check(name, "its record can be read", False, str(error)[:200])
        return
    yield _check(name, "its name and state", lambda: unlike(_state(record), _wanted(name)))
    yield _check(name, "each file is as its record notes", lambda: iter(folder.faults()))
    yield _identity(record, name)
    yield _check(name, "the chosen epoch is one of its history", lambda: _selected(record, folder))
    own = f"test/{record.config['dataset']['name']}/"
    said = {"metrics": record.metrics, "intervals": record.intervals, "method": record.interval_method}
    yield from _result_checks(folder, QUERIES, own, said, name, record.statistics)
    for result in folder.results(tell=lambda file, why: None):
        dataset = str(result["dataset"])
        said = {key: result[key] for key in ("metrics", "intervals")}
        said["method"] = result.get("interval_method", BOOTSTRAP)
        file = queries_elsewhere(dataset)
        yield from _result_checks(folder, file, f"test/{dataset}/", said, f"{name} on {dataset}", {})


def _state(record: Record) -> dict[str, str]:
    return {"name": record.name, "status": record.status}


def _wanted(name: str) -> dict[str, str]:
    return {"name": name, "status": "finished"}


def _identity(record: Record, name: str) -> Check:
    """Check that the run's name follows from settings, data, pictures, weights and versions."""
    what = "its name follows from settings, data, weights and versions"
    if record.scored:
        return _scored_identity(
            record, name, "its name follows from what was told and scored, data and versions"
        )
    if record.imported or not record.pictures:
        return Check(name, what, None, "it was not trained by the harness, or before names were made so")
    try:
        config = identity_values(build_stored(record.config))
    except _FAILED as error:
        return Check(name, what, None, f"its settings are not known here: {str(error)[:200]}")
    parts = {
        "config": config,
        "data": record.fingerprint,
        "pictures": record.pictures,
        "backbone": record.backbone,
        "versions": record.versions,
    }
    parts |= {"further": record.further} if record.further else {}
    return _check(name, what, lambda: unlike(record.identity, content_hash(parts), "identity"))


def _scored_identity(record: Record, name: str, what: str) -> Check:
    """Check that a scored run's name follows from what was told and scored, on which data, by which versions."""
    scores = record.data.get(SCORES)
    if not isinstance(scores, dict) or HIDDEN in str(scores):
        return Check(name, what, None, "the file that was scored, or how it was read, is not noted in it")
    parts = {"scores": scores.get("sha256"), "read_as": scores.get("read_as"), "data": record.fingerprint}
    parts |= {"pictures": record.pictures, "versions": record.versions}
    return _check(
        name, what, lambda: unlike(record.identity, identity_of(record.config, **parts), "identity")
    )


def _selected(record: Record, folder: RunFolder) -> Iterator[str]:
    """Yield what is otherwise of the chosen epoch in the history, as the rule chooses."""
    history, chosen = folder.history(), record.selection
    rows = {int(row["epoch"]): row for row in history if "epoch" in row}
    if record.selection.get("rule") not in ("val", "last") or not history:
        return
    row = rows.get(int(chosen["epoch"]))
    if row is None:
        yield f"epoch {chosen['epoch']} is not in its history"
        return
    names = [key for key in chosen if key.startswith("val/")]
    yield from unlike({key: chosen[key] for key in names}, {key: row[key] for key in names if key in row})
    scores = [one["val/t2i/R1"] for one in history if "val/t2i/R1" in one]
    if chosen["rule"] == "val" and scores and row.get("val/t2i/R1", 0.0) < max(scores):
        yield f"epoch {chosen['epoch']} is not the best on validation"


def _result_checks(
    folder: RunFolder,
    file: str,
    prefix: str,
    said: Mapping[str, Any],
    of: str,
    statistics: Mapping[str, float],
) -> Iterator[Check]:
    """Yield the checks of a run's result on one dataset."""
    try:
        queries = folder.queries(file)
    except _FAILED as error:
        yield Check(of, "its per-query results can be read", False, str(error)[:200])
        return
    yield _check(of, "its per-query results fit one another", lambda: query_faults(queries))
    yield _check(of, "metrics", lambda: unlike(said["metrics"], _named(metrics_of(queries), prefix)))
    what = "95 % intervals"
    if said["method"] != METHOD:
        why = f"method {said['method']} made them, today's is {METHOD}: `harness runs reread`"
        yield Check(of, what, None, why)
    else:
        yield _check(of, what, lambda: unlike(said["intervals"], _named(intervals(queries), prefix)))
    if _CORRELATION in statistics:
        pair = ({_CORRELATION: statistics[_CORRELATION]}, lambda: {_CORRELATION: correlation(queries)})
        yield _check(of, "correlation within identities", lambda: unlike(pair[0], pair[1]()))


def _named(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {
        prefix + name: list(value) if isinstance(value, tuple) else value for name, value in values.items()
    }


def _together(folder: Path) -> Iterator[str]:
    """Yield what is otherwise of the results of all runs together."""
    found, persons = figures(folder)
    yield from unlike(read_json(folder / RESULTS, of=dict), found)
    said = load_persons(folder / PERSONS)
    yield from unlike(sorted(said), sorted(persons), "persons")
    for key in sorted(said.keys() & persons.keys()):
        for part in PARTS:
            one, other = (np.asarray(getattr(of[key], part)) for of in (said, persons))
            if one.shape != other.shape or not np.allclose(one, other, rtol=1e-5, atol=1e-6):
                yield f"persons of {key}: {part} are otherwise"
