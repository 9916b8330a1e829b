"""`harness search`: find images by a description."""

from typing import Any

import click

from harness.cli import completing
from harness.cli.completing import offering
from harness.cli.names import look_for_run
from harness.cli.options import data_root_option, device_option, json_option, option, runs_option
from harness.limits import MOST


@click.command()
@click.argument("queries", nargs=-1, metavar="DESCRIPTION...")
@option(
    "--run",
    "-r",
    shell_complete=offering(completing.runs),
    required=True,
    help="Finished run: a name, its first part, or a folder.",
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
    obj: dict[str, Any], /, queries: tuple[str, ...], file: str | None, as_json: bool, **options: Any
) -> None:
    """Rank images for each DESCRIPTION with a trained run; embeddings of images are cached.

    \b
    harness search "a woman in a red coat" --run cskt-icfg-1a2b --gallery photos/
    """
    look_for_run(options["run"], options["runs"])
    from harness.cli.actions.search import show_search
    from harness.cli.progress import watching
    from harness.inference.search import read_queries, search

    wanted = read_queries(queries, file)
    with watching(obj["quiet"] or as_json) as listener:
        found = search(queries=wanted, listener=listener, **options)
    show_search(found, as_json)
