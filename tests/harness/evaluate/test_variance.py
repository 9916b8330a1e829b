"""What persons and seeds add to the variance of a figure: by loops, by hand, and in simulations."""

import math

import numpy as np
import pytest
from scipy import stats

from harness.evaluate.variance import (
    SEEDLESS,
    SeedVariance,
    Variance,
    freedom_by_kurtosis,
    half_width,
    identity_variance,
    influence,
    seed_variance,
    shared,
    total_variance,
    two_sided_p,
)


def test_influence_is_what_leaving_a_person_out_changes_to_first_order():
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 9, 400).astype(float)
    sums = rng.random(400) * sizes
    moved, figure = influence(sums, sizes), sums.sum() / sizes.sum()
    assert moved.sum() == pytest.approx(0, abs=1e-12)
    for person in range(0, 400, 40):
        without = (sums.sum() - sums[person]) / (sizes.sum() - sizes[person])
        assert moved[person] == pytest.approx(figure - without, rel=0.02)


def test_persons_who_differ_by_rounding_alone_do_not_differ():
    sums = np.full(7, 0.1) * 3 + 0.3 - 0.3
    assert identity_variance(influence(sums, np.full(7, 3.0))).value == 0


def test_the_identity_variance_of_one_query_each_is_that_of_a_mean():
    values = np.random.default_rng(0).random(50)
    found = identity_variance(influence(values, np.ones(50)))
    assert found == Variance(pytest.approx(values.var(ddof=1) / 50), 49)
    assert math.isnan(identity_variance(np.zeros(1)).value)


def test_the_freedom_of_a_variance_is_that_of_its_own_spread():
    """A variance of n normal values has n - 1 degrees of freedom; heavy tails leave fewer, never under three."""
    rng = np.random.default_rng(0)
    for tail, n in ((9, 400), (5, 4000)):
        drawn = stats.t.rvs(tail, size=n, random_state=rng)
        kurtosis = stats.kurtosis(drawn, bias=False)
        assert freedom_by_kurtosis(drawn - drawn.mean()) == pytest.approx(2 * n / (2 + kurtosis), rel=0.02)
    assert freedom_by_kurtosis(np.array([-1.0, 1.0] * 20)) == 39
    assert freedom_by_kurtosis(np.r_[99.0, -np.ones(99)]) == 3
    assert [freedom_by_kurtosis(np.zeros(n)) for n in (1, 2, 9)] == [1, 1, 8]


def test_half_a_width_is_a_t_quantile_of_that_freedom():
    moved = np.r_[99.0, -np.ones(99)]
    assert half_width(moved) == pytest.approx(
        stats.t.ppf(0.975, 3) * math.sqrt(identity_variance(moved).value)
    )
    assert math.isnan(half_width(np.zeros(1)))


def test_the_variance_of_seeds_is_that_of_their_means_and_their_luck_is_the_interaction():
    rng = np.random.default_rng(0)
    sizes = np.full(30, 4.0)
    sums = rng.random((5, 30)) * sizes
    found = seed_variance(sums, sizes)
    means = sums.sum(axis=1) / sizes.sum()
    assert found.between == pytest.approx(means.var(ddof=1))
    assert found.freedom == 4
    values = sums / 4
    rest = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
    assert found.within == pytest.approx((rest**2).sum() / (4 * 29) / 30)
    assert found.value == max(found.between - found.within, 0)


@pytest.mark.parametrize("shape", [(1, 30), (3, 1)])
def test_one_seed_and_one_person_tell_nothing_of_seeds(shape):
    assert seed_variance(np.ones(shape), np.ones(shape[1])) is None


def test_seeds_that_answer_alike_change_nothing_and_say_nothing_of_others():
    sums = np.random.default_rng(0).random((1, 30)).repeat(3, axis=0)
    alike = seed_variance(sums, np.ones(30))
    assert alike == SEEDLESS
    own = SeedVariance(2.0, 0.5, 1)
    assert shared([alike, own, own]) == [SEEDLESS, *[SeedVariance(2.0, 0.5, 2, pooled=True)] * 2]
    assert shared([alike, None]) == [SEEDLESS, None]


def test_results_share_what_their_seeds_tell():
    small, own = SeedVariance(1.0, 0.2, 3), SeedVariance(5.0, 0.6, 1)
    pool = SeedVariance(2.0, pytest.approx(0.3), 4, pooled=True)
    # Above the pooled 2, it is weighed against three degrees of freedom: (1 x 5 + 3 x 2) / 4.
    raised = SeedVariance(2.75, pytest.approx(0.375), 4, pooled=True)
    assert shared([small, own, None, SEEDLESS]) == [pool, raised, pool, SEEDLESS]
    assert shared([None, SEEDLESS, None]) == [None, SEEDLESS, None]
    assert shared([own, None]) == [SeedVariance(5.0, 0.6, 1, pooled=True)] * 2
    assert shared([]) == []


def test_what_is_raised_is_known_no_better_than_the_pool():
    raised = shared([SeedVariance(1.0, 0.0, 1), SeedVariance(5.0, 0.0, 1)])[1]
    assert raised == SeedVariance(3.5, 0.0, 2, pooled=True)


def test_with_many_seeds_a_larger_variance_is_its_own():
    small, large = SeedVariance(1.0, 0.0, 40), SeedVariance(9.0, 0.0, 40)
    assert shared([small, large])[1].between == pytest.approx(9, rel=0.05)
    assert shared([small, large])[0].between == 5


def test_equal_variances_of_many_results_are_known_better_than_any():
    found = shared([SeedVariance(2.0, 0.5, 1)] * 8)
    assert found == [SeedVariance(2.0, 0.5, 8, pooled=True)] * 8


