"""`harness runs`: list, show, resume, keep in order, re-read and sync recorded runs."""

from typing import Any

import click

from harness.cli import completing
from harness.cli.commands.runs_bundle import card, export, import_, verify
from harness.cli.completing import offering
from harness.cli.names import look_for_run, run_argument
from harness.cli.options import (
    Choice,
    NearestGroup,
    data_root_option,
    device_option,
    json_option,
    option,
    print_json,
    root_option,
)
from harness.errors import many
from harness.limits import MOST
from harness.metric_names import DIRECTIONS

STATUSES = ("finished", "failed", "interrupted", "running", "pruned")


@click.group(cls=NearestGroup)
def runs() -> None:
    """List, show, resume, tag, archive, delete, re-read and sync recorded runs; hand them to others as a bundle."""


for command in (export, verify, import_, card):
    runs.add_command(command)


@runs.command("list")
@option("--status", type=Choice(STATUSES), help="Only runs in this state.")
@option("--method", "-m", help="Only runs of this method.")
@option("--dataset", "-d", help="Only runs on this dataset; icfg-twin is the twin alone.")
@option("--tag", metavar="NAME[=VALUE]", help="Only runs with this tag.")
@option("--since", metavar="WHEN", help="Only runs begun since then: 2026-11-28, 12h, 3d or 2w.")
@option("--sort", type=Choice(("age", "name", "r1", "time", "size")), help="Order; by default oldest first.")
@option("--limit", type=click.IntRange(1, MOST), help="At most so many: by age the newest, else the first.")
@option("--archived", is_flag=True, help="Archived runs, too.")
@option("--stale", is_flag=True, help="Only runs of older methods, data or metrics than those here.")
@root_option
@json_option
def list_runs(status: str | None, root: str | None, as_json: bool, **asked: Any) -> None:
    """List recorded runs, oldest first, with what they take on disk.

    With --stale those alone that are of another version of their method, dataset or metrics than today's, or of other
    annotations or pictures than are on this machine now: what is older, and the command that repeats the run.
    """
    from harness.cli.actions.runs.list import print_runs

    print_runs(root, status, as_json, **asked)


@runs.command()
@run_argument
@root_option
@json_option
def show(run: str, root: str | None, as_json: bool) -> None:
    """Show one RUN: results, epochs, command, settings, error, folder."""
    from harness.cli.actions.runs.show import print_run

    print_run(run, root, as_json)


@runs.command()
@run_argument
@device_option
@root_option
@json_option
@click.pass_obj
def resume(obj: dict[str, Any], /, run: str, device: str, root: str | None, as_json: bool) -> int:
    """Resume an interrupted or failed RUN from its checkpoint."""
    look_for_run(run, root)
    from harness.cli.actions.run import show_record
    from harness.cli.progress import watching
    from harness.run.resume import resume_run

    with watching(obj["quiet"] or as_json) as listener:
        record = resume_run(run, root, device=device, listener=listener)
    show_record(record, as_json, root)
    return 0


@runs.command()
@run_argument
@option(
    "--direction",
    type=Choice(DIRECTIONS),
    default="t2i",
    show_default=True,
    help="Text to image, or image to text.",
)
@option("--dataset", help="Another dataset that the run was tested on (default: its own).")
@option("--out", type=click.Path(dir_okay=False), help="Write to this file instead of standard output.")
@data_root_option
@root_option
def queries(
    run: str, direction: str, dataset: str | None, out: str | None, data_root: str | None, root: str | None
) -> None:
    """Print the results of a finished RUN query by query, as CSV.

    A row holds the caption, the person it asks for, the rank of the first right image, AP and INP in percent, and the
    files of the ten best-scored images, each with whether it is right. Captions and files are read from the dataset,
    which must be the one that was tested on. An apostrophe goes before a text that a spreadsheet would take for a
    formula.
    """
    from harness.cli.actions.runs.show import print_queries

    print_queries(run, root, direction, dataset, data_root, out)


