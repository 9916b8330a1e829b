"""`harness methods`: list the methods; show parameters, FLOPs and config fields of one; test one."""

import inspect
import sys

import click

from harness.cli import completing
from harness.cli.completing import offering
from harness.cli.layout import paragraph, table
from harness.cli.names import PlugIn
from harness.cli.options import NearestGroup, json_option, option, plain, print_json
from harness.errors import HarnessError
from harness.registry.plug_ins import Plugins, plugins


@click.group(cls=NearestGroup)
def methods() -> None:
    """List methods, count their parameters, and test a new one."""


@methods.command("list")
@json_option
def list_methods(as_json: bool) -> None:
    """List the methods, with a one-line description of each."""
    registry = plugins("methods")
    titles = {name: title for name in registry.names() if (title := _title(registry, name)) is not None}
    if as_json:
        return print_json([{"name": name, "title": title} for name, title in titles.items()])
    header = ("method", "what it is")
    table("methods", header, list(titles.items()), text=header)
    for name, library in sorted(registry.waiting().items()):
        paragraph("", f"not installed: {name}, which needs {library} (pip install {library})", indent=2)
    return None


@methods.command()
@click.argument("name", type=PlugIn("methods"))
@option("--backbone", help="open_clip model, or tiny (default: ViT-B-16-quickgelu).")
@option("--image-size", help="Height x width in pixels (default: that of the method's recipe).")
@option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    shell_complete=offering(completing.settings),
    help="E.g. method.reduction=4.",
)
@json_option
def info(
    name: str, backbone: str | None, image_size: str | None, overrides: tuple[str, ...], as_json: bool
) -> None:
    """Show a method's parameters, FLOPs and config fields.

    Needs no weights.
    """
    from harness.cli.listings.methods import description, show

    described = description(name, backbone, image_size, overrides)
    print_json(described) if as_json else show(described)


@methods.command("table")
@option("--backbone", help="open_clip model, or tiny (default: ViT-B-16-quickgelu).")
@option("--image-size", help="Height x width in pixels (default: that of each method's recipe).")
@json_option
@click.pass_obj
def table_of_methods(
    obj: dict[str, bool], backbone: str | None, image_size: str | None, as_json: bool
) -> None:
    """Count parameters and FLOPs of all methods on one backbone.

    Needs no weights.
    """
    from harness.cli.actions.methods import describe_all, show_all
    from harness.cli.progress import watching

    with watching(obj["quiet"] or as_json) as listener:
        rows = describe_all(backbone, image_size, listener)
    print_json(rows) if as_json else show_all(rows)


@methods.command("test")
@click.argument("method", metavar="NAME|FILE", shell_complete=offering(completing.methods))
@option(
    "--preset",
    "presets",
    multiple=True,
    shell_complete=offering(completing.presets),
    help="Preset of the method, or a .yaml file; its own fields act.",
)
@option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    shell_complete=offering(completing.settings),
    help="E.g. method.rank=4.",
)
@option("--backbone", help="A tiny CLIP of other sizes, e.g. tiny-12x128-12x128 (default: tiny-4x96-2x64).")
@json_option
@click.pass_context
def test_method(
    ctx: click.Context,
    method: str,
    presets: tuple[str, ...],
    overrides: tuple[str, ...],
    backbone: str | None,
    as_json: bool,
) -> None:
    """Check a method, one of your own too.

    NAME is any method that `methods list` shows, FILE the .py file of one of your own. Runs on a tiny CLIP of random
    weights, without data and offline, in a few seconds. Exit code 1 when a check fails.
    """
    from harness.cli.actions.methods import show_checks
    from harness.conformance.examine import examine

    told = examine(method, presets, overrides, backbone)
    print_json(told) if as_json else show_checks(told)
    if told["counts"]["failed"]:
        ctx.exit(1)


def _title(registry: Plugins, name: str) -> str | None:
    """Return the first line of a plug-in's docstring, read from its source, or of what a third party adds, imported.

    None for one that cannot be read, which is said.
    """
    if name in registry.third_parties():
        from harness.methods import METHODS

        found = METHODS.find(name)
        return None if found is None else _first_line(inspect.getdoc(sys.modules[found.__module__]))
    try:
        said = registry.said(name)
    except HarnessError as error:
        click.echo(plain(f"skipped: {error}"), err=True)
        return None
    return said.title if said else ""


def _first_line(docstring: str | None) -> str:
    return (docstring or "").partition("\n")[0]
