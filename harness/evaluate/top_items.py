"""The best-scored items of each query, in the order that ranks have, and which queries a figure shows."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

_TILE, _SHALLOW = 16, 4


def best_items(scores: Tensor, right: Tensor, asked: Tensor, k: int) -> Tensor:
    """Return the items of the k best scores of each row, best first, int32 [n_row, min(k, n_gallery)].

    A wrong item goes before a right one of the same score; otherwise the earlier one in the gallery goes first.
    NaN is read as minus infinity for a right item, as plus infinity for a wrong one.

    Args:
        scores: any order [n_row, n_gallery].
        right: identity of each item [n_gallery].
        asked: identity that each row asks for [n_row]; items of that identity are its right ones.
        k: how many items.

    >>> best_items(torch.tensor([[0.1, 0.9, 0.5, 0.9]]), torch.tensor([1, 1, 2, 2]), torch.tensor([1]), 3)
    tensor([[3, 1, 2]], dtype=torch.int32)
    """
    n_gallery = scores.shape[1]
    k = min(k, n_gallery)
    values, items = _largest(scores, min(k + 1, n_gallery))
    undecided = values.isnan().any(dim=1)
    if n_gallery > k:
        undecided |= values[:, k - 1] == values[:, k]
    values, items = values[:, :k], items[:, :k]
    for rows in undecided.nonzero()[:, 0].split(_TILE):
        values[rows], items[rows] = _decide(scores[rows], right == asked[rows, None], k)
    again = (undecided | (values[:, 1:] == values[:, :-1]).any(dim=1)).nonzero()[:, 0]
    items[again] = _ordered(values[again], items[again], right, asked[again])
    return items.int()


def choose(queries: Mapping[str, Any], n: int) -> dict[str, list[int]]:
    """Return `n` text queries each of the `best`, `median` and `worst`, by rank of the first right image, then AP.

    No identity comes twice; with few identities the lists are shorter. Equal results keep the order of the test.

    >>> rank = np.array([1, 9, 1, 4, 2])
    >>> choose({"t2i/rank": rank, "t2i/AP": 1 / rank, "t2i/identity": np.array([7, 8, 7, 9, 6])}, 1)
    {'best': [0], 'median': [4], 'worst': [1]}
    """
    order = np.lexsort((-np.asarray(queries["t2i/AP"]), np.asarray(queries["t2i/rank"])))
    from_middle = np.argsort(np.abs(np.arange(len(order)) - len(order) // 2), kind="stable")
    walks = {"best": order, "worst": order[::-1], "median": order[from_middle]}
    rest = {name: iter(walk.tolist()) for name, walk in walks.items()}
    identities = np.asarray(queries["t2i/identity"]).tolist()
    chosen: dict[str, list[int]] = {"best": [], "median": [], "worst": []}
    seen: set[int] = set()
    for _ in range(n):
        for name, walk in rest.items():
            query = next((query for query in walk if identities[query] not in seen), None)
            if query is not None:
                seen.add(identities[query])
                chosen[name].append(query)
    return chosen


def _ordered(values: Tensor, items: Tensor, right: Tensor, asked: Tensor) -> Tensor:
    """Return the items of each row by value, then wrong before right, then by place."""
    order = items.argsort(dim=1)
    is_right = (right[items] == asked[:, None]).byte()
    order = order.gather(1, is_right.gather(1, order).argsort(dim=1, stable=True))
    order = order.gather(1, values.gather(1, order).argsort(dim=1, descending=True, stable=True))
    return items.gather(1, order)


def _largest(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the k largest scores of each row, NaN before all, and their items, as `topk` does.

    A row is read once, for the largest score of each block of its items: the k blocks of the largest of those hold
    the k largest scores. A block takes every n-th item, so that many are compared at once.
    """
    n_gallery = scores.shape[1]
    depth = int((n_gallery / k) ** 0.5)
    if depth < _SHALLOW:
        return scores.topk(k, dim=1)
    n_block = n_gallery // depth
    in_blocks = scores[:, : depth * n_block].unflatten(1, (depth, n_block))
    block = in_blocks.amax(dim=1).topk(k, dim=1, sorted=False).indices
    place = torch.arange(n_gallery, device=scores.device)
    below = place[: depth * n_block : n_block, None] + block[:, None, :]
    beyond = place[depth * n_block :].expand(len(scores), -1)
    items = torch.cat([below.flatten(1), beyond], dim=1)
    values, found = scores.gather(1, items).topk(k, dim=1)
    return values, items.gather(1, found)


def _decide(scores: Tensor, right: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return values and items of the k best where the k-th best score is tied or some are not numbers."""
    infinity = torch.full_like(scores, torch.inf)
    scores = scores.where(~scores.isnan(), infinity.where(~right, -infinity))
    limit = scores.topk(k, dim=1).values[:, -1:]
    place = torch.arange(scores.shape[1], device=scores.device)
    lot = torch.where(scores == limit, 1 + right.long(), torch.where(scores > limit, 0, 3))
    items = (lot * len(place) + place).topk(k, dim=1, largest=False).indices
    return scores.gather(1, items), items
