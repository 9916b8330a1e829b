"""Figures of a study: what is drawn is what the trials hold, for one, for none finished, and for hostile names."""

import math

import pytest
from matplotlib import pyplot
from pandas import DataFrame

from harness.analysis.studies.figures import (
    _BEST_LOOK,
    _MOST_UPRIGHTS,
    _STATES,
    BEYOND,
    FAILED,
    FINISHED,
    PRUNED,
    _by_importance,
    _short_key,
    draw_expected_best,
    draw_front,
    draw_history,
    draw_importance,
    draw_parallel,
    draw_slices,
)
from harness.analysis.studies.tables import trials_frame
from harness.config.fields import Range
from harness.pages.theme import use_theme
from harness.sweep.space import Axis
from tests.tracked_studies import AXES, BAD, INIT, LENGTH, MEMORY, R1, RATE, TRIALS, tracked, trial


@pytest.fixture(autouse=True)
def _closed():
    use_theme()
    yield
    pyplot.close("all")


def points(axes, marker):
    """Return where the marks of one shape are drawn."""
    return [
        (float(x), float(y))
        for line in axes.lines
        if line.get_marker() == marker
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    ]


def legend(figure):
    return [text.get_text() for box in figure.legends for text in box.get_texts()]


def test_the_history_has_a_mark_for_each_trial_and_the_stairs_of_the_best():
    study = tracked(TRIALS)
    figure = draw_history(study, trials_frame(study))
    (axes,) = figure.axes
    circles = points(axes, _STATES[FINISHED]["marker"])
    assert sorted(circles) == [(0, 20), (2, 8), (4, 25), (5, 22)]
    assert points(axes, _STATES[BEYOND]["marker"]) == [(1, 30)]
    assert [x for x, _ in points(axes, _STATES[FAILED]["marker"])] == [3]
    (stairs,) = [line for line in axes.lines if line.get_drawstyle() == "steps-post"]
    assert stairs.get_ydata().tolist() == [20, 20, 20, 20, 25, 25]
    assert legend(figure) == [FINISHED, BEYOND, PRUNED, FAILED]
    assert axes.get_xlabel() == "trial"
    assert axes.get_ylabel() == R1


def test_each_objective_has_a_history_of_its_own_and_no_stairs_before_one_finished():
    study = tracked([trial(0, 5.0, state="pruned", values=(5.0, 2e9))], (R1, MEMORY))
    first, second = draw_history(study, trials_frame(study)).axes
    assert [axes.get_ylabel() for axes in (first, second)] == [R1, MEMORY]
    assert not first.texts
    assert second.yaxis.get_major_formatter()(2e9) == "2G"


def test_importance_is_drawn_in_percent_the_largest_on_top():
    (axes,) = draw_importance(tracked(TRIALS, importance={"a": 0.2, "b": 0.7, "c": 0.1})).axes
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([10, 20, 70])
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["c", "a", "b"]
    assert [text.get_text() for text in axes.texts] == ["10 %", "20 %", "70 %"]


def test_a_slice_shows_each_value_on_its_scale_and_stars_the_best():
    study = tracked(TRIALS, importance={"method.init": 0.9, "method.lr": 0.1})
    figure = draw_slices(study, trials_frame(study))
    init, rate, length, rest = figure.axes
    assert [axes.get_xlabel() for axes in (init, rate, length)] == ["init", "lr", "prompt_length"]
    assert [rate.get_xscale(), length.get_xscale()] == ["log", "linear"]
    assert points(rate, _BEST_LOOK["marker"]) == [(0.099, 25)]
    low, high = rate.get_xlim()
    assert low < RATE.over.low < RATE.over.high < high
    assert {x for x, _ in points(init, "o")} == {0}
    assert [tick.get_text() for tick in init.get_xticklabels()] == ["zero", "released"]
    assert not rest.axison


