"""Show which records are of older methods, data or metrics than those here, and the commands that repeat them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.layout import paragraph
from harness.cli.options import plain
from harness.errors import listed, many
from harness.record import Record, RunFolder

if TYPE_CHECKING:
    from harness.upkeep.older import Older


def older_records(root: Path, records: Sequence[Record]) -> "dict[str, Older]":
    """Return what is older, or could not be compared, of each finished run, by its name."""
    from harness.upkeep.data_now import DataNow
    from harness.upkeep.older import older

    data = DataNow()
    return {
        record.name: older(RunFolder(root / record.name), record, data)
        for record in records
        if record.status == "finished"
    }


def print_older(found: "dict[str, Older]") -> None:
    """Print a paragraph for each record that is older, with the commands that repeat it."""
    for name, one in found.items():
        if one.why:
            paragraph("", f"{name}: {'; '.join(one.why)}", indent=2)
            for command in one.repeat or ["(its command was not recorded)"]:
                click.echo(plain(f"  next: {command}"))
    unknown = {name: one.unknown for name, one in found.items() if one.unknown}
    if unknown:
        why = listed(list(dict.fromkeys(words for parts in unknown.values() for words in parts)))
        paragraph("", f"data of {many(len(unknown), 'run')} not compared: {why}", indent=2)
