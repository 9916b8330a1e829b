"""`harness run`: train and test one method on one dataset."""

from typing import Any

import click

from harness.cli import completing
from harness.cli.completing import offering
from harness.cli.names import PlugIn
from harness.cli.options import (
    Choice,
    Number,
    data_root_option,
    device_option,
    json_option,
    option,
    presets_option,
    report_option,
    runs_option,
    seed_type,
    synthetic_option,
)
from harness.cli.own_data import own_data_options
from harness.limits import MOST_SEEDS


@click.command()
@option(
    "--method",
    "-m",
    "methods",
    type=PlugIn("methods"),
    multiple=True,
    required=True,
    help="Method, see `harness methods list`; may be repeated.",
)
@option(
    "--dataset",
    "-d",
    "datasets",
    type=PlugIn("datasets", joint=True),
    multiple=True,
    help="Dataset, see `harness data list`, or several joined by + to learn from together; may be repeated: each "
    "method runs on each.",
)
@own_data_options
@synthetic_option
@presets_option
@option(
    "--set",
    "overrides",
    multiple=True,
    shell_complete=offering(completing.settings),
    metavar="KEY=VALUE",
    help="Override a config key, e.g. method.lr=1e-4.",
)
@option("--seed", type=seed_type, help="Seed (default 1).")
@option(
    "--seeds",
    type=click.IntRange(1, MOST_SEEDS),
    default=1,
    help="Run this many seeds as one group.",
    show_default=True,
)
@option("--val", type=Choice(["own", "holdout", "none"]), help="Validation split.")
@option("--train-on", type=Choice(["train", "train+val"]), help="Splits to train on.")
@option(
    "--few-shot",
    type=Number(0, 1, min_open=True),
    metavar="SHARE",
    help="Train on this share of the training images, e.g. 0.05.",
)
@option(
    "--init-from",
    metavar="RUN",
    help="Start from the towers of a finished run instead of CLIP's own.",
)
@option(
    "--synonyms",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Synonyms for caption augmentation, instead of the shipped table.",
)
@option("--store", type=Choice(["disk", "off"]), help="Keep decoded images on disk, or decode each time.")
@option("--on-bad-image", type=Choice(["fail", "skip"]), help="What to do about an unreadable image.")
@runs_option
@device_option
@option("--force", is_flag=True, help="Repeat a finished run; the old record is set aside.")
@option(
    "--dry-run", is_flag=True, help="Print config, cache state, parameters and estimated time; do nothing."
)
@data_root_option
@report_option
@json_option
@click.pass_obj
def run(obj: dict[str, Any], /, **options: Any) -> int:
    """Train a method on a dataset, select the epoch on validation, test once, record and track.

    \b
    harness run --method cskt --dataset icfg --synthetic
    harness run --method cskt --dataset icfg --seeds 5 --set train.batch_size=64
    harness run -m zero_shot -m linear_probe -d icfg -d cuhk --synthetic
    harness run --method cskt --data street.csv --images photos
    harness run --method cskt --dataset cuhk+icfg+rstp --set dataset.mixture=equal
    harness run --method irra --dataset icfg --init-from tbps_clip-icfg-1a2b

    A finished identical run is shown instead of repeated; an interrupted one resumes from its checkpoint.
    """
    from harness.cli.actions.run import execute

    return execute(options, quiet=obj["quiet"])
