"""k-reciprocal re-ranking agrees with a dense computation by hand, and its result is flagged and recorded."""

import numpy as np
import pytest
import torch

from harness.errors import UsageError
from harness.scoring.embedded import Embedded
from harness.scoring.k_reciprocal import KReciprocal, Neighbours
from harness.scoring.orders import Order
from harness.scoring.ranked import Labels, rank_matrix


def rows(n, centres, noise, generator):
    of = torch.arange(n) % len(centres)
    return torch.nn.functional.normalize(
        centres[of] + noise * torch.randn(n, centres.shape[1], generator=generator), dim=1
    )


def embedded(n_caption=90, n_image=60, persons=12, noise=0.8, apart=2.0):
    """Captions and images of persons, the two kinds apart from one another as those of CLIP are."""
    generator = torch.Generator().manual_seed(3)
    centres = torch.randn(persons, 16, generator=generator)
    gap = apart * torch.randn(16, generator=generator)
    return Embedded(
        rows(n_caption, centres + gap, noise, generator), rows(n_image, centres - gap, noise, generator)
    )


def by_hand(first, k1, k2, weight):
    """Write all sets and vectors out, densely and one at a time; return the new distances [n_caption, n_image]."""
    text, image = first.text.double().numpy(), first.image.double().numpy()
    cross, own = 2 - 2 * text @ image.T, 2 - 2 * image @ image.T
    near = [[g, *(h for h in np.argsort(own[g]) if h != g)] for g in range(len(image))]

    def r(g, k):
        return {h for h in near[g][: k + 1] if g in near[h][: k + 1]}

    def star(found):
        grown = set(found)
        for c in found:
            half = r(c, round(k1 / 2))
            if len(found & half) >= 2 / 3 * len(half):
                grown |= half
        return grown

    def vector(found, distances):
        code = np.zeros(len(image))
        for g in star(found):
            code[g] = np.exp(-distances[g] / distances.max())
        return code / code.sum() if found else code

    codes = np.array([vector(r(g, k1), own[g]) for g in range(len(image))])
    means = np.array([codes[near[g][:k2]].mean(axis=0) for g in range(len(image))])
    new = np.zeros_like(cross)
    for q in range(len(text)):
        ranked = np.argsort(cross[q])
        found = {int(g) for g in ranked[:k1] if q in np.argsort(cross[:, g])[:k1]}
        code = np.mean([vector(found, cross[q]), *codes[ranked[: k2 - 1]]], axis=0)
        for g in range(len(image)):
            jaccard = 1 - np.minimum(code, means[g]).sum() / np.maximum(code, means[g]).sum()
            new[q, g] = (1 - weight) * jaccard + weight * cross[q, g] / cross[q].max()
    return new


def again(first, **settings):
    return np.concatenate([block for _, block in KReciprocal(first, Neighbours(**settings)).blocks(0)])


@pytest.mark.parametrize(
    ("k1", "k2", "weight"), [(20, 6, 0.3), (7, 3, 0.0), (5, 1, 0.5), (2, 2, 0.3), (1, 1, 0.9), (12, 6, 1.0)]
)
def test_it_is_what_comes_out_by_hand(k1, k2, weight):
    first = embedded()
    found = -again(first, k1=k1, k2=k2, weight=weight)
    assert found == pytest.approx(by_hand(first, k1, k2, weight), abs=2e-6)


@pytest.mark.parametrize(("n_caption", "n_image"), [(300, 30), (25, 280)])
def test_blocks_of_any_number_of_rows_agree_with_it(n_caption, n_image):
    first = embedded(n_caption, n_image)
    assert -again(first, k1=10, k2=4) == pytest.approx(by_hand(first, 10, 4, 0.3), abs=2e-6)


def test_a_caption_that_no_image_asks_for_keeps_the_order_of_the_embeddings():
    first = embedded(noise=3.0)
    new = again(first, k1=1, k2=1)
    order = (first.text @ first.image.T).numpy()
    best = order.argmax(axis=1)
    alone = [q for q in range(len(order)) if order[:, best[q]].argmax() != q]
    assert len(alone) > 10
    for q in alone:
        assert np.array_equal(np.argsort(-new[q], kind="stable"), np.argsort(-order[q], kind="stable"))


def test_it_ranks_better_what_is_grouped_and_leaves_image_to_text_alone():
    first = embedded(240, 240, persons=24, noise=0.8)
    labels = Labels(torch.arange(240) % 24, torch.arange(240) % 24)
    order = Order(torch.arange(240), torch.arange(240), given=True)
    before, _ = rank_matrix(first, labels, order, "e")
    after, _ = rank_matrix(KReciprocal(first, Neighbours(k1=10, k2=4)), labels, order, "e")
    assert after["t2i"].ap.mean() > before["t2i"].ap.mean() + 0.05
    assert torch.equal(after["i2t"].ap, before["i2t"].ap)


def test_copies_of_an_image_are_neighbours_and_each_is_its_own_first():
    first = embedded(40, 20)
    image = torch.cat([first.image, first.image[:10]])
    found = again(Embedded(first.text, image), k1=6, k2=3)
    assert np.isfinite(found).all()
    assert found[:, :10] == pytest.approx(found[:, 20:], abs=0.2)


@pytest.mark.parametrize(("k1", "k2"), [(60, 6), (3, 4)])
def test_settings_that_do_not_fit_are_one_line(k1, k2):
    with pytest.raises(UsageError, match=f"--k1 {k1} and --k2 {k2} do not fit.*less than 60"):
        KReciprocal(embedded(), Neighbours(k1=k1, k2=k2))
