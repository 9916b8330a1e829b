"""What stands below ranks: how they came about, what could have been seen, and what makes a comparison unfair."""

import pytest
from pandas import DataFrame

from harness.reporting.conditions import counted, fairness_notes, points_text, rank_notes
from harness.results.method_ranks import MOST_PAIRED, ranked
from harness.results.panels import dataset_facts, split_panels
from tests.fake_experiment import persons


def notes(rows, without=()):
    known = persons([row for row in rows if row["method"] not in without])
    (panel,) = split_panels(DataFrame(rows), dataset_facts, known)
    return " ".join(rank_notes(ranked(panel)))


def test_notes_name_the_leader_the_pairs_and_who_has_no_rank(fake):
    said = notes([fake.row("a", r1=30), fake.row("b", r1=60), fake.row("c", r1=20)], without=("c",))
    assert "the one pair of 2 results (Holm)" in said
    assert "Leader: b;" in said
    assert said.endswith("Not ranked, because the results per identity are missing: c.")
    assert notes([fake.row("a")]) == "One result: there is nothing to rank it against."


def test_of_many_results_it_is_said_that_each_makes_it_harder(fake):
    rows = [fake.row(str(number), r1=number) for number in range(1, MOST_PAIRED + 2)]
    assert "makes it harder" in notes(rows)
    assert "makes it harder" not in notes(rows[1:])


def test_tuning_budgets_are_compared_of_methods_that_train(fake):
    rows = [
        fake.row("a", budget="30 trials"),
        fake.row("b"),
        fake.row("c", rule="untrained", budget="by hand"),
    ]
    assert fairness_notes(DataFrame(rows)) == [
        "Tuning budgets differ (30 trials, none): comparing such results is not fair."
    ]
    assert fairness_notes(DataFrame(rows[1:])) == []


@pytest.mark.parametrize(("value", "text"), [(1.25, "1.2"), (float("nan"), "–")])
def test_points_are_short(value, text):
    assert points_text(value) == text
    assert counted(2, "pair") == "all 2 pairs"
