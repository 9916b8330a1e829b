import pytest

from harness.evaluate.power import MOST_IDENTITIES, MOST_SEEDS, Spread
from harness.evaluate.variance import SeedVariance
from harness.results.run_source import Source
from harness.results.seed_lines import needs_line, suite_lines
from harness.results.seed_plan import plan_seeds


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


def source_of(store):
    return Source(str(store.runs), store.client.get_experiment(store.experiment_id).name)


def send(store, fake, method, r1, seeds=(1, 2, 3), **more):
    for seed in seeds:
        fake.send(store, *fake.record(method, more.pop("dataset", "icfg"), r1, seed=seed, **more))


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
