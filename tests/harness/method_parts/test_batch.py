"""A batch in parts, and losses added up with their weights."""

import pytest
import torch

from harness.method_parts.batch import Batch, Losses, Views


def batch(n=5, **changes):
    values = {
        "images": torch.arange(n * 3.0).reshape(n, 3),
        "tokens": torch.arange(n * 2).reshape(n, 2),
        "identities": torch.tensor([4, 4, 0, 1, 9, 9, 2]),
        "image_views": (torch.arange(n), torch.arange(n) + 10),
        "token_views": (torch.arange(n) + 20,),
        "seed": 7,
    }
    return Batch(**values | changes)


@pytest.mark.parametrize("rows", [slice(0, 5), slice(1, 3), slice(4, 9), slice(2, 2), slice(0, 5, 2)])
def test_rows_are_those_of_every_part_and_identities_stay_whole(rows):
    whole, chosen = batch(), list(range(5))[rows]
    part = whole.rows(rows)
    assert part.n_local == len(chosen)
    assert torch.equal(part.images, whole.images[chosen])
    assert torch.equal(part.tokens, whole.tokens[chosen])
    assert torch.equal(part.identities, whole.identities)
    assert [view.tolist() for view in part.image_views] == [chosen, [10 + row for row in chosen]]
    assert [view.tolist() for view in part.token_views] == [[20 + row for row in chosen]]
    assert (part.contrast_views, part.image_frozen, part.seed) == ((), None, 7)
    assert part.places.tolist() == chosen
    assert whole.n_local == 5


def test_places_in_the_global_batch_are_kept_through_parts_of_parts():
    part = batch(places=torch.tensor([1, 3, 5, 6, 0])).rows(slice(1, 5)).rows(slice(1, 3))
    assert part.places.tolist() == [5, 6]
    assert part.image_views[0].tolist() == [2, 3]


def test_cached_embeddings_take_the_place_of_pixels():
    vectors = torch.randn(3, 2)
    cached = Batch(None, None, torch.arange(3), image_frozen=vectors, text_frozen=-vectors)
    part = cached.rows(slice(2, 3))
    assert (cached.n_local, part.n_local) == (3, 1)
    assert part.images is part.tokens is None
    assert torch.equal(part.image_frozen, -part.text_frozen)


def test_losses_add_up_with_their_weights():
    first, second = torch.tensor(2.0, requires_grad=True), torch.tensor(3.0, dtype=torch.float16)
    losses = Losses({"a": first, "b": second}, {"b": 0.5, "never": 9.0})
    assert losses.total.item() == 2.0 + 0.5 * 3.0
    assert losses.total.dtype == torch.float32
    losses.total.backward()
    assert first.grad.item() == 1.0
    assert Losses({"a": first}).total.item() == 2.0
    assert Losses({"a": first}, {"a": 0.0}).total.item() == 0.0


def test_nothing_further_is_asked_for_by_default():
    assert Views() == (0, 0, 0)
    assert batch().places is None
