"""How many scores are below a threshold: what a rank needs, without sorting the scores."""

import torch
from torch import Tensor

_MANY = 128
_TILE = {"cpu": 800_000, "cuda": 1 << 27}


def count_below(scores: Tensor, thresholds: Tensor) -> Tensor:
    """Count the scores below each threshold of their row [n_row, n_threshold]; NaN is below none.

    Few thresholds are compared one by one; for many, each score looks up its place between them. Both work on a
    few rows at a time, so that what they write stays in the processor's cache.

    Args:
        scores: any order [n_row, n_gallery].
        thresholds: falling in each row, none NaN [n_row, n_threshold].

    >>> count_below(torch.tensor([[0.1, 0.3, 0.5]]), torch.tensor([[0.5, 0.2]]))
    tensor([[2, 1]])
    """
    count = _by_comparing if thresholds.shape[1] < _MANY else _by_searching
    return count(scores, thresholds, _TILE.get(scores.device.type, _TILE["cpu"]))


def _by_comparing(scores: Tensor, thresholds: Tensor, tile: int) -> Tensor:
    """Compare and add up as floats, which processors do many at once; one buffer serves all rows."""
    n_gallery, n_threshold = scores.shape[1], thresholds.shape[1]
    n_limit = min(n_threshold, max(1, tile // n_gallery))
    n_row = min(len(scores), max(1, tile // (n_limit * n_gallery)))
    flags = scores.new_empty(n_row * n_limit, n_gallery)
    ones = scores.new_ones(n_gallery)
    counts = scores.new_empty(len(scores), n_threshold)
    for row in range(0, len(scores), n_row):
        some = scores[row : row + n_row, None]
        for place in range(0, n_threshold, n_limit):
            limits = thresholds[row : row + n_row, place : place + n_limit, None]
            under = flags[: limits.numel()]
            torch.lt(some, limits, out=under.view(*limits.shape[:2], n_gallery))
            counts[row : row + n_row, place : place + n_limit] = torch.mv(under, ones).view(limits.shape[:2])
    return counts.long()


def _by_searching(scores: Tensor, thresholds: Tensor, tile: int) -> Tensor:
    """Make a histogram of the scores between the thresholds."""
    n_row = max(1, tile // scores.shape[1])
    rising = thresholds.flip(1).contiguous()
    histogram = torch.zeros(len(scores), thresholds.shape[1] + 1, dtype=torch.long, device=scores.device)
    for row in range(0, len(scores), n_row):
        n_reached = torch.searchsorted(rising[row : row + n_row], scores[row : row + n_row], right=True)
        histogram[row : row + n_row].scatter_add_(1, n_reached, torch.ones_like(n_reached))
    return histogram.cumsum(1)[:, :-1].flip(1)
