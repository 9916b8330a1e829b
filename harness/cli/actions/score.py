"""What `harness score` does with its options: write lists, or score and show."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from harness.cli.actions.run import show_record
from harness.cli.options import parse_size, plain, print_json
from harness.cli.own_data import OWN_OPTIONS, one_dataset
from harness.cli.progress import watching
from harness.cli.terminal import metric_table
from harness.config.sections import DatasetConfig
from harness.data.own_data import own_settings
from harness.datasets import DATASETS
from harness.errors import UsageError, listed, many
from harness.files import write_json
from harness.record import twin_name
from harness.scoring.k_reciprocal import RERANKERS, Neighbours
from harness.scoring.score import Given, lists, score, shown
from harness.scoring.told import told

_TOLD = (
    *(
        "method",
        "paper",
        "rule",
        "trained_on",
        "train_pairs",
        "unlabelled_test",
        "reranked",
        "rerank_seconds",
    ),
    *("text_length", "backbone", "parameters", "trainable", "seed"),
)
_OF_LISTS = (
    "--template",
    "--split",
    "--out",
    "--synthetic",
    "--data-root",
    "--json",
    *(f"--{name}" for name in OWN_OPTIONS),
)
_FILES = ("similarity", "embeddings", "rerank", "order")
_READ = ("key", "transposed", "distance")


def execute(options: dict[str, Any], quiet: bool, by_hand: Sequence[str] = ()) -> None:
    """Do what the options say, of which some were given `by_hand`: lists, a split that makes no run, or a run."""
    if options["template"]:
        if ignored := [name for name in by_hand if name not in _OF_LISTS]:
            raise UsageError(f"--template writes lists and ends: leave {listed(ignored)} out.")
        _write_lists(options, quiet)
        return
    if options["out"]:
        raise UsageError("--out is where --template writes its lists: leave it out.")
    given = _given(options)
    _ = given.file
    dataset = _dataset(one_dataset(options["dataset"], options), options)
    with watching(quiet or options["as_json"]) as listener:
        if options["split"] != "test":
            _show(shown(given, dataset, options["split"], listener), options["as_json"])
            return
        if not options["method"]:
            raise UsageError("Missing option '--method' / '-m': say what the system is called in tables.")
        size = parse_size(options["image_size"]) if options["image_size"] else None
        known = told(image_size=size, **{name: options[name] for name in _TOLD})
        record = score(given, dataset, known, runs=options["runs"], force=options["force"], listener=listener)
    show_record(record, options["as_json"], options["runs"])


def _given(options: dict[str, Any]) -> Given:
    neighbours = _neighbours(options)
    files: dict[str, Any] = {name: Path(options[name]) for name in _FILES if options[name]}
    if neighbours is not None:
        files.pop("rerank")
    return Given(**files | {name: options[name] for name in _READ}, neighbours=neighbours)


def _neighbours(options: dict[str, Any]) -> Neighbours | None:
    """Return how captions are ranked again by neighbours; None where they are not."""
    asked = {name: options[name] for name in ("k1", "k2", "weight") if options[name] is not None}
    if (options["rerank"] or "").replace("-", "_") in RERANKERS:
        return Neighbours(**asked)
    if asked:
        name = next(iter(asked)).replace("weight", "lambda")
        raise UsageError(f"--{name} is about neighbours: give it with --rerank {RERANKERS[0]}.")
    return None


def _dataset(name: str, options: dict[str, Any]) -> DatasetConfig:
    dataset = DATASETS.get(name)
    known: dict[str, Any] = {"synthetic": options["synthetic"], "root": options["data_root"]}
    return DatasetConfig(name=dataset.name, **known | own_settings(dataset))


def _write_lists(options: dict[str, Any], quiet: bool) -> None:
    """Write the lists of a split in the harness's order, and say where."""
    dataset, split = _dataset(options["template"], options), options["split"]
    with watching(quiet or options["as_json"]) as listener:
        found = lists(dataset, split, listener)
    name = twin_name(dataset.name, dataset.synthetic)
    file = Path(options["out"] or f"{name}-{split}-order.json")
    write_json(file, found)
    counts = {part: len(found[part]) for part in ("captions", "images")}
    if options["as_json"]:
        print_json({"file": str(file), "dataset": name, "split": split, **counts})
        return
    said = f"{many(counts['captions'], 'caption')} and {many(counts['images'], 'image')}"
    click.echo(plain(f"wrote {file}: {said} of {name} ({split}) in the harness's order"))


def _show(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(result)
        return
    name = twin_name(result["dataset"], result["synthetic"])
    title = f"{name} · {result['split']} split · scored, and no run made of it"
    metric_table(title, (result["metrics"], result["intervals"]))
