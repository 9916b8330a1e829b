"""`harness pretrain`: train a tiny CLIP as the one that ships with the harness."""

from pathlib import Path
from typing import Any

import click

from harness.cli.options import Number, json_option, option, plain, print_json
from harness.limits import LARGEST_SEED, MOST, MOST_SECONDS

DEFAULT_OUT = Path("tiny-clip")


@click.command()
@option(
    "--mix",
    default="shapes",
    show_default=True,
    help="Pictures: a kind, a mix by name, or KIND=WEIGHT, comma-separated.",
)
@option("--model", default="tiny", show_default=True, help="tiny, or other sizes of it, as tiny-5x160-3x128.")
@option("--steps", type=click.IntRange(1, MOST), default=500, show_default=True, help="Optimiser steps.")
@option("--batch-size", type=click.IntRange(2, 2**16), default=128, show_default=True, help="Pairs per step.")
@option("--lr", type=Number(0, 1, min_open=True), default=1e-3, show_default=True, help="Learning rate.")
@option(
    "--warmup-steps", type=click.IntRange(0, MOST), default=30, show_default=True, help="Steps of warm-up."
)
@option(
    "--held-out",
    type=click.IntRange(2, 2**16),
    default=1000,
    show_default=True,
    help="Unseen pictures a kind.",
)
@option(
    "--seed",
    type=click.IntRange(0, LARGEST_SEED),
    default=0,
    show_default=True,
    help="Seed of weights and pictures.",
)
@option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_OUT,
    show_default=True,
    help="Folder for weights.safetensors and record.json.",
)
@option(
    "--checkpoint-seconds",
    type=Number(0, MOST_SECONDS),
    default=60,
    show_default=True,
    help="Time between checkpoints.",
)
@option("--force", is_flag=True, help="Start over, whatever is in the folder.")
@json_option
@click.pass_obj
def pretrain(
    obj: dict[str, Any],
    /,
    out: Path,
    checkpoint_seconds: float,
    force: bool,
    as_json: bool,
    **recipe: Any,
) -> None:
    """Train a tiny CLIP on drawn pictures with captions; needs no data and no download.

    \b
    harness pretrain --out shapes
    harness pretrain --mix web --steps 10000 --out web
    harness pretrain --mix garments=3,paper_dolls,shapes --out mine
    harness run ... --synthetic --set backbone.weights=web/weights.safetensors

    The first line makes the weights that ship as `pretrained=shapes`, the last uses others (of other sizes with
    `--set backbone.name=MODEL`). Kinds are shapes, garments, accessories, things, scenes, pictograms, paper_dolls and
    crowds; `web` mixes all. A model takes 1.5 times the operations of `tiny` and 10 MB at most.

    Killed at any moment, the same command resumes; other settings in its folder are refused. The same command gives
    the same weights on the same machine with the same number of threads. The record has retrieval figures of
    unseen pictures by kind.
    """
    from harness.cli.progress import watching
    from harness.pretrain.pretrain import pretrain as make
    from harness.pretrain.recipe import PretrainConfig

    with watching(obj["quiet"] or as_json) as listener:
        config = PretrainConfig(**recipe)
        record = make(config, out, listener, force=force, checkpoint_seconds=checkpoint_seconds)
    if as_json:
        print_json(record)
    else:
        _show(record, out)


def _show(record: dict[str, Any], out: Path) -> None:
    """Print what a finished pretraining reaches."""
    from harness.cli.layout import table

    names = ("t2i/R1", "t2i/R5", "t2i/mAP", "i2t/R1")
    rows = [[kind, *(f"{found[name]:.1f}" for name in names)] for kind, found in record["held_out"].items()]
    title = f"unseen pictures, {record['config']['held_out']:,} of each kind, retrieval in percent"
    table(title, ("kind", *names), rows)
    click.echo(f"loss {record['loss']:.3f}, {record['seconds']:.0f} s")
    click.echo(plain(f"Use it with: --set backbone.weights={out / 'weights.safetensors'}"))
