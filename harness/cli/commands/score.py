"""`harness score`: make a run of what another system's code computed."""

from collections.abc import Callable
from typing import Any

import click

from harness.cli.given import set_by_hand
from harness.cli.names import PlugIn
from harness.cli.options import (
    Choice,
    Number,
    data_root_option,
    json_option,
    option,
    runs_option,
    seed_type,
)
from harness.cli.own_data import own_data_options
from harness.limits import MOST_NEIGHBOURS, MOST_SECONDS, MOST_TOLD

_FILE = click.Path(dir_okay=False)
_COUNT = click.IntRange(0, MOST_TOLD)
_WHAT = (
    option("--dataset", "-d", type=PlugIn("datasets"), help="Dataset that was scored."),
    option(
        "--similarity", type=_FILE, help="Scores, captions x images: .npy, .npz, .pt or .mat (to version 7)."
    ),
    option(
        "--embeddings", type=_FILE, help="Embeddings `text` and `image`, one row each: .npz, .pt or .mat."
    ),
    option(
        "--rerank",
        type=_FILE,
        metavar="FILE|k_reciprocal",
        help="Second stage: `items` and `scores`, captions x k (.npz, .pt, .mat); or the neighbours of embeddings.",
    ),
    option("--k1", type=click.IntRange(1, MOST_NEIGHBOURS), help="Neighbours of k_reciprocal (default 20)."),
    option("--k2", type=click.IntRange(1, MOST_NEIGHBOURS), help="Those averaged over (default 6)."),
    option("--lambda", "weight", type=Number(0, 1), help="Weight of the first distance (default 0.3)."),
    option(
        "--order", type=_FILE, help="JSON lists of your captions and images, where their order is another."
    ),
    option("--key", metavar="NAME", help="The array with the scores, where the file has several."),
    option("--transposed", is_flag=True, help="The scores are images x captions."),
    option("--distance", is_flag=True, help="Low values mean alike."),
    option(
        "--split",
        type=Choice(["test", "val"]),
        default="test",
        show_default=True,
        help="What was scored; val is shown and makes no run.",
    ),
    option(
        "--template",
        type=PlugIn("datasets"),
        metavar="DATASET",
        help="Write the captions and images of a split in the harness's order, for --order, and end.",
    ),
    option("--out", type=_FILE, help="File for --template (default: DATASET-SPLIT-order.json)."),
)
_TOLD = (
    option("--method", "-m", metavar="NAME", help="What the system is called in tables."),
    option("--paper", metavar="URL", help="Address of its paper."),
    option("--rule", type=Choice(["val", "last", "oracle", "untrained"]),
           help="How its epoch was chosen; oracle: best on the test split."),
    option("--trained-on", multiple=True, metavar="NAME", help="Set that it learned from; may be repeated."),
    option("--train-pairs", type=_COUNT, help="Its (caption, image) pairs of training."),
    option("--unlabelled-test", type=Choice(["yes", "no"]),
           help="Whether it used test captions or images without their labels."),
    option("--reranked", type=_COUNT, metavar="K", help="How many first images it ranked again; 0: none."),
    option("--rerank-seconds", type=Number(0, MOST_SECONDS), help="What that takes for a caption."),
    option("--image-size", metavar="HxW", help="Height and width of its input, as 384x128."),
    option("--text-length", type=_COUNT, help="Tokens of a caption."),
    option("--backbone", metavar="NAME", help="The model that it adapts."),
    option("--parameters", type=_COUNT, help="How many it has."),
    option("--trainable", type=_COUNT, help="How many of them were trained."),
    option("--seed", type=seed_type, help="Seed of its training: several of one system make one result."),
)  # fmt: skip


Command = Callable[..., Any]


def _with(options: tuple[Any, ...]) -> Callable[[Command], Command]:
    def give(command: Command) -> Command:
        for one in reversed(options):
            command = one(command)
        return command

    return give


@click.command()
@_with(_WHAT)
@option("--synthetic", is_flag=True, help="The scores are of the dataset's synthetic twin.")
@own_data_options
@_with(_TOLD)
@option("--force", is_flag=True, help="Score again; the old record is set aside.")
@runs_option
@data_root_option
@json_option
@click.pass_obj
def score(obj: dict[str, Any], /, **options: Any) -> None:
    """Score similarities or embeddings that another system's code computed, by the harness's exact metrics.

    \b
    harness score -d icfg --similarity irra.npy -m IRRA --rule oracle
    harness score -d cuhk --embeddings e.npz -m mine --order lists.json
    harness score -d cuhk --embeddings e.npz -m mine --rerank k_reciprocal
    harness score --template icfg

    The result is a finished run, marked as scored and not trained here: reports, compare and runs take it like any
    other, apart from runs of other protocols. What is not told counts as a protocol of its own. Orders, signs, sizes
    and rounding are checked, and what is found is said.
    """
    from harness.cli.actions.score import execute

    execute(options, quiet=obj["quiet"], by_hand=set_by_hand())
