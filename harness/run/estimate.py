"""How long a run is expected to take, after earlier runs of its method on the same backbone."""

import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from harness.config.sections import RunConfig
from harness.datasets import DATASETS
from harness.images.store import disk_bytes
from harness.methods import METHODS
from harness.paths import data_root, runs_root
from harness.record import Record, Tell, all_runs, readable, warn
from harness.run.job import outline
from harness.train.cost import count_parameters
from harness.twins.writer import twin_captions


def finished_runs(runs: str | Path | None = None, tell: Tell = warn) -> list[Record]:
    """Return the records of all runs that finished here, oldest first, not of those that were scored.

    `tell` hears one line of each that cannot be read.
    """
    records = (record for _, record in readable(all_runs(runs_root(runs).path), tell))
    return [record for record in records if record.status == "finished" and not record.scored]


def expected_seconds(
    config: RunConfig, finished: Sequence[Record], pairs: int | None = None
) -> tuple[float | None, int]:
    """Return the seconds that a run should take, and from how many earlier runs that is estimated.

    Training time is scaled by pairs and epochs, the rest is taken as it was, on the same dataset where there is such a
    run, else on another of its kind, synthetic or real. None when no run of the method on the backbone finished, or
    nothing tells the pairs.

    Args:
        pairs: training pairs of an epoch; by default those of earlier runs on the dataset, else the published number,
            or that of the synthetic twin.
    """
    similar = [record for record in finished if _likeness(record.config) == _likeness(_plain(config))]
    kind = [record for record in similar if record.synthetic == config.dataset.synthetic] or similar
    same = [record for record in kind if _data(record.config) == _data(_plain(config))] or kind
    if not same:
        return None, 0
    rest = statistics.median(record.seconds - _training(record) for record in same)
    if not METHODS.get(config.method.name).trained:
        return rest, len(same)
    rate = statistics.median(_training(record) / _pairs_seen(record) for record in same)
    n_pairs = pairs or _pairs(config, finished)
    return (rest + rate * n_pairs * config.train.epochs, len(same)) if n_pairs else (None, 0)


def _pairs(config: RunConfig, finished: Sequence[Record]) -> int | None:
    """Return the training pairs of a dataset or twin, as far as they are known without reading it."""
    here = (
        record.data.get("train_pairs") for record in finished if _data(record.config) == _data(_plain(config))
    )
    known = [int(pairs) for pairs in here if pairs]
    if known:
        return known[-1]
    dataset = DATASETS.get(config.dataset.name)
    if config.dataset.synthetic:
        return twin_captions(dataset, data_root(config.dataset.root).path, "train")
    published = dataset.expected.get("train")
    return published.captions if published else None


def _training(record: Record) -> float:
    return float(record.accounting.get("train_seconds", 0.0))


def _pairs_seen(record: Record) -> float:
    epochs = int(record.selection.get("epochs") or record.config["train"]["epochs"])
    return max(float(record.data.get("train_pairs", 0)) * epochs, 1.0)


def _plain(config: RunConfig) -> dict[str, Any]:
    return config.model_dump(mode="json")


def _likeness(config: dict[str, Any]) -> tuple[Any, ...]:
    backbone = config["backbone"]
    return config["method"]["name"], backbone["name"], tuple(backbone["image_size"])


def _data(config: dict[str, Any]) -> tuple[Any, ...]:
    return config["dataset"]["name"], config["dataset"].get("joined"), config["dataset"]["synthetic"]


def weight_bytes(config: RunConfig) -> int:
    """Return the bytes of what a run trains."""
    return count_parameters(outline(config)).checkpoint_bytes


def store_bytes(needed: Iterable[tuple[str, tuple[int, int]]]) -> int:
    """Return the bytes of the image stores of datasets, each named with the image size [height, width] of its store."""
    return sum(
        disk_bytes(sum(counts.images for counts in DATASETS.get(name).expected.values()), size)
        for name, size in set(needed)
    )
