"""`harness data init`: describe data of one's own in a YAML file, which makes a named dataset of them."""

from typing import Any

import click

from harness.cli.options import json_option, option, plain, print_json, printed_command
from harness.cli.own_data import own_data_options


@click.command("init")
@click.argument("name")
@own_data_options
@option("--title", help="Name in tables and reports (default: NAME).")
@option("--licence", help="What may be done with the data.")
@option("--source", help="Where the data come from, and how to get them.")
@option(
    "--out",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Folder to write dataset.yaml to (default: that of FILE).",
)
@option("--force", is_flag=True, help="Replace a dataset.yaml that is there.")
@json_option
def init(name: str, as_json: bool, **options: Any) -> None:
    """Name data of your own.

    Writes dataset.yaml, which says what FILE holds and makes it the dataset NAME.

    \b
    harness data init street --data street.csv --images photos
    harness --include . run --method cskt --dataset street

    Where FILE names no splits, those that are drawn stay the same as long as the persons do. Counts that differ later
    are told as those of a published dataset are.
    """
    from harness.data.own_init import write_description

    written = write_description(name, **options)
    if as_json:
        print_json(written)
        return
    counts = ", ".join(f"{split} {row['identities']:,}" for split, row in written["counts"].items())
    for line in written["faults"]:
        click.echo(plain(f"warning: {line}"), err=True)
    click.echo(plain(f"{written['file']}: {name}, persons by split: {counts}"))
    click.echo("Its pictures were looked for and not opened: verify opens each.")
    words = ("--include", written["folder"], "data", "verify", name)
    click.echo(plain(f"next: {printed_command(*words)}"))
