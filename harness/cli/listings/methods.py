"""What is known of one method, counted once and kept."""

from collections.abc import Sequence
from typing import Any

import click

from harness.cli.kept import code, kept
from harness.cli.layout import paragraph, table
from harness.registry.plug_ins import plugins

_GIGA = 1e9


def description(
    name: str, backbone: str | None, image_size: str | None, overrides: Sequence[str]
) -> dict[str, Any]:
    """Return what `actions.methods.describe` gives, JSON-able; of a method without a file of its own it is not kept."""

    def make() -> dict[str, Any]:
        from harness.cli.actions.methods import describe

        return describe(name, backbone, image_size, overrides)

    file = plugins("methods").file(name)
    asked = ["methods info", name, backbone, image_size, list(overrides)]
    found: dict[str, Any] = kept(asked, [file, *code()], make) if file else make()
    return found


def show(described: dict[str, Any]) -> None:
    """Print a description on the terminal."""
    counts, operations = described["parameters"], described["flops"]
    share = 100 * counts["trainable"] / counts["total"]
    height, width = described["image_size"]
    for part in described["description"].split("\n\n"):
        paragraph("", " ".join(part.split()))
        click.echo()
    rows = [
        ("trainable", f"{counts['trainable']:,}", f"parameters, {share:.2f} % of all"),
        ("total", f"{counts['total']:,}", "parameters"),
        ("inference extra", f"{counts['inference_extra']:,}", "parameters on top of CLIP, after folding"),
        ("checkpoint", f"{counts['checkpoint_bytes'] / 1e6:,.1f}", "MB"),
    ]
    for tower, given in (("image", "one image"), ("text", "one caption")):
        forward, training = (operations[f"{tower}_{pass_}"] / _GIGA for pass_ in ("forward", "training"))
        rows.append((given, f"{forward:,.2f}", f"GFLOPs forward, {training:,.2f} with backward"))
    if (pair := operations["pair_training"]) is not None:
        rows.append(
            ("a pair", f"{pair / _GIGA:,.2f}", "GFLOPs of a training step, with all views and losses")
        )
    title = f"on {described['backbone']}, {height}x{width} pixels, {described['text_length']} tokens"
    table(title, ("what", "amount", "of what"), rows, text=("what", "of what"))
    for key, value in described["recipe"].items():
        paragraph("", f"{key} = {value} unless set", indent=2)
    click.echo()
    header = ("field", "value", "what it is", "search range")
    fields = [
        [field["key"], field["value"], field["help"], field["search"] or "–"] for field in described["fields"]
    ]
    table("fields", header, fields, text=header, leaving=("search range",))
