"""Gradient caching on a small stand-in: any part size, features without a gradient, other processes, chance."""

from contextlib import contextmanager

import pytest
import torch

from harness.method_parts.batch import Batch, Losses
from harness.train.gradient_cache import GradientCache

N = 7


class Small(torch.nn.Module):
    """Maps pixels to features, one of whole numbers and one that no loss reads; a scale is trained by the losses."""

    def __init__(self, dropout=0.0):
        super().__init__()
        self.map, self.unread = torch.nn.Linear(3, 4), torch.nn.Linear(3, 2)
        self.scale = torch.nn.Parameter(torch.tensor(2.0))
        self.dropout = dropout
        self.rows = []

    def features(self, batch):
        self.rows.append((len(batch.images), torch.is_grad_enabled()))
        mapped = torch.nn.functional.dropout(self.map(batch.images), self.dropout)
        return {"row": mapped, "sign": batch.images[:, 0].round().long(), "unread": self.unread(batch.images)}

    def losses(self, features, batch):
        rows = features["row"]
        alike = (rows @ rows.T * self.scale).logsumexp(dim=1).mean()
        return Losses({"alike": alike, "signs": (rows.sum(dim=1) * features["sign"]).mean()}, {"signs": 0.5})

    def forward(self, batch, rest=None):
        features = self.features(batch)
        return self.losses(features, batch) if rest is None else rest(features)


@pytest.fixture
def batch():
    torch.manual_seed(3)
    return Batch(torch.randn(N, 3) * 2, None, torch.arange(N))


@pytest.fixture
def method():
    torch.manual_seed(4)
    return Small()


def gradients(method):
    return {name: p.grad for name, p in method.named_parameters() if p.grad is not None}


def step(method, batch, part_size, **options):
    method.zero_grad()
    cache = GradientCache(method, method, part_size, **options)
    losses = cache.step(batch, lambda total: total.backward())
    return losses, gradients(method)


@pytest.mark.parametrize("part_size", [1, 2, 3, 6, 7, 50])
def test_parts_of_any_size_give_the_losses_and_gradients_of_the_whole(method, batch, part_size):
    whole = method(batch)
    whole.total.backward()
    expected = {name: value.clone() for name, value in gradients(method).items()}
    losses, found = step(method, batch, part_size)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6)
    for name, term in whole.terms.items():
        torch.testing.assert_close(losses.terms[name], term.detach())
        assert not losses.terms[name].requires_grad
    assert losses.weights == {"signs": 0.5}
    assert found.get("unread.weight") is None or not found["unread.weight"].any()


class Faint(Small):
    """A method whose gradients at features of half precision would be below the smallest number of that."""

    def features(self, batch):
        return {"row": self.map(batch.images).half()}

    def losses(self, features, batch):
        return Losses({"faint": features["row"].float().sum() * 1e-9})


def test_gradients_at_features_of_half_precision_do_not_vanish(batch):
    method, scale = Faint(), 2.0**20
    method.zero_grad()
    cache = GradientCache(method, method, 3)
    cache.step(batch, lambda total: (total * scale).backward())
    expected = scale * 1e-9 * batch.images.sum(dim=0)
    for row in method.map.weight.grad:
        torch.testing.assert_close(row, expected, rtol=1e-2, atol=1e-6)


def test_no_more_rows_than_a_part_have_a_graph_at_a_time(method, batch):
    step(method, batch, 3)
    assert method.rows == [(3, False), (3, False), (1, False), (3, True), (3, True), (1, True)]


def test_other_processes_are_met_in_the_last_backward_pass_alone(method, batch):
    quiet, calls = [0], []

    @contextmanager
    def no_sync():
        quiet[0] += 1
        yield
        quiet[0] -= 1

    cache = GradientCache(method, method, 2, no_sync=no_sync)
    cache.step(batch, lambda total: calls.append(quiet[0]) or total.backward())
    assert calls == [1, 1, 1, 0]


def test_both_early_passes_run_under_the_autocast_of_the_model(method, batch):
    entered = []

    @contextmanager
    def autocast():
        entered.append(len(method.rows))
        yield

    step(method, batch, 4, autocast=autocast)
    assert entered == [0, 2]


def test_chance_is_repeated_and_goes_on_from_where_the_first_pass_left_it(batch):
    torch.manual_seed(4)
    method = Small(dropout=0.5)
    torch.manual_seed(9)
    losses, found = step(method, batch, 3)
    found = {name: value.clone() for name, value in found.items()}
    after = torch.rand(1)
    method.zero_grad()
    torch.manual_seed(9)
    parts = [method.features(batch.rows(slice(start, start + 3))) for start in (0, 3, 6)]
    assert torch.equal(torch.rand(1), after)
    whole = method.losses({name: torch.cat([part[name] for part in parts]) for name in parts[0]}, batch)
    whole.total.backward()
    torch.testing.assert_close(losses.total, whole.total.detach())
    for name, value in gradients(method).items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6)
