"""Intervals against loops, closed forms and simulations."""

import math

import numpy as np
import pytest
from scipy import stats

from harness.errors import DataError
from harness.evaluate.intervals import (
    cluster_sums,
    intra_identity_correlation,
    seed_summary,
    share_interval,
    share_intervals,
    summarise_sums,
)
from harness.evaluate.variance import SEEDLESS, SeedVariance, Variance, freedom_by_kurtosis


def share_of(values, identities, **options):
    """Return the interval of one column of values."""
    return share_intervals(np.asarray(values, dtype=float)[:, None], identities, **options)[0]


def unequal(rng, n_identity=40, rho=0.4):
    """Draw normal values of persons with 1 to 9 queries each: values and identities."""
    sizes = rng.integers(1, 10, n_identity)
    identities = np.repeat(rng.permutation(1000)[:n_identity], sizes)
    person = np.repeat(rng.normal(0, math.sqrt(rho), n_identity), sizes)
    return person + rng.normal(0, math.sqrt(1 - rho), len(identities)), identities


def unequal_hits(rng, n_identity=40, rho=0.4):
    """The same as hits of half of the queries."""
    values, identities = unequal(rng, n_identity, rho)
    return (values > 0).astype(float), identities


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


@pytest.mark.parametrize("hits", [3, 40, 77])
def test_of_one_query_each_the_interval_is_wilsons(hits):
    """With the variance p(1 - p) / n and a normal quantile it is that of the literature."""
    share, n = hits / 80, 80
    found = share_interval(share, Variance(share * (1 - share) / n, math.inf), n)
    expected = stats.binomtest(hits, n).proportion_ci(0.95, "wilson")
    assert [found.low, found.high] == pytest.approx([expected.low, expected.high])


def test_the_interval_holds_the_shares_that_lie_within_a_t_quantile_of_the_estimate():
    """At either end the distance to the estimate is t times the standard error that this share would have."""
    estimate, variance = 0.06, Variance(0.0009, 7.0)
    found = share_interval(estimate, variance, 50)
    t = stats.t.ppf(0.975, 7)
    for end in (found.low, found.high):
        error = math.sqrt(variance.value * end * (1 - end) / (estimate * (1 - estimate)))
        assert abs(end - estimate) == pytest.approx(t * error)


def test_a_run_of_one_seed_is_the_variance_over_persons_by_a_loop():
    values, identities = unequal_hits(np.random.default_rng(1))
    groups = [values[identities == name] for name in np.unique(identities)]
    n, total, mean = len(groups), len(values), values.mean()
    moved = np.array([(group - mean).sum() / total for group in groups])
    variance = n / (n - 1) * sum(one**2 for one in moved)
    deviations = moved - moved.mean()
    kurtosis = n * (deviations**4).sum() / (deviations**2).sum() ** 2 - 3
    excess = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * kurtosis + 6)
    t = stats.t.ppf(0.975, min(max(2 * n / (2 + excess), 3), n - 1))
    worth = mean * (1 - mean) / variance / t**2
    centre = (mean + 1 / (2 * worth)) / (1 + 1 / worth)
    half = math.sqrt(mean * (1 - mean) / worth + 1 / (4 * worth**2)) / (1 + 1 / worth)
    found = share_of(values, identities)
    assert found.estimate == pytest.approx(mean)
    assert [found.low, found.high] == pytest.approx([centre - half, centre + half])


def test_persons_make_wider_intervals_than_queries():
    values, identities = unequal_hits(np.random.default_rng(0), n_identity=100, rho=0.6)
    persons, queries = share_of(values, identities), share_of(values, np.arange(len(values)))
    assert persons.high - persons.low > 1.4 * (queries.high - queries.low)


def test_columns_are_intervals_of_their_own():
    rng = np.random.default_rng(0)
    values, identities = unequal_hits(rng)
    both = share_intervals(np.stack([values, 1 - values], axis=1), identities)
    alone = share_of(values, identities)
    assert [both[0].low, both[0].high] == pytest.approx([alone.low, alone.high])
    assert both[1].low == pytest.approx(1 - both[0].high)


def test_one_person_allows_no_interval():
    interval = share_of([0.0, 1.0], [4, 4])
    assert interval.estimate == 0.5
    assert math.isnan(interval.low)
    assert math.isnan(seed_summary([[0.0, 1.0], [0.0, 1.0]], [4, 4]).low)


