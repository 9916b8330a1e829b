"""Prefixes: how the heads of a block read them, and attention to them that is scaled after the soft-max."""

import pytest
import torch

from harness.clip.injection import Injection
from harness.clip.injection.prefixes import Prefixes, ScaledPrefixes
from harness.clip.towers.operations import attended

HEADS, LENGTH, SIZE = 2, 4, 3


def test_each_head_reads_its_part_of_the_prefix_before_its_own():
    prefixes = Prefixes(2, 3, 8)
    key, value = torch.randn(2, 5, 4, 6, 2)
    keys, values = prefixes.keys_and_values(1, key, value)
    for whole, own, learned in ((keys, key, prefixes.keys), (values, value, prefixes.values)):
        assert torch.equal(whole[:, :, 3:], own)
        for head in range(4):
            assert torch.equal(whole[4, head, :3], learned[1, :, 2 * head : 2 * head + 2])
    assert prefixes.keys_and_values(2, key, value)[0] is key, "a layer above the prefixes keeps what it has"


@pytest.fixture
def scaled():
    """Return prefixes of three keys and values in the lower of two blocks, with factors that all matter."""
    torch.manual_seed(0)
    made = ScaledPrefixes(1, 3, HEADS * SIZE, attention_scale=7.0)
    with torch.no_grad():
        for parameter in (made.keys, made.values):
            parameter.normal_()
        made.key_scale.fill_(1.5)
        made.value_scale.fill_(0.5)
    return made


@pytest.mark.parametrize("causal", [False, True])
def test_attention_to_a_prefix_is_scaled_after_the_soft_max_folded_too(scaled, causal):
    query, key, value = torch.randn(3, 2, HEADS, LENGTH, SIZE)
    keys, values = (part[0].reshape(3, HEADS, SIZE).transpose(0, 1) for part in (scaled.keys, scaled.values))
    scores = query @ torch.cat([1.5 * keys.expand(2, -1, -1, -1), key], dim=2).mT / SIZE**0.5
    if causal:
        scores[..., 3:] += torch.full((LENGTH, LENGTH), -torch.inf).triu(1)
    weights = scores.softmax(dim=-1)
    weights[..., :3] *= 7
    expected = weights @ torch.cat([0.5 * values.expand(2, -1, -1, -1), value], dim=2)
    for _ in range(2):
        found = attended(query, *scaled.keys_and_values(0, key, value), Injection(), causal=causal)
        torch.testing.assert_close(found, expected)
        assert scaled.merge(None) is scaled
    assert sum(parameter.numel() for parameter in scaled.parameters()) == 2 * 3 * HEADS * SIZE
