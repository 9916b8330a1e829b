from dataclasses import replace
from itertools import combinations
from statistics import median

import numpy as np
import pytest

from harness.errors import UnknownName, UsageError
from harness.evaluate.per_identity import persons_of
from harness.evaluate.power import MOST_IDENTITIES, MOST_SEEDS, Spread
from harness.evaluate.variance import SeedVariance, seed_variance
from harness.pages.tables import DASH
from harness.results.run_source import Source
from harness.results.seeds.seed_plan import Measured, plan_seeds

FIGURES = {"linear_probe": 30, "cskt": 50, "full_finetune": 70}


def source_of(store, *datasets):
    return Source(str(store.runs), store.client.get_experiment(store.experiment_id).name, datasets)


def send(store, fake, method, r1, seeds=(1, 2, 3), dataset="icfg", **more):
    for seed in seeds:
        made, _ = fake.record(method, dataset, r1, seed=seed, **more)
        fake.send(store, made, answers(fake, r1, seed))


def answers(fake, r1, seed):
    """Return the per-query results of a seed of a method, whose skill with an identity is the same in all seeds."""
    skill = np.random.default_rng(r1).beta(r1 / 20, 5 - r1 / 20, fake.N_IDENTITIES).repeat(fake.N_CAPTIONS)
    rank = np.where(np.random.default_rng([r1, seed]).random(len(skill)) < skill, 1, 9)
    return fake.queries(r1, seed) | {"t2i/rank": rank}


def sums_of(fake, r1, seeds=(1, 2, 3)):
    """Return the right answers at rank 1 of each seed and identity, and the numbers of queries."""
    found = persons_of([answers(fake, r1, seed) for seed in seeds])
    return found.of("R1"), found.sizes


def naive_identities(a, b, sizes):
    """The variance of the paired difference over identities, less the luck of each side's seeds, by loops."""
    n, total = len(sizes), sum(sizes)
    gaps = [np.mean([row[i] for row in a]) - np.mean([row[i] for row in b]) for i in range(n)]
    mean = sum(gaps) / total
    variance = sum((gaps[i] - sizes[i] * mean) ** 2 for i in range(n)) / total**2 * n / (n - 1)
    return variance - sum(seed_variance(side, sizes).within / len(side) for side in (a, b))


def test_results_of_one_panel_tell_the_median_pair_and_share_what_their_seeds_tell(experiment, fake):
    for method, r1 in FIGURES.items():
        send(experiment, fake, method, r1)
    send(experiment, fake, "zero_shot", 12, seeds=(1,), trainable=0)
    (found,), untold = plan_seeds(source_of(experiment))
    sides = [sums_of(fake, r1) for r1 in FIGURES.values()]
    sizes = sides[0][1]
    expected = [naive_identities(a, b, sizes) for (a, _), (b, _) in combinations(sides, 2)]
    assert found.spread.identities == pytest.approx(median(expected))
    own = [seed_variance(a, sizes) for a, _ in sides]
    assert found.spread.seeds.between == pytest.approx(np.mean([one.between for one in own]))
    assert found.spread.seeds.within == pytest.approx(np.mean([one.within for one in own]))
    assert (found.spread.seeds.freedom, found.spread.n_sides, found.spread.others) == (6, 2, 2)
    assert (found.n_results, found.n_seeds, found.n_pairs) == (3, 9, 3)
    assert (found.dataset, found.synthetic, found.spread.n_identity) == ("icfg", True, fake.N_IDENTITIES)
    assert untold == []


def test_a_result_of_one_seed_has_the_others_seeds_and_is_one_of_a_pair(experiment, fake):
    send(experiment, fake, "cskt", 50)
    send(experiment, fake, "linear_probe", 30, seeds=(1,))
    (found,), _ = plan_seeds(source_of(experiment))
    a, sizes = sums_of(fake, 50)
    assert (found.n_results, found.n_seeds, found.n_pairs) == (2, 4, 1)
    assert found.spread.seeds == replace(seed_variance(a, sizes), pooled=True)
    assert found.spread.others == 0


def test_of_a_single_result_the_identities_are_those_of_two_that_have_nothing_in_common(experiment, fake):
    send(experiment, fake, "cskt", 50)
    (found,), _ = plan_seeds(source_of(experiment))
    a, sizes = sums_of(fake, 50)
    expected = 2 * naive_identities(a, np.zeros_like(a), sizes)
    assert found.spread.identities == pytest.approx(expected)
    assert found.n_pairs == 0
    assert "upper bound" in " ".join(found.words)


