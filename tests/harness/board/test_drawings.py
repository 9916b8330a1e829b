"""The drawings of a page: intervals to scale, and the front of costs."""

from math import nan

from harness.board.drawings import cost_drawing, interval_bar


def test_an_interval_is_drawn_to_scale():
    drawn = interval_bar(50.0, 25.0, 75.0, 100.0)
    assert 'x1="30.0" y1="8" x2="90.0"' in drawn
    assert 'cx="60.0"' in drawn
    assert interval_bar(50.0, None, 75.0, 100.0) == interval_bar(nan, 1.0, 2.0, 100.0) == ""


def test_the_front_is_numbered_and_hostile_names_are_escaped():
    drawn = cost_drawing([(1, "<b>", 10.0, 30.0), (2, "x", 20.0, 20.0), (3, "y", nan, 9.0)], [1], "cost")
    assert drawn.count('class="front"') == drawn.count('class="beaten"') == 1
    assert "&lt;b&gt;" in drawn
    assert "<b>" not in drawn
    assert cost_drawing([], [], "cost") == ""
