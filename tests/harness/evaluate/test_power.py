from dataclasses import replace
from math import inf

import numpy as np
import pytest
from scipy import stats

from harness.evaluate.paired_difference import paired_difference
from harness.evaluate.power import MOST_IDENTITIES, MOST_SEEDS, Spread, spread
from harness.evaluate.variance import LIMIT, SEEDLESS, SeedVariance, seed_variance, shared

MEASURED = Spread(1e-4, 500, SeedVariance(3e-4, 1e-4, 6), 2, others=2)
NUMBERS = (30, 100, 500, 2_000, 20_000)
DIFFERENCES = (0.01, 0.02, 0.04, 0.08, 0.2)


def drawn(rng, base, n_seed, *, own=0.2, seed_sd=0.02, luck=0.3):
    """Return one result [n_seed, n_identity] of one query each: what is the persons', the seeds' and chance."""
    shape = (n_seed, len(base))
    return (
        base
        + rng.normal(0, own, len(base))
        + rng.normal(0, seed_sd, (n_seed, 1))
        + rng.normal(0, luck, shape)
    )


def of_truth(n_identity, others=0, *, own=0.2, seed_sd=0.02, luck=0.3):
    """Return the spread that `drawn` has."""
    chance = luck**2 / n_identity
    one = SeedVariance(seed_sd**2 + chance, chance, max(others, 1))
    return Spread(2 * own**2 / n_identity, n_identity, one, 2, others)


def test_identities_shrink_with_identities_seeds_with_seeds_and_luck_with_both():
    n_seed, n_identity, known = 4, 2_000, replace(MEASURED, n_sides=1, others=0)
    persons, value, luck = known.identities / 4, known.seeds.value, known.seeds.within / 4
    total = persons + (value + luck) / n_seed
    freedom = n_seed - 1
    assert known.seeds.limit == pytest.approx(3e-4 * 6 / stats.chi2.ppf(1 - LIMIT, 6) - 1e-4)
    limit = (value + luck) * freedom / stats.chi2.ppf(1 - LIMIT, freedom) - luck
    over_identities, of_seeds = persons + luck / n_seed, limit / n_seed
    squares = over_identities**2 / (n_identity - 1) + of_seeds**2 / freedom
    welch = (over_identities + of_seeds) ** 2 / squares
    expected = (stats.t.ppf(0.975, welch) + stats.t.ppf(0.8, welch)) * total**0.5
    assert known.detectable(n_seed, n_identity) == pytest.approx(expected)


@pytest.mark.parametrize(("n_seed", "n_others"), [(2, 6), (4, 1), (3, 0)])
def test_a_design_has_the_detectable_difference_that_its_comparisons_have_on_average(n_seed, n_others):
    rng, sizes, n_times = np.random.default_rng([4, n_seed]), np.ones(200), 150
    found = []
    for _ in range(n_times):
        base = rng.normal(0.5, 0.2, 200)
        a, b, *others = (drawn(rng, base, n_seed) for _ in range(2 + n_others))
        seeds = shared([seed_variance(one, sizes) for one in (a, b, *others)])
        found.append(paired_difference(a, b, sizes, (seeds[0], seeds[1])).detectable)
        known = spread(a, b, sizes, (seeds[0], seeds[1]))
        assert (known.n_sides, known.n_identity) == (2, 200)
    truth = of_truth(200, n_others * (n_seed - 1))
    assert truth.detectable(n_seed, 200) == pytest.approx(np.mean(found), rel=0.05)


def test_further_results_are_counted_without_the_seeds_of_the_two():
    rng, sizes = np.random.default_rng(4), np.ones(80)
    base = rng.random(80)
    sides = [drawn(rng, base, 3, seed_sd=0.2) for _ in range(4)]
    sides.sort(key=lambda one: seed_variance(one, sizes).between)
    known = shared([seed_variance(one, sizes) for one in sides])
    assert spread(*sides[:2], sizes, (known[0], known[1])).others == 4
    assert spread(*sides[:2], sizes, (known[0], known[3])).others == 4


def test_the_luck_of_queries_is_taken_out_of_what_identities_vary():
    rng, sizes = np.random.default_rng(2), np.ones(4_000)
    base = rng.random(4_000)
    a, b = drawn(rng, base, 2), drawn(rng, base, 2)
    found = spread(a, b, sizes, (seed_variance(a, sizes), seed_variance(b, sizes)))
    truth = of_truth(4_000)
    assert found.identities == pytest.approx(truth.identities, rel=0.1)
    assert found.seeds.within == pytest.approx(truth.seeds.within, rel=0.1)


