"""Read a board's folder: its `board.yaml`, and every bundle below `bundles/`, unpacked and verified."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.bundle.layout import RUNS, Contents
from harness.bundle.tables import tests_of
from harness.bundle.verify import Check, verify_folder
from harness.bundle.zips import unpack
from harness.errors import HarnessError, UsageError, and_more
from harness.files import BROKEN, file_hash
from harness.places import reading
from harness.record import Record, RunFolder

BUNDLES = "bundles"
MOST_BUNDLES = 10_000


@dataclass(frozen=True)
class Fault:
    """What is wrong with a board, in one line: where, and what was expected and found."""

    where: str
    why: str

    @property
    def line(self) -> str:
        """The fault in words."""
        return f"{self.where}: {' '.join(self.why.split())}"


@dataclass
class Bundle:
    """A bundle of a board.

    Attributes:
        file: its name below `bundles/`.
        path: where it is.
        folder: where it is unpacked.
        sha256, size: of the file, in bytes.
        contents: its own list.
        checks: what was verified in it.
        runs: those that can be read, with their records.
    """

    file: str
    path: Path
    folder: Path
    sha256: str
    size: int
    contents: Contents
    checks: list[Check] = field(default_factory=list)
    runs: list[tuple[RunFolder, Record]] = field(default_factory=list)


def bundle_files(board: Path) -> tuple[list[Path], list[Fault]]:
    """Return the zip files below `bundles/`, and a fault for whatever else is there.

    Raises `UsageError` where there is no such folder. Links are not followed: a contribution could point anywhere.
    """
    folder = board / BUNDLES
    if folder.is_symlink() or not folder.is_dir():
        raise UsageError(f"{board} is no board: it has no folder {BUNDLES}/ beside board.yaml.")
    with reading(folder):
        entries = sorted(folder.iterdir())
    if len(entries) > MOST_BUNDLES:
        raise UsageError(f"{folder} holds {len(entries):,} files; a board has up to {MOST_BUNDLES:,}.")
    files, faults = [], []
    for entry in entries:
        if entry.is_symlink() or not entry.is_file():
            kind = "a link" if entry.is_symlink() else "no file"
            faults.append(
                Fault(f"{BUNDLES}/{entry.name}", f"is {kind}; expected a zip of `harness runs export`")
            )
        elif entry.suffix == ".zip":
            files.append(entry)
        elif entry.name != ".gitkeep":
            faults.append(Fault(f"{BUNDLES}/{entry.name}", "ends otherwise than .zip; expected a bundle"))
    return files, faults


def read_bundles(board: Path, work: Path, *, verify: bool = True) -> tuple[list[Bundle], list[Fault]]:
    """Unpack the bundles of a board into an empty folder; return those that can be read, and a fault for each other.

    Args:
        board: the folder that holds `board.yaml` and `bundles/`.
        work: where they are unpacked.
        verify: compute every figure anew; without it the runs are only read.
    """
    files, faults = bundle_files(board)
    found = []
    for number, file in enumerate(files):
        where = f"{BUNDLES}/{file.name}"
        folder = work / str(number)
        try:
            contents, unlike = unpack(file, folder)
            bundle = Bundle(file.name, file, folder, file_hash(file), file.stat().st_size, contents)
            bundle.checks = verify_folder(folder, contents, unlike).checks if verify else []
            bundle.runs = list(_runs(folder))
        except (*BROKEN, HarnessError) as error:
            faults.append(Fault(where, _without(str(error), file)))
            continue
        faults += [Fault(where, check.line) for check in bundle.checks if check.agrees is False]
        found.append(bundle)
    return found, faults


def _runs(folder: Path) -> Iterator[tuple[RunFolder, Record]]:
    """Yield the runs of an unpacked bundle whose records can be read."""
    for path in sorted((folder / RUNS).iterdir()) if (folder / RUNS).is_dir() else ():
        run = RunFolder(path)
        record = run.glance(tell=lambda file, why: None)
        if record is not None:
            yield run, record


def tested(run: RunFolder, record: Record) -> dict[str, float | None]:
    """Return each test set of a run with its R@1 from text to image, in percent."""
    return {
        dataset: said["metrics"].get(f"test/{dataset}/t2i/R1") for dataset, _, said in tests_of(run, record)
    }


def _without(message: str, file: Path) -> str:
    """Return a message that does not begin with the file it is of, which is said already."""
    return message.removeprefix(f"{file} ").removeprefix(f"{file}: ")


def told_faults(faults: list[Fault]) -> str:
    """Return the first faults in one line, and how many more there are."""
    return "; ".join(fault.line for fault in faults[:3]) + and_more(len(faults), 3)
