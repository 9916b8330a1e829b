"""Ranks and pairs of results: counted by hand, adjusted for all pairs, with ties, without persons, alone."""

import numpy as np
import pytest
from pandas import DataFrame

from harness.evaluate.paired_difference import holm, rank_intervals
from harness.evaluate.per_identity import Persons, difference, persons_key
from harness.metric_names import METRICS
from harness.pages.tables import DASH
from harness.results.method_ranks import (
    _FIRST,
    _PAIR_COLUMNS,
    DIFFERENCE,
    ERRORS,
    TIED,
    pairs,
    rank_text,
    ranked,
    row_rank,
)
from harness.results.panels import dataset_facts, split_panels
from tests.fake_experiment import persons
from tests.seed_cases import CASES, two


def panel_of(rows, found=None):
    (panel,) = split_panels(DataFrame(list(rows)), dataset_facts, persons(rows) if found is None else found)
    return panel


def exact(rows, hits):
    """Return persons of one query each, of whom the first so many are found."""
    return {
        persons_key(row): Persons(
            np.arange(40),
            np.ones(40),
            np.stack([[(np.arange(40) < n).astype(float)] * len(METRICS)], axis=0).swapaxes(1, 2),
            0.0,
        )
        for row, n in zip(rows, hits, strict=True)
    }


def test_ranks_of_a_case_counted_by_hand(fake):
    rows = [fake.row("a", r1=75.0), fake.row("b", r1=72.5), fake.row("c", r1=25.0)]
    panel = panel_of(rows, exact(rows, (30, 29, 10)))
    found = ranked(panel)
    assert found[["rank_low", "rank_high"]].to_numpy().tolist() == [[1, 2], [1, 2], [3, 3]]
    assert found["place"].tolist() == ["tied for first", "tied for first", ""]
    # One person of 40 is found by a alone: mean 1/40, standard error 1/40, so t is 1 with 39 degrees of freedom.
    assert pairs(panel)["p"].iloc[0] == pytest.approx(0.3235, abs=1e-4)
    assert found["difference"].tolist()[1:] == pytest.approx([-2.5, -50])


def test_p_is_adjusted_for_all_pairs_and_agrees_with_the_ranks(fake):
    panel = panel_of(
        [fake.row(name, r1=r1) for name, r1 in (("low", 15), ("top", 60), ("b", 40), ("mid", 41))]
    )
    found = pairs(panel)
    assert len(found) == 6
    assert found["p_holm"].tolist() == holm(found["p"]).tolist()
    rows = ranked(panel).to_dict("records")
    table = [[panel.difference(a, b) for b in rows] for a in rows]
    expected = [list(pair) for pair in rank_intervals(table)]
    assert ranked(panel)[["rank_low", "rank_high"]].to_numpy().tolist() == expected


def test_equal_results_are_tied_for_first_and_their_difference_is_nothing(fake):
    rows = [fake.row(name, r1=75.0) for name in "ab"]
    panel = panel_of(rows, exact(rows, (30, 30)))
    found = ranked(panel)
    assert found["place"].tolist() == [TIED, TIED]
    assert found["leads"].tolist() == [True, False]
    assert found["difference"].tolist() == [pytest.approx(np.nan, nan_ok=True), 0]
    assert pairs(panel)[["place", "other_place", "p_holm"]].to_numpy().tolist() == [[1, 2, 1.0]]


def test_a_pair_is_the_first_less_the_second_and_a_row_the_second_less_the_first(fake):
    panel = panel_of([fake.row("a", r1=30), fake.row("b", r1=60)])
    line, row = pairs(panel).iloc[0], ranked(panel).iloc[1]
    assert line[["label", "other"]].tolist() == ["b", "a"]
    assert line["difference"] == pytest.approx(30)
    ends = -line[["difference", "difference_high", "difference_low"]].to_numpy(float)
    assert row[["difference", "difference_low", "difference_high"]].tolist() == pytest.approx(ends.tolist())
    assert ends[1] < ends[0] < ends[2] < 0


def test_a_result_without_persons_is_not_ranked_and_the_next_one_leads(fake):
    rows = [fake.row("lost", r1=70), fake.row("a", r1=60), fake.row("b", r1=20)]
    found = ranked(panel_of(rows, persons(rows[1:]))).set_index("method")
    assert found["place"].tolist() == [DASH, _FIRST, ""]
    assert found["leads"].tolist() == [False, True, False]
    assert found.loc["lost", ["rank_low", *DIFFERENCE, *ERRORS]].isna().all()
    assert found.loc["b", "difference"] == pytest.approx(-40)


def test_one_result_alone_is_first_and_none_has_no_pair(fake):
    panel = panel_of([fake.row()])
    assert ranked(panel)[["rank_low", "rank_high", "place"]].to_numpy().tolist() == [[1, 1, _FIRST]]
    assert pairs(panel).columns.tolist() == _PAIR_COLUMNS
    assert len(pairs(panel)) == 0


def test_the_error_has_a_part_of_seeds_only_where_some_seeds_tell_it(fake):
    rows = [fake.row("a", r1=50, n_seeds=3), fake.row("b", r1=20)]
    assert ranked(panel_of(rows))["seed_error"].isna().all()
    found = ranked(panel_of(rows, persons(rows[:1], seeds=3) | persons(rows[1:]))).set_index("method")
    assert found["seed_error"].notna().tolist() == [True, True]
    assert found["identity_error"].gt(0).all()
    assert found["n_identities"].tolist() == [40, 40]
    assert found["correlation"].tolist() == pytest.approx([0.1, 0.1])


@pytest.mark.parametrize("case", CASES)
def test_ranks_and_pairs_say_where_they_stand_on_persons_only(case):
    panel = panel_of(*two(case))
    found = ranked(panel)
    assert found["place"].tolist() == [_FIRST, ""]
    assert found["rank_persons_only"].tolist() == [CASES[case]] * 2
    assert found["persons_only"].tolist() == [False, CASES[case]]
    assert pairs(panel)["persons_only"].tolist() == [CASES[case]]
    assert [row_rank(row) for row in found.to_dict("records")] == (
        ["1†", "2†"] if CASES[case] else ["1", "2"]
    )


def test_one_seed_against_three_is_wider_than_with_one_seed_alone():
    rows, found = two("one seed against three")
    one, other = (found[persons_key(row)] for row in rows)
    without = difference(one, other)
    known = panel_of(rows, found).difference(*rows)
    assert (without.persons_only, known.persons_only) == (True, False)
    assert known.high - known.low > 1.1 * (without.high - without.low)


def test_a_rank_without_any_significant_difference_claims_nothing_and_its_p_is_marked(fake):
    found = ranked(panel_of([fake.row("a", r1=40), fake.row("b", r1=40.2)]))
    assert found["rank_persons_only"].tolist() == [False, False]
    assert found["persons_only"].tolist() == [False, True]


def test_a_rank_is_marked_for_the_pairs_that_it_follows_from_alone(fake):
    rows = [
        fake.row("a", r1=60, rule="untrained"),
        fake.row("b", r1=20, rule="untrained"),
        fake.row("c", r1=61),
    ]
    found = ranked(panel_of(rows)).set_index("method")
    assert found["rank_persons_only"].to_dict() == {"c": True, "a": False, "b": True}


def test_a_rank_is_one_number_where_both_ends_are():
    assert [rank_text(1, 1), rank_text(2, 11), rank_text(np.nan, np.nan)] == ["1", "2–11", DASH]
