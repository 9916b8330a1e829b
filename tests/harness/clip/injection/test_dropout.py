"""Dropout that follows from the batch: what it drops, that draws are unrelated, and that nothing else decides them."""

import itertools

import pytest
import torch
from torch import nn

from harness.clip.injection.dropout import Dropout, redraw

N, LENGTH, WIDTH = 8, 40, 64


def model(n=1, share=0.25):
    """Return so many dropouts with a parameter, which says on which device they are."""
    return nn.ModuleList([*(Dropout(share) for _ in range(n)), nn.Linear(1, 1)]).train()


def kept(dropout, n=N, length=LENGTH, width=WIDTH):
    return dropout(torch.ones(n, length, width)) > 0


@pytest.mark.parametrize("share", [0.01, 0.25, 0.5, 0.9])
def test_a_share_is_dropped_and_the_rest_scaled_up(share):
    one = model(share=share)
    redraw(one, seed=1, n=64)
    x = torch.rand(64, 100, 128) + 1
    found = one[0](x)
    dropped = found == 0
    assert abs(dropped.float().mean() - share) < 5 * (share * (1 - share) / x.numel()) ** 0.5
    torch.testing.assert_close(found[~dropped], x[~dropped] / (1 - share))


def test_draws_of_rows_places_features_operations_and_steps_are_unrelated():
    several = model(3)
    masks = []
    for seed in (1, 2, 3):
        redraw(several, seed, N)
        masks.append(torch.stack([kept(dropout) for dropout in several[:3]]))
    drawn = torch.stack(masks).double() - 0.75  # [seeds, operations, rows, places, features]
    variance, size = 0.75 * 0.25, drawn.numel()
    for axis, by in itertools.product(range(5), (1, 2)):
        moved = drawn.roll(by, axis)
        bound = 5 * variance / size**0.5
        assert abs((drawn * moved).mean()) < bound, "two draws are alike"
        assert abs((drawn * moved * drawn.roll(by, 4 - axis // 4)).mean()) < 2 * bound, "three are"
    corners = drawn * drawn.roll(1, 3) * drawn.roll(1, 4) * drawn.roll((1, 1), (3, 4))
    assert abs(corners.mean()) < 5 * variance**2 / size**0.5, "the corners of rectangles are"
    for axis in (2, 3, 4):
        rest = [other for other in range(5) if other != axis]
        n = size // drawn.shape[axis]
        assert (drawn.mean(rest).abs() < 5 * (variance / n) ** 0.5).all(), (
            "one row, place or feature stands out"
        )


def test_the_same_seed_draws_the_same_and_an_evaluation_nothing():
    one = model()
    redraw(one, 1, N)
    first = kept(one[0])
    redraw(one, 2, N)
    assert not torch.equal(kept(one[0]), first)
    redraw(one, 1, N)
    torch.manual_seed(7)
    assert torch.equal(kept(one[0]), first)
    assert torch.equal(kept(one[0]), first), (
        "no state moves on: a block that is computed again drops the same"
    )
    one.eval()
    assert kept(one[0]).all()


def test_a_share_of_the_batch_draws_what_the_whole_draws():
    one = model()
    redraw(one, 1, N)
    whole = kept(one[0])
    for places in ([0, 1, 2], [5, 3, 7, 7]):
        redraw(one, 1, N, torch.tensor(places))
        assert torch.equal(kept(one[0], len(places)), whole[places])


def test_the_length_to_which_a_batch_is_cut_changes_nothing():
    one = model()
    redraw(one, 1, N)
    assert torch.equal(kept(one[0], length=11), kept(one[0])[:, :11])


def test_the_draws_of_another_batch_are_not_taken():
    one = model()
    redraw(one, 1, N)
    with pytest.raises(AssertionError, match="another batch"):
        kept(one[0], n=1)


def test_nothing_is_drawn_where_nothing_is_dropped():
    one = model(share=0.0)
    redraw(one, 1, N)
    assert one[0].keys is None
    assert kept(one[0]).all()
    assert kept(model()[0]).all(), "before the first batch nothing is dropped"
    redraw(nn.Linear(1, 1), 1, N)


def test_gradients_flow_through_what_is_kept_alone():
    one = model()
    redraw(one, 1, 2)
    x = torch.ones(2, 3, 4, requires_grad=True)
    found = one[0](x)
    found.sum().backward()
    assert torch.equal(x.grad, found.detach())
    assert (x.grad == 0).any()
