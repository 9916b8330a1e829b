"""Print what is known of datasets; imports nothing heavy, so that listing is instant."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from harness.cli.layout import paragraph, table
from harness.cli.options import plain
from harness.paths import DATASET_FILE, Place


def show_overview(place: Place, rows: Sequence[dict[str, Any]]) -> None:
    """Print one line per dataset."""
    header = ("name", "dataset", "identities", "images", "captions", "real data", "synthetic twin")
    cells = [_overview_cells(row, str(place.path)) for row in rows]
    texts = (*header[:2], *header[5:])
    leaving = ("dataset", "captions", "identities", "images", "synthetic twin")
    table("", header, cells, text=texts, leaving=leaving)
    click.echo()
    paragraph("Data root: ", str(place))
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
    if info["also_read"]:
        paragraph("    ", f"Also read, instead of the JSON file: {', '.join(info['also_read'])}")
    counts = [(split, *(f"{value:,}" for value in row.values())) for split, row in info["expected"].items()]
    click.echo()
    if counts:
        title = "Published counts" if info["also_read"] else f"Counts of {DATASET_FILE}"
        table(title, ("split", "identities", "images", "captions"), counts)
    else:
        click.echo("  Published counts: none")
    if info["known_wrong_files"]:
        click.echo("\n  Known bad files, found by harness data verify")
    for wrong in info["known_wrong_files"]:
        paragraph("    - ", wrong["what"] + ".")


def _overview_cells(row: dict[str, Any], root: str) -> tuple[str, ...]:
    if "error" in row:
        return (row["name"], "–", "–", "–", "–", f"cannot be read: {row['error']}", "–")
    counts = ("–" if row[key] is None else f"{row[key]:,}" for key in ("identities", "images", "captions"))
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
    for one in info["met_in"]:
        words = (
            f"{one['trained_on']} {one['words']} {info['name']}: {one['what']} ({', '.join(one['sources'])})"
        )
        yield "met in", words
    yield "without data", _without(info)


def _without(info: dict[str, Any]) -> str:
    if not info["has_twin"]:
        return "no synthetic twin" + (" yet" if info["also_read"] else "")
    return f"harness data make {info['name']} makes its synthetic twin; --synthetic uses it"


def _tree(info: dict[str, Any]) -> list[str]:
    first, *others = info["annotation_files"]
    names = f"{first}  (or {', '.join(others)})" if others else first
    folder, images = Path(info["folder"]), Path(info["image_folder"])
    if images.is_absolute() and not images.is_relative_to(folder):
        return [f"{plain(str(folder))}/", f"└── {plain(names)}", f"the images: {plain(str(images))}/"]
    inside = images.relative_to(folder) if images.is_absolute() else images
    shown = "images/" if inside == Path() else f"{inside}/"
    return [f"{plain(str(folder))}/", f"├── {plain(names)}", f"└── {plain(shown)}"]
