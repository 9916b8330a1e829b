"""`harness runs export`, `verify`, `import` and `card`: runs for others to check, to put beside their own, to load."""

from typing import Any

import click

from harness.cli import completing
from harness.cli.completing import offering
from harness.cli.names import run_argument
from harness.cli.options import Choice, json_option, option, root_option

_bundle = click.argument("file", metavar="FILE", type=click.Path(dir_okay=False))


@click.command("export")
@click.argument("names", metavar="RUN...", nargs=-1, required=True, shell_complete=offering(completing.runs))
@option(
    "--out", "-o", type=click.Path(), required=True, help="The zip file to write; a folder for other formats."
)
@option(
    "--format",
    "kind",
    type=Choice(("bundle", "csv", "parquet", "every-eval-ever")),
    default="bundle",
    show_default=True,
    help="A bundle, tables of results and queries, or records of Every Eval Ever.",
)
@option("--by", metavar="NAME", help="Who evaluated, in records of Every Eval Ever.")
@option("--force", is_flag=True, help="Replace files that are there.")
@root_option
@json_option
def export(names: tuple[str, ...], **options: Any) -> None:
    """Pack each RUN into one file that others can check.

    It holds settings, versions, costs, validation by epoch, per-query results, and of all runs together combined seeds,
    ranks and differences. There is no weight, picture or caption in it, and no path, host or user of this machine; data
    are named by hashes. It is written once everything in it follows from its per-query results.

    \b
    harness runs export cskt-icfg-1a2b full_finetune-icfg-3c4d --out table2.zip
    harness runs export cskt-icfg-1a2b --format csv --out tables
    """
    from harness.cli.actions.runs.bundle import export as work

    work(names, **options)


@click.command("verify")
@_bundle
@json_option
def verify(file: str, as_json: bool) -> int:
    """Check a bundle: every figure in FILE is computed anew.

    Metrics, intervals, combined seeds, ranks, differences and p-values are made of the per-query results, and those are
    checked against one another. Costs and times are as they were written: no result gives them. Exit code 1 when
    something does not agree.
    """
    from harness.cli.actions.runs.bundle import verify as work

    return work(file, as_json=as_json)


@click.command("import")
@_bundle
@root_option
@json_option
def import_(file: str, root: str | None, as_json: bool) -> None:
    """Put the runs of a bundle beside your own, once FILE verifies.

    Lists, reports and comparisons then have them like any other run. One that is here already, which means the same
    settings, data, weights and seed, stays as it is, and how the two agree is said. There are no weights in a bundle:
    what needs a model cannot be done with its runs.
    """
    from harness.cli.actions.runs.bundle import import_ as work

    work(file, root, as_json=as_json)


@click.command("card")
@run_argument
@option("--out", "-o", type=click.Path(file_okay=False), required=True, help="The folder to write.")
@option(
    "--hub",
    multiple=True,
    metavar="DATASET=OWNER/NAME",
    help="A dataset's name on the Hub, for its file of evaluation results; may be repeated.",
)
@root_option
@json_option
def card(run: str, out: str, hub: tuple[str, ...], root: str | None, as_json: bool) -> None:
    """Write a folder of RUN for the Hugging Face Hub.

    It holds weights as safetensors, the record, per-query results, and a README.md with what the run reached, how its
    epoch was chosen, its data and their licences, and how to load it: `harness.load` reads the folder anywhere. Nothing
    is sent anywhere.

    \b
    harness runs card cskt-icfg-1a2b --out cskt-icfg --hub icfg=me/ICFG-PEDES
    """
    from harness.cli.actions.runs.bundle import card as work

    work(run, out, hub, root, as_json=as_json)
