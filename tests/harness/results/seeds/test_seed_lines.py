from dataclasses import replace

import numpy as np
import pytest

from harness.evaluate.per_identity import persons_key
from harness.evaluate.power import MOST_IDENTITIES, MOST_SEEDS, Spread
from harness.evaluate.variance import SEEDLESS, SeedVariance
from harness.results.run_source import Source
from harness.results.seeds.seed_lines import needs_line, pair_line, suite_line, suite_lines
from harness.results.seeds.seed_plan import POINTS, Measured, plan_seeds


def spread(identities, seed_sd, n_sides=2, others=4):
    """Return a spread over 1,000 identities; both in points."""
    seeds = SeedVariance((seed_sd / 100) ** 2 + 1e-7, 1e-7, 4)
    return Spread((identities / 100) ** 2, 1_000, seeds, n_sides, others)


def test_seeds_are_counted_for_each_side_that_trains():
    for n_sides, each in ((2, "each"), (1, "of the side that trains")):
        known = spread(0.2, 0.5, n_sides)
        n = known.seeds_needed(0.01, 1_000)
        assert 1 < n < MOST_SEEDS
        assert needs_line(known, "icfg", 3) == (
            f"On icfg with its 1,000 identities, a difference of 1 point in R@1 takes {n} seeds {each}."
        )
    assert "takes 1 seed each." in needs_line(spread(0.01, 0.05), "icfg", 3)
    assert f"takes more than {MOST_SEEDS} seeds each." in needs_line(spread(0.2, 9.0), "icfg", 3)


def test_where_no_number_of_seeds_is_enough_identities_and_a_larger_difference_are_named():
    known = spread(0.5, 0.1)
    n = known.identities_needed(0.01, 3)
    assert needs_line(known, "icfg", 3) == (
        "On icfg with its 1,000 identities, no number of seeds shows a difference of 1 point in R@1; with 3 seeds "
        f"each it takes {n:,} identities; 2 points take {known.seeds_needed(0.02, 1_000)} seed each."
    )
    wide = spread(0.68, 0.8)
    assert needs_line(wide, "icfg", 3).endswith(
        f"; 2 points take {wide.seeds_needed(0.02, 1_000)} seeds each."
    )
    hopeless = needs_line(spread(30, 30), "icfg", 3)
    assert hopeless.endswith("no number of seeds shows a difference of 1 point in R@1.")
    edge = spread(0.5, 0.2, others=40)
    at_edge = next(n for n in range(1, 20) if edge.detectable(n, float("inf")) <= 0.01)
    assert "it takes " in needs_line(edge, "icfg", at_edge)


def test_two_sides_that_train_nothing_take_identities_alone():
    known = spread(0.5, 0.0, n_sides=0)
    n = known.identities_needed(0.01, 1)
    assert needs_line(known, "icfg", 3) == f"On icfg, a difference of 1 point in R@1 takes {n:,} identities."
    many = needs_line(spread(50, 0.0, n_sides=0), "icfg", 3)
    assert f"takes more than {MOST_IDENTITIES:,} identities." in many


def test_unknown_seeds_are_said_to_be_unknown():
    line = needs_line(None, "icfg", 3)
    assert line == (
        "On icfg, it is unknown how many seeds a difference of 1 point in R@1 takes: nothing tells what another seed "
        "changes."
    )


@pytest.mark.parametrize(
    ("n_seeds", "rule", "counted"),
    [((2, 5), "val", 3), ((4, 5), "val", 4), ((1, 6), "untrained", 6)],
)
def test_a_pair_has_its_seeds_but_no_fewer_than_three_to_count_identities_with(n_seeds, rule, counted, fake):
    rows = [fake.row(name, n_seeds=n) for name, n in zip("ab", n_seeds, strict=True)]
    rows[0]["rule"] = rule
    persons = fake.persons(rows[:1], n_seeds[0]) | fake.persons(rows[1:], n_seeds[1])
    own = np.random.default_rng(1).normal(size=(2, 1, fake.N_IDENTITIES, 1))
    persons = {
        key: replace(one, sums=one.sums + more) for (key, one), more in zip(persons.items(), own, strict=True)
    }
    one, other = (persons_key(row) for row in rows)
    small = SeedVariance(1.5e-6, 1e-6, 6)
    seeds = {one: SEEDLESS if rule == "untrained" else small, other: small}
    line = pair_line(rows, persons, seeds)
    assert line.startswith("On icfg with its 40 identities, no number of seeds shows")
    assert f"; with {counted} seeds " in line