def test_parallel_lines_run_over_all_keys_to_the_value():
    study = tracked(TRIALS)
    (axes,) = draw_parallel(study, trials_frame(study)).axes
    lines = [line for line in axes.lines if len(line.get_xdata()) == len(AXES) + 1 > 2]
    assert len(lines) == 4
    ends = [line.get_ydata()[-1] for line in lines]
    assert ends == pytest.approx([0, 0.2, 0.5, 1])
    best = max(lines, key=lambda line: line.get_linewidth())
    heights = [math.log10(0.099 / 1e-5) / 4, 3 / 7, 0, 0.5]
    assert list(best.get_ydata()) == pytest.approx(heights)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["lr", "prompt_length", "init", R1]


def test_of_many_keys_the_most_important_are_upright_in_their_own_order():
    axes = [Axis(key=f"method.k{n}", over=Range(low=0, high=1)) for n in range(20)]
    params = {axis.key: 0.5 for axis in axes}
    study = tracked(
        [trial(0, 5.0, params=params)], axes=axes, importance={"method.k19": 0.9, "method.k3": 0.1}
    )
    figure = draw_parallel(study, trials_frame(study))
    names = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert len(names) == _MOST_UPRIGHTS + 1
    assert names[0] == "k0"
    assert names[-2:] == ["k19", R1]
    assert f"{_MOST_UPRIGHTS} of 20" in figure.get_suptitle()


def test_the_expected_best_is_a_line_in_its_band():
    expected = DataFrame({"n": [1, 2], "expected": [10.0, 12.0], "low": [8.0, 9.0], "high": [11.0, 14.0]})
    (axes,) = draw_expected_best(tracked(TRIALS), expected).axes
    assert axes.lines[0].get_xydata().tolist() == [[1, 10], [2, 12]]
    band = axes.collections[0].get_paths()[0].vertices
    assert {(x, y) for x, y in band.tolist()} >= {(1, 8), (2, 9), (1, 11), (2, 14)}


def test_the_front_is_numbered_and_a_cost_of_nothing_keeps_a_linear_axis():
    pairs = [(20.0, 4e9), (30.0, 5e9), (25.0, 3e9)]
    trials = [trial(n, a, values=(a, b)) for n, (a, b) in enumerate(pairs)]
    study = tracked(trials, (R1, MEMORY), front=[1, 2])
    (axes,) = draw_front(study, trials_frame(study)).axes
    assert {text.get_text(): text.xy for text in axes.texts} == {"2": (3e9, 25), "1": (5e9, 30)}
    assert sorted(points(axes, "o")) == [(3e9, 25), (4e9, 20), (5e9, 30)]
    assert axes.get_xscale() == "log"
    study = tracked([trial(0, 1.0, values=(1.0, 0.0))], (R1, MEMORY), front=[0])
    assert draw_front(study, trials_frame(study)).axes[0].get_xscale() == "linear"


def test_keys_are_short_where_that_tells_them_apart():
    two = [Axis(key=f"{part}.lr", over=RATE.over) for part in ("method", "train")]
    assert _short_key("method.lr", AXES) == "lr"
    assert _short_key("method.lr", two) == "method.lr"
    assert _by_importance(tracked([])) == list(AXES)
    assert _by_importance(tracked([], importance={INIT.key: 0.6, LENGTH.key: 0.4})) == [INIT, LENGTH, RATE]


def test_hostile_names_and_values_that_are_none_of_an_axis_are_drawn_as_text(tmp_path):
    axes = [Axis(key=f"method.{BAD}", over=RATE.over), INIT]
    params = {f"method.{BAD}": float("nan"), "method.init": BAD}
    study = tracked([trial(0, 5.0, params=params)], axes=axes, importance={f"method.{BAD}": 1.0}, name=BAD)
    rows = trials_frame(study)
    figures = [draw_importance(study), draw_slices(study, rows), draw_parallel(study, rows)]
    for figure in figures:
        figure.savefig(tmp_path / "x.svg")
        text = (tmp_path / "x.svg").read_text()
        assert "<script" not in text
        assert "\x1b" not in figure.get_suptitle()
