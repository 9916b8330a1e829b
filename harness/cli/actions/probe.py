"""Print what a probe found."""

from typing import Any

import click

from harness.analysis.compression.measures import METHOD_KEYS, chosen_layers, notes
from harness.cli.layout import table
from harness.cli.options import print_json
from harness.errors import many

_HEADER = ("layer", *(f"{measure} {part}" for measure in ("C¹", "C²") for part in ("SA", "FF", "Whole")))


def show_compression(found: dict[str, Any], as_json: bool) -> None:
    """Print a table for each tower, which text layers matter least, and how to leave them out."""
    if as_json:
        print_json(found)
        return
    _say_settings(found)
    for tower in ("text", "image"):
        table(f"{tower} tower", _HEADER, _rows(found["modules"], tower))
    layers = found["least_important"]
    rows = [(str(x), ", ".join(map(str, some)), *_settings(some)) for x, some in chosen_layers(layers)]
    if rows:
        header = ("x", "layers", "trained with them frozen", "or without them")
        table("text layers that matter least, by C¹ + C² of the whole layer", header, rows, text=header)
    click.echo(f"next: harness report compression {found['run']}")


def _rows(modules: list[dict[str, Any]], tower: str) -> list[list[str]]:
    own = [row for row in modules if row["tower"] == tower]
    cells = {(row["layer"], measure, row["part"]): row for row in own for measure in ("C1", "C2")}
    return [
        [
            str(layer),
            *(
                f"{cells[layer, measure, part][measure]:.2f}"
                for measure in ("C1", "C2")
                for part in ("SA", "FF", "Whole")
            ),
        ]
        for layer in sorted({row["layer"] for row in own}, reverse=True)
    ]


def _settings(layers: list[int]) -> list[str]:
    return [f"--set '{key}={layers}'".replace(", ", ",") for key in METHOD_KEYS]


def _say_settings(found: dict[str, Any]) -> None:
    twin = " · SYNTHETIC TWIN" if found["synthetic"] else ""
    looks = " · LOOKS AT THE TEST SPLIT" if found["split"] == "test" else ""
    cut = "" if found["clip"] is None else f" · losses cut at {found['clip']:g} points (unpublished)"
    click.echo(f"{found['run']}{twin}{looks}")
    click.echo(
        f"t2i R@1 {found['R1']:.1f} of {many(found['n_queries'], 'caption')} on {found['split']} "
        f"· epsilon {found['epsilon']:g} points{cut}"
    )
    cost = found["cost"]
    click.echo(
        f"{cost['layer_forwards']:,.0f} passes of a layer instead of {cost['layer_forwards_naive']:,.0f}"
    )
    for note in notes(found):
        click.echo(note)
