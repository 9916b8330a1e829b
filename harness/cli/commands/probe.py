"""`harness probe`: measure what a trained run needs of its layers."""

from typing import Any

import click

from harness.cli.names import look_for_run, run_argument
from harness.cli.options import (
    Choice,
    NearestGroup,
    Number,
    data_root_option,
    device_option,
    json_option,
    option,
    runs_option,
)


@click.group(cls=NearestGroup)
def probe() -> None:
    """Measure what a trained run needs of its layers."""


@probe.command()
@run_argument
@option(
    "--split",
    type=Choice(["val", "test"]),
    default="val",
    show_default=True,
    help="Where R@1 is measured: the run's own validation split, or the test split, as published.",
)
@option(
    "--epsilon",
    type=Number(0, 100),
    default=3.0,
    show_default=True,
    metavar="POINTS",
    help="Drop of R@1 that C2 tolerates.",
)
@option(
    "--clip",
    type=Number(0, 100),
    metavar="POINTS",
    help="Clip drops for C1 at this many points (not in the paper; default: no clipping).",
)
@option("--force", is_flag=True, help="Measure again even if there is a result.")
@device_option
@runs_option
@data_root_option
@json_option
@click.pass_obj
def compression(obj: dict[str, Any], /, run: str, as_json: bool, **options: Any) -> None:
    """Measure which layers could be left out.

    RUN is a finished run: a name, its first part, or a folder.

    \b
    harness probe compression full_finetune-icfg-1a2b
    harness report compression full_finetune-icfg-1a2b

    In each layer of both towers, for the attention (SA), the MLP (FF) and the whole layer:

    \b
    C1  how much R@1 drops without the module, relative to the largest drop
    C2  the smallest share of the module's training with which R@1 drops by
        less than --epsilon points

    As in TBPS-CLIP (AAAI 2024). Measured values are kept: an interrupted probe resumes, and another --epsilon or
    --clip measures only what is new.
    """
    look_for_run(run, options["runs"])
    from harness.analysis.compression.probe import probe_compression
    from harness.cli.actions.probe import show_compression
    from harness.cli.progress import watching

    with watching(obj["quiet"] or as_json) as listener:
        found = probe_compression(run, listener=listener, **options)
    show_compression(found, as_json)
