"""`harness check`: hold results to the figures that are expected of them."""

from typing import Any

import click

from harness.cli.options import Number, data_root_option, device_option, json_option, option, runs_option


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False))
@option("--only", multiple=True, metavar="NAME", help="Only this result of the file; may be repeated.")
@option("--rerun", is_flag=True, help="Train and test again what would be read.")
@option("--write", is_flag=True, help="Fill in the figures that FILE does not have yet.")
@option(
    "--within",
    type=Number(0, 100),
    default=0.1,
    show_default=True,
    metavar="POINTS",
    help="With --write: how far a figure may lie from what is filled in.",
)
@option("--force", is_flag=True, help="With --write: replace the values that are there, too.")
@runs_option
@data_root_option
@device_option
@json_option
@click.pass_obj
def check(obj: dict[str, Any], /, file: str, **options: Any) -> int:
    """Hold results to the figures that FILE expects of them; exit code 1 when one is elsewhere, or not there.

    \b
    harness check expected.yaml
    harness check expected.yaml --only cskt --rerun
    harness check expected.yaml --write --within 0.5

    FILE names results by method, dataset, settings and seeds, or by run, and says where their figures should lie.
    Figures are computed from the per-query results of finished runs or of a bundle; an entry with `rerun: true` is
    trained and tested again, in a folder of its own that is removed. `harness schema expected` tells all keys.
    """
    from harness.cli.actions.runs.check import execute

    return execute(file, quiet=obj["quiet"], **options)
