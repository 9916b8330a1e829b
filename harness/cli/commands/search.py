"""`harness search`: find images by a description."""

from collections.abc import Sequence
from typing import Any

import click

from harness.cli import completing
from harness.cli.completing import offering
from harness.cli.given import set_by_hand
from harness.cli.names import look_for_run
from harness.cli.options import data_root_option, device_option, json_option, option, runs_option
from harness.errors import UsageError
from harness.limits import MOST

_MOST_RUNS = 2


@click.command()
@click.argument("queries", nargs=-1, metavar="DESCRIPTION...")
@option(
    "--run",
    "-r",
    "names",
    shell_complete=offering(completing.runs),
    required=True,
    multiple=True,
    help="Finished run: a name, its first part, or a folder; twice with --serve, side by side.",
)
@option(
    "--gallery",
    type=click.Path(file_okay=False),
    help="Folder of images, searched recursively (else the test split of the run's own dataset).",
)
@option(
    "--queries",
    "file",
    type=click.Path(exists=True, dir_okay=False),
    help="File of descriptions, one per line.",
)
@option(
    "--top",
    type=click.IntRange(1, MOST),
    default=10,
    show_default=True,
    help="Images shown for each description.",
)
@option(
    "--relevance",
    type=click.IntRange(0, MOST),
    metavar="N",
    default=0,
    help="Show which patches and words carry the match of the first N images.",
)
@option("--serve", is_flag=True, help="Show a page to search with, on this machine only, until Ctrl-C.")
@option(
    "--port",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="With --serve: port of 127.0.0.1 (else a free one).",
)
@option(
    "--out",
    type=click.Path(dir_okay=False),
    help="HTML page to write (default: search-out/DESCRIPTION.html).",
)
@device_option
@runs_option
@data_root_option
@json_option
@click.pass_obj
def search(
    obj: dict[str, Any],
    /,
    queries: tuple[str, ...],
    file: str | None,
    as_json: bool,
    names: tuple[str, ...],
    serve: bool,
    port: int | None,
    **options: Any,
) -> None:
    """Rank images for each DESCRIPTION with a trained run; embeddings of images are cached.

    \b
    harness search "a woman in a red coat" --run cskt-icfg-1a2b --gallery photos/
    harness search --serve --run cskt-icfg-1a2b --run zero_shot-icfg-3c4d
    """
    check_serving(serve, names, port, queries, given=set_by_hand())
    for name in names:
        look_for_run(name, options["runs"])
    from harness.cli.actions.search import serve_page, show_search
    from harness.cli.progress import watching
    from harness.inference.search import read_queries, search

    if serve:
        with watching(obj["quiet"]) as listener:
            serve_page(names, " ".join(queries), port, listener, options)
        return
    wanted = read_queries(queries, file)
    with watching(obj["quiet"] or as_json) as listener:
        found = search(names[0], wanted, listener=listener, **options)
    show_search(found, as_json)


def check_serving(
    serve: bool, names: Sequence[str], port: int | None, queries: Sequence[str], given: Sequence[str]
) -> None:
    """Raise `UsageError` for what a page to search with has no use for, and what only such a page has."""
    if serve:
        if wrong := [
            name for name in ("--json", "--out", "--queries", "--top", "--relevance") if name in given
        ]:
            raise UsageError(f"--serve shows a page that is searched by typing: leave {wrong[0]} out.")
        if len(queries) > 1:
            raise UsageError("--serve begins with one description: put it in quotes.")
        if len(names) > _MOST_RUNS:
            raise UsageError(f"--serve shows one run, or {_MOST_RUNS} side by side, but got {len(names)}.")
    elif len(names) > 1 or port is not None:
        what = "--port" if port is not None else "A second --run"
        raise UsageError(f"{what} needs --serve, which shows runs side by side on a page.")
