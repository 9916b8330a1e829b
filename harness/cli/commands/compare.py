"""`harness compare`: is one result better than another?"""

from typing import Any

import click

from harness.cli import completing
from harness.cli.completing import offering
from harness.cli.names import look_for_results
from harness.cli.options import json_option, option, runs_option


@click.command()
@click.argument("a", shell_complete=offering(completing.runs))
@click.argument("b", shell_complete=offering(completing.runs))
@option("--experiment", help="MLflow experiment (else MLFLOW_EXPERIMENT_NAME, else the default).")
@option(
    "--dataset",
    "-d",
    "datasets",
    multiple=True,
    shell_complete=offering(completing.datasets),
    help="Only these test sets; may be repeated.",
)
@runs_option
@json_option
def compare(a: str, b: str, as_json: bool, **options: Any) -> int:
    """Test whether result A is better than result B, in words and numbers.

    \b
    harness compare cskt-icfg-twin-1a2b full_finetune-icfg-twin-3c4d

    A and B are names of runs, or their first parts; each stands for all its seeds. The difference is taken per
    identity, on the test sets that both were tested on. Exit code 2 for results that may not be compared.
    """
    look_for_results((a, b), options["runs"], options["experiment"])
    from harness.cli.actions.compare import execute

    return execute(a, b, as_json, options)
