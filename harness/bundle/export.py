"""Pack runs into one zip file: what was measured and how, nothing of the machine, no picture, no caption."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import __version__
from harness.bundle.agreement import told
from harness.bundle.figures import write_figures
from harness.bundle.layout import ABOUT, ABOUT_TEXT, CONTENTS, FORMAT, RUNS, Contents, RunEntry
from harness.bundle.privacy import hidden, without_machine
from harness.bundle.verify import verify_folder
from harness.bundle.zips import write_zip
from harness.errors import DataError, UsageError
from harness.files import file_hash, write_json, write_text
from harness.paths import runs_root
from harness.record import (
    HISTORY,
    QUERIES,
    TRANSFER,
    Record,
    RunFolder,
    find_run,
    now,
    queries_elsewhere,
    result_elsewhere,
)

_LEFT = "a bundle holds what can be checked"


@dataclass(frozen=True)
class Exported:
    """A bundle that was written: where, its bytes, and the names of its runs."""

    file: str
    bytes: int
    runs: list[str]


def export_runs(names: Sequence[str], out: str | Path, runs: str | Path | None = None) -> Exported:
    """Write a bundle of finished runs, once it verifies.

    Args:
        names: of runs, as `find_run` takes them.
        out: the zip file.
        runs: folder of the records.

    Raises `UsageError` for an unknown run and for one that did not finish or was never tested, `DataError` for one of
    which a file is damaged, and for figures that do not follow from the per-query results.
    """
    found = exportable(names, runs)
    with tempfile.TemporaryDirectory(prefix="harness-bundle-") as name:
        work = Path(name)
        entries = [_copy(folder, record, work / RUNS / record.name) for folder, record in found]
        write_figures(work)
        write_text(work / ABOUT, ABOUT_TEXT)
        contents = _contents(work, entries)
        write_json(work / CONTENTS, contents.model_dump())
        if faults := [check.line for check in verify_folder(work, contents).checks if check.agrees is False]:
            raise DataError(f"Nothing was written, for {told(faults)}.")
        files = {str(file.relative_to(work)): file for file in work.rglob("*") if file.is_file()}
        write_zip(Path(out), {name: file for name, file in files.items() if not name.startswith(".")})
    return Exported(str(out), Path(out).stat().st_size, [record.name for _, record in found])


def exportable(names: Sequence[str], runs: str | Path | None = None) -> list[tuple[RunFolder, Record]]:
    """Return the runs of these names that can be handed to others; raise `UsageError` for one that cannot."""
    root = runs_root(runs).path
    folders = {folder.path.resolve(): folder for folder in (find_run(name, root) for name in names)}
    return [(folder, _exportable(folder)) for folder in folders.values()]


def _exportable(folder: RunFolder) -> Record:
    """Return the record of a run that can be packed; raise for any other."""
    record = folder.read()
    assert record is not None
    if record.study is not None:
        raise UsageError(f"{record.name} is a trial of the study {record.study}, never tested: {_LEFT}.")
    if record.status != "finished" or not record.metrics:
        state = record.status if record.status != "finished" else "not tested"
        raise UsageError(f"{record.name} is {state}: {_LEFT}, so finish or test it first.")
    if not folder.file(QUERIES).is_file():
        raise UsageError(f"{record.name} has no per-query results, so nobody could check it: repeat the run.")
    return record


def _copy(folder: RunFolder, record: Record, to: Path) -> RunEntry:
    """Write what a bundle has of a run into its folder."""
    to.mkdir(parents=True)
    new = RunFolder(to)
    kept = [QUERIES]
    (to / QUERIES).write_bytes(folder.whole(QUERIES).read_bytes())
    if history := folder.history():
        write_json(to / HISTORY, hidden(history))
        kept.append(HISTORY)
    for result in folder.results():
        queries = queries_elsewhere(result["dataset"])
        (to / TRANSFER).mkdir(exist_ok=True)
        (to / queries).write_bytes(folder.whole(queries).read_bytes())
        write_json(to / result_elsewhere(result["dataset"]), hidden(result))
    said = without_machine(record)
    said.weights_sha256, said.files = None, {}
    new.note(said, *kept)
    new.write(said)
    return RunEntry(name=record.name, weights_sha256=record.weights_sha256)


def _contents(work: Path, entries: list[RunEntry]) -> Contents:
    files = sorted(file for file in work.rglob("*") if file.is_file())
    hashes = {str(file.relative_to(work)): file_hash(file) for file in files}
    return Contents(format=FORMAT, harness=__version__, created=now(), runs=entries, files=hashes)