def test_an_estimate_of_nought_is_no_certainty():
    """The seeds' means happen to differ by less than luck would make them; their variance may be large all the same."""
    unlucky = SeedVariance(0.5, 1.0, 1)
    assert unlucky.value == 0
    assert unlucky.limit == pytest.approx(0.5 / stats.chi2.ppf(0.25, 1) - 1)
    found = total_variance(Variance(1.0, 99), [(2, unlucky)])
    assert found.value == 1.0
    assert found.freedom < 5


def test_what_both_sides_have_from_one_pool_counts_its_freedom_once():
    own = SeedVariance(1.0, 0.0, 7)
    pool, raised = (SeedVariance(between, 0.0, 7, pooled=True) for between in (1.0, 1.5))
    assert total_variance(Variance(0.0, 99), [(2, pool), (2, pool)]) == Variance(1.0, pytest.approx(7))
    assert total_variance(Variance(0.0, 99), [(2, pool), (2, raised)]).freedom == pytest.approx(7)
    assert total_variance(Variance(0.0, 99), [(2, own), (2, own)]).freedom == pytest.approx(14)


def test_a_variance_is_never_surer_than_its_least_sure_part_makes_it():
    assert total_variance(Variance(0.0, 9), [(1, SeedVariance(0.0, 0.0, 3))]).freedom == math.inf
    assert total_variance(Variance(1.0, 9), [(3, None), (3, SEEDLESS)]) == Variance(1.0, 9)
    few = SeedVariance(4.0, 0.0, 1)
    assert total_variance(Variance(0.001, 99), [(1, few)]).freedom == pytest.approx(1, abs=0.01)
    assert math.isnan(total_variance(Variance(math.nan, 1.0), [(2, few)]).value)


FEW = [(1, SeedVariance(0.5, 0.1, 2))]


@pytest.mark.parametrize("distance", [3.0, 3.5, 5.0, 12.0])
def test_a_small_p_value_is_the_one_whose_own_freedom_gives_it(distance):
    p = two_sided_p(distance, Variance(0.5, 99), FEW)
    total = total_variance(Variance(0.5, 99), FEW, alpha=p)
    again = 2 * stats.t.sf(distance / math.sqrt(total.value), total.freedom)
    assert p < 0.05
    assert again == pytest.approx(p, rel=0.02)
    usual = total_variance(Variance(0.5, 99), FEW).freedom
    assert p > 1.03 * 2 * stats.t.sf(distance / math.sqrt(total.value), usual)


def test_a_p_value_from_5_percent_on_is_that_of_the_interval():
    total = total_variance(Variance(0.5, 99), FEW)
    edge = stats.t.ppf(0.975, total.freedom) * math.sqrt(total.value)
    assert two_sided_p(edge, Variance(0.5, 99), FEW) == pytest.approx(0.05)
    assert (
        two_sided_p(0.999 * edge, Variance(0.5, 99), FEW)
        > 0.05
        > two_sided_p(1.001 * edge, Variance(0.5, 99), FEW)
    )
    assert two_sided_p(0.0, Variance(0.5, 99), FEW) == 1


def test_without_seeds_a_p_value_is_students():
    for distance in (0.3, 3.0, 30.0):
        expected = 2 * stats.t.sf(distance, 99)
        assert two_sided_p(distance, Variance(1.0, 99), [(1, None)]) == pytest.approx(expected, rel=1e-6)


def test_p_values_fall_as_distances_grow():
    found = [two_sided_p(distance, Variance(0.5, 99), FEW) for distance in np.linspace(0.1, 40, 300)]
    assert (np.diff(found) < 0).all()


def test_the_limit_rises_as_errors_are_to_be_rarer():
    one = SeedVariance(1.0, 0.2, 3)
    limits = [one.limit_at(alpha) for alpha in (0.9, 0.2, 0.05, 0.01, 1e-4)]
    assert limits == sorted(limits)
    assert limits[0] == pytest.approx(3 / stats.chi2.ppf(0.5, 3) - 0.2)
    assert limits[2] == one.limit


@pytest.mark.slow
@pytest.mark.parametrize("freedom", [1, 2, 4, 8])
@pytest.mark.parametrize("spread", [0.3, 3.0])
def test_small_p_values_are_as_rare_as_they_say(freedom, spread):
    """Persons' variance known to be 1, that of seeds estimated with few degrees of freedom."""
    rng, found = np.random.default_rng(0), []
    for _ in range(20_000):
        between = spread * rng.chisquare(freedom) / freedom
        distance = abs(rng.normal(0, math.sqrt(1 + spread)))
        found.append(two_sided_p(distance, Variance(1.0, 1e9), [(1, SeedVariance(between, 0.0, freedom))]))
    assert np.mean(np.array(found) < 0.05) < 0.068
    assert 0.0005 < np.mean(np.array(found) < 0.005) < 0.0085
    assert np.mean(np.array(found) < 0.001) < 0.003


@pytest.mark.slow
@pytest.mark.parametrize("freedom", [1, 2, 4, 8])
@pytest.mark.parametrize("spread", [0.1, 1.0, 5.0])
def test_however_much_of_a_variance_seeds_make_up_the_quantile_holds(freedom, spread):
    """Persons' variance known to be 1, that of seeds estimated with few degrees of freedom."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(2000):
        between = spread * rng.chisquare(freedom) / freedom
        total = total_variance(Variance(1.0, 1e9), [(1, SeedVariance(between, 0.0, freedom))])
        half = stats.t.ppf(0.975, total.freedom) * math.sqrt(total.value)
        held += abs(rng.normal(0, math.sqrt(1 + spread))) <= half
    assert 0.93 <= held / 2000 <= 0.975
