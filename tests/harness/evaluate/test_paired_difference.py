from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from harness.evaluate.intervals import seed_summary, summarise_sums
from harness.evaluate.paired_difference import Difference, holm, paired_difference, rank_intervals
from harness.evaluate.variance import seed_variance, shared


def sums(seed, n_seed=3, n_identity=30, shift=0.0):
    """Return sums [n_seed, n_identity] of persons with unequal numbers of queries, and those numbers."""
    rng = np.random.default_rng(seed)
    sizes = np.random.default_rng(0).integers(1, 7, n_identity).astype(float)
    return (rng.random((n_seed, n_identity)) + shift) * sizes, sizes


def naive(a, b, sizes):
    """The same by loops: variance of the paired differences over persons, plus that of each side's seeds."""
    n, total = len(sizes), sum(sizes)
    gaps = [sum(row[i] for row in a) / len(a) - sum(row[i] for row in b) / len(b) for i in range(n)]
    mean = sum(gaps) / total
    persons = sum((gaps[i] - sizes[i] * mean) ** 2 for i in range(n)) / total**2 * n / (n - 1)
    variance = limit = persons
    squares, fewest = persons**2 / (n - 1), n - 1
    for side in (a, b):
        seeds, k = range(len(side)), len(side) - 1
        means = [sum(row) / total for row in side]
        centre = sum(means) / len(means)
        if k:
            spread = sum((one - centre) ** 2 for one in means) / k
            average = [sum(side[s][i] for s in seeds) / len(side) for i in range(n)]
            rest = [side[s][i] - average[i] - sizes[i] * (means[s] - centre) for s in seeds for i in range(n)]
            chance = sum(r**2 for r in rest) / k * n / (n - 1) / total**2
            most = max(spread * k / stats.chi2.ppf(0.25, k) - chance, 0) / len(side)
            variance += max(spread - chance, 0) / len(side)
            limit, squares, fewest = limit + most, squares + most**2 / k, min(fewest, k)
    return mean, variance**0.5, max(limit**2 / squares, fewest)


@pytest.mark.parametrize(("n_a", "n_b"), [(3, 3), (1, 5), (1, 1)])
def test_a_difference_is_what_the_variance_components_say(n_a, n_b):
    (a, sizes), (b, _) = sums(1, n_a, shift=0.1), sums(2, n_b)
    found = paired_difference(a, b, sizes)
    mean, error, freedom = naive(a, b, sizes)
    half = stats.t.ppf(0.975, freedom) * error
    assert (found.estimate, found.low, found.high) == pytest.approx((mean, mean - half, mean + half))
    p_value = 2 * stats.t.sf(abs(mean) / error, freedom)
    assert found.p_value == pytest.approx(p_value) if p_value >= 0.05 else p_value <= found.p_value < 0.05
    assert found.freedom == pytest.approx(freedom)


def test_the_p_value_and_the_interval_say_the_same():
    for seed in range(40):
        (a, sizes), (b, _) = sums(seed, 2, shift=0.08), sums(seed + 100, 2)
        found = paired_difference(a, b, sizes)
        assert (found.p_value < 0.05) == (found.low > 0 or found.high < 0)


def test_a_true_difference_as_large_as_the_detectable_one_is_seen_in_four_of_five_comparisons():
    rng, n = np.random.default_rng(5), 200
    sizes, truth = np.full(n, 5.0), 0.05
    seen, detectable = [], []
    for _ in range(400):
        base = rng.random(n)
        a, b = (base + rng.normal(0, 0.2, n) + shift for shift in (truth, 0.0))
        found = paired_difference(a[None] * 5, b[None] * 5, sizes)
        detectable.append(found.detectable)
        seen.append(
            paired_difference((a - truth + np.mean(detectable))[None] * 5, b[None] * 5, sizes).low > 0
        )
    assert np.mean(seen) == pytest.approx(0.8, abs=0.06)


def test_persons_in_common_make_a_difference_sharper_than_two_results_apart():
    (base, sizes), (noise, _) = sums(3, 1, 300), sums(4, 1, 300)
    a, b = base + 0.1 * noise, base
    paired = paired_difference(a, b, sizes)
    apart = np.hypot(summarise_sums(a, sizes).identity_error, summarise_sums(b, sizes).identity_error)
    assert paired.identity_error < apart / 3


