"""The look of figures: colours and marks, legends, intervals, numbers at ticks, names drawn as text, files."""

import re
from itertools import pairwise

import pytest
from matplotlib import pyplot
from matplotlib.colors import to_hex

from harness.pages.theme import (
    COLOURS,
    MARKS,
    drawn,
    error_bar,
    interval_ends,
    label_lines,
    legend_below,
    log_axis,
    marks,
    save_figure,
    short_number,
    use_theme,
)

BAD = "=1+1 <script>alert(1)</script> $\\frac$ \x1b[31mred"


@pytest.fixture(autouse=True)
def _closed():
    use_theme()
    yield
    pyplot.close("all")


def test_names_are_told_apart_by_colour_and_mark_and_repeated_ones_are_one():
    look = marks(["a", "b", "a", "c"])
    assert list(look) == ["a", "b", "c"]
    assert look["a"] == {"color": COLOURS[0], "marker": MARKS[0]}
    many = marks(map(str, range(len(COLOURS) * len(MARKS))))
    assert len({tuple(style.values()) for style in many.values()}) == len(many)
    assert marks([]) == {}


def test_a_legend_has_a_mark_for_each_name_and_each_line_once():
    figure, _ = pyplot.subplots()
    legend_below(figure, marks(["a", BAD]), ["floor", "floor"])
    (box,) = figure.legends
    texts = [text.get_text() for text in box.get_texts()]
    assert texts[0] == "a"
    assert "\x1b" not in texts[1]
    assert texts[2:] == ["floor"]
    assert [line.get_linestyle() for line in box.get_lines()] == ["None", "None", "--"]
    empty, _ = pyplot.subplots()
    legend_below(empty, {}, [])
    assert not empty.legends


@pytest.mark.parametrize(
    ("low", "high", "bar", "ends"),
    [
        (3.0, 7.0, [[2.0], [2.0]], (3.0, 7.0)),
        (5.5, 4.5, [[0.0], [0.0]], (5.0, 5.0)),
        (None, 7.0, None, (5.0, 5.0)),
        (float("nan"), 7.0, None, (5.0, 5.0)),
    ],
)
def test_an_interval_is_lengths_below_and_above_and_none_without_ends(low, high, bar, ends):
    row = {"mAP": 5.0, "mAP_low": low, "mAP_high": high}
    assert error_bar(row, "mAP") == bar
    assert interval_ends(row, "mAP") == ends


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1k"),
        (1234, "1.23k"),
        (12_345, "12k"),
        (-2e6, "-2M"),
        (3.5e9, "3.5G"),
        (0.25, "0.25"),
    ],
)
def test_large_numbers_are_short(value, text):
    assert short_number(value) == text


def test_names_are_cut_at_their_length_and_made_of_visible_signs():
    assert [drawn("abcdef", 6), drawn("abcdefg", 6), drawn("", 6)] == ["abcdef", "abcdef\ng", ""]
    assert "\x1b" not in drawn(BAD, 99)


@pytest.mark.parametrize("which", ["x", "y"])
def test_a_logarithmic_axis_has_plain_numbers_at_its_ticks(which):
    _, axes = pyplot.subplots()
    axes.plot([1, 20_000], [1, 20_000])
    log_axis(axes, which)
    axis = getattr(axes, f"{which}axis")
    assert axis.get_scale() == "log"
    assert axis.get_major_formatter()(20_000) == "20k"
    assert axis.get_minor_formatter()(3) == ""
    other = axes.yaxis if which == "x" else axes.xaxis
    assert other.get_scale() == "linear"


def test_a_figure_is_two_files_and_formulas_and_tags_in_it_stay_text(tmp_path):
    figures = []
    for name in "ab":
        figure, axes = pyplot.subplots()
        axes.set_title(drawn(BAD))
        assert save_figure(figure, tmp_path / "deep" / f"{name}.x") is figure
        figures.append(figure)
    assert sorted(file.name for file in (tmp_path / "deep").iterdir()) == [
        "a.x.png",
        "a.x.svg",
        "b.x.png",
        "b.x.svg",
    ]
    one, other = ((tmp_path / "deep" / f"{name}.x.svg").read_text() for name in "ab")
    assert one == other
    assert "<script" not in one
    assert not re.search(r"<dc:date>", one)


def test_the_theme_draws_in_the_palette_and_no_name_as_a_formula():
    _, axes = pyplot.subplots()
    lines = [axes.plot([0, 1])[0] for _ in range(3)]
    assert [to_hex(line.get_color()).upper() for line in lines] == list(COLOURS[:3])
    assert pyplot.rcParams["text.parse_math"] is False


@pytest.mark.parametrize("ends", [[1.0, 1.0, 1.0, 1.01, 9.0], [0.0, 10.0], [10.0, 10.0, 9.99], [5.0] * 9])
def test_lines_are_named_at_their_ends_in_their_colour_and_no_name_touches_another(ends):
    use_theme()
    figure, axes = pyplot.subplots(figsize=(5, 3))
    names = [f"cskt (method.lr=0.{place}, method.loss=itc)" for place in range(len(ends))]
    lines = {
        name: axes.plot([0, 1], [0, end], color=COLOURS[place % 8])[0]
        for place, (name, end) in enumerate(zip(names, ends, strict=True))
    }
    axes.set_ylim(0, 10)
    label_lines(axes, lines)
    figure.canvas.draw()
    assert {"".join(text.get_text().split()) for text in axes.texts} == {
        "".join(name.split()) for name in names
    }
    assert {text.get_color() for text in axes.texts} == {line.get_color() for line in lines.values()}
    boxes = sorted((text.get_window_extent() for text in axes.texts), key=lambda box: box.y0)
    assert all(one.y1 <= other.y0 + 0.5 for one, other in pairwise(boxes))
    assert not figure.legends
    assert axes.get_legend() is None
    pyplot.close(figure)
