"""How many scores are below a threshold: what a rank needs, without sorting all scores by a key."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]

_MANY = {"cpu": 56, "cuda": 128}
# Comparisons at once: on the processor, their flags stay in its second cache.
_TILE = {"cpu": 400_000, "cuda": 1 << 27}
_BYTES, _MOST_IN_A_BYTE = 8, 255


def count_below(scores: Tensor, thresholds: Tensor) -> Tensor:
    """Count the scores below each threshold of their row [n_row, n_threshold]; NaN is below none.

    Few thresholds are compared one by one. For many, a processor sorts the plain values of a row, which takes as long
    as 36 (AVX-512) to 70 (AVX2) comparisons; an accelerator looks up the place of each score between the thresholds.

    Args:
        scores: any order [n_row, n_gallery].
        thresholds: falling in each row, none NaN [n_row, n_threshold].

    >>> count_below(torch.tensor([[0.1, 0.3, 0.5]]), torch.tensor([[0.5, 0.2]]))
    tensor([[2, 1]])
    """
    kind = scores.device.type if scores.device.type in _MANY else "cuda"
    many = thresholds.shape[1] >= _MANY[kind]
    if kind == "cpu":
        return _on_the_processor(_sort_and_look_up if many else _compare, scores, thresholds)
    return (_by_searching if many else _by_comparing)(scores, thresholds, _TILE[kind])


def _on_the_processor(
    count: Callable[[Array, Array, Array], None], scores: Tensor, thresholds: Tensor
) -> Tensor:
    """Let as many threads as torch uses count a share of the rows each."""
    if scores.dtype in (torch.float16, torch.bfloat16):
        scores, thresholds = scores.float(), thresholds.float()
    counts = torch.empty(thresholds.shape, dtype=torch.long)
    n_thread = min(torch.get_num_threads(), len(scores))
    shares = [
        [part.numpy() for part in parts]
        for parts in zip(*(x.tensor_split(n_thread) for x in (scores, thresholds, counts)), strict=True)
    ]
    if n_thread == 1:
        count(*shares[0])
    else:
        with ThreadPoolExecutor(n_thread, "count") as pool:
            list(pool.map(partial(_apply, count), shares))
    return counts


def _apply(count: Callable[[Array, Array, Array], None], share: list[Array]) -> None:
    count(*share)


def _compare(scores: Array, thresholds: Array, counts: Array) -> None:
    """Compare with each threshold; NumPy does 32 or 64 at once and writes a byte for each.

    Eight flags are added up as one 64-bit number, whose bytes cannot overflow within 255 of them.
    """
    (n_row, n_threshold), n_gallery = thresholds.shape, scores.shape[1]
    n_limit = min(n_threshold, max(1, _TILE["cpu"] // n_gallery))
    n_at_once = min(n_row, max(1, _TILE["cpu"] // (n_limit * n_gallery)))
    n_word = -(-n_gallery // _BYTES)
    n_block = -(-n_word // _MOST_IN_A_BYTE)
    length = -(-n_word // n_block)
    flags = np.zeros((n_at_once, n_limit, n_block * length * _BYTES), dtype=np.bool_)
    for row in range(0, n_row, n_at_once):
        some = scores[row : row + n_at_once, None]
        for place in range(0, n_threshold, n_limit):
            limits = thresholds[row : row + n_at_once, place : place + n_limit, None]
            under = flags[: limits.shape[0], : limits.shape[1]]
            np.less(some, limits, out=under[..., :n_gallery])
            sums = under.view(np.uint64).reshape(*limits.shape[:2], n_block, length).sum(axis=-1)
            counts[row : row + n_at_once, place : place + n_limit] = sums.view(np.uint8).sum(
                axis=-1, dtype=np.int64
            )


def _sort_and_look_up(scores: Array, thresholds: Array, counts: Array) -> None:
    """Sort the values of some rows and look up each threshold."""
    n_at_once = max(1, _TILE["cpu"] // scores.shape[1])
    for row in range(0, len(scores), n_at_once):
        rising = scores[row : row + n_at_once].copy()
        rising[np.isnan(rising)] = np.inf
        rising.sort(axis=1)
        limits = torch.from_numpy(thresholds[row : row + n_at_once])
        counts[row : row + n_at_once] = torch.searchsorted(torch.from_numpy(rising), limits.contiguous())


def _by_comparing(scores: Tensor, thresholds: Tensor, tile: int) -> Tensor:
    """Compare and add up the flags; one buffer of bytes serves all rows."""
    n_gallery, n_threshold = scores.shape[1], thresholds.shape[1]
    n_limit = min(n_threshold, max(1, tile // n_gallery))
    n_row = min(len(scores), max(1, tile // (n_limit * n_gallery)))
    flags = torch.empty(n_row * n_limit * n_gallery, dtype=torch.bool, device=scores.device)
    counts = torch.empty(thresholds.shape, dtype=torch.long, device=scores.device)
    for row in range(0, len(scores), n_row):
        some = scores[row : row + n_row, None]
        for place in range(0, n_threshold, n_limit):
            limits = thresholds[row : row + n_row, place : place + n_limit, None]
            under = flags[: limits.numel() * n_gallery].view(*limits.shape[:2], n_gallery)
            torch.lt(some, limits, out=under)
            counts[row : row + n_row, place : place + n_limit] = under.sum(dim=-1)
    return counts


def _by_searching(scores: Tensor, thresholds: Tensor, tile: int) -> Tensor:
    """Make a histogram of the scores between the thresholds."""
    n_row = max(1, tile // scores.shape[1])
    rising = thresholds.flip(1).contiguous()
    histogram = torch.zeros(len(scores), thresholds.shape[1] + 1, dtype=torch.long, device=scores.device)
    for row in range(0, len(scores), n_row):
        n_reached = torch.searchsorted(rising[row : row + n_row], scores[row : row + n_row], right=True)
        histogram[row : row + n_row].scatter_add_(1, n_reached, torch.ones_like(n_reached))
    return histogram.cumsum(1)[:, :-1].flip(1)
