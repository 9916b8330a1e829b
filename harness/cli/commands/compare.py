"""`harness compare`: is one result better than another?"""

from typing import Any

import click

from harness.cli.options import json_option


@click.command()
@click.argument("a")
@click.argument("b")
@click.option("--experiment", help="MLflow experiment (else MLFLOW_EXPERIMENT_NAME, else the harness's own).")
@click.option("--dataset", "-d", "datasets", multiple=True, help="Only these test sets; may be repeated.")
@click.option(
    "--runs", type=click.Path(file_okay=False), help="Folder of the records (else HARNESS_RUNS, ./runs)."
)
@json_option
def compare(a: str, b: str, as_json: bool, **options: Any) -> int:
    """Say whether result A is better than result B, in words and numbers.

    \b
    harness compare cskt-icfg-twin-1a2b full_finetune-icfg-twin-3c4d

    A and B are names of runs, or how they begin; each stands for all its seeds. Their difference is taken person by
    person on the test sets that both have seen. Exit code 2 for results that may not be compared.
    """
    from harness.cli.actions.compare import execute

    return execute(a, b, as_json, options)
