"""Dropout inside the towers follows from the batch, for every method that has it: in parts, on several processes."""

from dataclasses import replace

import pytest
import torch

from harness.train.gradient_cache import GradientCache

DROPPING = {
    "adaptformer": {"dropout": 0.5},
    "lora": {"dropout": 0.5, "maps": "q+k+v+out+mlp"},
    "vpt": {"prompt_dropout": 0.5},
}
SIDES = {"adaptformer": ("image", "text"), "lora": ("image", "text"), "vpt": ("image",)}


@pytest.fixture(params=DROPPING)
def name(request):
    return request.param


@pytest.fixture
def method(build, name):
    """Return a method away from its start, training, with much dropout."""
    made = build(name, backbone="shallow", **DROPPING[name])
    with torch.no_grad():
        for _, parameter in made.trainable():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made.train()


def test_it_follows_from_the_batch_and_acts_in_training_alone(method, batch, name):
    first, again = method.features(batch), method.features(batch)
    other = method.features(replace(batch, seed=batch.seed + 1))
    for side in SIDES[name]:
        assert torch.equal(first[side], again[side])
        assert not torch.allclose(other[side], first[side], atol=1e-3)
    method.eval()
    for side in ("image", "text"):
        assert torch.equal(method.features(replace(batch, seed=5))[side], method.features(batch)[side])


def learned(method, step):
    method.zero_grad()
    losses = step()
    return losses.total.detach(), {name: p.grad.clone() for name, p in method.trainable()}


def whole(method, batch):
    losses = method(batch)
    losses.total.backward()
    return losses


@pytest.mark.parametrize("part_size", [1, 4])
def test_a_batch_in_parts_drops_what_the_whole_drops(method, batch, part_size):
    total, gradients = learned(method, lambda: whole(method, batch))
    cache = GradientCache(method, method, part_size)
    again, found = learned(method, lambda: cache.step(batch, torch.Tensor.backward))
    torch.testing.assert_close(again, total)
    for name, gradient in gradients.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-5, rtol=1e-3, msg=name)


def test_processes_together_drop_what_one_drops(method, batch):
    """Each cuts its captions to the longest of its own."""
    expected = method.features(batch)
    for places in ([0, 1, 2], [5, 3, 5]):
        tokens = batch.tokens[places]
        tokens = tokens[:, : int(tokens.argmax(dim=1).max()) + 1]
        share = replace(batch, images=batch.images[places], tokens=tokens, places=torch.tensor(places))
        for side, rows in method.features(share).items():
            torch.testing.assert_close(rows, expected[side][places])
