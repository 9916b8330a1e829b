"""A second stage puts its images first in its own order, and what does not fit the first stage is said."""

import numpy as np
import pytest
import torch

from harness.errors import DataError, UsageError
from harness.scoring.embedded import Embedded
from harness.scoring.matrix import Matrix
from harness.scoring.orders import Order
from harness.scoring.ranked import Labels, rank_matrix
from harness.scoring.second_stage import SecondStage, TwoStages, read_second_stage, told_of
from harness.scoring.told import told

N_CAPTION, N_IMAGE, K = 12, 9, 4


def stages(tmp_path, scale=1.0, dtype="<f4"):
    """A first stage in a file, the first K of each caption, and their new scores, of which some are equal."""
    draws = np.random.default_rng(3)
    first = (draws.normal(size=(N_CAPTION, N_IMAGE)) * scale).astype(dtype)
    first.tofile(tmp_path / "m")
    items = np.argsort(-first, axis=1)[:, :K]
    scores = draws.integers(0, 3, size=(N_CAPTION, K)).astype(np.float32)
    second = SecondStage(tmp_path / "r.npz", items, scores)
    return first, second, TwoStages(Matrix(tmp_path / "m", 0, dtype, first.shape), second)


@pytest.mark.parametrize(("scale", "dtype"), [(1.0, "<f4"), (1e7, "<f4"), (1e-6, "<f2"), (1e9, "<f8")])
def test_the_items_stand_first_in_their_new_order_and_all_else_stays(tmp_path, scale, dtype):
    first, second, both = stages(tmp_path, scale, dtype)
    rows = np.concatenate([block for _, block in both.blocks(0)])
    for old, new, items, scores in zip(
        first.astype(np.float64), rows, second.items, second.scores, strict=True
    ):
        rest = np.setdiff1d(np.arange(N_IMAGE), items)
        assert np.array_equal(new[rest], old[rest].astype(new.dtype))
        assert new[items].min() > new[rest].max()
        assert np.array_equal(
            np.sign(np.subtract.outer(new[items], new[items])), np.sign(np.subtract.outer(scores, scores))
        )
    columns = np.concatenate([block for _, block in both.blocks(1)])
    assert np.array_equal(columns, first.T.astype(columns.dtype))
    assert (
        both.note()
        == "the first 4 images of each caption ranked again; image to text by the first stage alone"
    )


def test_the_ranks_are_those_of_sorting_by_hand(tmp_path):
    labels = Labels(torch.arange(N_CAPTION) % 3, torch.arange(N_IMAGE) % 3)
    generator = torch.Generator().manual_seed(1)
    image, text = torch.randn(N_IMAGE, 5, generator=generator), torch.randn(N_CAPTION, 5, generator=generator)
    first = (text @ image.T).numpy()
    items = np.argsort(-first, axis=1)[:, :K]
    second = SecondStage(tmp_path / "r", items, np.random.default_rng(2).normal(size=(N_CAPTION, K)))
    order = Order(torch.arange(N_CAPTION), torch.arange(N_IMAGE), given=True)
    found, _ = rank_matrix(TwoStages(Embedded(text, image), second), labels, order, "s")
    for row in range(N_CAPTION):
        again = items[row][np.argsort(-second.scores[row])]
        rest = [place for place in np.argsort(-first[row]) if place not in again]
        right = [int(labels.images[place]) == row % 3 for place in (*again, *rest)]
        assert int(found["t2i"].first_rank[row]) == 1 + right.index(True)


def test_items_that_are_not_the_first_are_counted_and_most_of_them_are_an_error(tmp_path):
    _, second, both = stages(tmp_path)
    second.items[:3] = np.argsort(np.concatenate([block for _, block in both.first.blocks(0)]), axis=1)[
        :3, :K
    ]
    list(both.blocks(0))
    assert both.note().endswith("; for 3 captions they are not the first stage's")
    turned = TwoStages(both.first, SecondStage(second.file, second.items[::-1], second.scores))
    list(turned.blocks(0))
    with pytest.raises(
        DataError, match=r"expected the 4 images that the first stage ranks first, found others for"
    ):
        turned.note()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scores": np.zeros((3, 3))}, "expected as many scores as items, found 3 and 2"),
        ({"scores": np.array([[0, 1], [np.inf, 0], [0, 0]])}, "expected finite scores, found 1 that are not"),
        ({"items": np.array([[0, 5], [0, 1], [0, 1]])}, "whole numbers from 0 to 4"),
        ({"items": np.array([[0, -1], [0, 1], [0, 1]])}, "whole numbers from 0 to 4"),
        ({"items": np.array([[0, 0.5], [0, 1], [0, 1]])}, "whole numbers from 0 to 4"),
        ({"items": np.array([[0, 1], [3, 3], [0, 1]])}, "found one twice for caption 1"),
        ({"items": np.zeros((2, 2))}, "has the shape 2 x 2: expected 3 rows"),
        ({"items": np.zeros((3, 6)), "scores": np.zeros((3, 6))}, "up to 5 values"),
    ],
)
def test_what_is_no_ranking_is_one_line(tmp_path, change, said):
    good = {"items": np.array([[0, 1], [3, 2], [4, 1]]), "scores": np.zeros((3, 2))}
    np.savez(tmp_path / "r.npz", **good)
    assert read_second_stage(tmp_path / "r.npz", 3, 5).items.tolist() == good["items"].tolist()
    np.savez(tmp_path / "r.npz", **good | change)
    with pytest.raises(DataError, match=said) as raised:
        read_second_stage(tmp_path / "r.npz", 3, 5)
    assert "\n" not in str(raised.value)


def test_k_is_told_by_the_file(tmp_path):
    _, second, _ = stages(tmp_path)
    known = told_of(told(method="RaSa", rerank_seconds=0.5), second)
    assert known.tags["harness.reranked"] == "the first 4, 0.5 s a query"
    assert told_of(told(method="RaSa"), None).reranked is None
    with pytest.raises(UsageError, match=r"--reranked 8 is told, but .* has 4"):
        told_of(told(method="RaSa", reranked=8), second)
