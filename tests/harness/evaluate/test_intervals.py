"""Intervals and tests against loops, hand-worked examples and simulations."""

import math

import numpy as np
import pytest
from scipy import stats

from harness.errors import DataError
from harness.evaluate.intervals import (
    bootstrap_intervals,
    cluster_sums,
    holm,
    intra_identity_correlation,
    resampled_ratios,
    satterthwaite,
    seed_summary,
    share_bounds,
)


def bootstrap_interval(values, identities, **options):
    """Return the interval of one column of values."""
    return bootstrap_intervals(np.asarray(values, dtype=float)[:, None], identities, **options)[0]


def unequal(rng, n_identity=40, rho=0.4):
    """Draw normal values of persons with 1 to 9 queries each: values and identities."""
    sizes = rng.integers(1, 10, n_identity)
    identities = np.repeat(rng.permutation(1000)[:n_identity], sizes)
    person = np.repeat(rng.normal(0, math.sqrt(rho), n_identity), sizes)
    return person + rng.normal(0, math.sqrt(1 - rho), len(identities)), identities


def test_sums_of_identities_are_those_of_a_loop():
    rng = np.random.default_rng(0)
    values, identities = rng.random((30, 2)), rng.integers(-4, 5, 30)
    sums, sizes = cluster_sums(values, identities)
    for row, size, name in zip(sums, sizes, sorted(set(identities.tolist())), strict=True):
        assert row.tolist() == pytest.approx(values[identities == name].sum(axis=0).tolist())
        assert size == (identities == name).sum()


@pytest.mark.parametrize(("values", "identities"), [([], []), ([1.0], [1, 2])])
def test_values_that_fit_no_identities_are_an_error(values, identities):
    with pytest.raises(DataError, match="one each"):
        cluster_sums(values, identities)


def test_the_bootstrap_is_that_of_a_loop_over_drawn_persons():
    rng = np.random.default_rng(1)
    values, identities = unequal(rng)
    interval = bootstrap_interval(values, identities, replicates=4000, seed=3)
    groups = [values[identities == name] for name in np.unique(identities)]
    drawn = np.random.default_rng(3).integers(len(groups), size=(4000, len(groups)))
    figures = [np.concatenate([groups[i] for i in row]).mean() for row in drawn]
    assert interval.estimate == pytest.approx(values.mean())
    assert [interval.low, interval.high] == pytest.approx(np.quantile(figures, [0.025, 0.975]).tolist())


def test_drawing_in_pieces_keeps_the_share_of_every_person(monkeypatch):
    monkeypatch.setattr("harness.evaluate.intervals._DRAWN_AT_ONCE", 70)
    sums, sizes = np.eye(10), np.ones(10)
    ratios = resampled_ratios(sums, sizes, replicates=2003)
    assert ratios.shape == (2003, 10)
    np.testing.assert_allclose(ratios.sum(axis=1), 1)
    np.testing.assert_allclose(ratios.mean(axis=0), 0.1, atol=0.01)
    np.testing.assert_allclose(ratios.var(axis=0), 0.09 / 10, rtol=0.15)


def test_persons_make_wider_intervals_than_queries():
    rng = np.random.default_rng(0)
    values, identities = unequal(rng, n_identity=100, rho=0.6)
    persons = bootstrap_interval(values, identities, replicates=2000)
    queries = bootstrap_interval(values, np.arange(len(values)), replicates=2000)
    assert persons.high - persons.low > 1.4 * (queries.high - queries.low)


def test_without_likeness_the_interval_is_that_of_a_mean():
    rng = np.random.default_rng(0)
    values = rng.normal(size=800)
    interval = bootstrap_interval(values, np.arange(800))
    half = 1.96 * values.std() / math.sqrt(800)
    assert (interval.high - interval.low) / 2 == pytest.approx(half, rel=0.05)


def test_columns_share_their_draws():
    rng = np.random.default_rng(0)
    values, identities = unequal(rng)
    both = bootstrap_intervals(np.stack([values, -values], axis=1), identities, replicates=500)
    alone = bootstrap_interval(values, identities, replicates=500)
    assert [both[0].low, both[0].high] == pytest.approx([alone.low, alone.high])
    assert both[1].low == pytest.approx(-both[0].high)


def test_one_person_allows_no_interval():
    interval = bootstrap_interval([0.0, 1.0], [4, 4])
    assert interval.estimate == 0.5
    assert math.isnan(interval.low)
    assert math.isnan(seed_summary([[0.0, 1.0], [0.0, 1.0]], [4, 4]).low)


