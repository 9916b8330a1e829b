"""`harness suite`: run whole tables of methods, datasets and seeds."""

from collections.abc import Callable
from typing import Any

import click

from harness.cli import completing
from harness.cli.completing import offering
from harness.cli.names import PlugIn, SuiteName
from harness.cli.options import (
    NearestGroup,
    data_root_option,
    device_option,
    heartbeat_option,
    json_option,
    option,
    print_option,
    profile_option,
    report_option,
    runs_option,
    slurm_option,
    storage_option,
    timeout_option,
    workers_option,
)
from harness.limits import MOST_SEEDS

synthetic_option = option(
    "--synthetic", is_flag=True, help="Synthetic twins, tiny CLIP and the preset `tiny`: needs no data."
)
overrides_option = option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    shell_complete=offering(completing.settings),
    help="Override a config key in all cells.",
)
datasets_option = option(
    "--dataset",
    "-d",
    "datasets",
    type=PlugIn("datasets", joint=True),
    multiple=True,
    help="Run on this dataset instead of the suite's; several times for several.",
)
seeds_option = option(
    "--seeds", type=click.IntRange(1, MOST_SEEDS), help="Seeds of each row, instead of the suite's."
)
from_study_option = option(
    "--from-study",
    "from_studies",
    multiple=True,
    metavar="ROW=STUDY",
    help="Run a row with the best configuration of a study and fresh seeds.",
)
shard_option = option("--shard", metavar="I/N", help="Only the i-th of n equal parts of the cells.")


def cells_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument and options that say which cells a suite has."""
    options = (
        click.argument("suite", metavar="SUITE", type=SuiteName()),
        synthetic_option,
        overrides_option,
        datasets_option,
        seeds_option,
        from_study_option,
        shard_option,
        runs_option,
        storage_option,
        data_root_option,
        json_option,
    )
    for add in reversed(options):
        command = add(command)
    return command


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how cells are run."""
    for add in (
        *(report_option, timeout_option, heartbeat_option, device_option),
        *(print_option, profile_option, slurm_option, workers_option),
    ):
        command = add(command)
    return command


@click.group(cls=NearestGroup)
def suite() -> None:
    """Run whole tables: methods x datasets x seeds, each cell once.

    SUITE is the name of a shipped suite (`harness suite list`) or a YAML file.
    """


@suite.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the shipped suites."""
    from harness.cli.listings.suites import show_list

    show_list(as_json)


@suite.command()
@click.argument("suite", metavar="SUITE", type=SuiteName())
@synthetic_option
@json_option
def show(suite: str, synthetic: bool, as_json: bool) -> None:
    """Show what a suite consists of.

    Its question, rows, datasets, seeds, report and published tables.
    """
    from harness.cli.listings.suites import show_suite

    show_suite(suite, synthetic, as_json)


@suite.command()
@cells_options
def plan(**options: Any) -> None:
    """Show what `run` would do.

    Lists the cells and which are done, and estimates time (from earlier runs) and disk space of the rest.
    """
    from harness.cli.actions.suite import show_plan

    show_plan(options)


@suite.command()
@cells_options
def status(**options: Any) -> int:
    """Show the state of each cell, and of the suite's jobs in Slurm.

    Exit code 1 when a cell failed.
    """
    from harness.cli.actions.suite import show_status

    return show_status(options)


@suite.command()
@run_options
@cells_options
@click.pass_obj
def run(obj: dict[str, Any], /, **options: Any) -> int:
    """Run the missing cells, then write the report.

    \b
    harness suite run cross_dataset --synthetic --workers 2
    harness suite run main_results --dataset icfg --seeds 5
    harness suite run my_table.yaml --shard 1/4
    harness suite run main_results --slurm --profile cluster.yaml --workers 8

    A failing cell does not stop the rest. The same command resumes after an interruption; other machines help
    with `harness worker`, given the same --storage. Exit code 1 when a cell failed.
    """
    from harness.cli.actions.suite import execute

    return execute(options, quiet=obj["quiet"], retry=False)


@suite.command()
@run_options
@cells_options
@click.pass_obj
def retry(obj: dict[str, Any], /, **options: Any) -> int:
    """Run the failed cells again, and the missing ones."""
    from harness.cli.actions.suite import execute

    return execute(options, quiet=obj["quiet"], retry=True)