@pytest.mark.parametrize(
    ("identities", "seed_sd", "end"),
    [
        (0.2, 0.4, "; 1 point takes {} seeds."),
        (0.1, 0.2, "; 0.5 points take {} seeds."),
        (1.5, 0.1, "; no number of seeds shows 2 points on its 1,000 identities."),
        (0.01, 0.01, " (3 results measured so far)."),
    ],
)
def test_a_suite_names_the_next_smaller_difference(identities, seed_sd, end):
    known = spread(identities, seed_sd)
    missed = 100 * known.detectable(3, 1_000)
    points = max((one for one in POINTS if one < missed), default=0.1)
    line = suite_line(Measured("icfg", False, 1, (), 3, 9, 3, known), 3)
    assert line.startswith(f"icfg: with 3 seeds each, a difference below {missed:.1f} points")
    assert line.endswith(end.format(known.seeds_needed(points / 100, 1_000)))


def test_of_two_protocols_the_one_of_more_results_speaks_for_a_suite(experiment, fake):
    for method, r1 in (("cskt", 50), ("linear_probe", 30)):
        send(experiment, fake, method, r1)
    send(experiment, fake, "cskt", 60, eval__rule="last")
    (line,) = suite_lines(source_of(experiment), {"icfg": 2}, {"tiny"}, synthetic=True)
    assert "(2 results measured so far)" in line


def source_of(store):
    return Source(str(store.runs), store.client.get_experiment(store.experiment_id).name)


def send(store, fake, method, r1, seeds=(1, 2, 3), **more):
    for seed in seeds:
        fake.send(store, *fake.record(method, more.pop("dataset", "icfg"), r1, seed=seed, **more))


@pytest.mark.slow
def test_a_suite_says_what_its_seeds_would_miss_and_what_less_takes(experiment, fake):
    send(experiment, fake, "cskt", 50)
    send(experiment, fake, "linear_probe", 30)
    (known,), _ = plan_seeds(source_of(experiment))
    missed = 100 * known.spread.detectable(2, fake.N_IDENTITIES)
    assert missed > 5
    (line,) = suite_lines(source_of(experiment), {"icfg": 2}, {"tiny"}, synthetic=True)
    begin = f"icfg: with 2 seeds each, a difference below {missed:.1f} points in R@1 would often be missed "
    assert line.startswith(begin + "(2 results measured so far); ")
    n = known.spread.seeds_needed(0.05, fake.N_IDENTITIES)
    end = f"5 points take {n} seeds." if n else "no number of seeds shows 5 points on its 40 identities."
    assert line.endswith(end)
    (line,) = suite_lines(source_of(experiment), {"icfg": 1}, {"tiny"}, synthetic=True)
    assert line.startswith("icfg: with 1 seed each, nothing would tell what another seed changes (2 results")


@pytest.mark.parametrize(
    ("n_seeds", "backbones", "synthetic"),
    [({"cuhk": 2}, {"tiny"}, True), ({"icfg": 2}, {"larger"}, True), ({"icfg": 2}, {"tiny"}, False)],
)
def test_results_of_other_data_backbones_and_worlds_tell_a_suite_nothing(
    experiment, fake, n_seeds, backbones, synthetic
):
    send(experiment, fake, "cskt", 50)
    assert suite_lines(source_of(experiment), n_seeds, backbones, synthetic=synthetic) == []


def test_without_a_store_or_several_seeds_a_suite_says_nothing(experiment, fake, tmp_path):
    assert suite_lines(Source(str(tmp_path)), {"icfg": 2}, {"tiny"}, synthetic=True) == []
    assert suite_lines(source_of(experiment), {"icfg": 2}, {"tiny"}, synthetic=True) == []
    send(experiment, fake, "cskt", 50, seeds=(1,))
    assert suite_lines(source_of(experiment), {"icfg": 2}, {"tiny"}, synthetic=True) == []