def test_a_wider_level_gives_a_wider_interval():
    values, identities = unequal_hits(np.random.default_rng(0))
    narrow, wide = (share_of(values, identities, level=level) for level in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize("n", [5, 40])
def test_a_share_of_nought_or_all_is_as_sure_as_that_many_persons_make_it(n):
    none, all_ = (share_of(np.full(n, value), np.arange(n)) for value in (0.0, 1.0))
    expected = stats.binomtest(0, n).proportion_ci(0.95, "wilson")
    assert (none.low, none.high) == pytest.approx((0, expected.high))
    assert (all_.low, all_.high) == pytest.approx((1 - expected.high, 1))


def test_persons_who_answer_alike_prove_no_certainty():
    """Each of ten finds one of two: no two differ, and yet another ten might."""
    found = share_of([1.0, 0.0] * 10, np.repeat(np.arange(10), 2))
    expected = stats.binomtest(5, 10).proportion_ci(0.95, "wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("share", [0.0, 1e-9, 0.03, 0.5, 0.999, 1.0])
def test_an_interval_stays_within_0_and_1_and_holds_its_estimate(share):
    for variance in (0.0, 1e-30, 1e-4, 0.2):
        found = share_interval(share, Variance(variance, 1.0), 30)
        assert 0 <= found.low <= share <= found.high <= 1


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


def test_one_seed_speaks_of_persons_alone():
    values, identities = unequal_hits(np.random.default_rng(0), n_identity=300)
    summary = seed_summary(values[None], identities)
    assert vars(summary) == vars(share_of(values, identities))
    assert summary.seed_error == 0


def test_seeds_alone_have_the_t_quantile_of_their_number():
    """Where all persons are equal, only seeds vary."""
    means = np.array([0.5, 0.6, 0.7])
    summary = seed_summary(np.repeat(means[:, None], 20, axis=1), np.arange(20))
    assert summary.freedom == pytest.approx(2)
    assert summary.seed_error == pytest.approx(stats.sem(means))
    assert summary.identity_error == pytest.approx(0)
    expected = share_interval(0.6, Variance(stats.sem(means) ** 2, 2), 20)
    assert [summary.low, summary.high] == pytest.approx([expected.low, expected.high])


def test_seeds_and_persons_add_up():
    """The degrees of freedom are Welch's and Satterthwaite's with the seeds' variance at its upper limit."""
    rng = np.random.default_rng(0)
    values = 0.5 + 0.1 * (rng.normal(size=(3, 50)) + rng.normal(size=(3, 1)))
    summary = seed_summary(values, np.arange(50))
    mean = values.mean(axis=0)
    persons, between = mean.var(ddof=1) / 50, values.mean(axis=1).var(ddof=1) / 3
    chance = values - mean - values.mean(axis=1, keepdims=True) + values.mean()
    within = (chance**2).sum() / (2 * 49) / 50 / 3
    limit = between * 2 / stats.chi2.ppf(0.25, 2) - within
    assert between > within
    own = freedom_by_kurtosis((mean - mean.mean()) / 50)
    freedom = (persons + limit) ** 2 / (persons**2 / own + limit**2 / 2)
    assert summary.identity_error == pytest.approx(math.sqrt(persons))
    assert summary.seed_error == pytest.approx(math.sqrt(between - within))
    assert summary.freedom == pytest.approx(freedom)
    expected = share_interval(values.mean(), Variance(persons + between - within, freedom), 50)
    assert [summary.low, summary.high] == pytest.approx([expected.low, expected.high])


def test_what_other_results_tell_of_seeds_takes_the_place_of_its_own():
    rng = np.random.default_rng(0)
    sums = (rng.random((2, 60)) < 0.4).astype(float)
    own, told = summarise_sums(sums, np.ones(60)), SeedVariance(0.02, 0.001, 30)
    summary = summarise_sums(sums, np.ones(60), told)
    assert summary.seed_error == pytest.approx(math.sqrt(0.019 / 2))
    assert summary.identity_error == own.identity_error
    assert summarise_sums(sums[:1], np.ones(60), told).seed_error == pytest.approx(math.sqrt(0.019))
    assert summarise_sums(sums[:1], np.ones(60), SEEDLESS) == summarise_sums(sums[:1], np.ones(60))


def test_chance_that_persons_already_bring_is_not_counted_again_as_seeds():
    rng = np.random.default_rng(3)
    values = (rng.random((4, 200)) < 0.5).astype(float)
    assert seed_summary(values, np.arange(200)).seed_error < values.mean(axis=1).std(ddof=1) / 2
    same = np.tile(values[0], (4, 1))
    assert seed_summary(same, np.arange(200)).seed_error == 0


def hits(rng, share, rho, n_seed, n_identity, n_caption, seed_spread):
    """Simulate hits [n_seed, n_query]: persons differ by the correlation, and so do seeds."""
    weight = (1 - rho) / rho
    person = rng.beta(share * weight, (1 - share) * weight, n_identity)
    level = person[None] + rng.normal(0, seed_spread, (n_seed, 1))
    outcome = rng.random((n_seed, n_identity, n_caption)) < level[:, :, None]
    return outcome.reshape(n_seed, -1).astype(float), np.repeat(np.arange(n_identity), n_caption)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("share", "rho", "n_seed", "n_identity", "seed_spread"),
    [
        *((0.6, 0.3, 1, 200, 0.0), (0.97, 0.6, 1, 100, 0.0), (0.05, 0.3, 1, 100, 0.0)),
        *((0.6, 0.3, 3, 200, 0.02), (0.6, 0.3, 5, 200, 0.008)),
    ],
)
def test_an_interval_holds_the_truth_as_often_as_it_says(share, rho, n_seed, n_identity, seed_spread):
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(1000):
        values, identities = hits(rng, share, rho, n_seed, n_identity, 6, seed_spread)
        summary = seed_summary(values, identities)
        held += summary.low <= share <= summary.high
    assert 0.93 <= held / 1000 <= 0.97
