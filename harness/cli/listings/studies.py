"""The studies of a storage."""

import os
from contextlib import suppress
from typing import Any

import click

from harness.cli.kept import code, database, kept
from harness.cli.layout import table
from harness.cli.options import print_json
from harness.errors import HarnessError
from harness.paths import runs_root
from harness.queue.storage_place import VARIABLE, not_begun, own_file


def show_studies(runs: str | None, storage: str | None, as_json: bool) -> None:
    """Print the studies of a storage."""
    found = [] if not_begun(storage, runs_root(runs).path) else _found(runs, storage)
    if as_json:
        print_json(found)
    elif not found:
        click.echo("no study yet: harness sweep --method cskt --dataset icfg --synthetic", err=True)
    else:
        header = ("study", "kind", "ended", "running", "waiting", "best")
        rows = [[plain_cell(one[key]) for key in header] for one in found]
        table("studies", header, rows, text=header[:2], leaving=("waiting", "running", "kind", "ended"))


def keep_studies(runs: str | None, storage: str | None) -> None:
    """Keep the listing after work that changed it: Optuna is loaded then, and who lists next need not load it."""
    with suppress(HarnessError, OSError):
        _found(runs, storage)


def _found(runs: str | None, storage: str | None) -> list[dict[str, Any]]:
    """Return the studies; those in the file beside the runs are kept until it changes."""

    def make() -> list[dict[str, Any]]:
        from harness.sweep.list_studies import list_studies

        return list_studies(runs, storage)

    if storage or os.environ.get(VARIABLE):
        return make()
    file = own_file(runs_root(runs).path)
    found: list[dict[str, Any]] = kept(["studies", str(file)], [*database(file), *code()], make)
    return found


def plain_cell(value: Any) -> str:
    """Return a value as the cell of a table."""
    if value is None:
        return "–"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
