"""Put the runs of a bundle beside one's own, and say how those agree that are there already."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness.bundle.agreement import told
from harness.bundle.layout import CONTENTS, RUNS
from harness.bundle.verify import verify_folder
from harness.bundle.zips import unpack
from harness.errors import DataError, listed
from harness.files import BROKEN, copy_file, file_hash
from harness.metric_names import DIRECTIONS
from harness.paths import runs_root
from harness.places import writing
from harness.record import BUNDLE, QUERIES, Record, RunFolder
from harness.run.resume import sync_runs


@dataclass(frozen=True)
class Twice:
    """A run of a bundle that is here already: by how much the two differ.

    Attributes:
        name: of both.
        here, there: R@1 from text to image in percent; None where it is not known.
        queries: share of the queries of both directions whose first rank is the same; None where they are others.
    """

    name: str
    here: float | None
    there: float | None
    queries: float | None


@dataclass
class Imported:
    """What became of a bundle's runs.

    Attributes:
        put: names of the runs that are here now.
        twice: those that were here before, which are left as they are.
        unsent: why MLflow does not have them yet; empty where it has.
    """

    put: list[str] = field(default_factory=list)
    twice: list[Twice] = field(default_factory=list)
    unsent: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON-able values."""
        return asdict(self)


def import_bundle(path: str | Path, runs: str | Path | None = None) -> Imported:
    """Put the runs of a bundle into the folder of the runs, and send them to MLflow; all of them or none.

    Raises `DataError` for a bundle that does not verify: nothing of it is taken.
    """
    root = runs_root(runs).path
    found = Imported()
    with tempfile.TemporaryDirectory(prefix="harness-bundle-") as name:
        work = Path(name)
        contents, faults = unpack(Path(path), work)
        wrong = [
            check.line for check in verify_folder(work, contents, faults).checks if check.agrees is False
        ]
        if wrong:
            raise DataError(f"{path} is not imported, for it does not verify: {told(wrong)}.")
        mark = file_hash(work / CONTENTS)
        for entry in contents.runs:
            folder = RunFolder(work / RUNS / entry.name)
            here = RunFolder(root / entry.name)
            if here.is_begun():
                found.twice.append(compared(here, folder))
            else:
                _mark(folder, mark)
                found.put.append(entry.name)
        with writing(root):
            root.mkdir(parents=True, exist_ok=True)
            _move(work / RUNS, root, found.put)
    if found.put:
        try:
            sync_runs(root)
        except DataError:
            raise
        except Exception as error:
            found.unsent = str(error).splitlines()[0]
    return found


def _mark(folder: RunFolder, mark: str) -> None:
    """Note of which bundle a run is."""
    record = folder.read()
    assert record is not None
    record.tags |= {BUNDLE: mark}
    folder.write(record)


def _move(source: Path, root: Path, names: list[str]) -> None:
    """Copy folders under names that no list shows, then rename them: a copy that fails leaves none of them."""
    drafts = {name: root / f".{name}.import" for name in names}
    try:
        for name, draft in drafts.items():
            shutil.rmtree(draft, ignore_errors=True)
            for file in (one for one in (source / name).rglob("*") if one.is_file()):
                to = draft / file.relative_to(source / name)
                to.parent.mkdir(parents=True, exist_ok=True)
                copy_file(file, to)
        for name, draft in drafts.items():
            draft.rename(root / name)
    finally:
        for draft in drafts.values():
            shutil.rmtree(draft, ignore_errors=True)


def compared(here: RunFolder, there: RunFolder) -> Twice:
    """Return how a run that is here already compares with that of the same name in a bundle."""
    records = [folder.glance(tell=lambda file, why: None) for folder in (here, there)]
    values = [None if record is None else _first(record) for record in records]
    return Twice(there.path.name, values[0], values[1], _same_ranks(here, there))


def _first(record: Record) -> float | None:
    return record.metrics.get(f"test/{record.config['dataset']['name']}/t2i/R1")


def _same_ranks(here: RunFolder, there: RunFolder) -> float | None:
    try:
        pairs = list(_ranks(here.queries(QUERIES), there.queries(QUERIES)))
    except (*BROKEN, DataError, KeyError):
        return None
    if any(one.shape != other.shape for one, other in pairs):
        return None
    return float(np.concatenate([one == other for one, other in pairs]).mean())


def _ranks(one: dict[str, Any], other: dict[str, Any]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for way in DIRECTIONS:
        yield one[f"{way}/rank"], other[f"{way}/rank"]


def in_words(twice: Twice) -> str:
    """Return what there is to say of a run that is here already.

    >>> in_words(Twice("cskt-icfg-1a2b", 61.25, 61.2, 0.9987))
    'cskt-icfg-1a2b is here already and stays: R@1 61.25 here, 61.20 in the bundle; 99.87 % of the ranks are the same'
    """
    values = {"here": twice.here, "in the bundle": twice.there}
    known = [f"{value:.2f} {where}" for where, value in values.items() if value is not None]
    parts = [f"R@1 {listed(known)}"] * bool(known)
    if twice.queries is not None:
        parts.append(f"{100 * twice.queries:.2f} % of the ranks are the same")
    return f"{twice.name} is here already and stays" + (f": {'; '.join(parts)}" if parts else "")
