"""What `--report NAME` does at the end of a run, a sweep or a suite."""

from harness.cli.show import watching


def check_report(name: str | None) -> None:
    """Raise `UsageError` for a report that does not exist, before anything runs."""
    if name is not None:
        from harness.reports import REPORTS

        REPORTS.get(name)


def report_after(name: str | None, runs: str | None, quiet: bool) -> None:
    """Make a report of all runs so far and say where it lies."""
    if name is None:
        return
    from harness.cli.report import show_made
    from harness.report import make_report

    with watching(quiet) as listener:
        made = make_report(name, runs=runs, listener=listener)
    if not quiet:
        show_made(made)
