"""Tables of a study: its trials, facts and failures."""

import pytest

from harness.analysis.studies.tables import facts_table, failures_table, trials_frame
from harness.pages.tables import DASH
from harness.record.time_left import duration
from tests.tracked_studies import BAD, MEMORY, R1, TRIALS, tracked, trial


def test_the_facts_say_how_it_searched_and_how_its_trials_ended():
    study = tracked(TRIALS)
    table = facts_table(study)
    facts = dict(zip(table.cells["fact"], table.cells["value"], strict=True))
    assert facts["trials"] == "6: 4 finished, 1 pruned, 1 failed"
    assert facts["pruned"] == "17% of trials, which saved 2 of 30 epochs (6.7%)"
    assert facts["trial time"] == "6 min, median 60 s"
    assert facts["sampler, pruner"] == "tpe, median"
    assert "SYNTHETIC TWIN" in table.title
    assert "SYNTHETIC TWIN" in " ".join(table.notes)


def test_the_best_so_far_passes_over_what_is_beyond_a_limit_pruned_or_failed():
    study = tracked(TRIALS)
    rows = trials_frame(study)
    assert rows[f"{R1} best so far"].tolist() == [20, 20, 20, 20, 25, 25]
    assert rows["state"].tolist() == [
        "finished",
        "beyond a limit",
        "pruned (last value)",
        "failed",
        "finished",
        "finished",
    ]


def test_failures_of_one_error_stand_together_with_its_first_line():
    other = {"type": "DataError", "message": "no file", "traceback": ""}
    trials = [trial(0, state="failed"), trial(1, state="failed", error=other), trial(2, state="failed")]
    rows = failures_table(tracked([*trials, trial(3, 4.0)])).cells.to_numpy().tolist()
    assert rows == [["0, 2", "2", "TrainingError: the loss is nan"], ["1", "1", "DataError: no file"]]


def test_of_a_cost_the_best_so_far_falls_and_of_a_score_it_rises():
    pairs = [(20.0, 4e9), (30.0, 5e9), (25.0, 3e9)]
    rows = trials_frame(tracked([trial(n, a, values=(a, b)) for n, (a, b) in enumerate(pairs)], (R1, MEMORY)))
    assert rows[f"{R1} best so far"].tolist() == [20, 30, 30]
    assert rows[f"{MEMORY} best so far"].tolist() == [4e9, 4e9, 3e9]


def test_no_trial_makes_an_empty_frame_with_all_its_columns():
    rows = trials_frame(tracked([]))
    assert len(rows) == 0
    assert {"number", "state", R1, f"{R1} best so far", "method.lr", "planned"} <= set(rows.columns)


def test_facts_of_an_empty_study_are_dashes_and_no_division_by_nothing():
    facts = dict(facts_table(tracked([], sampler="", seeds=None, synthetic=False)).cells.to_numpy().tolist())
    assert facts["trials"].startswith("0: 0 finished")
    assert facts["trial time"] == facts["seeds per trial"] == facts[f"{R1} of finished trials"] == DASH
    assert facts["pruned"] == DASH
    assert facts_table(tracked([], synthetic=False)).notes == ()


def test_facts_of_a_study_under_way_count_what_runs_and_was_asked_for():
    study = tracked(TRIALS, running=2, wanted=20, constraints=("peak_memory<=1e9", "x<=2"))
    facts = dict(facts_table(study).cells.to_numpy().tolist())
    assert facts["trials"] == "6 of 20 asked for: 4 finished, 1 pruned, 1 failed, 2 running"
    assert facts["limits"] == "peak_memory<=1e9; x<=2"
    assert facts[f"{R1} of finished trials"] == "20.0 to 30.0, median 23.5"


def test_a_failure_without_an_error_and_one_of_hostile_text_are_lines_of_text():
    hostile = {"type": BAD, "message": f"{BAD}\nsecond line", "traceback": BAD}
    table = failures_table(
        tracked([trial(0, state="failed", error=hostile), trial(1, state="failed", error={})])
    )
    assert table.values["n"].tolist() == [1, 1]
    assert "second line" not in table.cells["error"][0]
    assert "<script" not in table._repr_html_() + table.markdown()
    assert "\x1b" not in table.csv()
    assert len(failures_table(tracked([])).cells) == 0


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (199, "199 s"), (200, "3 min"), (5999, "100 min"), (6000, "1.7 h")]
)
def test_a_time_is_told_in_the_unit_that_suits_it(seconds, text):
    assert duration(seconds) == text
