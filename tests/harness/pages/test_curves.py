"""Curves as SVG: they are XML whatever they hold, points are where their values say, and the chosen epoch is marked."""

import re
from xml.etree import ElementTree

import pytest

from harness.pages.curves import Curve, draw_curves

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*curves):
    return ElementTree.fromstring(draw_curves(curves))


def points(tree):
    text = tree.find(f"{SVG}polyline").get("points")
    return [tuple(map(float, point.split(","))) for point in text.split()]


def test_points_go_to_the_right_and_higher_values_are_higher():
    (x1, y1), (x2, y2), (x3, y3) = points(drawn(Curve("loss", [(1, 5.0), (2, 9.0), (4, 7.0)])))
    assert x2 - x1 == pytest.approx((x3 - x1) / 3, abs=0.2)
    assert y2 < y3 < y1
    assert y3 == pytest.approx((y1 + y2) / 2)


def test_the_chosen_epoch_is_marked_and_named_and_another_is_not():
    tree = drawn(Curve("R@1", [(1, 5.0), (2, 9.0)], marked=2))
    assert [text.text for text in tree.iter(f"{SVG}text")][-1] == "chosen: 2"
    (ring,) = [one for one in tree.iter(f"{SVG}circle") if one.get("r") == "6"]
    assert (float(ring.get("cx")), float(ring.get("cy"))) == points(tree)[1]
    assert "chosen" not in draw_curves([Curve("R@1", [(1, 5.0)], marked=3)])


@pytest.mark.parametrize("values", [[(1, 3.0)], [(1, 3.0), (2, 3.0)], [(1, -1e-9), (2, 1e9)]])
def test_one_point_and_level_curves_stay_inside(values):
    assert all(0 <= x <= 300 and 0 <= y <= 200 for x, y in points(drawn(Curve("a", values))))


def test_a_hostile_title_is_text_and_a_long_training_is_thinned_to_its_end():
    hostile = "</text><script>alert(1)</script>\x1b[31m & \"'"
    text = draw_curves([Curve(hostile, [(step, step / 7) for step in range(5001)])])
    assert "<script" not in text
    assert "\x1b" not in text
    tree = ElementTree.fromstring(text)
    assert len(points(tree)) <= 402
    assert points(tree)[-1][0] == pytest.approx(300 - 12)
    assert len(re.findall("<circle", text)) == 0


def test_panels_lie_side_by_side_and_empty_ones_are_left_out():
    text = draw_curves([Curve("a", [(1, 1.0)]), Curve("nothing", []), Curve("b", [(1, 1.0)])])
    assert 'width="600"' in text
    assert "nothing" not in text