def test_equal_results_do_not_differ_and_one_person_tells_nothing():
    a, sizes = sums(1, 1)
    same = paired_difference(a, a, sizes)
    assert (same.estimate, same.low, same.high, same.p_value) == (0, 0, 0, 1)
    alone = paired_difference(np.ones((1, 1)), np.zeros((1, 1)), np.ones(1))
    assert np.isnan([alone.low, alone.high, alone.p_value]).all()


def test_two_persons_who_differ_alike_prove_nothing():
    found = paired_difference(np.ones((1, 2)), np.zeros((1, 2)), np.ones(2))
    assert (found.estimate, found.p_value) == (1, 0.5)
    assert paired_difference(np.ones((1, 9)), np.zeros((1, 9)), np.ones(9)).p_value == 2 / 2**9


def test_summaries_from_sums_are_those_of_the_queries():
    rng = np.random.default_rng(0)
    identities = rng.integers(0, 20, 200)
    hits = (rng.random((3, 200)) < 0.4).astype(float)
    names, sizes = np.unique(identities, return_counts=True)
    added = np.stack([[row[identities == name].sum() for name in names] for row in hits])
    direct, from_sums = seed_summary(hits, identities), summarise_sums(added, sizes.astype(float))
    assert vars(direct) == pytest.approx(vars(from_sums))


def told(estimate, p_value):
    return Difference(estimate, 0.0, 0.0, 0.0, 0.0, 9.0, p_value, 0.0)


def test_ranks_count_only_what_is_told_apart_after_holm():
    rows = [
        [None, told(0.1, 0.2), told(0.3, 1e-6)],
        [None, None, told(0.2, 1e-5)],
        [None, None, None],
    ]
    assert rank_intervals(rows) == [(1, 2), (1, 2), (3, 3)]
    borderline = [[None, told(0.1, 0.03), told(0.3, 0.03)], [None, None, told(0.2, 0.03)], [None] * 3]
    assert holm([0.03] * 3).min() > 0.05
    assert rank_intervals(borderline) == [(1, 3)] * 3


def test_a_pair_that_cannot_be_compared_tells_nothing_apart():
    rows = [[None, None, told(0.3, 1e-6)], [None, None, told(float("nan"), float("nan"))], [None] * 3]
    assert rank_intervals(rows) == [(1, 2), (1, 3), (2, 3)]
    assert rank_intervals([[None]]) == [(1, 1)]
    assert rank_intervals([]) == []


def equal_methods(rng, n_method, n_seed, spread, n=200):
    """Draw equally good methods on the same persons, whose seeds differ by a standard deviation."""
    base = rng.normal(0.6, 0.2, n)
    methods = []
    for _ in range(n_method):
        own = base + rng.normal(0, 0.1, n)
        luck = rng.normal(0, 0.15, (n_seed, n))
        methods.append(own + luck + rng.normal(0, spread, (n_seed, 1)))
    return methods, np.ones(n)


@pytest.mark.slow
@pytest.mark.parametrize(("n_method", "n_seed"), [(2, 2), (2, 3), (5, 2), (5, 3)])
@pytest.mark.parametrize("spread", [0.005, 0.05])
def test_equal_methods_are_told_apart_no_more_often_than_said(n_method, n_seed, spread):
    """Few seeds, whether they hardly differ or by far more than persons make up."""
    rng, n_wrong, n_claimed, pairs = np.random.default_rng(1), 0, 0, list(combinations(range(n_method), 2))
    for _ in range(1000):
        methods, sizes = equal_methods(rng, n_method, n_seed, spread)
        seeds = shared([seed_variance(one, sizes) for one in methods])
        found = [paired_difference(methods[i], methods[j], sizes, (seeds[i], seeds[j])) for i, j in pairs]
        n_wrong += sum(one.p_value < 0.05 for one in found)
        n_claimed += holm([one.p_value for one in found]).min() <= 0.05
    assert 0.015 < n_wrong / len(pairs) / 1000 <= 0.065
    assert n_claimed / 1000 <= 0.065


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.01, 0.05])
def test_one_seed_against_five_is_told_apart_no_more_often_than_said(spread):
    rng, n_wrong = np.random.default_rng(2), 0
    for _ in range(1500):
        (many, few), sizes = equal_methods(rng, 2, 5, spread)
        seeds = shared([seed_variance(many, sizes), None])
        found = paired_difference(many, few[:1], sizes, (seeds[0], seeds[1]))
        assert not found.persons_only
        n_wrong += found.p_value < 0.05
    assert 0.03 < n_wrong / 1500 <= 0.065
