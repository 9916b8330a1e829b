"""Retrieval metrics, exact over the full gallery, from the ranks of the right items alone: nothing is sorted.

The rank of a right item is 1 + the wrong items that score at least as high + the right items before it. So ties
count against the model and no value depends on the gallery's order. NaN counts against the model too: it is read as
minus infinity for a right item, as plus infinity for a wrong one.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from harness.errors import DataError
from harness.evaluate.rank_counts import count_below
from harness.evaluate.top_items import best_items
from harness.metric_names import CUTOFFS

_CHUNK = {"cpu": 512, "cuda": 4096}


@dataclass(frozen=True)
class QueryResults:
    """What each query found, in the order of the queries, on the CPU.

    Attributes:
        first_rank: rank of the first right item, from 1 [n_query].
        ap: average precision in 0..1, float64 [n_query].
        inp: inverse negative penalty, n_right / rank of the last right item, float64 [n_query].
        n_right: number of right items in the gallery [n_query].
        top: gallery places of the best-scored items in the order of their ranks, int32 [n_query, at most `top`];
            None unless asked for.
    """

    first_rank: Tensor
    ap: Tensor
    inp: Tensor
    n_right: Tensor
    top: Tensor | None = None

    def hits(self, k: int) -> Tensor:
        """Return whether each query has a right item among the first k, as float64 [n_query]."""
        return (self.first_rank <= k).double()


class _Layout(NamedTuple):
    """Where the right items of each query are: `gallery[start : start + n_right]` of the gallery by identity.

    `asked` and `identities` are the labels of queries and gallery as they were given.
    """

    gallery: Tensor
    start: Tensor
    n_right: Tensor
    asked: Tensor
    identities: Tensor


@torch.no_grad()
def rank_queries(
    queries: Tensor,
    gallery: Tensor,
    query_identities: Tensor,
    gallery_identities: Tensor,
    *,
    chunk: int | None = None,
    top: int = 0,
) -> QueryResults:
    """Rank the gallery for each query by dot product in float32, a chunk of queries at a time.

    Args:
        queries: embeddings, L2-normalised by the caller [n_query, dim].
        gallery: embeddings, likewise, on the same device [n_gallery, dim].
        query_identities: labels [n_query]; equal label means right.
        gallery_identities: labels [n_gallery].
        chunk: queries whose scores are held at once [chunk, n_gallery]; default by device.
        top: how many of the best-scored items to name as well.

    Raises:
        DataError: there is no query, or one without a right item in the gallery.

    >>> eye = torch.eye(3)
    >>> rank_queries(eye, eye, torch.tensor([1, 2, 3]), torch.tensor([1, 2, 3])).ap
    tensor([1., 1., 1.], dtype=torch.float64)
    """
    columns = gallery.float().T
    chunk = chunk or _chunk_on(queries.device)
    buffer = columns.new_empty(min(chunk, len(queries)), len(gallery))

    def score(rows: Tensor) -> Tensor:
        return torch.mm(queries[rows].float(), columns, out=buffer[: len(rows)])

    with _full_precision():
        identities = (labels.to(queries.device) for labels in (query_identities, gallery_identities))
        return rank_by(score, *identities, chunk=chunk, top=top)


@torch.no_grad()
def rank_by(
    score: Callable[[Tensor], Tensor],
    query_identities: Tensor,
    gallery_identities: Tensor,
    *,
    chunk: int | None = None,
    top: int = 0,
) -> QueryResults:
    """Rank the gallery for each query by the scores that `score` gives; see `rank_queries`.

    Args:
        score: takes places of queries [n_row] and returns their scores [n_row, n_gallery], to be overwritten.
        query_identities: labels [n_query], on the device of the scores.
        gallery_identities: labels [n_gallery], likewise.
        chunk: how many queries are scored at once; default by device.
        top: how many of the best-scored items to name as well.

    >>> scores = torch.tensor([[0.9, 0.1, 0.3, 0.7]])
    >>> results = rank_by(lambda rows: scores[rows], torch.tensor([1]), torch.tensor([1, 1, 2, 2]))
    >>> results.ap, results.inp
    (tensor([0.7500], dtype=torch.float64), tensor([0.5000], dtype=torch.float64))
    """
    layout = _lay_out(query_identities, gallery_identities)
    by_n_right = layout.n_right.argsort(stable=True)
    rows_at_once = by_n_right.split(chunk or _chunk_on(query_identities.device))
    most = layout.n_right.cpu()[by_n_right.cpu()].split(len(rows_at_once[0]))
    parts = [
        _rank_rows(score(rows), rows, layout, int(n_right[-1]), top)
        for rows, n_right in zip(rows_at_once, most, strict=True)
    ]
    back = by_n_right.argsort()
    first_rank, ap, inp, best = (torch.cat(part)[back].cpu() for part in zip(*parts, strict=True))
    return QueryResults(first_rank, ap, inp, layout.n_right.cpu(), best if top else None)


def _chunk_on(device: torch.device) -> int:
    return _CHUNK.get(device.type, _CHUNK["cpu"])


def summary(results: QueryResults) -> dict[str, float]:
    """Average over the queries, in per cent: R1, R5, R10 (k beyond the gallery means all of it), mAP, mINP, Rsum.

    Rsum is R1 + R5 + R10.

    >>> eye = torch.eye(2)
    >>> summary(rank_queries(eye, eye, torch.tensor([1, 2]), torch.tensor([1, 2])))["Rsum"]
    300.0
    """
    values = {f"R{k}": results.hits(k) for k in CUTOFFS}
    values |= {"mAP": results.ap, "mINP": results.inp}
    percent = {name: 100 * value.mean().item() for name, value in values.items()}
    return percent | {"Rsum": sum(percent[f"R{k}"] for k in CUTOFFS)}


def rank_directions(
    image: Tensor,
    text: Tensor,
    image_identities: Tensor,
    text_identities: Tensor,
    *,
    chunk: int | None = None,
    top: int = 0,
) -> dict[str, QueryResults]:
    """Rank text to image (every caption a query, each image once) and image to text.

    Args:
        image: L2-normalised embeddings [n_image, dim].
        text: L2-normalised embeddings [n_caption, dim].
        image_identities: labels [n_image].
        text_identities: labels [n_caption].
        chunk: queries at once; default by device.
        top: how many of the best-scored items to name for each query.

    >>> eye, labels = torch.eye(2), torch.tensor([1, 2])
    >>> rank_directions(eye, eye, labels, labels)["i2t"].first_rank
    tensor([1, 1])
    """
    return {
        "t2i": rank_queries(text, image, text_identities, image_identities, chunk=chunk, top=top),
        "i2t": rank_queries(image, text, image_identities, text_identities, chunk=chunk, top=top),
    }


def summarise_directions(results: Mapping[str, QueryResults]) -> dict[str, float]:
    """Name the averages of each direction `t2i/R1` and so on; `Rsum` alone is that of text to image, as published.

    >>> eye, labels = torch.eye(2), torch.tensor([1, 2])
    >>> summarise_directions(rank_directions(eye, eye, labels, labels))["t2i/R1"]
    100.0
    """
    metrics = {f"{way}/{name}": value for way in results for name, value in summary(results[way]).items()}
    return metrics | ({"Rsum": metrics["t2i/Rsum"]} if "t2i" in results else {})


def _lay_out(query_identities: Tensor, gallery_identities: Tensor) -> _Layout:
    """Find the right items of each query, or name the first query that has none."""
    if not len(query_identities):
        raise DataError("There is nothing to evaluate: no query was given. Give at least one.")
    identities, gallery = gallery_identities.sort(stable=True)
    start = torch.searchsorted(identities, query_identities)
    n_right = torch.searchsorted(identities, query_identities, right=True) - start
    missing = (n_right == 0).nonzero()
    if len(missing):
        index = int(missing[0])
        raise DataError(
            f"Query {index} (identity {int(query_identities[index])}) has no right item among the {len(gallery)} of "
            f"the gallery (none for {len(missing)} of {len(n_right)} queries). Every identity of a query must be in "
            "the gallery: evaluate captions and images of the same split, or drop these queries."
        )
    return _Layout(gallery, start, n_right, query_identities, gallery_identities)


def _rank_rows(
    scores: Tensor, rows: Tensor, layout: _Layout, most: int, top: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return first rank, AP, INP and best items of some queries, which have `most` right items at most.

    Overwrites their scores [n_row, n_gallery].
    """
    best = rows.new_empty(len(rows), 0)
    if top:
        best = best_items(scores, layout.identities, layout.asked[rows], top)
    n_right = layout.n_right[rows, None]
    place = torch.arange(most, device=rows.device)
    real = place < n_right
    columns = layout.gallery[layout.start[rows, None] + place.where(real, 0)]
    right = scores.gather(1, columns)
    right = right.where(real & ~right.isnan(), -torch.inf).sort(dim=1, descending=True).values
    scores.scatter_(1, columns, torch.nan)
    below = count_below(scores, right)
    ranks = 1 + place + (scores.shape[1] - n_right) - below
    ap = ((place + 1) / ranks.double()).where(real, 0).sum(dim=1) / n_right[:, 0]
    inp = n_right[:, 0] / ranks.gather(1, n_right - 1)[:, 0].double()
    return ranks[:, 0], ap, inp, best


@contextmanager
def _full_precision() -> Iterator[None]:
    """Compute products in true float32, whatever precision is set (autocast leaves products into a buffer alone)."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
