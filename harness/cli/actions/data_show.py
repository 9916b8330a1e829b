"""Print what is known of datasets; imports nothing heavy, so that listing is instant."""

import textwrap
from collections.abc import Iterable, Sequence
from shutil import get_terminal_size
from typing import Any

import click

from harness.cli.options import plain
from harness.paths import Place


def show_overview(place: Place, rows: Sequence[dict[str, Any]]) -> None:
    """Print one line per dataset, without a table library, so that this command is instant."""
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
        paragraph(f"  {name:<14}", value)
    click.echo("\n  Expected layout")
    for line in _tree(info):
        click.echo(f"    {line}")
    paragraph("    ", f"Also read, instead of the JSON file: {', '.join(info['also_read'])}")
    click.echo("\n  Published counts")
    for row in _count_lines(info["expected"]):
        click.echo(f"    {row}")
    if info["known_wrong_files"]:
        click.echo("\n  Known bad files, found by harness data verify")
    for wrong in info["known_wrong_files"]:
        paragraph("    - ", wrong["what"] + ".")


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
    yield "access", info["access"]
    yield "data root", f"{info['data_root']} (from {info['chosen_by']})"
    yield "found", f"in {info['found']}" if info["found"] else info["state"]
    for wrong in info["wrong_files_found"]:
        yield "bad file", wrong
    own = "its own" if info["has_val"] else "none"
    yield "validation", f"{own}; default --val {info['default_val']}"
    yield "text length", f"{info['text_length']} tokens"
    if info["shares_persons_with"]:
        yield "same people", f"as in {', '.join(info['shares_persons_with'])}, with other numbers"
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


def paragraph(head: str, text: str, *, indent: int | None = None, width_of_head: int | None = None) -> None:
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
