"""Check a board as the CI of its repository does: what was contributed, and what an earlier state had."""

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pandas import DataFrame

from harness.board.facts import board_facts
from harness.board.reading import BUNDLES, Bundle, Fault, read_bundles, tested
from harness.board_file import BOARD_FILE, BoardFile, Protocol, read_board_file
from harness.bundle.figures import combined_runs
from harness.errors import DataError, HarnessError, UsageError
from harness.files import BROKEN
from harness.record import Record, RunFolder, twin_name
from harness.results.panels import Panel, split_panels
from harness.results.run_table import UNTRAINED

_FAILED = (*BROKEN, HarnessError, KeyError, IndexError, TypeError, AttributeError, MemoryError)
Tests = dict[str, dict[str, float | None]]


@dataclass
class Board:
    """A board that was read.

    Attributes:
        file: what its `board.yaml` says; None where that is at fault.
        bundles: its bundles that can be read.
        panels: the results of all runs, those together that may be compared, each with the protocol it fits.
        faults: what is wrong with it.
    """

    file: BoardFile | None = None
    bundles: list[Bundle] = field(default_factory=list)
    panels: list[tuple[Protocol, Panel]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def runs(self) -> list[tuple[RunFolder, Record]]:
        """The runs of all bundles, each name once."""
        once = {record.name: (run, record) for bundle in self.bundles for run, record in bundle.runs}
        return [once[name] for name in sorted(once)]

    def as_dict(self) -> dict[str, Any]:
        """Return what was found as JSON-able values."""
        return {
            "agrees": not self.faults,
            "bundles": [bundle.file for bundle in self.bundles],
            "runs": [record.name for _, record in self.runs],
            "faults": [fault.line for fault in self.faults],
        }


def check_board(folder: str | Path, since: str | Path | None = None) -> Board:
    """Check a board and return what was found in it, without its unpacked files.

    Args:
        folder: holds `board.yaml` and `bundles/`.
        since: an earlier state of the same folder; every run and test set of it must still be there as it was.

    The earlier state is a folder, and no list that is committed beside the bundles: a contribution could change that
    list along with what it drops, while the checkout of the base branch is out of its reach, and `git worktree add`
    makes one without network.

    Raises `UsageError` for a folder that is no board.
    """
    with tempfile.TemporaryDirectory(prefix="harness-board-") as name:
        return read_board(Path(folder), Path(name), since)


def read_board(folder: Path, work: Path, since: str | Path | None = None) -> Board:
    """Read and check a board whose bundles are unpacked into the empty folder `work` (`check_board`)."""
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}: give the one that holds {BOARD_FILE} and {BUNDLES}/.")
    board = Board()
    try:
        board.file = read_board_file(folder)
    except UsageError as error:
        board.faults.append(Fault(BOARD_FILE, str(error)))
    board.bundles, faults = read_bundles(folder, work / "now")
    board.faults += [*faults, *_twice(board.bundles)]
    if since is not None:
        board.faults += _dropped(board, Path(since), work / "since")
    if board.file is not None and not faults and board.runs:
        board.faults += _deal(board, board.file)
    return board


def _twice(bundles: Sequence[Bundle]) -> Iterator[Fault]:
    """Yield a fault for each run that two bundles hold, or that has two names."""
    places: dict[str, list[str]] = defaultdict(list)
    names: dict[str, set[str]] = defaultdict(set)
    for bundle in bundles:
        for run, record in bundle.runs:
            places[run.path.name].append(bundle.file)
            names[record.identity].add(run.path.name)
    for name, files in sorted(places.items()):
        if len(files) > 1:
            yield Fault(f"{BUNDLES}/{files[-1]}", f"{name} is in {files[0]} already; expected each run once")
    for same in names.values():
        if len(same) > 1:
            one, *others = sorted(same)
            yield Fault(one, f"has the same identity as {', '.join(others)}; expected each run once")


def _dropped(board: Board, since: Path, work: Path) -> Iterator[Fault]:
    """Yield a fault for each run, test set or figure of an earlier state that is no longer there as it was."""
    if not (since / BUNDLES).is_dir():
        raise UsageError(
            f"--since {since} is no board: it has no folder {BUNDLES}/. Give a checkout of the base branch."
        )
    before, broken = read_bundles(since, work, verify=False)
    if broken:
        raise DataError(f"--since {since} cannot be compared with: {broken[0].line}")
    now = _tests(board.bundles)
    for name, sets in sorted(_tests(before).items()):
        if name not in now:
            yield Fault(name, "was on the board and is gone; expected every earlier run")
            continue
        for dataset, value in sorted(sets.items()):
            if dataset not in now[name]:
                yield Fault(
                    name, f"was tested on {dataset}, and that test is gone; expected every earlier test set"
                )
            elif now[name][dataset] != value:
                yield Fault(
                    name,
                    f"R@1 on {dataset} was {_shown(value)} and is {_shown(now[name][dataset])}; expected no change",
                )


def _tests(bundles: Sequence[Bundle]) -> Tests:
    return {record.name: tested(run, record) for bundle in bundles for run, record in bundle.runs}


def _shown(value: float | None) -> str:
    return "not known" if value is None else f"{value:.2f}"


def _deal(board: Board, file: BoardFile) -> Iterator[Fault]:
    """Give each result the protocol it fits, those that may be compared together; yield a fault for each run without.

    A method that trains nothing fixes less and is in each protocol that it fits.
    """
    try:
        results, persons = combined_runs([run for run, _ in board.runs])
        dealt: dict[str, list[dict[str, Any]]] = {one.name: [] for one in file.protocols}
        for record in results.to_dict("records"):
            row = {str(key): value for key, value in record.items()}
            facts = board_facts(row)
            unlike = {one.name: one.unlike(row, facts) for one in file.protocols}
            nearest = min(file.protocols, key=lambda one: (len(unlike[one.name]), -len(one.facts)))
            if unlike[nearest.name]:
                yield from _unfit(row, nearest, unlike[nearest.name])
                continue
            everywhere = row["rule"] == UNTRAINED
            for name in [name for name in dealt if not unlike[name]] if everywhere else [nearest.name]:
                dealt[name].append(row)
        for protocol in file.protocols:
            rows = DataFrame(dealt[protocol.name])
            panels = split_panels(rows, board_facts, persons) if len(rows) else []
            board.panels += [(protocol, panel) for panel in panels]
    except _FAILED as error:
        yield Fault(BUNDLES, f"the results cannot be put together: {error}")


def _unfit(row: dict[str, Any], nearest: Protocol, unlike: list[str]) -> Iterator[Fault]:
    place = twin_name(str(row["tested_on"]), bool(row["synthetic"]))
    why = f"fits no protocol of {BOARD_FILE}; of the nearest, {nearest.name}, {' and '.join(unlike)}"
    yield from (Fault(run, f"its result on {place} {why}") for run in row["runs"])
