"""Build the static site of a board: beside the folder first, then put in its place in one step."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.board.check import Board, read_board
from harness.board.index_pages import about_body, index_body, method_body, runs_body
from harness.board.pages import Frame, page_name
from harness.board.protocol_page import kind_of, protocol_body
from harness.board.reading import Bundle, told_faults
from harness.board.run_page import run_body
from harness.board_file import Protocol
from harness.errors import DataError, UsageError, many
from harness.files import BROKEN, read_json
from harness.places import writing
from harness.reporting.display_names import begun, method_name
from harness.reporting.verdicts.titles import run_title

MARK = "built.json"
_ASSETS = ("site.css", "site.js")


@dataclass(frozen=True)
class Built:
    """What was built: where, how many bytes in how many files, of how many runs and results."""

    folder: str
    files: int
    bytes: int
    runs: int
    results: int


def build_board(folder: str | Path, out: str | Path) -> Built:
    """Check a board and build its site; the same bundles give the same bytes.

    Raises `DataError` for a board at fault, `UsageError` for a place that holds anything but a site built here: then
    nothing is written.
    """
    folder, out = Path(folder), Path(out)
    check_place(folder, out)
    with tempfile.TemporaryDirectory(prefix="harness-board-") as name:
        board = read_board(folder, Path(name))
        if board.faults:
            n = many(len(board.faults), "fault")
            raise DataError(f"Nothing was built, for {folder} has {n}: {told_faults(board.faults)}.")
        pages = dict(_pages(board))
        _put(pages, board, out)
    files = [file for file in out.rglob("*") if file.is_file()]
    results = sum(len(panel.records) for _, panel in board.panels)
    return Built(str(out), len(files), sum(file.stat().st_size for file in files), len(board.runs), results)


def check_place(folder: Path, out: Path) -> None:
    """Raise `UsageError` for a place that a site may not replace."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise UsageError(f"{out} is no folder: name the folder to build the site in.")
    if folder.resolve() == out.resolve() or out.resolve() in folder.resolve().parents:
        raise UsageError(f"{out} holds the board itself: name another folder for the site.")
    if out.is_dir() and (there := _names(out)):
        known = set(_listed(out))
        if foreign := sorted(there - known):
            raise UsageError(
                f"{out} holds {foreign[0]}, which no board built: name an empty folder, or one that "
                "`harness board build` made."
            )


def _names(out: Path) -> set[str]:
    return {
        file.relative_to(out).as_posix() for file in out.rglob("*") if file.is_symlink() or not file.is_dir()
    }


def _listed(out: Path) -> list[str]:
    """Return the files that an earlier build noted as its own."""
    try:
        noted = read_json(out / MARK, of=dict)["files"]
    except (*BROKEN, DataError, KeyError):
        return []
    return [*map(str, noted), MARK] if isinstance(noted, list) else []


def _pages(board: Board) -> Iterator[tuple[str, str]]:
    """Yield each page of a site by its name."""
    file = board.file
    assert file is not None, "a board at fault is not built"
    frame = Frame(file.title, file.contact)
    yield "index.html", frame.page(file.title, index_body(board, file), deep=False)
    yield "runs.html", frame.page("Runs", runs_body(board), deep=False)
    yield "about.html", frame.page("What this board stands on", about_body(board, file), deep=False)
    for protocol in file.protocols:
        panels = [panel for one, panel in board.panels if one == protocol]
        body = protocol_body(protocol, panels, claims=file.claims)
        yield f"protocol/{protocol.name}.html", frame.page(protocol.title, body)
    for method in sorted({str(row["method"]) for _, panel in board.panels for row in panel.records}):
        yield (
            f"method/{page_name(method)}",
            frame.page(begun(method_name(method)), method_body(board, method)),
        )
    yield from _run_pages(board, frame)


def _run_pages(board: Board, frame: Frame) -> Iterator[tuple[str, str]]:
    bundles: Mapping[str, Bundle] = {
        record.name: bundle for bundle in board.bundles for _, record in bundle.runs
    }
    places: dict[str, dict[str, Protocol]] = {}
    kinds: dict[str, list[str]] = {}
    for protocol, panel in board.panels:
        for row in panel.records:
            for name in row["runs"]:
                places.setdefault(name, {})[str(row["tested_on"])] = protocol
                kinds.setdefault(name, []).append(kind_of(row))
    for run, record in board.runs:
        said = [f"{begun(line)}." for line in dict.fromkeys(kinds.get(record.name, []))]
        body = run_body(run, record, bundles[record.name], places.get(record.name, {}), said)
        title = run_title({"config": record.config, "synthetic": record.synthetic})
        yield f"run/{record.name}.html", frame.page(title, body)


def _put(pages: Mapping[str, str], board: Board, out: Path) -> None:
    """Write the site into a draft beside its place and swap the two."""
    with writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        try:
            _write(pages, board, draft / "new")
            (draft / "new").chmod(0o755)
            if out.exists():
                out.rename(draft / "old")
            try:
                (draft / "new").rename(out)
            except OSError:
                if (draft / "old").exists():
                    (draft / "old").rename(out)
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _write(pages: Mapping[str, str], board: Board, folder: Path) -> None:
    here = Path(__file__).parent
    copied = {name: here / name for name in _ASSETS}
    copied |= {f"bundles/{bundle.file}": bundle.path for bundle in board.bundles}
    for name, page in pages.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(page, encoding="utf-8")
    for name, source in copied.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / name)
    names = sorted([*pages, *copied])
    text = json.dumps({"built by": "harness board build", "files": names}, indent=1)
    (folder / MARK).write_text(f"{text}{os.linesep}", encoding="utf-8")
