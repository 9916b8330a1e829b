"""Check and build a board, and show what came of it."""

from pathlib import Path

import click

from harness.board.check import check_board
from harness.board.site import build_board
from harness.cli.layout import paragraph, size
from harness.cli.options import plain, print_json
from harness.errors import many


def check(folder: str, since: str | None, *, as_json: bool) -> int:
    """Print a line for each fault of a board; return 1 when there is one."""
    found = check_board(folder, since)
    if as_json:
        print_json(found.as_dict())
        return 1 if found.faults else 0
    for fault in found.faults:
        paragraph("", fault.line, indent=2)
    what = f"{many(len(found.runs), 'run')} in {many(len(found.bundles), 'bundle')}"
    state = many(len(found.faults), "fault") if found.faults else "every figure agrees, nothing is at fault"
    paragraph("", f"{folder}: {what}; {state}", indent=2)
    return 1 if found.faults else 0


def build(folder: str, out: str, *, as_json: bool) -> None:
    """Build the site of a board and say where it is."""
    done = build_board(folder, out)
    if as_json:
        print_json(vars(done))
        return
    results = f"{many(done.results, 'result')} of {many(done.runs, 'run')}"
    click.echo(plain(f"{results} in {many(done.files, 'file')}, {size(done.bytes)}"))
    click.echo(plain(f"page: {Path(done.folder, 'index.html')}"))
