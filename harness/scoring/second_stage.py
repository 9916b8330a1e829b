"""A second stage: the first images of each caption in the order of other scores, as a cross-encoder gives them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from harness.errors import DataError, UsageError, many
from harness.evaluate.rank_counts import Array
from harness.scoring.k_reciprocal import RERANKERS, Neighbours
from harness.scoring.ranked import Scores
from harness.scoring.score_files import has_array, read_arrays
from harness.scoring.told import Told

# Scores of the second stage stand above the first's by steps that float32 tells apart.
_STEP = 2.0**-20


@dataclass(frozen=True)
class SecondStage:
    """What a second stage says of each caption, in somebody's order.

    Attributes:
        file: where it was read, for messages.
        items: places of images, each once in a row [n_caption, k].
        scores: of these images, higher is better [n_caption, k].
        seconds: what that took for a caption, where the file says so.
    """

    file: Path
    items: Array
    scores: Array
    seconds: float | None = None

    @property
    def k(self) -> int:
        """How many images of each caption are ranked again."""
        return int(self.items.shape[1])


@dataclass(frozen=True)
class TwoStages:
    """Scores of a first stage in which the images of a second stage stand first, in the second's order.

    From image to text the first stage alone ranks: scores of a second stage are of one caption each.
    """

    first: Scores
    second: SecondStage
    _others: list[int] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, int]:
        """Captions and images."""
        return self.first.shape

    @property
    def negative(self) -> bool:
        """Whether the first stage's scores are the negatives of distances."""
        return self.first.negative

    @property
    def type_name(self) -> str:
        """The type of the first stage's values."""
        return self.first.type_name

    def blocks(self, axis: int) -> Iterator[tuple[int, Array]]:
        """Yield the scores of some captions after another (axis 0) or of images (1), as a matrix does."""
        for start, block in self.first.blocks(axis):
            if axis == 0:
                rows = slice(start, start + len(block))
                self._others.append(_n_others(block, self.second.items[rows]))
                _put_first(block, self.second.items[rows], self.second.scores[rows])
            yield start, block

    def note(self) -> str:
        """Return what is to be said once the captions are ranked; raise `DataError` where the stages do not fit."""
        n, k, other = len(self.second.items), self.second.k, sum(self._others)
        if 2 * other > n:
            raise DataError(
                f"{self.second.file}: expected the {many(k, 'image')} that the first stage ranks first, found others "
                f"for {other:,} of {n:,} captions: are both in the same order, and of the same model?"
            )
        said = f"the first {many(k, 'image')} of each caption ranked again; image to text by the first stage alone"
        return f"{said}; for {many(other, 'caption')} they are not the first stage's" if other else said


def read_second_stage(file: Path, n_caption: int, n_image: int) -> SecondStage:
    """Read `items` and `scores` [n_caption, k] of a file; raise `DataError` where they are no ranking of images."""
    found = read_arrays(file, {"items": n_caption, "scores": n_caption}, n_image)
    items, scores = found["items"], found["scores"]
    if items.shape != scores.shape:
        raise DataError(
            f"{file}: expected as many scores as items, found {scores.shape[1]:,} and {items.shape[1]:,}."
        )
    if not np.isfinite(scores).all():
        raise DataError(
            f"{file}: expected finite scores, found {int((~np.isfinite(scores)).sum()):,} that are not."
        )
    places = items.astype(np.int64)
    if (places != items).any() or (places < 0).any() or (places >= n_image).any():
        raise DataError(
            f"{file}: expected items to be places of images, whole numbers from 0 to {n_image - 1:,}."
        )
    ordered = np.sort(places, axis=1)
    twice = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1).nonzero()[0]
    if len(twice):
        raise DataError(
            f"{file}: expected each image once for a caption, found one twice for caption {twice[0]:,}."
        )
    taken = (
        float(read_arrays(file, {"seconds": 1}, 1)["seconds"][0, 0]) if has_array(file, "seconds") else None
    )
    return SecondStage(file, places, scores, taken)


def told_of(told: Told, stage: SecondStage | None, neighbours: Neighbours | None = None) -> Told:
    """Return what is told of a system with what its second stage does: how many images it ranks, and in what time.

    Neighbours of a caption are found among test images and captions, so what they rank used these without labels.
    Raises `UsageError` where something else was told.
    """
    if neighbours is not None:
        if told.unlabelled_test == "no" or told.reranked is not None:
            other = "--unlabelled-test no" if told.reranked is None else f"--reranked {told.reranked:,}"
            raise UsageError(
                f"{other} is told, but {RERANKERS[0]} ranks all images by neighbours in the test split: leave it out."
            )
        return told.model_copy(update={"reranked_by": neighbours.words, "unlabelled_test": "yes"})
    if stage is None:
        return told
    if told.reranked not in (None, stage.k):
        raise UsageError(
            f"--reranked {told.reranked:,} is told, but {stage.file} has {stage.k:,}: leave it out."
        )
    seconds = stage.seconds if told.rerank_seconds is None else told.rerank_seconds
    return told.model_copy(update={"reranked": stage.k, "rerank_seconds": seconds})


def _n_others(block: Array, items: Array) -> int:
    """Return how many rows have items that are not among the row's best, as many as there are items."""
    k = items.shape[1]
    limit = np.partition(block, block.shape[1] - k, axis=1)[:, block.shape[1] - k]
    return int((np.take_along_axis(block, items, axis=1).min(axis=1) < limit).sum())


def _put_first(block: Array, items: Array, scores: Array) -> None:
    """Raise the scores of items above all others of their row, in the order of their new scores; ties stay ties."""
    order = np.argsort(scores, axis=1)
    rising = np.take_along_axis(scores, order, axis=1)
    steps = np.zeros(scores.shape)
    steps[:, 1:] = (rising[:, 1:] > rising[:, :-1]).cumsum(axis=1)
    ranks = np.empty_like(steps)
    np.put_along_axis(ranks, order, steps, axis=1)
    top = block.max(axis=1, keepdims=True).astype(np.float64)
    step = np.maximum(1.0, np.abs(top) * _STEP)
    np.put_along_axis(block, items, (top + step * (ranks + 1)).astype(block.dtype), axis=1)
