"""The best-scored items of each query against a sort of whole rows: ties, missing numbers, galleries of all sizes."""

import math

import pytest
import torch

from harness.evaluate.top_items import best_items


def naive(scores, right, asked, k):
    """Return the items of the k best scores of each row by sorting all of them."""
    found = []
    for row, identity in zip(scores.tolist(), asked.tolist(), strict=True):
        own = [one == identity for one in right.tolist()]
        read = [
            (-math.inf if mine else math.inf) if math.isnan(score) else score
            for score, mine in zip(row, own, strict=True)
        ]
        found.append(sorted(range(len(row)), key=lambda item: (-read[item], own[item], item))[:k])
    return found


@pytest.mark.parametrize("n_gallery", [1, 9, 40, 203, 1000])
@pytest.mark.parametrize("levels", [3, 50, 10**6])
@pytest.mark.parametrize("missing", [0.0, 0.02])
def test_they_are_those_of_a_whole_sort(n_gallery, levels, missing):
    chance = torch.Generator().manual_seed(n_gallery + levels)
    scores = torch.randint(-levels, levels, (20, n_gallery), generator=chance) / levels
    scores[torch.rand(scores.shape, generator=chance) < missing] = torch.nan
    right = torch.randint(0, max(1, n_gallery // 5), (n_gallery,), generator=chance)
    asked = right[torch.randint(0, n_gallery, (20,), generator=chance)]
    for k in (1, 2, 10):
        found = best_items(scores, right, asked, k)
        assert found.dtype == torch.int32
        assert found.tolist() == naive(scores, right, asked, k)
