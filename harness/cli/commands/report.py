"""`harness report`: tables, figures and a notebook from tracked runs."""

from typing import Any

import click

from harness.cli import completing
from harness.cli.completing import offering
from harness.cli.names import PlugIn
from harness.cli.options import Choice, json_option, option, print_json, runs_option
from harness.cli.own_data import own_data_options
from harness.limits import MOST

NOTHING = 2


@click.command()
@click.argument("name", required=False, type=PlugIn("reports"))
@click.argument("subjects", nargs=-1, shell_complete=offering(completing.subjects))
@option(
    "--out", type=click.Path(file_okay=False), help="Folder to write to (default: reports-out/NAME-SUBJECTS)."
)
@option("--experiment", help="MLflow experiment (else MLFLOW_EXPERIMENT_NAME, else the default).")
@option(
    "--dataset",
    "-d",
    "datasets",
    multiple=True,
    shell_complete=offering(completing.datasets),
    help="Only results on this dataset; may be repeated.",
)
@own_data_options
@option("--suite", help="Only the runs of this suite.")
@option(
    "--query",
    "queries",
    type=click.IntRange(0, MOST),
    metavar="N",
    multiple=True,
    help="`run`: show what carries the match of this query (else best, median, worst); may be repeated.",
)
@option(
    "--style",
    type=Choice(["page", "paper"]),
    default="page",
    show_default=True,
    help="`paper`: figures as PDF, too, and tables (siunitx) and figures for one column of a paper.",
)
@runs_option
@json_option
@click.pass_obj
def report(obj: dict[str, Any], /, name: str | None, as_json: bool, **options: Any) -> int:
    """Make the report NAME, about many results or about SUBJECTS; without NAME, list the reports.

    \b
    harness report leaderboard --suite main_results
    harness report parameter_efficiency --dataset icfg --out efficiency
    harness report run cskt-icfg-twin-1a2b
    harness report compare cskt-icfg-twin full_finetune-icfg-twin

    Reads MLflow only. Writes a page that begins with its verdict and needs no network, the notebook it was made
    from, tables as CSV, Markdown and LaTeX, figures as PNG and SVG, and attaches them to an MLflow run. Exit code 2
    when there is nothing to report.
    """
    if name is None:
        from harness.cli.listings.reports import show_reports

        show_reports(as_json)
        return 0
    from harness.cli.actions.report import show_made, with_own_data
    from harness.cli.progress import watching
    from harness.reporting.make import make_report

    about = with_own_data(name, options)
    with watching(obj["quiet"] or as_json) as listener:
        made = make_report(name, listener=listener, **about)
    if as_json:
        print_json(made.as_dict())
    else:
        show_made(made)
    return 0 if made.n_results else NOTHING
