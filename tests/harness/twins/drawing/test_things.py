"""Bags and held things: every kind from every direction, in which hand, and nothing where there is none."""

from dataclasses import replace

import numpy as np
import pytest

from harness.twins.drawing.canvas import Part
from harness.twins.drawing.colours import FIXED
from harness.twins.drawing.people import NONE, VALUES
from harness.twins.drawing.things import draw_bag_before, draw_bag_behind, draw_in_hands
from harness.twins.drawing.views import FACINGS


def drawn(sheet, size, bones, dyes, who, facing):
    """Draw all that a person carries; return what is behind and what is before the body."""
    behind, before = sheet(size), sheet(size)
    draw_bag_behind(behind, who, bones(facing), dyes.bag)
    draw_bag_before(before, who, bones(facing), dyes)
    draw_in_hands(before, who, bones(facing), dyes.bag)
    return behind, before


@pytest.mark.parametrize("facing", FACINGS)
@pytest.mark.parametrize("bag", VALUES["bag"])
def test_every_bag_is_seen_from_everywhere_by_itself_or_its_straps(
    sheet, size, person, bones, dyes, bag, facing
):
    behind, before = drawn(sheet, size, bones, dyes, person(bag=bag), facing)
    side = facing in ("left", "right")
    expected = {
        NONE: (set(), set()),
        "suitcase": ({Part.BAG}, set()),
        "handbag": (set(), {Part.BAG}),
        "shoulder bag": (set(), {Part.BAG, Part.STRAP}),
        "backpack": (
            {Part.BAG} if side else set(),
            {"back": {Part.BAG}, "front": {Part.STRAP}}.get(facing, {Part.STRAP}),
        ),
    }[bag]
    assert (behind.seen(), before.seen()) == expected
    for canvas in (behind, before):
        inside = canvas.painted & (canvas.marks == Part.NOTHING)
        assert inside.sum() <= 0.05 * canvas.painted.sum()


@pytest.mark.parametrize("facing", FACINGS)
@pytest.mark.parametrize("item", VALUES["item"])
def test_every_item_is_at_the_near_hand(sheet, size, person, bones, dyes, item, facing):
    behind, before = drawn(sheet, size, bones, dyes, person(item=item), facing)
    assert not behind.painted.any()
    if item == NONE:
        assert not before.painted.any()
        return
    assert before.seen() == {Part.ITEM}
    assert np.array_equal(before.painted, before.marks == Part.ITEM)
    hand_x, hand_y = before.frame.project(*bones(facing).near_arm.joints[2])
    rows, columns = np.nonzero(before.painted)
    scale = before.frame.scale
    assert np.abs(columns - hand_x).max() < 0.065 * scale + 2
    assert -0.07 * scale - 2 < rows.min() - hand_y < rows.max() - hand_y < 0.3 * scale + 2


def test_items_and_bags_differ_from_one_another_and_are_drawn_the_same_each_time(sheet, person, bones, dyes):
    for name in ("item", "bag"):
        pictures = [
            b"".join(
                canvas.pixels.tobytes()
                for canvas in drawn(sheet, (60, 150), bones, dyes, person(**{name: kind}), "front")
            )
            for kind in (*VALUES[name], *VALUES[name])
        ]
        assert len(set(pictures)) == len(VALUES[name])
        assert pictures[: len(VALUES[name])] == pictures[len(VALUES[name]) :]


@pytest.mark.parametrize("facing", FACINGS)
def test_a_handbag_and_an_item_are_in_different_hands(sheet, person, bones, dyes, facing):
    both = bones(facing, swing=1.0, stride=1.0)
    canvas = sheet((100, 250))
    draw_in_hands(canvas, person(bag="handbag", bag_colour="green", item="phone"), both, dyes.bag)
    places = {"far": both.far_arm.joints[2], "near": both.near_arm.joints[2]}
    bag, item = ("near", "far") if both.side else ("far", "near")
    for part, hand in ((Part.BAG, places[bag]), (Part.ITEM, places[item])):
        columns = np.nonzero(canvas.marks == part)[1]
        assert abs(columns.mean() - canvas.frame.project(*hand)[0]) < 0.02 * canvas.frame.scale


@pytest.mark.parametrize(("cloth", "strap"), [((240, 240, 240), "strap dark"), ((20, 20, 20), "strap light")])
def test_straps_stand_out_from_the_cloth(sheet, person, bones, dyes, cloth, strap):
    canvas = sheet()
    draw_bag_before(canvas, person(bag="shoulder bag"), bones(), replace(dyes, upper=cloth))
    assert {tuple(pixel) for pixel in canvas.pixels[canvas.marks == Part.STRAP].tolist()} == {FIXED[strap]}
