"""Kendall's tau over pairs: by hand, and an interval that is as wide as identities and seeds make it."""

import numpy as np
import pytest

from harness.evaluate.pair_order import agreement
from harness.evaluate.per_identity import Persons
from harness.evaluate.variance import SeedVariance
from harness.metric_names import METRICS

PAIRS = [(0, 1), (0, 2), (1, 2)]


def persons(share, seeds=1, n=50, spread=0.0, key=0):
    """Return a result of `n` identities with ten queries each, whose shares spread by so much around one."""
    noise = np.random.default_rng(key).normal(size=n)
    shares = share + spread * (noise - noise.mean())
    sums = np.repeat((10 * shares)[None, :, None], len(METRICS), axis=2).repeat(seeds, axis=0)
    return Persons(np.arange(n), np.full(n, 10.0), sums, 0.0)


@pytest.mark.parametrize(
    ("shares", "tau"),
    [
        ((0.6, 0.5, 0.4), 1.0),
        ((0.4, 0.5, 0.6), -1.0),
        ((0.5, 0.6, 0.4), 1 / 3),
        ((0.5, 0.5, 0.4), 2 / 3),
    ],
)
def test_tau_is_pairs_in_order_less_pairs_in_the_other_by_all(shares, tau):
    found = agreement(PAIRS, [persons(one) for one in shares], [None] * 3)
    assert found == pytest.approx((tau, tau, tau))


def test_the_luck_of_identities_is_shared_by_results_and_widens_the_interval():
    alike = [persons(share, spread=0.3, key=1) for share in (0.52, 0.5, 0.48)]
    assert agreement(PAIRS, alike, [None] * 3) == (1.0, 1.0, 1.0)
    apart = [persons(share, spread=0.3, key=key) for key, share in enumerate((0.52, 0.5, 0.48))]
    tau, low, high = agreement(PAIRS, apart, [None] * 3)
    assert (tau, high) == (1.0, 1.0)
    assert low < 0


def test_the_luck_of_seeds_widens_the_interval_and_more_seeds_narrow_it():
    luck = SeedVariance(between=0.02**2, within=0.0, freedom=60)
    lows = {
        seeds: agreement([(0, 1)] * 1, [persons(0.53, seeds), persons(0.5, seeds)], [luck] * 2).low
        for seeds in (1, 16)
    }
    assert lows == {1: -1.0, 16: 1.0}
    none = SeedVariance(between=0.0, within=0.0, freedom=0)
    assert agreement([(0, 1)], [persons(0.53), persons(0.5)], [none, None]) == (1.0, 1.0, 1.0)


def test_the_same_results_have_the_same_interval():
    results = [persons(share, spread=0.3, key=key) for key, share in enumerate((0.52, 0.5, 0.48))]
    assert agreement(PAIRS, results, [None] * 3) == agreement(PAIRS, results, [None] * 3)
