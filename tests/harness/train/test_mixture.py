"""Which pairs an epoch of a joint training has."""

from collections import Counter

import pytest
import torch

from harness.presets.resolve import resolve
from harness.train.batches import joint_order, mixed_order, quotas


@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.9, 0.1], [0.25, 0.75]])
@pytest.mark.parametrize("sizes", [[30, 10], [7, 33], [1, 39]])
def test_each_dataset_has_its_share_and_gives_every_pair_as_often_as_the_next(sizes, shares):
    order = mixed_order(sizes, shares, seed=1, epoch=2).tolist()
    assert len(order) == sum(sizes)
    counts = Counter(order)
    start = 0
    for size, quota in zip(sizes, quotas(sum(sizes), shares), strict=True):
        own = [counts[pair] for pair in range(start, start + size)]
        assert sum(own) == quota
        assert max(own) - min(own) <= 1
        start += size


def test_shares_by_size_give_each_pair_once():
    order = mixed_order([30, 10], [0.75, 0.25], seed=1, epoch=1)
    assert sorted(order.tolist()) == list(range(40))


def test_the_order_follows_from_seed_and_epoch_alone_and_mixes_the_datasets():
    one = mixed_order([300, 100], [0.5, 0.5], seed=1, epoch=1)
    assert torch.equal(one, mixed_order([300, 100], [0.5, 0.5], seed=1, epoch=1))
    assert not torch.equal(one, mixed_order([300, 100], [0.5, 0.5], seed=1, epoch=2))
    assert not torch.equal(one, mixed_order([300, 100], [0.5, 0.5], seed=2, epoch=1))
    assert 0.35 < float((one[:200] < 300).float().mean()) < 0.65
    left = set(range(300)) - set(one.tolist())
    later = set(mixed_order([300, 100], [0.5, 0.5], seed=1, epoch=2).tolist())
    assert left & later, "another epoch has other ones of a dataset that has more than its share"


def test_quotas_add_up():
    for n in (1, 7, 100):
        assert sum(quotas(n, [0.2, 0.3, 0.5])) == n


def test_an_order_of_its_own_is_made_only_where_size_does_not_decide():
    assert joint_order(resolve("linear_probe", "cuhk+icfg"), [3, 1]) is None
    assert joint_order(resolve("linear_probe", "cuhk"), [3]) is None
    config = resolve("linear_probe", "cuhk+icfg", overrides=["dataset.mixture=icfg=3,cuhk=1"])
    order = joint_order(config, [30, 10])(1)
    assert int((order < 30).sum()) == 10, "cuhk, the first, has a quarter"
