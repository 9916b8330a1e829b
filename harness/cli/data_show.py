"""Draw what is known of datasets and what a check found."""

import textwrap
from collections.abc import Iterable, Sequence
from shutil import get_terminal_size
from typing import Any

import click

from harness.cli.common import plain
from harness.datasets import SPLITS, Counts
from harness.paths import Place
from harness.verify_faults import Fault, many

_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


def show_overview(place: Place, rows: Sequence[dict[str, Any]]) -> None:
    """Print one line per dataset, without a table library, as this command should start at once."""
    header = ("name", "dataset", "identities", "images", "captions", "real data", "synthetic twin")
    lines = [header, *(_overview_cells(row, str(place.path)) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for number, line in enumerate(lines):
        cells = [
            cell.rjust(width) if 2 <= column <= 4 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        click.echo(click.style(plain("  ".join(cells)).rstrip(), bold=number == 0))
    click.echo(f"\nData root: {plain(str(place))}")
    click.echo("More: harness data info NAME")


def show_info(info: dict[str, Any]) -> None:
    """Print how to get a dataset, what belongs where, what is there, its counts and its known faults."""
    twin = ", synthetic twin" if info["synthetic"] else ""
    click.secho(f"{info['title']} ({info['name']}{twin})", bold=True)
    for name, value in _facts(info):
        _paragraph(f"  {name:<14}", value)
    click.echo("\n  Expected there")
    for line in _tree(info):
        click.echo(f"    {line}")
    _paragraph("    ", f"In place of the JSON file, split by others: {', '.join(info['also_read'])}")
    click.echo("\n  Published counts")
    for row in _count_lines(info["expected"]):
        click.echo(f"    {row}")
    if info["known_wrong_files"]:
        click.echo("\n  Known wrong files, named by harness data verify")
    for wrong in info["known_wrong_files"]:
        _paragraph("    - ", wrong["what"] + ".")


def show_report(report: Any) -> None:
    """Print a check's count table, its faults with their mends, and the verdict."""
    from harness.cli.show import table

    click.echo(plain(f"{report.title} in {report.folder}"))
    rows = [_count_cells(split, report.expected.get(split), report.found.get(split)) for split in SPLITS]
    title = "counts: found / expected" + (" of this synthetic twin" if report.synthetic else "")
    header = ("split", "identities", "images", "captions", "")
    table(title, header, [row for row in rows if row], left=1)
    for fault in report.faults:
        if fault.severity != "note":
            _show_fault(fault)
    _show_notes([fault for fault in report.faults if fault.severity == "note"])
    _show_verdict(report)


def _overview_cells(row: dict[str, Any], root: str) -> tuple[str, ...]:
    if "error" in row:
        return (row["name"], "cannot be read:", "", "", "", row["error"], "")
    counts = (f"{row[key]:,}" for key in ("identities", "images", "captions"))
    twin = _inside(row["twin"], root) or (f"harness data make {row['name']}" if row["has_twin"] else "none")
    return (row["name"], row["title"], *counts, _inside(row["found"], root) or "not found", twin)


def _inside(folder: str | None, root: str) -> str | None:
    """Shorten a folder inside the data root, which is printed once."""
    return folder and (f"{folder.removeprefix(f'{root}/')}/" if folder != root else "the data root itself")


def _facts(info: dict[str, Any]) -> Iterable[tuple[str, str]]:
    yield "licence", info["licence"]
    yield "to get it", info["access"]
    yield "data root", f"{info['data_root']} (from {info['chosen_by']})"
    yield "found", f"in {info['found']}" if info["found"] else info["state"]
    for wrong in info["wrong_files_found"]:
        yield "wrong file", wrong
    own = "its own" if info["has_val"] else "none of its own"
    yield "validation", f"{own}; default --val {info['default_val']}"
    yield "text length", f"{info['text_length']} tokens"
    if info["shares_persons_with"]:
        yield "same persons", f"as in {', '.join(info['shares_persons_with'])}, with other numbers"
    yield "without data", _without(info)


def _without(info: dict[str, Any]) -> str:
    if not info["has_twin"]:
        return "no synthetic twin yet"
    return f"harness data make {info['name']} makes its synthetic twin; --synthetic uses it"


def _tree(info: dict[str, Any]) -> list[str]:
    first, *others = info["annotation_files"]
    names = f"{first}  (or {', '.join(others)})" if others else first
    images = "images/" if info["image_folder"] == "." else f"{info['image_folder']}/"
    return [f"{plain(info['folder'])}/", f"├── {names}", f"└── {images}"]


def _count_lines(expected: dict[str, dict[str, int]]) -> list[str]:
    header = ["split", "identities", "images", "captions"]
    rows = [[split, *(f"{value:,}" for value in row.values())] for split, row in expected.items()]
    return [f"{row[0]:<6}{row[1]:>12}{row[2]:>10}{row[3]:>10}" for row in (header, *rows)]


def _count_cells(split: str, expected: Counts | None, found: Counts | None) -> list[str]:
    if expected is None and found is None:
        return []
    empty = Counts(0, 0, 0)
    pairs = zip(found or empty, expected or empty, strict=True)
    mark = "ok" if expected == found else "differs"
    return [split, *(f"{got:,} / {want:,}" for got, want in pairs), mark]


def _show_fault(fault: Fault) -> None:
    head = click.style(f"{fault.severity}: ", fg=_COLOURS[fault.severity], bold=True)
    _paragraph(head, plain(fault.what), indent=2, width_of_head=len(fault.severity) + 2)
    for example in fault.examples:
        click.echo(f"    {plain(example)}")
    _paragraph("  mend: ", plain(fault.mend))


def _show_notes(notes: Sequence[Fault]) -> None:
    """Print one line per oddity with its first example, and a mend once for all that share it."""
    for mend in dict.fromkeys(note.mend for note in notes):
        click.secho("note:", fg=_COLOURS["note"], bold=True)
        for note in notes:
            if note.mend == mend:
                _paragraph("  ", note.what)
                click.echo(f"    {plain(note.examples[0])}")
        _paragraph("  mend: ", mend)


def _show_verdict(report: Any) -> None:
    errors, warnings = (
        sum(fault.severity == severity for fault in report.faults) for severity in ("error", "warning")
    )
    found = f"{many(errors, 'error')}, {many(warnings, 'warning')}"
    checked = "every image decoded" if report.images == "decode" else "images looked for, not decoded"
    verdict, colour = ("usable", "green") if report.usable else ("not usable", "red")
    click.secho(f"{verdict}: {found} ({checked})", fg=colour, bold=True)


def _paragraph(head: str, text: str, *, indent: int | None = None, width_of_head: int | None = None) -> None:
    """Print a head and a text wrapped to the terminal, further lines indented under the text."""
    width_of_head = len(head) if width_of_head is None else width_of_head
    space = " " * (width_of_head if indent is None else indent)
    width = max(get_terminal_size((100, 24)).columns, 50)
    lines = textwrap.wrap(
        plain(text),
        width,
        initial_indent=" " * width_of_head,
        subsequent_indent=space,
        break_long_words=False,
        break_on_hyphens=False,
    )
    body = "\n".join(lines) or " " * width_of_head
    click.echo(head + body[width_of_head:])
