"""`harness plan-seeds`: how many seeds does it take to see a difference?"""

from typing import Any

import click

from harness.cli.options import Number, json_option, option, runs_option


@click.command("plan-seeds")
@option("--dataset", "-d", "datasets", multiple=True, help="Only results on this dataset; may be repeated.")
@option(
    "--points",
    type=Number(0, 100, min_open=True),
    multiple=True,
    metavar="D",
    help="Difference in R@1 to be seen; may be repeated (default: 0.5, 1, 2 and 5).",
)
@option(
    "--seeds",
    type=click.IntRange(1, 100),
    default=3,
    show_default=True,
    help="Seeds per method for which identities are counted.",
)
@option("--experiment", help="MLflow experiment (else MLFLOW_EXPERIMENT_NAME, else the default).")
@option("--suite", help="Only the runs of this suite.")
@runs_option
@json_option
def plan_seeds(points: tuple[float, ...], seeds: int, as_json: bool, **options: Any) -> None:
    """Count the seeds and identities that it takes to see a difference.

    \b
    harness plan-seeds --dataset icfg --points 1 --points 2

    From what the tracked results vary by: over identities, from seed to seed, and by the luck of queries. Counted for
    the test set as it is, and for one with twice and four times its identities.
    """
    from harness.cli.actions.compare import show_seed_plan

    show_seed_plan(points, seeds, as_json, options)
