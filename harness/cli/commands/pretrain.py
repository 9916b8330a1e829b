"""`harness pretrain`: train the tiny CLIP that ships with the harness."""

from pathlib import Path
from typing import Any

import click

from harness.cli.options import json_option, option, print_json
from harness.limits import LARGEST_SEED, MOST

DEFAULT_OUT = Path("shapes.safetensors")


@click.command()
@option("--steps", type=click.IntRange(1, MOST), default=500, show_default=True, help="Optimiser steps.")
@option("--batch-size", type=click.IntRange(2, 2**16), default=128, show_default=True, help="Pairs per step.")
@option(
    "--seed",
    type=click.IntRange(0, LARGEST_SEED),
    default=0,
    show_default=True,
    help="Seed of weights and scenes.",
)
@option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=DEFAULT_OUT,
    show_default=True,
    help="Weight file to write, with a record of the same name in .json; both are replaced.",
)
@json_option
@click.pass_obj
def pretrain(obj: dict[str, Any], /, out: Path, as_json: bool, **recipe: int) -> None:
    """Train the tiny CLIP on drawn shapes and textures; needs no data and no download.

    \b
    harness pretrain --out harness/clip/tiny/shapes.safetensors
    harness run ... --synthetic --set backbone.weights=FILE

    The first line makes the shipped weights, the second uses other ones. The same command gives the same weights on
    the same machine with the same number of threads.
    """
    from harness.cli.terminal import TerminalListener
    from harness.pretrain.pretrain import PretrainConfig
    from harness.pretrain.pretrain import pretrain as make

    listener = TerminalListener(quiet=obj["quiet"] or as_json)
    listener.on_stage("pretraining on shapes")
    try:
        record = make(
            PretrainConfig(**recipe), out, lambda step, loss: listener.on_count(step, recipe["steps"])
        )
    finally:
        listener.close()
    if as_json:
        print_json(record)
    else:
        click.echo(
            f"wrote {out}: loss {record['loss']:.3f}, R@1 on unseen shapes {record['shapes_R1']:.1f} %"
        )
