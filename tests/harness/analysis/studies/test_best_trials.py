"""The best trials of a study: their order, the configuration with its edges, its use, and its worth."""

from harness.analysis.studies.best_trials import (
    _N_BEST,
    best_table,
    best_trials,
    configuration_table,
    edge,
    reuse_table,
    worth_table,
)
from harness.config.fields import Range
from harness.pages.tables import DASH
from harness.sweep.space import Axis
from tests.tracked_studies import BAD, INIT, LENGTH, MEMORY, R1, RATE, TRIALS, tracked, trial


def test_the_winners_value_stands_beside_what_it_reached_anew_and_on_test():
    table = worth_table(
        tracked(TRIALS, anew={"a": 18.0, "b": 20.0}, test={"test/icfg/t2i/R1": (12.0, 9.0, 15.0)})
    )
    shown = table.cells[["what", "metric", "value", "seeds"]].to_numpy().tolist()
    assert shown == [
        ["the search, as chosen", R1, "25.0", "1"],
        ["the search, median trial", R1, "23.5", "1"],
        ["retrained, validation", R1, "19.0 [18.0, 20.0]", "2"],
        ["retrained, test", "test/icfg/t2i/R1", "12.0 [9.0, 15.0]", "2"],
    ]
    assert "biased upwards" in " ".join(table.notes)


def test_the_best_configuration_stands_beside_defaults_and_names_the_edge_of_its_range():
    study = tracked(
        TRIALS, defaults={"method.lr": 0.001}, command="harness run --preset 'my best.yaml'", preset="x: 1"
    )
    rows = configuration_table(study).values.set_index("key")
    assert rows.loc["method.lr", ["best", "edge"]].tolist() == [0.099, "at the upper edge"]
    assert rows.loc["method.prompt_length", "edge"] == ""
    assert rows["default"].tolist() == [0.001, None, None]
    assert "'my best.yaml'" in reuse_table(study).cells["command"].tolist()[1]


def test_edges_are_of_the_scale_that_was_searched():
    assert edge(RATE, 1.1e-5) == "at the lower edge"
    assert edge(RATE, 1e-3) == ""
    assert edge(Axis(key="x", over=Range(low=1e-5, high=1e-1)), 1e-3) == "at the lower edge"
    assert edge(INIT, "zero") == edge(LENGTH, None) == ""


def test_only_finished_trials_within_the_limits_count_the_best_first_ties_by_map_then_number():
    trials = [
        trial(0, 20.0, metrics={"val/t2i/mAP": 5.0}),
        trial(1, 20.0, metrics={"val/t2i/mAP": 9.0}),
        trial(2, 20.0, metrics={"val/t2i/mAP": 5.0}),
        trial(3, 99.0, state="pruned"),
        trial(4, 99.0, feasible=False),
        trial(5, 21.0),
    ]
    assert best_trials(tracked(trials))["number"].tolist() == [5, 1, 0, 2]
    assert best_table(tracked(trials)).cells.columns.tolist() == ["trial", "5", "1", "0", "2"]


def test_of_many_trials_ten_are_shown_and_of_none_none():
    study = tracked([trial(n, float(n)) for n in range(14)])
    assert best_trials(study)["number"].tolist() == list(range(13, 3, -1))
    assert len(best_trials(study)) == _N_BEST
    assert len(best_trials(tracked([trial(0, state="failed")]))) == 0


def test_the_table_turns_trials_into_columns_and_costs_into_short_numbers():
    params = {"method.lr": 0.00558139, "method.prompt_length": 8, "method.init": BAD}
    trials = [trial(0, 20.0, values=(20.0, 12_345_678.0), params=params, seconds=0.0)]
    table = best_table(tracked(trials, (R1, MEMORY)))
    cells = table.cells.set_index("trial")["0"]
    assert cells[[R1, MEMORY, "time", "method.lr", "method.prompt_length"]].tolist() == [
        "20.0",
        "12M",
        DASH,
        "0.00558",
        "8",
    ]
    assert "\x1b" not in cells["method.init"]
    assert table.values["method.lr"].tolist() == [0.00558139]


def test_without_edges_there_is_no_note_and_a_missing_parameter_is_a_dash():
    trials = [trial(0, 20.0, params={"method.lr": 1e-3, "method.prompt_length": 4})]
    table = configuration_table(tracked(trials))
    assert table.notes == ()
    assert table.cells["best"].tolist() == ["0.001", "4", DASH]


def test_an_axis_of_one_value_has_no_edge_and_its_ends_count():
    assert edge(Axis(key="x", over=Range(low=2, high=2)), 2) == ""
    axis = Axis(key="x", over=Range(low=0, high=100))
    assert [bool(edge(axis, value)) for value in (0, 2, 2.1, 97.9, 98, 100)] == [
        True,
        True,
        False,
        False,
        True,
        True,
    ]


def test_commands_depend_on_what_is_there():
    study = tracked(TRIALS)
    (alone,) = reuse_table(study).cells["command"]
    assert alone == "harness sweep export first"
    whole = reuse_table(tracked(TRIALS, preset="a: 1", command="again")).cells["command"].tolist()
    assert whole[0] == "harness run --method cskt --dataset icfg --synthetic --preset data/best.yaml"
    assert whole[1:] == ["again", alone]


def test_what_was_not_retrained_has_no_line_of_it():
    table = worth_table(tracked(TRIALS))
    assert table.values["value"].tolist() == [25.0, 23.5]
    assert len(table.notes) == 1
    one = worth_table(tracked(TRIALS, anew={"a": 18.0})).values
    assert one.iloc[-1][["value", "low", "high", "seeds"]].tolist() == [18.0, 18.0, 18.0, "1"]
