"""`harness worker`: work on a sweep or a suite, from any machine that reaches its storage."""

from typing import Any

import click

from harness.cli import completing
from harness.cli.completing import offering
from harness.cli.options import (
    Number,
    data_root_option,
    device_option,
    option,
    runs_option,
    storage_option,
    timeout_option,
)
from harness.limits import LARGEST_SEED, MOST, MOST_SECONDS


@click.command()
@click.argument("study", shell_complete=offering(completing.studies))
@runs_option
@storage_option
@device_option
@option(
    "--heartbeat",
    type=click.IntRange(1, int(MOST_SECONDS)),
    metavar="SECONDS",
    help="Time between heartbeats (default: the study's).",
)
@timeout_option
@option("--shard", metavar="I/N", help="Only the part that a `suite run --shard I/N` here works on.")
@option(
    "--wait",
    type=Number(0, MOST_SECONDS),
    default=0,
    metavar="SECONDS",
    help="Wait so long for STUDY to begin.",
)
@option("--since", type=Number(0, LARGEST_SEED), default=LARGEST_SEED, hidden=True)
@option("--follow", type=click.IntRange(0, MOST), hidden=True)
@data_root_option
@click.pass_obj
def worker(obj: dict[str, Any], /, study: str, **options: Any) -> None:
    """Do jobs of STUDY until none is left: trials of a `harness sweep`, or cells of a `harness suite run`.

    \b
    export HARNESS_STORAGE=postgresql+psycopg://me@host/optuna
    harness sweep --method cskt --dataset icfg --workers 0
    harness worker cskt-icfg-sweep-1a2b3c4d                     # on each machine

    Data and weights are looked for where this machine has them. If a worker dies, another resumes its job, from its
    checkpoint where both see the same --runs folder.
    """
    from harness.cli.actions.worker import help_with, setup_from, wait_for
    from harness.cli.listings.studies import keep_studies
    from harness.cli.progress import watching

    with watching(obj["quiet"]) as listener:
        setup = setup_from(options, listener)
        wait_for(study, setup, options["wait"], options["since"])
        help_with(study, setup, timeout=options["timeout"], follow=options["follow"])
    keep_studies(options["runs"], options["storage"])
