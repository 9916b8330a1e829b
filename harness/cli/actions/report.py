"""What `--report NAME` does at the end of a run, a sweep or a suite."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from harness.cli.options import plain
from harness.cli.own_data import OWN_OPTIONS, own_name
from harness.cli.progress import watching
from harness.config.sections import RunConfig
from harness.record import twin_name

Subjects = Mapping[str, Sequence[str]]


def check_report(name: str | None, known: Mapping[str, int]) -> None:
    """Raise `UsageError` before anything runs, for a report that does not exist or is about something else.

    Args:
        name: of the report; None asks for none.
        known: how many runs, studies or datasets there will be for the report to be about.
    """
    if name is None:
        return
    from harness.errors import UsageError
    from harness.reports import REPORTS

    report = REPORTS.get(name)
    if any(report.takes.count(word) != known.get(word, 0) for word in report.takes):
        words = " ".join(word.upper() for word in report.takes)
        made = ", ".join(f"{number} {word}{'s' * (number > 1)}" for word, number in known.items())
        raise UsageError(
            f"--report does not know what {report.name} is about, among {made or 'many runs'}: "
            f"`harness report {report.name} {words}` afterwards."
        )


def with_own_data(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a report in which the dataset of `--data` is its subject, or narrows it."""
    from harness.reports import REPORTS

    kept = {key: value for key, value in options.items() if key not in OWN_OPTIONS}
    own = own_name(options)
    if own and REPORTS.get(name).takes == ("dataset",):
        return {**kept, "subjects": (*options["subjects"], *own)}
    return {**kept, "datasets": (*options["datasets"], *own)}


def data_name(config: RunConfig) -> str:
    """Return what a report calls a run's data: the dataset, or its synthetic twin."""
    return twin_name(config.dataset.name, config.dataset.synthetic)


def report_after(name: str | None, runs: str | None, quiet: bool, subjects: Subjects) -> None:
    """Make a report of what was just made, or of all runs so far, and say where it is."""
    if name is None:
        return
    from harness.reporting.make import make_report
    from harness.reports import REPORTS

    left = {word: list(names) for word, names in subjects.items()}
    about = [left[word].pop(0) for word in REPORTS.get(name).takes]
    with watching(quiet) as listener:
        made = make_report(name, subjects=about, runs=runs, listener=listener)
    if not quiet:
        show_made(made)


def show_made(made: Any) -> None:
    """Say what was written, what is missing and where to look."""
    if made.n_results:
        click.echo(f"{made.name}: {made.summary}")
    else:
        click.echo(f"{made.name}: nothing to report yet", err=True)
    for verdict in made.verdicts if made.n_results else ():
        click.echo(plain(verdict))
    for gap in made.gaps:
        click.echo(plain("\n    ".join([f"missing: {gap.what}", *gap.commands])))
    click.echo(f"page: {made.page}")
    if made.n_results:
        paper = ", paper/" * any(file.startswith("paper/") for file in made.files)
        click.echo(f"also there: {made.name}.ipynb, tables/, figures/, data/{paper}")
