"""`harness probe`: take a trained run apart to see what it needs."""

from typing import Any

import click

from harness.cli.options import NearestGroup, data_root_option, device_option, json_option, runs_option


@click.group(cls=NearestGroup)
def probe() -> None:
    """Take a trained run apart to see what it needs."""


@probe.command()
@click.argument("run")
@click.option(
    "--split",
    type=click.Choice(["val", "test"]),
    default="val",
    show_default=True,
    help="Where R@1 is measured: the run's own validation split, or the test split, as published.",
)
@click.option(
    "--epsilon",
    type=float,
    default=3.0,
    show_default=True,
    metavar="POINTS",
    help="Loss of R@1 that C² tolerates.",
)
@click.option(
    "--clip",
    type=float,
    metavar="POINTS",
    help="Cut losses for C¹ at so many points (unpublished; else no cut).",
)
@click.option("--force", is_flag=True, help="Measure again although a result is there.")
@device_option
@runs_option
@data_root_option
@json_option
@click.pass_obj
def compression(obj: dict[str, Any], /, run: str, as_json: bool, **options: Any) -> None:
    """Say which layers of the finished RUN (a name, its beginning, or a folder) could be left out.

    \b
    harness probe compression full_finetune-icfg-1a2b
    harness report compression full_finetune-icfg-1a2b

    In each layer of both towers, for the attention (SA), the MLP (FF) and the whole layer:

    \b
    C1  how much R@1 falls without the module, relative to the largest fall
    C2  the smallest share of the module's training with which R@1 falls by less than --epsilon points

    As in TBPS-CLIP (AAAI 2024). What was measured is kept: an interrupted probe goes on, and another --epsilon or
    --clip measures only what is new.
    """
    from harness.analysis.compression.probe import probe_compression
    from harness.cli.actions.probe import show_compression
    from harness.cli.terminal import watching

    with watching(obj["quiet"] or as_json) as listener:
        found = probe_compression(run, listener=listener, **options)
    show_compression(found, as_json)
