"""Names that a command is given: they are looked up before anything heavy is imported, so that a slip costs nothing."""

from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from harness.cli.completing import offered, offering, runs
from harness.errors import UsageError, listed
from harness.paths import runs_root
from harness.registry.set_names import split_sets


class PlugIn(click.ParamType[str]):
    """The name of a method, a dataset or a report.

    Args:
        folder: `methods`, `datasets` or `reports`.
        known: whether only names of plug-ins are taken.
    """

    name = "text"

    def __init__(self, folder: str, known: bool = True, joint: bool = False) -> None:
        self.folder, self.known, self.joint = folder, known, joint

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name as it was given; raise `UsageError` with the nearest match for an unknown one."""
        from harness.registry.plug_ins import plugins

        if self.known:
            if self.folder == "datasets":
                import_module("harness.datasets")  # so that what a user's file describes is known, too
            for part in split_sets(value) if self.joint else [value]:
                plugins(self.folder).known(part)
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the names that begin so."""
        from harness.registry.plug_ins import plugins

        return offered(plugins(self.folder).names, incomplete)


class SuiteName(click.ParamType[str]):
    """The name of a shipped suite, or a YAML file."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name as it was given; raise `UsageError` with the nearest match for an unknown one."""
        from harness.suites.suite_files import find_suite

        find_suite(value)
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the names that begin so."""
        from harness.suites.suite_files import suite_names

        return offered(suite_names, incomplete)


run_argument = click.argument("run", shell_complete=offering(runs))


def look_for_run(name: str, runs: str | None) -> None:
    """Raise `UsageError` for a run that is not there, before what works on it is imported."""
    from harness.record import find_run

    find_run(name, runs_root(runs).path)


def look_for_results(names: tuple[str, ...], runs: str | None, experiment: str | None) -> None:
    """Raise `UsageError` for a run that the store beside the records does not have, before what reads it is imported.

    An experiment that is named, and a store elsewhere, are left to who reads them.
    """
    from harness.errors import UsageError, unknown
    from harness.track.mlflow_opening import NOTHING_TRACKED, finished_names

    known = None if experiment else finished_names(runs_root(runs).path)
    if known is None:
        return
    if not known["run"]:
        raise UsageError(NOTHING_TRACKED)
    for name in names:
        if name not in known["group"] and not any(run.startswith(name) for run in known["run"]):
            raise unknown("run", name, known["run"])


def look_for_study(name: str, runs: str | None, storage: str | None) -> None:
    """Raise `UsageError` for a study that is not there, before what reads it is imported.

    Of one that waits in Slurm it says so.
    """
    from harness.queue.slurm import jobs_of, under_way
    from harness.sweep.list_studies import open_study

    root = runs_root(runs).path
    try:
        open_study(name, root, storage)
    except UsageError as error:
        jobs = jobs_of(name, root, storage)
        if not under_way(jobs):
            raise
        said = listed([f"{one['job']} is {one['state']} {one['where']}".strip() for one in jobs], 3)
        raise UsageError(f"The study {name} has not begun yet. Its jobs in Slurm: {said}.") from error
