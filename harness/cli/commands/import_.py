"""`harness import`: make a run of a checkpoint that a method's authors released."""

from typing import Any

import click

from harness.cli import completing
from harness.cli.completing import offering
from harness.cli.names import PlugIn
from harness.cli.options import data_root_option, device_option, json_option, option, runs_option


@click.command("import")
@click.argument("method", type=PlugIn("methods"))
@click.argument("file", type=click.Path(dir_okay=False))
@option(
    "--dataset",
    "-d",
    type=PlugIn("datasets"),
    required=True,
    help="Dataset that the checkpoint was trained on.",
)
@option(
    "--preset",
    "presets",
    multiple=True,
    shell_complete=offering(completing.presets),
    help="Preset or YAML file of its training settings.",
)
@option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    shell_complete=offering(completing.settings),
    help="Config key of its training; may be repeated.",
)
@option(
    "--test/--no-test",
    default=None,
    help="Test on the dataset's test split (default: if the data are found).",
)
@option("--force", is_flag=True, help="Repeat the import; the old record is set aside.")
@runs_option
@device_option
@data_root_option
@json_option
@click.pass_obj
def import_checkpoint(obj: dict[str, Any], /, **options: Any) -> None:
    """Turn FILE, a checkpoint that the authors of METHOD released, into a finished run; no code in it is executed.

    \b
    harness import tbps_clip checkpoint_best.pth --dataset cuhk
    harness import tbps_clip simplified.pth --dataset icfg --preset simplified
    harness import irra best.pth --dataset rstp --no-test

    `harness evaluate`, `search`, `probe` and `report` take the run like any other. Its authors selected the epoch, in
    the released code on the test split: tables mark the rule `oracle` (change it by --set eval.rule=last).
    """
    from harness.cli.actions.import_ import execute

    execute(options, quiet=obj["quiet"])
