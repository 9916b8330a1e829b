"""Mixtures of adapters: what a router merges to, who is picked, and what is noted of it."""

import pytest
import torch

from harness.clip.injection import TowerShape
from harness.clip.injection.mixtures import Mixture, Mixtures, Router

WIDTH, N_EXPERTS = 12, 4


@pytest.fixture
def mixture():
    """Return a mixture of four adapters, two of which act on a token, with lively weights."""
    torch.manual_seed(0)
    made = Mixture(WIDTH, bottleneck=3, n_experts=N_EXPERTS, top_k=2)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_()
    return made


@pytest.fixture
def u():
    return torch.randn(2, 5, WIDTH, generator=torch.Generator().manual_seed(1))


def test_a_router_scores_by_token_and_by_prompt_and_folded_gives_the_same_bits(u):
    router = Router(WIDTH, N_EXPERTS)
    with torch.no_grad():
        router.domain_share.fill_(0.3)
        by_hand = 0.7 * u @ router.token.weight.T + 0.3 * router.domain.weight @ router.prompt
        torch.testing.assert_close(router(u), by_hand)
        folded = router.folded()
        assert torch.equal(folded(u), router(u))
    kept, before = (sum(p.numel() for p in each.parameters()) for each in (folded, router))
    assert before - kept == router.saved()


def test_only_the_picked_act_and_learn(mixture, u):
    """With one token a mixture is a weighted sum of two adapters; the others get no gradient."""
    token = u[:1, :1]
    made, (gates, counts) = mixture(token)
    picked = counts[0].nonzero()[:, 0].tolist()
    assert len(picked) == 2
    normed = mixture.norm(token)[0, 0]
    scores = mixture.router(normed)
    torch.testing.assert_close(gates[0], scores.softmax(0))
    down, up = (
        mixture.down.weight.unflatten(0, (N_EXPERTS, -1)),
        mixture.up.weight.unflatten(1, (N_EXPERTS, -1)),
    )
    low = [down[i] @ normed + mixture.down.bias.unflatten(0, (N_EXPERTS, -1))[i] for i in picked]
    outputs = [
        up[:, i] @ each.relu() + mixture.up_bias.weight[:, i] for i, each in zip(picked, low, strict=True)
    ]
    torch.testing.assert_close(made[0, 0], scores[picked].softmax(0) @ torch.stack(outputs))
    made.sum().backward()
    learned = mixture.up_bias.weight.grad.abs().sum(0).nonzero()[:, 0].tolist()
    assert learned == picked


def test_routing_is_a_mean_over_the_tokens_of_each_row(mixture, u):
    _, (gates, counts) = mixture(u)
    assert gates.shape == counts.shape == (2, N_EXPERTS)
    torch.testing.assert_close(gates.sum(1), torch.ones(2))
    torch.testing.assert_close(counts.sum(1), torch.full((2,), 2.0))
    torch.testing.assert_close(counts, (5 * counts).round() / 5)


def test_routings_are_noted_in_order_and_only_when_asked(u):
    mixtures = Mixtures(TowerShape(2, WIDTH), scale=0.5, n_experts=N_EXPERTS, top_k=1, reduction=4)
    with mixtures.noting() as noted:
        for layer in range(2):
            mixtures.beside_mlp(layer, u)
    mixtures.beside_mlp(0, u)
    assert [gates.shape for gates, _ in noted] == [(2, N_EXPERTS)] * 2
    for (gates, _), mixture in zip(noted, mixtures.layers, strict=True):
        assert torch.equal(gates, mixture(u)[1][0])
