"""Gradient caching against the graph of the whole batch."""

import pytest
import torch

from harness.methods import Progress
from harness.train.gradient_cache import GradientCache

DROPOUT = {"text_dropout": 0.4, "temperature": 0.1}


def gradients(method):
    return {name: p.grad.clone() for name, p in method.trainable() if p.grad is not None}


def cached(method, batch, part_size, factor=1.0):
    method.zero_grad()
    torch.manual_seed(5)
    cache = GradientCache(method, method, part_size)
    losses = cache.step(batch, lambda total: (total * factor).backward())
    return losses, gradients(method)


def whole(method, batch, part_size):
    """The graph of all parts at once: each drawn in its turn, one loss over the joined features."""
    method.zero_grad()
    torch.manual_seed(5)
    rows = [slice(start, start + part_size) for start in range(0, batch.n_local, part_size)]
    parts = [method.features(batch.rows(part)) for part in rows]
    losses = method.losses({name: torch.cat([part[name] for part in parts]) for name in parts[0]}, batch)
    losses.total.backward()
    return losses, gradients(method)


@pytest.fixture
def tbps(build):
    method = build("tbps_clip", backbone="shallow", **DROPOUT)
    method.on_step_start(Progress(2, 0, 1, 5))
    return method.train()


@pytest.mark.parametrize("part_size", [1, 2, 4, 5])
def test_gradients_are_those_of_the_whole_batch_with_dropout_replayed(tbps, batch, part_size):
    losses, found = cached(tbps, batch, part_size)
    expected_losses, expected = whole(tbps, batch, part_size)
    assert losses.total.item() == pytest.approx(expected_losses.total.item(), rel=1e-6)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-6, rtol=1e-4, msg=name)


def test_dropout_really_acts_in_that_comparison(tbps, batch):
    _, found = cached(tbps, batch, 2)
    tbps.text_injection.attention_dropout = 0.0
    _, without = cached(tbps, batch, 2)
    assert any(not torch.allclose(found[name], without[name], rtol=1e-2) for name in found)


def test_without_chance_parts_change_nothing(build, batch):
    method = build("tbps_clip", backbone="shallow", text_dropout=0.0, temperature=0.1)
    method.zero_grad()
    method(batch).total.backward()
    expected = gradients(method)
    _, found = cached(method, batch, 2)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-6, rtol=1e-4, msg=name)


def test_a_factor_on_the_loss_is_one_on_every_gradient(tbps, batch):
    _, once = cached(tbps, batch, 2)
    _, thrice = cached(tbps, batch, 2, factor=3.0)
    for name, gradient in once.items():
        torch.testing.assert_close(thrice[name], 3 * gradient, atol=1e-6, rtol=1e-4)


def test_what_the_losses_themselves_train_learns_once(tbps, batch):
    """The temperature is met by every part's losses; its gradient is that of one batch."""
    _, found = cached(tbps, batch, 2)
    _, expected = whole(tbps, batch, 2)
    torch.testing.assert_close(found["log_scale"], expected["log_scale"], atol=1e-6, rtol=1e-5)


def test_a_later_part_holds_no_graph_of_an_earlier_one(tbps, batch):
    """Of every part alone a graph is made: no more rows go through a tower with a graph than one part has."""
    seen = []
    encode = tbps.clip.encode_image

    def watched(images, injection=None):
        if torch.is_grad_enabled():
            seen.append(len(images))
        return encode(images, injection)

    tbps.clip.encode_image = watched
    cached(tbps, batch, 2)
    assert set(seen) == {2}
    assert len(seen) == 3 * 4
