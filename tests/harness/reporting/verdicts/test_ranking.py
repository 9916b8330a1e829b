"""What a leaderboard and a cost table claim in a sentence, on planted results: a winner, ties, one seed, one run."""

import re

import pytest
from pandas import DataFrame

from harness.reporting.verdicts.ranking import cost_verdict, ranking_verdict
from harness.reporting.verdicts.words import ANOTHER_SEED
from harness.results.method_ranks import pairs, ranked
from harness.results.panels import dataset_facts, split_panels
from tests.fake_experiment import persons

TWIN = "the synthetic twin of ICFG-PEDES"


def verdicts(rows, seeds=3, without=()):
    """Return what is said of ranks and of costs, of results whose seeds are alike."""
    known = persons([row for row in rows if row["method"] not in without], seeds, apart=0.1 * (seeds > 1))
    (panel,) = split_panels(DataFrame(rows), dataset_facts, known)
    found = ranked(panel).to_dict("records")
    return ranking_verdict(found, pairs(panel).to_dict("records"), TWIN), cost_verdict(found, TWIN)


@pytest.fixture
def seeds_of_three(fake):
    return lambda method, r1, **more: fake.row(method, r1=r1, n_seeds=3, seeds=[1, 2, 3], **more)


def test_a_clear_winner_is_named_with_how_far_the_others_are_behind(seeds_of_three):
    rows = [seeds_of_three("linear_probe", 30), seeds_of_three("cskt", 60), seeds_of_three("lora", 50)]
    said, cost = verdicts(rows)
    assert re.fullmatch(
        rf"CSKT is the best result on {TWIN}; it beats LoRA and linear probe by 10 to 30 points\.", said
    )
    assert cost.startswith(
        f"CSKT is the best result on {TWIN} and trains 1,000 parameters (0.05 % of its weights)"
    )


def test_two_that_are_alike_are_tied_and_both_beat_the_third(seeds_of_three):
    rows = [
        seeds_of_three("cskt", 60),
        seeds_of_three("full_finetune", 60.4, trainable=2e6),
        seeds_of_three("vpt", 30),
    ]
    said, cost = verdicts(rows)
    assert said.startswith(
        f"Full fine-tuning and CSKT are not significantly different on {TWIN}, where a difference "
    )
    assert said.endswith("; both beat VPT by 30 points.")
    assert cost.startswith(
        "CSKT trains 1,000 parameters (0.05 % of its weights), and is not significantly different"
    )
    assert "full fine-tuning, which has the highest R@1" in cost


def test_where_all_are_tied_nobody_beats_anybody(seeds_of_three):
    said, cost = verdicts(
        [seeds_of_three(name, 50 + place / 10) for place, name in enumerate(("a", "b", "c"))]
    )
    assert said.startswith(f"C, b and a are not significantly different on {TWIN}")
    assert "beat" not in said
    assert (
        cost.startswith("Of the 3 results that are tied for first") or "not significantly different" in cost
    )


def test_one_seed_is_said_and_several_are_not(fake, seeds_of_three):
    alone, _ = verdicts([fake.row("cskt", r1=60), fake.row("vpt", r1=30)], seeds=1)
    several, _ = verdicts([seeds_of_three("cskt", 60), seeds_of_three("vpt", 30)])
    assert alone.endswith(f"{ANOTHER_SEED}.")
    assert ANOTHER_SEED not in several


def test_of_one_run_nothing_is_compared_and_without_identities_nothing_is_said(fake):
    one, cost = verdicts([fake.row("zero_shot", r1=20, rule="untrained")], seeds=1)
    assert one == cost
    assert one.startswith(f"Only zero-shot CLIP was tested on {TWIN}, with R@1 20.0 % (95 % interval ")
    blind, _ = verdicts([fake.row("a", r1=60), fake.row("b", r1=20)], without=("a", "b"))
    assert blind.startswith("Nothing can be said of the order of 2 results")
    partly, _ = verdicts([fake.row("a", r1=60), fake.row("b", r1=20), fake.row("c", r1=90)], without=("c",))
    assert "c is left out, without results per identity" in partly


def test_one_between_is_not_said_to_be_beaten(fake):
    """Two are tied for first; the third is beaten by one of them alone."""
    base = {
        "R1_low": 1.0,
        "R1_high": 2.0,
        "trainable": 1.0,
        "rank_persons_only": False,
        "persons_only": False,
    }
    rows = [
        base | {"method": name, "label": name, "R1": 1.0, "rank_low": low}
        for name, low in zip("abc", (1, 1, 2), strict=True)
    ]
    pair = {"persons_only": False, "detectable": 2.0, "difference": 5.0}
    found = [
        pair | {"place": one, "other_place": other, "p_holm": p}
        for one, other, p in ((1, 2, 0.9), (1, 3, 0.01), (2, 3, 0.2))
    ]
    said = ranking_verdict(rows, found, "X")
    assert said.endswith("; c is worse than some result, but not significantly worse than both.")
    assert "beat" not in said


def test_a_cost_that_is_not_told_is_not_called_none(seeds_of_three):
    rows = [seeds_of_three("a", 60, trainable=None), seeds_of_three("b", 30)]
    assert verdicts(rows)[1] == f"Nothing can be said of cost on {TWIN}; a did not record it."
    tied = [seeds_of_three("a", 60.2, trainable=None), seeds_of_three("b", 60)]
    assert "the highest R@1" in verdicts(tied)[1]
    assert "does not tell what it trains" in verdicts(tied)[1]


def test_a_hostile_name_is_one_line_of_plain_text(fake):
    said, _ = verdicts([fake.row("a\x1b[31m\nb" + "x" * 200, r1=60), fake.row("c", r1=20)], seeds=1)
    assert "\n" not in said
    assert "\x1b" not in said
    assert len(said) < 400
