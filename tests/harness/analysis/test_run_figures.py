"""Figures of results: curves, ranks, slices, maps and probes draw the numbers given."""

import numpy as np
import pytest
from matplotlib import pyplot
from pandas import DataFrame

from harness.analysis.run_figures import (
    _COLOURED,
    _MOST_RANKS,
    draw_curves,
    draw_map,
    draw_probe,
    draw_ranks,
    draw_slices,
    person_shares,
)
from harness.pages.theme import COLOURS, use_theme

BAD = "=1+1 <script>alert(1)</script> $\\frac$ \x1b[31m"


@pytest.fixture(autouse=True)
def _closed():
    use_theme()
    yield
    pyplot.close("all")


def queries(identities, ranks):
    return {"t2i/identity": np.array(identities), "t2i/rank": np.array(ranks)}


def bars(axes):
    """Return value, low and high of each error bar by its place."""
    found = {}
    for bar in axes.containers:
        (value,), (place,) = bar.lines[0].get_data()
        ends = bar.lines[2][0].get_segments()[0][:, 0].tolist() if bar.lines[2] else [None, None]
        found[round(float(place), 6)] = (float(value), *ends)
    return found


def test_curves_draw_what_each_epoch_has_and_mark_the_tested_one():
    history = [
        {"epoch": 1, "train/loss": 3.0, "train/sdm": 2.0, "val/t2i/R1": 10.0},
        {"epoch": 2, "train/loss": 2.0, "train/sdm": 1.0},
        {"epoch": 3, "train/loss": 1.0, "train/sdm": 0.5, "val/t2i/R1": 30.0},
    ]
    left, right = draw_curves(history, 3).axes
    (loss,) = [line for line in left.lines if len(line.get_xdata()) == 3]
    assert loss.get_xydata().tolist() == [[1, 3], [2, 2], [3, 1]]
    (score,) = [line for line in right.lines if line.get_linestyle() == "-"]
    assert score.get_xydata().tolist() == [[1, 10], [3, 30]]
    assert [axes.lines[-1].get_xdata() for axes in (left, right)] == [[3, 3], [3, 3]]
    assert left.get_xlabel() == right.get_xlabel() == "epoch"


def test_several_losses_are_all_drawn_and_no_epoch_is_no_line():
    row = {"epoch": 1, "train/loss": 3.0, "train/a": 2.0, "train/b": 1.0}
    left, right = draw_curves([row], None).axes
    named = {text.get_text(): text.get_color() for text in left.texts}
    assert set(named) == {"loss", "a", "b"}
    assert set(named.values()) == {line.get_color() for line in left.lines}
    assert left.get_legend() is None
    assert not right.lines
    assert [len(axes.lines) for axes in draw_curves([], None).axes] == [0, 0]


def test_recall_rises_with_the_cutoff_and_persons_go_from_the_hardest_on():
    figure = draw_ranks({"one": queries([1, 1, 2, 2], [1, 3, 60, 1]), BAD: queries([5], [2])})
    left, right = figure.axes
    recall = left.lines[0].get_ydata()
    assert (len(recall), recall[0], recall[1], recall[2], recall[-1]) == (_MOST_RANKS, 50, 50, 75, 75)
    assert right.lines[0].get_ydata().tolist() == [50, 50]
    assert list(left.lines[1].get_ydata()[:2]) == [0, 100]
    for axes in figure.axes:
        colours = {text.get_text(): text.get_color() for text in axes.texts}
        assert colours.pop("one") == axes.lines[0].get_color()
        ((other, colour),) = colours.items()
        assert "\x1b" not in other
        assert colour == axes.lines[1].get_color()
    assert not figure.legends
    assert not [text for axes in draw_ranks({"alone": queries([1], [1])}).axes for text in axes.texts]


def test_a_person_s_share_is_of_its_own_captions_in_order_of_identity():
    shares = person_shares(queries([9, 9, 9, 2, 5, 5], [1, 1, 2, 7, 1, 1]))
    assert shares.tolist() == pytest.approx([0, 1, 2 / 3])


def slices(*rows):
    columns = ["by", "slice", "n_queries", "R1", "R1_low", "R1_high"]
    return DataFrame([dict(zip(columns, row, strict=True)) for row in rows])


def test_slices_stand_under_their_kind_with_interval_and_count():
    one = slices(
        ("colour", "red", 7, 40.0, 30.0, 55.0),
        ("colour", BAD, 2, 10.0, None, None),
        ("length", "1-9", 3, 20.0, 18.0, 22.0),
    )
    figure = draw_slices({"mine": one})
    (axes,) = figure.axes
    texts = [tick.get_text() for tick in axes.get_yticklabels()]
    assert (texts[0], texts[1], texts[3], texts[4]) == ("colour", "red  (7)", "length", "1-9  (3)")
    assert "\x1b" not in texts[2]
    found = bars(axes)
    assert found[1] == pytest.approx((40, 30, 55))
    assert found[2] == (10, None, None)
    assert found[4] == pytest.approx((20, 18, 22))
    assert not figure.legends


def test_two_results_are_drawn_beside_one_another_and_a_slice_of_one_alone_is_left_out():
    one = slices(("colour", "red", 7, 40.0, 30.0, 55.0))
    other = slices(("colour", "red", 7, 50.0, 45.0, 55.0), ("colour", "blue", 1, 1.0, 0.0, 2.0))
    figure = draw_slices({"a": one, "b": other})
    found = bars(figure.axes[0])
    assert {place: ends[0] for place, ends in found.items()} == {0.84: 40, 1.16: 50}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]


def test_the_persons_with_most_images_are_coloured_and_the_rest_faint():
    identities = [1, 1, *range(2, 12)]
    places = np.arange(48.0).reshape(24, 2)
    figure = draw_map(places, identities, "a title")
    (axes,) = figure.axes
    drawn = [part.get_offsets() for part in axes.collections]
    assert sorted(np.concatenate(drawn).tolist()) == places.tolist()
    assert sorted(len(part) for part in drawn) == [1] * 14 + [2] * 2 + [3] * 2
    assert drawn[1].tolist() == places[:2].tolist()
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(labels) == 2 + _COLOURED
    assert labels[2].endswith("1")
    assert axes.get_title(loc="left") == "a title"


def test_the_probe_is_drawn_best_first_against_chance():
    rows = DataFrame(
        [
            {
                "attribute": "bag",
                "accuracy": 60.0,
                "accuracy_low": 50.0,
                "accuracy_high": 65.0,
                "share": 12.4,
            },
            {"attribute": "hat", "accuracy": 90.0, "accuracy_low": None, "accuracy_high": None, "share": 3.0},
        ]
    )
    (axes,) = draw_probe(rows).axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["hat  (3 %)", "bag  (12 %)"]
    found = bars(axes)
    assert found[0] == (90, None, None)
    assert found[1] == pytest.approx((60, 50, 65))
    assert axes.lines[0].get_xdata() == [50, 50]
    assert axes.containers[0].lines[0].get_color() == COLOURS[0]
    assert not draw_probe(rows[:0]).axes[0].containers
