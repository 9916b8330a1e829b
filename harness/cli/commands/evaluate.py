"""`harness evaluate`: test a trained run on other datasets."""

from typing import Any

import click

from harness.cli.names import PlugIn, look_for_run, run_argument
from harness.cli.options import (
    data_root_option,
    device_option,
    json_option,
    option,
    print_json,
    runs_option,
)
from harness.cli.own_data import own_data_options
from harness.errors import many
from harness.limits import LARGEST_SEED


@click.command()
@run_argument
@option(
    "--dataset",
    "-d",
    "datasets",
    type=PlugIn("datasets"),
    multiple=True,
    help="Dataset to test on; may be repeated.",
)
@option(
    "--gallery",
    "galleries",
    multiple=True,
    metavar="FACTOR[,FACTOR]",
    help="Reduce the gallery's pictures to 1/FACTOR and back; of several each has one. May be repeated.",
)
@option(
    "--gallery-seed",
    type=click.IntRange(0, LARGEST_SEED),
    default=0,
    help="Seed of which picture has which factor.",
    show_default=True,
)
@own_data_options
@runs_option
@device_option
@option("--force", is_flag=True, help="Test again even if there is a result.")
@data_root_option
@json_option
@click.pass_obj
def evaluate(
    obj: dict[str, Any],
    /,
    run: str,
    datasets: tuple[str, ...],
    galleries: tuple[str, ...],
    gallery_seed: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Test the finished RUN (a name, its first part, or a folder) on other datasets, or with other galleries.

    \b
    harness evaluate cskt-icfg-1a2b --dataset cuhk --dataset rstp
    harness evaluate cskt-ufine-1a2b --dataset ufine3c
    harness evaluate cskt-icfg-1a2b --data street.csv --images photos
    harness evaluate cskt-icfg-1a2b --gallery 4 --gallery 1,2,4,8

    Twins are tested on twins. A dataset that is a test alone, as ufine3c, is used so and not trained on. With
    --gallery and no dataset it is the run's own, in lower resolution: the result is that on icfg-low4, or
    icfg-mixed1_2_4_8.
    """
    look_for_run(run, options["runs"])
    from harness.cli.layout import paragraph
    from harness.cli.own_data import all_datasets
    from harness.cli.progress import watching
    from harness.cli.terminal import fault_lines, met_lines, metric_table
    from harness.data.protocols.galleries import parse_gallery
    from harness.inference.transfer import evaluate_run
    from harness.record import EARLIER_INTERVALS, has_earlier_intervals

    found = [parse_gallery(text, gallery_seed) for text in dict.fromkeys(galleries)]
    own = bool(found) and not datasets and options.get("data") is None
    beside = ", or --gallery FACTOR for the run's own"
    names = [] if own else all_datasets(datasets, options, beside=beside)
    known = {name: options[name] for name in ("data_root", "runs", "device", "force")}
    with watching(obj["quiet"] or as_json) as listener:
        results = evaluate_run(run, names, galleries=found, listener=listener, **known)
    if as_json:
        print_json(results)
        return
    twin = " · SYNTHETIC TWIN" if any(result["synthetic"] for result in results) else ""
    shown = [(result["metrics"], result["intervals"]) for result in results]
    without = "".join(
        f" · {result['dataset']} without {many(result['left_out'], 'unreadable image')}"
        for result in results
        if result["left_out"]
    )
    metric_table(f"{results[0]['run']}{twin}{without}", *shown)
    for name in (result["dataset"] for result in results if has_earlier_intervals(result)):
        paragraph("", f"{name}: {EARLIER_INTERVALS}", indent=2)
    for result in results:
        if not result["synthetic"]:
            met_lines(result.get("trained_on", ""), result["dataset"])
        fault_lines(result)