@runs.command()
@option("--all", "everything", is_flag=True, help="Send all runs again, not only the missing ones.")
@root_option
@json_option
def sync(everything: bool, root: str | None, as_json: bool) -> None:
    """Send MLflow the runs that are missing there.

    Runs that it believes running, and whose record is gone, are ended.
    """
    from harness.run.resume import sync_runs

    sent = sync_runs(root, everything=everything)
    if as_json:
        print_json(sent)
    else:
        closed = f"; {many(sent['closed'], 'run')} of killed processes ended" if sent["closed"] else ""
        click.echo(
            f"sent {many(len(sent['sent']), 'run')} to {sent['uri']}; {sent['left']} were already logged{closed}"
        )


@runs.command()
@click.argument("names", metavar="[RUN]...", nargs=-1, shell_complete=offering(completing.runs))
@root_option
@json_option
def reread(names: tuple[str, ...], root: str | None, as_json: bool) -> None:
    """Re-read each RUN: intervals by today's method.

    By default all finished runs. Intervals are made of the stored per-query results: those of the run's own test, of
    its tests on other datasets and of the groups of seeds that it is in. Metrics stay as they are; a result whose
    per-query results do not give them is named and left alone. MLflow gets the new intervals.

    \b
    harness runs reread
    harness runs reread cskt-icfg-1a2b
    """
    from harness.cli.actions.runs.reread import print_reread

    print_reread(names, root, as_json)


@runs.command()
@click.argument("names", metavar="RUN...", nargs=-1, required=True, shell_complete=offering(completing.runs))
@option("--yes", "-y", is_flag=True, help="Do not ask.")
@option("--only-here", is_flag=True, help="Leave what MLflow has of it.")
@root_option
@json_option
def delete(names: tuple[str, ...], root: str | None, **options: Any) -> None:
    """Delete each RUN, here and in MLflow.

    What refers to it is named first: runs that started from it, groups of seeds, suites, studies. A run that is running
    is refused. Where MLflow does not answer nothing is deleted.
    """
    from harness.cli.actions.runs.keep import delete as work

    work(names, root, **options)


@runs.command()
@click.argument("names", metavar="RUN...", nargs=-1, required=True, shell_complete=offering(completing.runs))
@root_option
@json_option
def archive(names: tuple[str, ...], root: str | None, as_json: bool) -> None:
    """Leave each RUN out of lists and reports.

    Its folder stays, and `restore` brings it back.
    """
    from harness.cli.actions.runs.keep import change

    change(names, root, archive=True, as_json=as_json)


@runs.command()
@click.argument("names", metavar="RUN...", nargs=-1, required=True, shell_complete=offering(completing.runs))
@root_option
@json_option
def restore(names: tuple[str, ...], root: str | None, as_json: bool) -> None:
    """Bring each archived RUN back."""
    from harness.cli.actions.runs.keep import change

    change(names, root, archive=False, as_json=as_json)


@runs.command()
@run_argument
@click.argument("tags", metavar="[NAME[=VALUE]]...", nargs=-1)
@option("--remove", multiple=True, metavar="NAME", help="Remove this tag; may be repeated.")
@root_option
@json_option
def tag(run: str, tags: tuple[str, ...], remove: tuple[str, ...], root: str | None, as_json: bool) -> None:
    """Tag a RUN, here and in MLflow.

    `harness runs list --tag` finds it.

    \b
    harness runs tag cskt-icfg-1a2b paper table=2
    """
    from harness.cli.actions.runs.keep import tag as work

    work(run, tags, remove, root, as_json)


@runs.command()
@run_argument
@click.argument("text")
@root_option
@json_option
def note(run: str, text: str, root: str | None, as_json: bool) -> None:
    """Write TEXT as the note of a RUN.

    It is written here and in MLflow; an empty one removes it.
    """
    from harness.cli.actions.runs.keep import note as work

    work(run, text, root, as_json)


@runs.command()
@option("--dry-run", is_flag=True, help="Only say what would go, and what that frees.")
@option("--caches", is_flag=True, help="Also caches that nothing has read for a day.")
@root_option
@json_option
def prune(root: str | None, **options: Any) -> None:
    """Remove what no run needs any more.

    That is working files of finished runs, deletions that were cut off, and folders of runs that never began. With
    --caches also decoded images, outputs of frozen towers and embeddings of searched folders, of all projects that
    share HARNESS_CACHE: they are made again from the data when something needs them.

    \b
    harness runs prune --caches --dry-run
    """
    from harness.cli.actions.runs.keep import prune as work

    work(root, **options)