def test_without_results_it_is_said_how_to_begin(experiment, fake, tmp_path):
    for source in (Source(str(tmp_path)), source_of(experiment)):
        with pytest.raises(UsageError, match=r"No finished run is tracked yet: `harness run .* --seeds 3`"):
            plan_seeds(source)
    send(experiment, fake, "cskt", 50)
    with pytest.raises(UsageError, match=r"No finished run on cuhk is tracked yet: `.* --dataset cuhk"):
        plan_seeds(source_of(experiment, "cuhk"))
    with pytest.raises(UnknownName, match="Did you mean 'icfg'"):
        plan_seeds(source_of(experiment, "icgf"))


def test_one_seed_each_says_that_nothing_tells_what_another_changes(experiment, fake):
    send(experiment, fake, "cskt", 50, seeds=(1,))
    send(experiment, fake, "linear_probe", 30, seeds=(1,))
    with pytest.raises(
        UsageError, match=r"No result has several seeds yet.* --dataset icfg --synthetic --seeds 3"
    ):
        plan_seeds(source_of(experiment))
    for seed in (1, 2):
        send(experiment, fake, "zero_shot", 12, seeds=(seed,), trainable=0)
    with pytest.raises(UsageError, match="No result has several seeds"):
        plan_seeds(source_of(experiment))


def test_each_dataset_and_world_stands_alone_and_what_tells_nothing_is_named(experiment, fake):
    send(experiment, fake, "cskt", 50)
    send(experiment, fake, "cskt", 30, dataset="cuhk", synthetic=False)
    send(experiment, fake, "cskt", 40, dataset="rstp", seeds=(1,))
    found, untold = plan_seeds(source_of(experiment))
    assert {(one.dataset, one.synthetic, one.reasons) for one in found} == {
        ("icfg", True, ()),
        ("cuhk", False, ()),
    }
    assert untold == ["rstp, SYNTHETIC TWIN"]
    (only,), _ = plan_seeds(source_of(experiment, "icfg"))
    assert only.dataset == "icfg"


def test_protocols_of_one_dataset_are_apart_and_say_why(experiment, fake):
    send(experiment, fake, "cskt", 50)
    send(experiment, fake, "cskt", 60, backbone__name="larger")
    (first, second), _ = plan_seeds(source_of(experiment))
    assert first.reasons == ()
    assert "Separate from protocol 1, because backbone is" in second.reasons[0]
    assert second.reasons[0] in second.words
    assert (first.protocol, second.protocol) == (1, 2)


def measured(identities=1e-5, seed_sd=0.01, others=2, freedom=2):
    one = SeedVariance(seed_sd**2 + 1e-6, 1e-6, freedom)
    return Measured("icfg", False, 1, (), 3, 9, 3, Spread(identities, 1_000, one, 2, others))


def test_answers_are_those_of_the_estimate_and_of_the_upper_limit():
    found = measured()
    (one,) = found.needs([2.0], 4)
    for cell, times in zip(one["seeds"], (1, 2, 4), strict=True):
        n = found.spread.seeds_needed(0.02, 1_000 * times)
        most = found.spread.at_limit().seeds_needed(0.02, 1_000 * times)
        assert 1 < n < most
        assert cell == {"n_identities": 1_000 * times, "text": f"{n} to {most}", "n_seeds": n}
    n = found.spread.identities_needed(0.02, 4)
    assert one["identities"]["n_seeds"] == 4
    assert one["identities"]["n_identities"] == n


@pytest.mark.parametrize(
    ("found", "points", "text"),
    [
        (measured(identities=1e-3), 1.0, DASH),
        (measured(seed_sd=0.1), 1.0, f">{MOST_SEEDS}"),
        (measured(identities=1e-6), 0.5, "or more"),
        (measured(seed_sd=0.0), 50.0, "1"),
    ],
)
def test_what_is_never_enough_too_many_or_open_is_said(found, points, text):
    (one,) = found.needs([points], 3)
    cell = one["seeds"][0]
    assert cell["text"].endswith(text)
    assert (cell["n_seeds"] is None) == (text in (DASH, f">{MOST_SEEDS}"))


def test_identities_without_end_are_said_too():
    edge = 100 * measured().spread.detectable(3, float("inf"))
    (one,) = measured().needs([edge * 1.0000001], 3)
    assert one["identities"] == {"n_seeds": 3, "text": f">{MOST_IDENTITIES:,}", "n_identities": None}


def test_the_words_say_what_the_numbers_stand_on():
    words = " ".join(measured(seed_sd=0.012).words)
    assert "3 results, 9 seeds in all: over identities the median of 3 pairs" in words
    assert "a standard deviation of 1.2 points" in words
    assert "2 degrees of freedom" in words
    assert set(measured().as_dict([1.0], 3)) >= {"n_identities", "freedom", "seed_sd", "needs", "words"}
