"""`harness data`: describe, check, make and cache datasets."""

from typing import Any

import click

from harness.cli.commands.data_init import init
from harness.cli.commands.data_translate import back_translate
from harness.cli.names import PlugIn
from harness.cli.options import (
    Choice,
    NearestGroup,
    Number,
    data_root_option,
    json_option,
    option,
    print_json,
    seed_type,
)
from harness.cli.own_data import own_data_options
from harness.limits import MOST_WORKERS
from harness.paths import data_root as root_place

synthetic_option = option("--synthetic", is_flag=True, help="The synthetic twin instead of the real data.")


@click.group(cls=NearestGroup)
def data() -> None:
    """Describe, check, make and cache datasets."""


@data.command("list")
@data_root_option
@json_option
def list_datasets(data_root: str | None, as_json: bool) -> None:
    """List the datasets and where their data are."""
    from harness.cli.actions.data_show import show_overview
    from harness.data.overview import overview

    place = root_place(data_root)
    rows = overview(place)
    if as_json:
        print_json({"data_root": str(place.path), "chosen_by": place.chosen_by, "datasets": rows})
    else:
        show_overview(place, rows)


@data.command()
@click.argument("name", type=PlugIn("datasets"), required=False)
@own_data_options
@synthetic_option
@data_root_option
@json_option
def info(name: str | None, synthetic: bool, data_root: str | None, as_json: bool, **own: Any) -> None:
    """Show how to get a dataset and what belongs where.

    Also its licence, published counts, known bad files, and what was found.
    """
    from harness.cli.actions.data_show import show_info
    from harness.cli.own_data import one_dataset
    from harness.data.overview import describe
    from harness.datasets import DATASETS

    name = one_dataset(name, {**own, "synthetic": synthetic})
    described = describe(DATASETS.get(name), root_place(data_root), synthetic)
    print_json(described) if as_json else show_info(described)


@data.command()
@click.argument("name", type=PlugIn("datasets"), required=False)
@own_data_options
@option(
    "--check",
    type=Choice(["exist", "decode"]),
    help="Only look for the image files, or decode each (default: decode); also `--images exist`.",
)
@option(
    "--workers", type=click.IntRange(1, MOST_WORKERS), help="Processes that decode (default: one per core)."
)
@synthetic_option
@data_root_option
@json_option
@click.pass_context
def verify(
    ctx: click.Context,
    /,
    name: str | None,
    check: str | None,
    workers: int | None,
    synthetic: bool,
    data_root: str | None,
    as_json: bool,
    **own: Any,
) -> None:
    """Check a dataset.

    Compares counts and splits, looks for or decodes every image, and counts odd captions. Exit code 1 when the dataset
    is not usable.
    """
    from harness.cli.actions.data import verified
    from harness.cli.actions.data_verify import show_report
    from harness.cli.own_data import one_dataset

    quiet = as_json or ctx.find_root().obj["quiet"]
    if own["images"] in ("exist", "decode") and check is None:
        check, own["images"] = own["images"], None
    name = one_dataset(name, {**own, "synthetic": synthetic})
    looks: dict[str, Any] = {"images": check or "decode", "workers": workers}
    report = verified(name, root_place(data_root), synthetic, quiet=quiet, **looks)
    print_json(report.as_dict()) if as_json else show_report(report)
    if not report.usable:
        ctx.exit(1)


@data.command()
@click.argument("name", type=PlugIn("datasets"))
@option(
    "--identities", type=click.IntRange(1, 1_000_000), help="Identities over all splits (default: a few)."
)
@option(
    "--share",
    type=Number(0, 1, min_open=True),
    help="Instead, a share of the published identities, images and captions; 1 makes all (minutes, gigabytes).",
)
@option("--seed", type=seed_type, default=0, show_default=True, help="Another seed draws other people.")
@option("--force", is_flag=True, help="Replace an existing twin.")
@data_root_option
@click.pass_context
def make(
    ctx: click.Context,
    name: str,
    identities: int | None,
    share: float | None,
    seed: int,
    force: bool,
    data_root: str | None,
) -> None:
    """Make the synthetic twin of a dataset.

    Draws pedestrians and writes captions, in the on-disk format of the real dataset.
    """
    from harness.cli.actions.data import make_twin

    quiet = ctx.find_root().obj["quiet"]
    options = {"identities": identities, "share": share, "seed": seed, "force": force}
    make_twin(name, root_place(data_root), quiet=quiet, **options)


@data.command()
@click.argument("name", type=PlugIn("datasets"), required=False)
@own_data_options
@option("--image-size", default="384x128", show_default=True, help="Height x width in pixels.")
@option(
    "--interpolation",
    type=Choice(["bilinear", "bicubic"]),
    default="bilinear",
    show_default=True,
    help="How images are resized.",
)
@option(
    "--on-bad-image",
    type=Choice(["fail", "skip"]),
    default="fail",
    show_default=True,
    help="What to do about an unreadable image.",
)
@synthetic_option
@data_root_option
@click.pass_context
def cache(
    ctx: click.Context,
    /,
    name: str | None,
    image_size: str,
    interpolation: str,
    on_bad_image: str,
    synthetic: bool,
    data_root: str | None,
    **own: Any,
) -> None:
    """Decode and resize all images once.

    Runs at this size and interpolation then start without delay.
    """
    from harness.cli.actions.data import fill_cache
    from harness.cli.own_data import one_dataset

    name = one_dataset(name, {**own, "synthetic": synthetic})
    options = {"interpolation": interpolation, "on_bad_image": on_bad_image}
    fill_cache(
        name, root_place(data_root), synthetic, image_size, quiet=ctx.find_root().obj["quiet"], **options
    )


data.add_command(back_translate)
data.add_command(init)
