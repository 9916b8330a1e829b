"""`harness board`: a board of results as files in a repository: checked, and built as a static site."""

import click

from harness.cli.options import json_option, option

_folder = click.argument("folder", metavar="DIR", type=click.Path(file_okay=False))


@click.group()
def board() -> None:
    """Check a folder of bundles, and build it as a static site.

    DIR holds board.yaml, which names the protocols, and bundles/, the files of `harness runs export`; examples/board
    is one.
    """


@board.command()
@_folder
@option(
    "--since",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="An earlier state of DIR, as a checkout of the base branch: nothing of it may be gone or changed.",
)
@json_option
def check(folder: str, since: str | None, as_json: bool) -> int:
    """Check a board; say each fault in a line.

    It is what the CI of a board's repository runs. Every figure of every bundle is computed anew. Each run is there
    once, each result fits a protocol of board.yaml, and no run or test set that was there is gone. Exit code 1 when
    something is at fault.

    \b
    harness board check examples/board
    harness board check . --since ../base
    """
    from harness.cli.actions.runs.board import check as work

    return work(folder, since, as_json=as_json)


@board.command()
@_folder
@option(
    "--out",
    "-o",
    type=click.Path(),
    required=True,
    help="The folder to build in: empty, or a site built before, which is replaced.",
)
@json_option
def build(folder: str, out: str, as_json: bool) -> None:
    """Build the site of a board that is without fault.

    One page for each protocol, method and run, with tables that sort and can be searched without a server. It loads
    nothing from other hosts. The same bundles give the same bytes.

    \b
    harness board build examples/board --out site
    """
    from harness.cli.actions.runs.board import build as work

    work(folder, out, as_json=as_json)
