"""A batch of IRRA in parts and in shares of several processes: masked, scored and learned from as one."""

from dataclasses import replace

import pytest
import torch
from harness.methods.irra import may_be_masked
from torch.nn.functional import pad

from harness.method_parts.cross_modal import guess_losses
from harness.train.gradient_cache import GradientCache

SHARES = {2: [[0, 1, 2], [3, 4, 5]], 4: [[0, 1], [2, 3], [4, 5], [5, 5]]}


def test_other_seeds_mask_other_words_and_the_same_seed_the_same(irra, batch):
    first, again = irra.features(batch), irra.features(batch)
    assert torch.equal(first["word_losses"], again["word_losses"])
    batch.seed += 1
    assert not torch.equal(first["word_losses"], irra.features(batch)["word_losses"])


def test_the_length_to_which_a_batch_was_cut_changes_nothing(irra, batch):
    short = irra.features(batch)
    batch.tokens = pad(batch.tokens, (0, 30))
    for name, rows in irra.features(batch).items():
        torch.testing.assert_close(rows, short[name], msg=name)


@pytest.mark.parametrize("share", [0.01, 0.5])
def test_what_an_accelerator_scores_holds_all_masked_words_and_gives_the_same(build, batch, share):
    """There, places are known from the draws, without waiting for the words."""
    irra = build("irra", backbone="shallow", n_identities=5, mask_share=share)
    whole = pad(batch.tokens, (0, irra.clip.text_length - batch.tokens.shape[1]))
    for seed in range(20):
        draws = irra.words.draw_places(*whole.shape, torch.Generator().manual_seed(seed))
        _, labels = irra.words.to_guess(whole, *draws)
        places = may_be_masked(draws[1], batch.tokens.shape[1])
        assert set(labels.flatten().nonzero()[:, 0].tolist()) <= set(places.tolist())
        assert len(places) < batch.tokens.numel()
    x = torch.randn(*whole.shape, 24)
    for found, expected in zip(
        guess_losses(irra.word_head, x, labels, places), guess_losses(irra.word_head, x, labels), strict=True
    ):
        torch.testing.assert_close(found, expected)


def gradients(method):
    return {name: p.grad.clone() for name, p in method.trainable() if p.grad is not None}


@pytest.fixture
def whole(irra, batch):
    """Return the losses and gradients of the batch on one process in one part."""
    irra.zero_grad()
    losses = irra(batch)
    losses.total.backward()
    return losses, gradients(irra)


@pytest.mark.parametrize("part_size", [1, 2, 4])
def test_gradient_caching_gives_the_whole_batch(irra, batch, whole, part_size):
    irra.zero_grad()
    losses = GradientCache(irra, irra, part_size).step(batch, torch.Tensor.backward)
    assert_same(losses, gradients(irra), whole)


def share(batch, places):
    """What one process has of a batch, captions cut to the longest of its own."""
    tokens = batch.tokens[places]
    length = int(tokens.argmax(dim=1).max()) + 1
    return replace(batch, images=batch.images[places], tokens=tokens[:, :length], places=torch.tensor(places))


def gathered(features, name, rank):
    """Rows of all processes as `gather_with_gradient` joins them: a graph stands behind those of one alone."""
    return torch.cat([of[name] if place == rank else of[name].detach() for place, of in enumerate(features)])


@pytest.mark.parametrize("n_processes", SHARES)
def test_processes_together_make_the_losses_and_gradients_of_one(irra, batch, whole, n_processes):
    shares = [share(batch, places) for places in SHARES[n_processes]]
    irra.zero_grad()
    features = [irra.features(share) for share in shares]
    for rank, own in enumerate(shares):
        losses = irra.losses({name: gathered(features, name, rank) for name in features[rank]}, own)
        losses.total.backward(retain_graph=True)
    assert_same(losses, gradients(irra), whole)


def assert_same(losses, found, whole):
    expected_losses, expected = whole
    for name, term in expected_losses.terms.items():
        torch.testing.assert_close(losses.terms[name], term, msg=name)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-5, rtol=1e-3, msg=name)
