"""Scores in a file rank as the harness ranks them in memory, whatever their order in the file."""

import numpy as np
import pytest
import torch

from harness.evaluate.ranking import rank_by
from harness.scoring import matrix as module
from harness.scoring.embedded import Embedded
from harness.scoring.matrix import Matrix
from harness.scoring.orders import Order
from harness.scoring.ranked import Labels, rank_matrix


def problem(n_caption=47, n_image=30, n_identity=9):
    generator = torch.Generator().manual_seed(4)
    images = torch.arange(n_image) % n_identity
    captions = torch.randint(0, n_identity, (n_caption,), generator=generator)
    scores = torch.randn(n_caption, n_image, generator=generator)
    scores += 1.5 * (captions[:, None] == images)
    return scores.mul(4).round().div(4), Labels(captions, images)


@pytest.mark.parametrize("by_image", [False, True])
@pytest.mark.parametrize("shuffled", [False, True])
def test_both_directions_are_those_of_the_whole_matrix_in_memory(tmp_path, monkeypatch, by_image, shuffled):
    monkeypatch.setattr(module, "_BLOCK_BYTES", 1_500)
    scores, labels = problem()
    generator = torch.Generator().manual_seed(6)
    order = Order(
        *(torch.randperm(n, generator=generator) if shuffled else torch.arange(n) for n in scores.shape)
    )
    theirs = scores[order.captions][:, order.images]
    (theirs.T if by_image else theirs).contiguous().numpy().tofile(tmp_path / "m")
    heard = []
    found, seen = rank_matrix(
        Matrix(tmp_path / "m", 0, "<f4", tuple(scores.shape), by_image=by_image),
        labels,
        order,
        "m",
        lambda *count: heard.append(count),
    )
    for way, rows, asked, gallery in (
        ("t2i", scores, labels.captions, labels.images),
        ("i2t", scores.T.contiguous(), labels.images, labels.captions),
    ):
        own = rank_by(lambda at, rows=rows: rows[at], asked, gallery, top=10)
        assert torch.equal(found[way].first_rank, own.first_rank)
        assert torch.equal(found[way].n_right, own.n_right)
        for name in ("ap", "inp"):
            assert torch.allclose(getattr(found[way], name), getattr(own, name), rtol=0, atol=1e-12), (
                way,
                name,
            )
        best = rows.gather(1, own.top.long())
        assert torch.equal(rows.gather(1, found[way].top.long()), best)
    assert heard[-1] == (sum(scores.shape), sum(scores.shape))
    assert len(heard) > 4
    assert seen.tied == int((seen.right == seen.wrong).sum()) > 0


def test_embeddings_give_blocks_of_their_products():
    text, image = torch.randn(300, 8), torch.randn(20, 8)
    embedded = Embedded(text, image)
    for axis, whole in ((0, text @ image.T), (1, image @ text.T)):
        rows = np.concatenate([block for _, block in embedded.blocks(axis)])
        assert np.allclose(rows, whole.numpy(), atol=1e-6)
