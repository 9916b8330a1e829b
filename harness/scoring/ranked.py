"""Rank scores that lie in a file, in both directions, a block at a time, by the exact metrics of the harness."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from harness.evaluate.measure import TOP
from harness.evaluate.rank_counts import Array
from harness.evaluate.ranking import QueryResults, rank_by
from harness.scoring.orders import Order
from harness.scoring.symptoms import Seen, check_finite, check_sense, joined, look

# Queries of a block that are ranked at once.
_AT_ONCE = 64
Progress = Callable[[int, int], None]


class Scores(Protocol):
    """Scores of captions and images, a block at a time: a `Matrix` in a file, or what embeddings give.

    Attributes:
        shape: captions and images.
        negative: whether they are the negatives of distances.
        type_name: the type of the values as they were given.
    """

    @property
    def shape(self) -> tuple[int, int]: ...  # noqa: D102

    @property
    def negative(self) -> bool: ...  # noqa: D102

    @property
    def type_name(self) -> str: ...  # noqa: D102

    def blocks(self, axis: int) -> Iterator[tuple[int, Array]]:
        """Yield the scores of some captions after another (axis 0) or of images (1), with the place of the first."""
        ...


@dataclass(frozen=True)
class Labels:
    """The identities of a split, in the harness's order: of captions [n_caption] and of images [n_image]."""

    captions: Tensor
    images: Tensor


def rank_matrix(
    matrix: Scores,
    labels: Labels,
    order: Order,
    source: object,
    progress: Progress = lambda done, total: None,
) -> tuple[dict[str, QueryResults], Seen]:
    """Rank text to image and image to text; return what each query found, and what was seen of the captions' scores.

    Args:
        matrix: scores [n_caption, n_image] in somebody's order.
        labels: identities in the harness's order; results are in that order as well.
        order: which of the harness's captions and images is at each place of the matrix.
        source: where the scores are from, for messages.
        progress: hears how many rows and columns of all are done.

    Raises `DataError` for scores that are not finite, look like distances, or like chance.
    """
    asked, identities = labels.captions[order.captions], labels.images[order.images]
    total = sum(matrix.shape)
    seen: list[Seen] = []

    def watched(start: int, block: Array) -> None:
        check_finite(block, start, source)
        seen.append(look(block, asked[start : start + len(block)].numpy(), identities.numpy()))
        progress(start + len(block), total)

    t2i = _ranked(matrix, 0, asked, identities, watched)
    known = joined(seen)
    check_sense(known, asked.numpy(), source, distance=matrix.negative, ordered=order.given)
    i2t = _ranked(
        matrix, 1, identities, asked, lambda start, block: progress(len(asked) + start + len(block), total)
    )
    places: Mapping[str, tuple[Tensor, Tensor]] = {
        "t2i": (order.captions, order.images),
        "i2t": (order.images, order.captions),
    }
    results = {"t2i": t2i, "i2t": i2t}
    return {way: _in_own_order(result, *places[way]) for way, result in results.items()}, known


def _ranked(
    matrix: Scores, axis: int, asked: Tensor, identities: Tensor, watch: Callable[[int, Array], None]
) -> QueryResults:
    """Rank what `axis` counts, in the matrix's order, block by block."""
    parts = []
    for start, block in matrix.blocks(axis):
        watch(start, block)
        scores, own = torch.from_numpy(block), asked[start : start + len(block)]
        parts.append(rank_by(scores.__getitem__, own, identities, chunk=_AT_ONCE, top=TOP))
    return QueryResults(
        *(torch.cat([getattr(part, name) for part in parts]) for name in QueryResults.__dataclass_fields__)
    )


def _in_own_order(result: QueryResults, queries: Tensor, gallery: Tensor) -> QueryResults:
    """Return results of queries in somebody's order in the harness's, with the harness's places of the best items."""
    back = queries.argsort()
    assert result.top is not None
    own = {name: values[back] for name, values in vars(result).items()}
    return replace(result, **own | {"top": gallery[result.top[back].long()].int()})
