"""`harness ui`: the tracked runs in MLflow's UI."""

from typing import Any

import click

from harness.cli.options import option, plain, runs_option


@click.command()
@option("--experiment", metavar="NAME", help="Experiment (else MLFLOW_EXPERIMENT_NAME, else the default).")
@option(
    "--port",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="Port of 127.0.0.1 (else 5000, or the next free one).",
)
@option(
    "--open/--no-browser",
    "browser",
    default=None,
    help="Open the pages, or only print their addresses (default: open if there is a screen).",
)
@runs_option
def ui(**options: Any) -> None:
    """Show the tracked runs in MLflow's UI, on this machine only, until Ctrl-C.

    The store is that of MLFLOW_TRACKING_URI, else the file beside the records. If the store is a server, its own pages
    are opened and nothing is started.
    """
    from harness.track.ui import show

    show(**options, tell=lambda line: click.echo(plain(line)))
