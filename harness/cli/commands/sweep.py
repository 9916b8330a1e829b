"""`harness sweep`: search hyper-parameters on validation, then test the best configuration with fresh seeds."""

from typing import Any

import click

from harness.cli import completing
from harness.cli.completing import offering
from harness.cli.names import PlugIn, look_for_study
from harness.cli.options import (
    NearestGroup,
    data_root_option,
    device_option,
    heartbeat_option,
    json_option,
    option,
    presets_option,
    print_option,
    profile_option,
    refuse_before,
    report_option,
    runs_option,
    seed_type,
    slurm_option,
    storage_option,
    synthetic_option,
    timeout_option,
    workers_option,
)
from harness.cli.own_data import own_data_options
from harness.limits import MOST_SEEDS, MOST_TRIALS


@click.group(cls=NearestGroup, invoke_without_command=True)
@option("--method", "-m", type=PlugIn("methods"), help="Method, see `harness methods list`.")
@option("--dataset", "-d", type=PlugIn("datasets"), help="Dataset, see `harness data list`.")
@own_data_options
@option(
    "--trials",
    "-n",
    type=click.IntRange(1, MOST_TRIALS),
    help="Total number of trials (default: 20, or the whole grid).",
)
@synthetic_option
@presets_option
@option(
    "--set",
    "overrides",
    shell_complete=offering(completing.settings),
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a config key in all trials.",
)
@option(
    "--space",
    multiple=True,
    metavar="KEY=RANGE",
    help="Search a key: method.lr=1e-5:1e-2:log, method.prompt_length=2:8, train.batch_size=32,64.",
)
@option("--fix", multiple=True, metavar="KEY=VALUE", help="Take a key out of the space and set it.")
@option("--study", metavar="NAME", help="Name of the study (default: made from config and space).")
@option("--seed", type=seed_type, help="Seed of the sampler and of every trial (default 1).")
@option(
    "--seeds",
    type=click.IntRange(1, MOST_SEEDS),
    default=1,
    show_default=True,
    help="Runs of each trial; its value is their mean.",
)
@option(
    "--objective",
    "objectives",
    multiple=True,
    default=["val/t2i/R1"],
    show_default=True,
    help="Validation metric to maximise; repeat it for others, or costs to minimise.",
)
@option(
    "--constraint",
    "constraints",
    multiple=True,
    metavar="COST<=LIMIT",
    help="Limit on the best: trainable_parameters<=12M, peak_memory<=20GB, step_seconds<=0.5.",
)
@option("--sampler", default="tpe", show_default=True, help="tpe, gp, random, grid, cmaes or nsga2.")
@option("--pruner", help="median (default), hyperband, wilcoxon or none (default for several objectives).")
@timeout_option
@option(
    "--test-seeds",
    type=click.IntRange(0, MOST_SEEDS),
    default=3,
    show_default=True,
    help="Fresh seeds to retrain and test the best configuration with; 0 tests nothing.",
)
@workers_option
@slurm_option
@profile_option
@print_option
@runs_option
@storage_option
@device_option
@heartbeat_option
@data_root_option
@report_option
@json_option
@click.pass_context
def sweep(ctx: click.Context, /, **options: Any) -> int | None:
    """Search a method's hyper-parameters on a dataset; every trial is judged on validation alone.

    \b
    harness sweep --method cskt --dataset icfg --synthetic --trials 20 --workers 2
    harness sweep -m cskt -d icfg --space method.lr=1e-5:1e-2:log --seeds 3
    harness sweep -m cskt -d icfg --fix method.init=zero
    harness sweep -m cskt -d icfg --slurm --profile cluster.yaml --workers 8

    Config fields declare their own ranges: --space narrows, changes or adds one, --fix takes one out.
    The same command resumes the study, up to the total number of trials.
    """
    if ctx.invoked_subcommand is not None:
        refuse_before(ctx, ctx.invoked_subcommand)
        return None
    from harness.cli.actions.sweep import execute

    return execute(options, quiet=ctx.obj["quiet"])


@sweep.command("list")
@runs_option
@storage_option
@json_option
def list_(runs: str | None, storage: str | None, as_json: bool) -> None:
    """List the studies of a storage.

    For each: how many jobs have ended, run and wait, and the best value.
    """
    from harness.cli.listings.studies import show_studies

    show_studies(runs, storage, as_json)


@sweep.command()
@click.argument("study", metavar="STUDY", shell_complete=offering(completing.studies))
@runs_option
@storage_option
@json_option
def show(study: str, runs: str | None, storage: str | None, as_json: bool) -> None:
    """Show what a study found.

    Its trials, the importance of each key, the best configuration, its test, what pruning saved, and its jobs in
    Slurm.
    """
    look_for_study(study, runs, storage)
    from harness.cli.actions.sweep import show_study

    show_study(study, runs, storage, as_json)


@sweep.command()
@click.argument("study", metavar="STUDY", shell_complete=offering(completing.studies))
@option("--out", "-o", type=click.Path(dir_okay=False), help="File to write (default: standard output).")
@runs_option
@storage_option
def export(study: str, out: str | None, runs: str | None, storage: str | None) -> None:
    """Write the best configuration as a preset.

    `harness run --preset FILE` and the rows of a suite take it.
    """
    look_for_study(study, runs, storage)
    from harness.cli.actions.sweep import export_study

    export_study(study, out, runs, storage)
