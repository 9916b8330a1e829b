"""`harness sweep`: search hyper-parameters on validation, then test the best configuration once."""

from typing import Any

import click

from harness.cli.common import data_root_option, json_option


@click.command()
@click.option("--method", "-m", required=True, help="Method, see `harness methods list`.")
@click.option("--dataset", "-d", required=True, help="Dataset, see `harness data list`.")
@click.option(
    "--trials", "-n", type=click.IntRange(1), default=20, help="Total number of trials.", show_default=True
)
@click.option(
    "--synthetic", is_flag=True, help="Synthetic twin, tiny CLIP and the preset `tiny`: needs no data."
)
@click.option("--preset", "presets", multiple=True, help="Named preset or a YAML file; later ones win.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a config key in all trials."
)
@click.option(
    "--space",
    multiple=True,
    metavar="KEY=RANGE",
    help="Search a key: method.lr=1e-5:1e-2:log, method.prompt_length=2:8, train.batch_size=32,64.",
)
@click.option("--fix", multiple=True, metavar="KEY=VALUE", help="Take a key out of the space and set it.")
@click.option("--study", metavar="NAME", help="Name of the study (default: made from config and space).")
@click.option("--seed", type=int, help="Seed of the sampler and of every trial (default 1).")
@click.option("--objective", default="val/t2i/R1", show_default=True, help="Validation metric to maximise.")
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Then no further trial begins.",
)
@click.option("--test/--no-test", default=True, help="Test the best configuration once, with a fresh seed.")
@click.option(
    "--runs", type=click.Path(file_okay=False), help="Folder of the records (else HARNESS_RUNS, ./runs)."
)
@click.option(
    "--storage", metavar="URL", help="SQLAlchemy URL of the studies (default: optuna.db beside the runs)."
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@data_root_option
@json_option
@click.pass_obj
def sweep(obj: dict[str, Any], /, **options: Any) -> int:
    """Search METHOD's hyper-parameters on DATASET; every trial is judged on validation alone.

    \b
    harness sweep --method cskt --dataset icfg --synthetic --trials 20
    harness sweep --method cskt --dataset icfg --space method.lr=1e-5:1e-2:log --fix method.init=zero

    Config fields declare their own ranges: --space narrows, changes or adds one, --fix takes one out.
    The same command goes on with the study, up to the total number of trials.
    """
    from harness.cli.sweeping import execute

    return execute(options, quiet=obj["quiet"])
