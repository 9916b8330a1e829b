"""Prefixes: how the heads of a block read them."""

import torch

from harness.clip.injection.prefixes import Prefixes


def test_each_head_reads_its_part_of_the_prefix_before_its_own():
    prefixes = Prefixes(2, 3, 8)
    key, value = torch.randn(2, 5, 4, 6, 2)
    keys, values = prefixes.keys_and_values(1, key, value)
    for whole, own, learned in ((keys, key, prefixes.keys), (values, value, prefixes.values)):
        assert torch.equal(whole[:, :, 3:], own)
        for head in range(4):
            assert torch.equal(whole[4, head, :3], learned[1, :, 2 * head : 2 * head + 2])
    assert prefixes.keys_and_values(2, key, value)[0] is key, "a layer above the prefixes keeps what it has"
