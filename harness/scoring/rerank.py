"""Let a function rank the first images of each caption again, and write what it says as a second stage."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from harness.config.sections import DatasetConfig
from harness.data.own_data import own_settings
from harness.data.reading import Reading
from harness.datasets import DATASETS, pairs
from harness.errors import UsageError
from harness.evaluate.rank_counts import Array
from harness.files import write_arrays
from harness.listener import Listener
from harness.scoring.score import Given, opened, order_of, read_split

Judge = Callable[[str, list[Path]], Sequence[float]]


def rerank(
    judge: Judge,
    similarity: str | Path,
    dataset: str,
    *,
    out: str | Path,
    k: int = 128,
    synthetic: bool = False,
    data_root: str | None = None,
    order: str | Path | None = None,
    transposed: bool = False,
    distance: bool = False,
    listener: Listener | None = None,
) -> float:
    """Ask a function for the scores of the first k images of each test caption, and write them for `--rerank`.

    Args:
        judge: takes a caption and k image files, and returns their scores, higher is better.
        similarity: the first stage's scores, as `harness score --similarity` takes them.
        dataset: what they are of.
        out: `.npz` to write: `items`, `scores` and the `seconds` that the function took for a caption.
        k: how many images.
        synthetic: whether it is the dataset's synthetic twin.
        data_root: folder that holds the datasets.
        order: JSON lists where captions and images are in another order.
        transposed, distance: as the command takes them.
        listener: hears how many captions are done.

    Returns the seconds. Raises `UsageError` where the function does not return k finite numbers.
    """
    known = DATASETS.get(dataset)
    place = {"name": known.name, "synthetic": synthetic, "root": data_root, **own_settings(known)}
    given = Given(
        similarity=Path(similarity),
        order=Path(order) if order else None,
        transposed=transposed,
        distance=distance,
    )
    if Path(out).suffix != ".npz":
        raise UsageError(f"{out} should end with .npz.")
    listener = listener or Listener()
    reading = read_split(given, DatasetConfig.model_validate(place), listener, "test")
    items, scores, seconds = _judged(judge, given, reading, k, listener)
    write_arrays(Path(out), {"items": items, "scores": scores, "seconds": np.array([[seconds]])})
    return seconds


def _judged(
    judge: Judge, given: Given, reading: Reading, k: int, listener: Listener
) -> tuple[Array, Array, float]:
    """Return the first k images of each caption, what the function says of them, and its seconds for a caption."""
    split = pairs(reading.samples, ["test"])
    if not 1 <= k <= len(split.images):
        raise UsageError(f"k is {k:,}: expected 1 to {len(split.images):,}, the images of the test split.")
    order = order_of(given, split)
    files = [reading.contents[split.images[place]].file for place in order.images.tolist()]
    captions = [split.captions[place] for place in order.captions.tolist()]
    with opened(given, split) as (first, _, _):
        items = np.concatenate([_first(block, k) for _, block in first.blocks(0)])
    scores, seconds = np.empty(items.shape), 0.0
    for row, caption in enumerate(captions):
        began = time.perf_counter()
        found = judge(caption, [files[item] for item in items[row]])
        seconds += time.perf_counter() - began
        scores[row] = _checked(found, k, caption)
        listener.on_count(row + 1, len(captions))
    return items, scores, seconds / len(captions)


def _first(block: Array, k: int) -> Array:
    """Return the places of the k best scores of each row, best first [n_row, k]."""
    return np.argsort(-block, axis=1, kind="stable")[:, :k]


def _checked(found: Sequence[float], k: int, caption: str) -> Array:
    scores = np.asarray(found, dtype=np.float64)
    if scores.shape != (k,) or not np.isfinite(scores).all():
        n = int(np.isfinite(scores).sum())
        raise UsageError(
            f"The function should return {k:,} finite numbers for {caption[:60]!r}, but returned {scores.shape}, of "
            f"which {n:,} are finite."
        )
    return scores
