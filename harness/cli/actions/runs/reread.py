"""Re-read intervals and show what changed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from harness.cli.layout import paragraph, table
from harness.cli.options import plain, print_json, printed_command
from harness.cli.terminal import cell
from harness.errors import many
from harness.paths import runs_root

if TYPE_CHECKING:
    from harness.analysis.reread import Outcome


def print_reread(names: Sequence[str], root: str | None, as_json: bool) -> None:
    """Re-read runs and print which intervals changed, how many were left, and why others were skipped."""
    from harness.analysis.reread import reread_runs

    found = reread_runs(names, root)
    if as_json:
        print_json(found.as_dict())
    elif found.reread or found.left or found.skipped:
        _print_reread(found)
        _print_reread_counts(found, root)
    else:
        click.echo(plain(f"No finished runs in {runs_root(root)}: nothing to re-read."))


def _print_reread(found: "Outcome") -> None:
    if found.reread:
        header = ("result", "R@1 [95 %] before", "now")
        rows = [(one.result, cell(one.value, one.before), cell(one.value, one.now)) for one in found.reread]
        table("intervals made anew", header, rows)
    if found.skipped:
        table("left alone", ("result", "why"), found.skipped.items(), text=("result", "why"))


def _print_reread_counts(found: "Outcome", root: str | None) -> None:
    from harness.evaluate.intervals import METHOD

    already = "is" if found.left == 1 else "are"
    paragraph(
        "",
        f"re-read {many(len(found.reread), 'result')} by method {METHOD}; {found.left} {already} by it already; "
        f"{len(found.skipped)} left alone",
    )
    if found.unsent:
        sync = printed_command("runs", "sync", runs=root)
        n = len(found.unsent)
        click.echo(plain(f"MLflow has not got the new intervals of {n} of them: {sync}"))
