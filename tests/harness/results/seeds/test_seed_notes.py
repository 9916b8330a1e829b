"""What a table says of seeds: pooled by hand, in one group and in several, and where nothing is known."""

from dataclasses import replace

import pytest
from pandas import DataFrame

from harness.evaluate.per_identity import persons_key
from harness.pages.tables import MARK
from harness.results.panels import protocol_facts, split_panels
from harness.results.seeds.seed_notes import MARK_NOTE, any_marked, legend_entry, seed_notes
from tests.fake_experiment import persons
from tests.seed_cases import CASES, two


def notes_of(rows, found):
    """Return the notes on the one panel of results, whose intervals follow from their persons."""
    (panel,) = split_panels(DataFrame(rows), protocol_facts, found)
    return seed_notes(panel.records, panel.persons)


def test_what_is_known_of_seeds_is_counted_and_pooled_over_all_results(fake):
    rows = [
        fake.row("a"),
        fake.row("b", n_seeds=2),
        fake.row("c", n_seeds=3),
        fake.row("z", rule="untrained"),
    ]
    found = persons(rows) | persons(rows[1:2], 2, 1.0) | persons(rows[2:3], 3, 2.0)
    (note,) = notes_of(rows, found)
    own = [found[persons_key(row)].seed_variance("R1") for row in rows[1:3]]
    pooled = (own[0].between - own[0].within + 2 * (own[1].between - own[1].within)) / 3
    assert note == (
        "What another seed would change is estimated from all results of the table together: 2 results of several "
        f"seeds, 5 seeds, 3 degrees of freedom; standard deviation {100 * pooled**0.5:.1f} points of R@1."
    )
    assert pooled > 0


def test_one_result_of_two_seeds_is_counted_in_the_singular(fake):
    rows = [fake.row("a"), fake.row("b", n_seeds=2)]
    (note,) = notes_of(rows, persons(rows[:1]) | persons(rows[1:], 2, 3.0))
    assert "together: 1 result of several seeds, 2 seeds, 1 degree of freedom; standard deviation " in note


def test_results_on_several_data_share_within_each_alone_and_the_range_is_said(fake):
    rows = [
        *(fake.row(name, "icfg", n_seeds=2) for name in "ab"),
        *(fake.row(name, "cuhk", n_seeds=3) for name in "ab"),
    ]
    found = persons(rows[:2], 2, 1.0) | persons(rows[2:], 3, 4.0)
    (note,) = notes_of(rows, found)
    assert (
        "results of the same training and test data together: 2 to 4 degrees of freedom each; standard"
        in note
    )
    low, high = note.partition("deviation ")[2].removesuffix(" points of R@1.").split(" to ")
    assert float(low) < 1 < float(high)


def test_a_result_that_stands_alone_shares_nothing(fake):
    rows = [fake.row("a", n_seeds=3), fake.row("z", rule="untrained")]
    assert notes_of(rows, persons(rows[:1], 3, 1.0) | persons(rows[1:])) == []


@pytest.mark.parametrize("case", CASES)
def test_where_nothing_is_known_the_note_says_what_the_mark_means(case):
    notes = notes_of(*two(case))
    assert any(note.startswith(MARK_NOTE) for note in notes) == CASES[case]


def test_those_of_which_nothing_is_known_are_named_where_it_is_not_all(fake):
    rows = [fake.row("a"), fake.row("b"), fake.row("c", "cuhk", n_seeds=2)]
    found = persons(rows[:2]) | persons(rows[2:], 2, 1.0)
    assert notes_of(rows, found) == [f"{MARK_NOTE} Nothing tells what another seed of a, b would change."]
    assert notes_of(rows[:2], persons(rows[:2])) == [
        f"{MARK_NOTE} Nothing tells what another seed would change."
    ]


def test_a_result_without_persons_of_one_seed_is_unknown_too(fake):
    assert notes_of([fake.row("a")], {}) == [f"{MARK_NOTE} Nothing tells what another seed would change."]


def test_the_mark_is_explained_where_it_stands_and_nowhere_else():
    assert any_marked([{"persons_only": False}, {"persons_only": True}]) == (MARK_NOTE,)
    assert any_marked([{"persons_only": False}]) == ()
    assert MARK_NOTE == "† persons only: another seed may order otherwise."
    assert [next(iter(legend_entry(True)))[0], legend_entry(False)] == [MARK, {}]


def test_seeds_that_answer_alike_are_not_counted_and_leave_one_seed_unknown(fake):
    rows = [fake.row("a"), fake.row("b", n_seeds=3)]
    found = persons(rows)
    alike = found[persons_key(rows[1])]
    found[persons_key(rows[1])] = replace(alike, sums=alike.sums.repeat(3, axis=0))
    assert notes_of(rows, found) == [f"{MARK_NOTE} Nothing tells what another seed of a would change."]
    (panel,) = split_panels(DataFrame(rows), protocol_facts, found)
    assert [row["interval"] for row in panel.records] == ["identities only", "identities"]
    assert panel.difference(*panel.records).persons_only
