"""`harness data back-translate`: back-translate captions by an external command."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from harness.cli.names import PlugIn
from harness.cli.options import Choice, data_root_option, json_option, option, plain, print_json
from harness.errors import UsageError, many
from harness.limits import MOST
from harness.paths import Place
from harness.paths import data_root as root_place


@click.command("back-translate")
@click.argument("name", type=PlugIn("datasets"))
@option(
    "--command",
    "commands",
    required=True,
    multiple=True,
    metavar="COMMAND",
    help="Reads captions, one per line, and writes a translation for each, in UTF-8. Repeated, the second reads what "
    "the first wrote: English to French, then French to English. No shell is used.",
)
@option(
    "--split",
    type=Choice(["train", "val", "test"]),
    default="train",
    show_default=True,
    help="Split whose captions are translated.",
)
@option(
    "--batch-size",
    type=click.IntRange(1, MOST),
    default=1000,
    show_default=True,
    help="Captions for each start of the command; an interruption loses at most this many.",
)
@option(
    "--out",
    type=click.Path(dir_okay=False),
    help="File to write (default: back_translations.json beside the annotation).",
)
@option("--synthetic", is_flag=True, help="The synthetic twin instead of the real data.")
@data_root_option
@json_option
@click.pass_context
def back_translate(
    ctx: click.Context, /, name: str, synthetic: bool, data_root: str | None, as_json: bool, **options: Any
) -> None:
    """Back-translate a dataset's captions.

    Captions that have a translation are not sent again. Runs read the file, and it is part of the dataset's
    fingerprint.
    """
    quiet = as_json or ctx.find_root().obj["quiet"]
    done = translated(name, root_place(data_root), synthetic, quiet=quiet, **options)
    print_json(done) if as_json else click.echo(plain(_summary(done)))


def translated(
    name: str,
    root: Place,
    synthetic: bool,
    *,
    commands: Sequence[str],
    split: str,
    batch_size: int,
    out: str | None,
    quiet: bool,
) -> dict[str, Any]:
    """Translate a split's captions and return what was done; raise `UsageError` where no run would read them."""
    from harness.cli.actions.data import find, titled
    from harness.cli.progress import watching
    from harness.data.annotations import locate, read_dataset
    from harness.data.back_translations import FILE, have_their_own, read_translations, translate

    dataset, place = find(name, root, synthetic)
    samples = read_dataset(dataset, place)
    location = locate(dataset, place.path)
    assert location is not None
    beside = Path(os.path.abspath(location.folder / FILE))
    own = have_their_own(samples, read_translations(beside))
    if own and not out:
        hint = "Runs use these and would not read a file beside them; --out writes one elsewhere."
        raise UsageError(f"The annotation of {titled(dataset, synthetic)} has captions_bt. {hint}")
    file = Path(os.path.abspath(out)) if out else beside
    if os.path.realpath(file) == os.path.realpath(beside):
        file = beside
    captions = [caption for sample in samples if sample.split == split for caption in sample.captions]
    with watching(quiet) as listener:
        listener.on_stage(f"translating the {split} captions of {titled(dataset, synthetic)}")
        done = translate(captions, commands, file, batch=batch_size, progress=listener.on_count)
    read = "the annotation's captions_bt" if own else str(beside)
    return {"dataset": dataset.name, "synthetic": synthetic, "split": split, "read": read, **done.as_dict()}


def _summary(done: dict[str, Any]) -> str:
    head = f"{many(done['made'], 'caption')} translated, {done['known']:,} were translated before, in {done['file']}"
    odd = [f"{done[kind]:,} came back {kind}" for kind in ("unchanged", "empty") if done[kind]]
    used = done["read"] == done["file"]
    read = "Runs on this dataset read it." if used else f"A run reads {done['read']}, not this file."
    return "\n".join([head, *([f"  {', '.join(odd)}"] if odd else []), read])
