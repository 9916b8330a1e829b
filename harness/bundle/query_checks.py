"""What holds between the per-query results of any ranking, whatever the model."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from harness.errors import many
from harness.metric_names import DIRECTIONS

_ROUNDING = 1e-6
Mask = np.ndarray[Any, np.dtype[np.bool_]]


def query_faults(queries: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each thing that no ranking gives: of ranks, precisions, numbers of right items and best ten.

    The gallery of one direction is the queries of the other. With n right items, the first of them at rank r, AP lies
    between those of the worst and the best ranking of the others, and INP is at most n / (r + n - 1).
    """
    for way, other in zip(DIRECTIONS, reversed(DIRECTIONS), strict=True):
        gallery = np.asarray(queries[f"{other}/identity"])
        one = {
            name: np.asarray(queries[f"{way}/{name}"])
            for name in ("identity", "rank", "AP", "INP", "n_right")
        }
        for what, wrong in _wrong(one, gallery):
            if wrong.any():
                yield f"{way}: {many(int(wrong.sum()), 'query', 'queries')} with {what}"
        if f"{way}/top" in queries:
            wrong = _wrong_top(np.asarray(queries[f"{way}/top"]), one, gallery)
            if wrong.any():
                yield f"{way}: {many(int(wrong.sum()), 'query', 'queries')} with a rank that its best ten do not give"


def _wrong(one: Mapping[str, np.ndarray], gallery: np.ndarray) -> Iterator[tuple[str, Mask]]:
    """Yield what may be wrong, and for which queries it is."""
    rank, n_right = one["rank"].astype(np.float64), one["n_right"].astype(np.float64)
    names, counts = np.unique(gallery, return_counts=True)
    place = np.minimum(np.searchsorted(names, one["identity"]), len(names) - 1)
    expected = np.where(names[place] == one["identity"], counts[place], 0)
    yield "another number of right items than the gallery has", one["n_right"] != expected
    last = len(gallery) - n_right + 1
    yield "a rank outside of the gallery", (rank < 1) | (rank > last)
    with np.errstate(divide="ignore", invalid="ignore"):
        most = n_right / (rank + n_right - 1)
        best = np.array([_best_ap(*pair) for pair in zip(rank, n_right, strict=True)])
        least = 1 / (rank * n_right)
    inp, ap = one["INP"].astype(np.float64), one["AP"].astype(np.float64)
    yield "an INP that its rank does not allow", ~((inp > 0) & (inp <= most + _ROUNDING))
    yield "an AP that its rank does not allow", ~((ap >= least - _ROUNDING) & (ap <= best + _ROUNDING))


def _best_ap(rank: float, n_right: float) -> float:
    """Return the AP where the other right items follow the first at once.

    >>> _best_ap(1.0, 3.0), _best_ap(2.0, 1.0)
    (1.0, 0.5)
    """
    k = np.arange(1, n_right + 1)
    return float((k / (rank + k - 1)).mean())


def _wrong_top(top: np.ndarray, one: Mapping[str, np.ndarray], gallery: np.ndarray) -> Mask:
    """Say for which queries the ten best-scored items do not give the rank."""
    outside = (top < 0) | (top >= len(gallery))
    right = (gallery[np.where(outside, 0, top)] == one["identity"][:, None]) & ~outside
    first = np.where(right.any(axis=1), right.argmax(axis=1) + 1, 0)
    rank = one["rank"]
    wrong: Mask = np.where(first > 0, rank != first, rank <= top.shape[1]) | outside.any(axis=1)
    return wrong
