"""`harness methods`: list the methods; show parameters, FLOPs and config fields of one."""

import ast
from pathlib import Path

import click

from harness.cli.layout import table
from harness.cli.options import NearestGroup, json_option, option, print_json
from harness.registry import Registry, plugin_path


@click.group(cls=NearestGroup)
def methods() -> None:
    """List methods and count their parameters."""


@methods.command("list")
@json_option
def list_methods(as_json: bool) -> None:
    """List the methods, with a one-line description of each."""
    registry: Registry[object] = Registry("method", "harness.methods", plugin_path("methods"))
    titles = {name: _title(registry.path, name) for name in registry.names()}
    if as_json:
        return print_json([{"name": name, "title": title} for name, title in titles.items()])
    header = ("method", "what it is")
    return table("methods", header, list(titles.items()), text=header)


@methods.command()
@click.argument("name")
@option("--backbone", help="open_clip model, or tiny (default: ViT-B-16-quickgelu).")
@option("--image-size", help="Height x width in pixels (default: that of the method's recipe).")
@option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="E.g. method.reduction=4.")
@json_option
def info(
    name: str, backbone: str | None, image_size: str | None, overrides: tuple[str, ...], as_json: bool
) -> None:
    """Show a method's parameters, FLOPs and config fields.

    Needs no weights.
    """
    from harness.cli.actions.methods import describe, show

    described = describe(name, backbone, image_size, overrides)
    print_json(described) if as_json else show(described)


def _title(path: list[str], name: str) -> str:
    """Return the first line of a plug-in's docstring, read from its source; empty for one of a third party."""
    for place in path:
        file = Path(place) / f"{name}.py"
        if file.is_file():
            docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
            return docstring.partition("\n")[0]
    return ""