def test_a_wider_level_gives_a_wider_interval():
    values, identities = unequal(np.random.default_rng(0))
    narrow = bootstrap_interval(values, identities, level=0.8, replicates=1000)
    wide = bootstrap_interval(values, identities, level=0.99, replicates=1000)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_correlation_is_that_of_the_analysis_of_variance():
    """For equal sizes the estimator follows from the F statistic: (F - 1) / (F + size - 1)."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(30, 5)) + rng.normal(size=(30, 1))
    f = stats.f_oneway(*values).statistic
    got = intra_identity_correlation(values.ravel(), np.repeat(np.arange(30), 5))
    assert got == pytest.approx((f - 1) / (f + 4))


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.8])
def test_correlation_finds_what_was_simulated(rho):
    rng = np.random.default_rng(5)
    found = [intra_identity_correlation(*unequal(rng, 300, rho)) for _ in range(40)]
    assert np.mean(found) == pytest.approx(rho, abs=0.025)


@pytest.mark.parametrize(
    ("values", "identities"), [([1, 1, 1], [1, 1, 2]), ([1, 0, 1], [1, 2, 3]), ([1, 0], [1, 1])]
)
def test_correlation_is_zero_where_it_cannot_be_told(values, identities):
    assert intra_identity_correlation(values, identities) == 0


def test_equal_values_of_each_person_correlate_fully():
    assert intra_identity_correlation([0.2, 0.2, 0.7, 0.7, 0.7], [1, 1, 2, 2, 2]) == pytest.approx(1)


def test_holm_is_that_of_a_hand_worked_example():
    """Sorted .005 .01 .03 .04 times 4 3 2 1 is .02 .03 .06 .04; the last may not fall below the third."""
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]).tolist() == [1, 1]
    assert holm([]).tolist() == []


def test_one_seed_speaks_of_persons_alone():
    values, identities = unequal(np.random.default_rng(0), n_identity=300)
    summary = seed_summary(values[None], identities)
    interval = bootstrap_interval(values, identities)
    assert summary.estimate == pytest.approx(interval.estimate)
    assert summary.seed_error == 0
    assert summary.freedom == pytest.approx(299)
    assert summary.high - summary.low == pytest.approx(interval.high - interval.low, rel=0.05)


def test_seeds_alone_give_the_t_interval_of_their_means():
    """Where all persons are equal, only seeds vary."""
    means = np.array([0.5, 0.6, 0.7])
    summary = seed_summary(np.repeat(means[:, None], 20, axis=1), np.arange(20))
    low, high = stats.t.interval(0.95, 2, loc=0.6, scale=stats.sem(means))
    assert [summary.low, summary.high] == pytest.approx([low, high])
    assert summary.identity_error == pytest.approx(0)


def test_seeds_and_persons_add_up_with_satterthwaites_freedom():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, 50)) + rng.normal(size=(3, 1)) * 1.0
    summary = seed_summary(values, np.arange(50))
    persons, between = values.mean(axis=0).var(ddof=1) / 50, values.mean(axis=1).var(ddof=1) / 3
    chance = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
    within = (chance**2).sum() / (2 * 49) / 50 / 3
    seeds = between - within
    assert seeds > 0
    freedom = (persons + seeds) ** 2 / (persons**2 / 49 + between**2 / 2 + within**2 / (2 * 49))
    half = stats.t.ppf(0.975, freedom) * math.sqrt(persons + seeds)
    assert summary.freedom == pytest.approx(freedom)
    assert (summary.high - summary.low) / 2 == pytest.approx(half)


def test_chance_that_persons_already_bring_is_not_counted_again_as_seeds():
    rng = np.random.default_rng(3)
    values = (rng.random((4, 200)) < 0.5).astype(float)
    assert seed_summary(values, np.arange(200)).seed_error < values.mean(axis=1).std(ddof=1) / 2
    same = np.tile(values[0], (4, 1))
    assert seed_summary(same, np.arange(200)).seed_error == 0


@pytest.mark.parametrize("n", [5, 40])
def test_a_share_of_nought_or_all_is_as_sure_as_that_many_persons_make_it(n):
    none, all_ = (bootstrap_interval(np.full(n, value), np.arange(n)) for value in (0.0, 1.0))
    exact = stats.binomtest(0, n).proportion_ci(0.95, "exact")
    assert share_bounds(none, n) == pytest.approx((exact.low, exact.high))
    assert share_bounds(all_, n) == pytest.approx((1 - exact.high, 1.0))
    between = bootstrap_interval(np.arange(n) % 2, np.arange(n))
    assert share_bounds(between, n) == (between.low, between.high)


def test_an_interval_is_never_wider_than_its_least_sure_estimate_makes_it():
    assert satterthwaite(0.5, [(0.1, 200), (1.0, 1), (0.6, 200)]) == 1
    assert satterthwaite(2.0, [(1.0, 10), (1.0, 10)]) == 20
    assert satterthwaite(0.0, [(0.0, 3)]) == float("inf")


def hits(rng, n_seed, n_identity, n_caption, seed_spread):
    """Simulate hits [n_seed, n_query] at 60 %: persons differ (correlation .3), and so do seeds."""
    person = rng.beta(0.6 * 7 / 3, 0.4 * 7 / 3, n_identity)
    level = person[None] + rng.normal(0, seed_spread, (n_seed, 1))
    outcome = rng.random((n_seed, n_identity, n_caption)) < level[:, :, None]
    return outcome.reshape(n_seed, -1).astype(float), np.repeat(np.arange(n_identity), n_caption)


@pytest.mark.slow
def test_the_bootstrap_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(1000):
        values, identities = hits(rng, 1, 200, 10, 0.0)
        interval = bootstrap_interval(values[0], identities, replicates=1000)
        held += interval.low <= 0.6 <= interval.high
    assert 0.93 <= held / 1000 <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize(("n_seed", "seed_spread"), [(1, 0.0), (3, 0.02), (5, 0.008)])
def test_seeds_and_persons_together_hold_the_truth_as_often_as_they_say(n_seed, seed_spread):
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(1000):
        values, identities = hits(rng, n_seed, 200, 6, seed_spread)
        summary = seed_summary(values, identities)
        held += summary.low <= 0.6 <= summary.high
    assert 0.93 <= held / 1000 <= 0.97