def test_a_side_without_seeds_adds_none_and_nothing_known_is_no_spread():
    rng, sizes = np.random.default_rng(3), np.ones(50)
    a, b = drawn(rng, rng.random(50), 3, seed_sd=0.2), drawn(rng, rng.random(50), 1)
    own = seed_variance(a, sizes)
    one = spread(a, b, sizes, (own, SEEDLESS))
    assert (one.n_sides, one.others) == (1, 0)
    assert one.detectable(3, 50) == pytest.approx(
        paired_difference(a, b, sizes, (own, SEEDLESS)).detectable, rel=1e-6
    )
    none = spread(a[:1], b, sizes, (SEEDLESS, SEEDLESS))
    assert (
        none.detectable(1, 50)
        == none.detectable(7, 50)
        == pytest.approx(paired_difference(a[:1], b, sizes, (SEEDLESS, SEEDLESS)).detectable)
    )
    assert spread(a, b, sizes, (own, None)) is None
    assert spread(a[:, :1], b[:, :1], sizes[:1], (own, SEEDLESS)) is None
    assert spread(a[:, :2], b[:, :2], sizes[:2], (own, SEEDLESS)) is not None


def test_the_number_found_is_enough_and_one_fewer_is_not():
    for difference in (0.025, 0.04, 0.08):
        n = MEASURED.seeds_needed(difference, 2_000)
        assert 1 < n <= MOST_SEEDS
        assert MEASURED.detectable(n, 2_000) <= difference < MEASURED.detectable(n - 1, 2_000)
        n = MEASURED.identities_needed(difference, 30)
        assert MEASURED.detectable(30, n) <= difference < MEASURED.detectable(30, n - 1)


def test_what_no_number_does_is_none_and_what_takes_too_many_is_the_most_and_one():
    assert MEASURED.seeds_needed(0.02, 500) is None
    floor = MEASURED.detectable(10**9, 500)
    assert MEASURED.seeds_needed(floor, 500) == MEASURED.seeds_needed(floor * 1.0001, 500) == MOST_SEEDS + 1
    assert MEASURED.identities_needed(0.03, 2) is None
    edge = MEASURED.detectable(2, inf)
    for barely in (edge, edge * 1.0000001):
        assert MEASURED.identities_needed(barely, 2) == MOST_IDENTITIES + 1


def test_one_seed_each_shows_nothing_unless_other_results_tell_what_seeds_change():
    alone = Spread(1e-6, 500, SeedVariance(2e-6, 1e-6, 2), 2)
    assert alone.detectable(1, 500) == inf
    assert alone.identities_needed(0.5, 1) is None
    assert alone.seeds_needed(0.5, 500) == 2
    assert Spread(1e-6, 500, SeedVariance(2e-6, 1e-6, 2), 2, others=4).seeds_needed(0.5, 500) == 1


def test_seeds_that_change_nothing_leave_the_identities_alone():
    still = Spread(1e-4, 500, SeedVariance(1.5e-4, 2e-4, 6), 2, others=2)
    assert still.seeds.value == 0
    assert still.detectable(3, inf) == 0
    assert still.identities_needed(0.001, 3) > 500
    assert still.at_limit().seeds.value == still.seeds.limit > 0


@pytest.mark.parametrize("others", [0, 1, 5, 40])
@pytest.mark.parametrize("seed_sd", [0.0, 0.003, 0.01, 0.05])
@pytest.mark.parametrize("n_sides", [0, 1, 2])
def test_more_seeds_identities_or_a_larger_difference_never_need_more(others, seed_sd, n_sides):
    one = SeedVariance(seed_sd**2 + 1e-5, 1e-5, 4)
    known = Spread(1e-4, 500, one, n_sides, others)
    seeds = [[_number(known.seeds_needed(d, n)) for n in NUMBERS] for d in DIFFERENCES]
    persons = [[_number(known.identities_needed(d, n)) for n in (1, 2, 3, 5, 20)] for d in DIFFERENCES]
    for table in (np.array(seeds), np.array(persons)):
        assert (table[1:] <= table[:-1]).all()
        assert (table[:, 1:] <= table[:, :-1]).all()


def _number(found):
    return 10**9 if found is None else found


def test_numbers_that_are_no_difference_find_nothing():
    assert MEASURED.seeds_needed(0.0, 500) is None
    assert MEASURED.identities_needed(-1.0, 3) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n_identity", "difference", "n_others"), [(300, 0.075, 0), (300, 0.06, 3), (1_000, 0.05, 6)]
)
def test_the_promised_power_comes_true(n_identity, difference, n_others):
    n_times, known = 1_000, of_truth(n_identity, n_others)
    n_seed = known.seeds_needed(difference, n_identity)
    exact = known.detectable(n_seed, n_identity)
    assert 0.8 * difference < exact <= difference
    rng, sizes = np.random.default_rng([n_identity, n_others]), np.ones(n_identity)
    seen = 0
    for _ in range(n_times):
        base = rng.normal(0.5, 0.2, n_identity)
        numbers = [n_seed, n_seed, *[2] * n_others]
        a, b, *others = (drawn(rng, base, n) for n in numbers)
        seeds = shared([seed_variance(one, sizes) for one in (a, b, *others)])
        seen += paired_difference(a + exact, b, sizes, (seeds[0], seeds[1])).low > 0
    assert seen / n_times == pytest.approx(0.8, abs=0.05)
