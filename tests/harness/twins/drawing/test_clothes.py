"""Upper and lower body: which parts every garment shows from where, how far it reaches, and nothing else painted."""

import numpy as np
import pytest

from harness.twins.drawing.canvas import Part
from harness.twins.drawing.lower_body import draw_lower
from harness.twins.drawing.people import NONE, VALUES
from harness.twins.drawing.upper_body import draw_arm, draw_torso
from harness.twins.drawing.views import FACINGS

SLACK = 0.02
COVERED = ("trousers", "jeans", "leggings")
HEMS = {"t-shirt": 0.53, "tank top": 0.52, "shirt": 0.545, "jacket": 0.53, "coat": 0.73}


def lower(sheet, size, bones, dyes, who, facing):
    canvas = sheet(size)
    draw_lower(canvas, who, bones(facing), dyes)
    return canvas


def torso(sheet, size, bones, dyes, who, facing):
    canvas = sheet(size)
    draw_torso(canvas, who, bones(facing, who), dyes)
    return canvas


@pytest.mark.parametrize("facing", FACINGS)
@pytest.mark.parametrize(
    ("garment", "shoes"),
    [*zip(VALUES["lower"], 2 * VALUES["shoes"], strict=True), ("long skirt", "sneakers")],
)
def test_every_lower_garment_shows_cloth_shoes_and_the_legs_that_it_leaves_bare(
    sheet, size, person, bones, dyes, garment, shoes, facing
):
    canvas = lower(sheet, size, bones, dyes, person(lower=garment, shoes=shoes), facing)
    legs = Part.SHIN if garment in COVERED else Part.LEG
    expected = {Part.LOWER, legs, Part.SHOE}
    boots_hide_it = garment == "long skirt" and shoes == "boots"
    assert canvas.seen() in ([expected, expected - {legs}] if boots_hide_it else [expected])
    assert (canvas.painted & (canvas.marks == Part.NOTHING)).sum() <= 0.02 * canvas.painted.sum()
    low, high = canvas.span(canvas.painted)
    assert 0.42 - SLACK < low < 0.46 + SLACK
    assert 0.93 < high < 1.01 + SLACK


def test_a_skirt_is_shorter_than_a_long_skirt_and_longer_than_shorts(sheet, person, bones, dyes):
    ends = {}
    for garment in ("shorts", "skirt", "long skirt"):
        canvas = lower(sheet, (60, 150), bones, dyes, person(lower=garment), "front")
        ends[garment] = canvas.span(canvas.marks == Part.LOWER)[1]
    assert ends["skirt"] == pytest.approx(0.712, abs=SLACK)
    assert ends["long skirt"] == pytest.approx(0.912, abs=SLACK)
    assert ends["shorts"] < ends["long skirt"] - 0.1


def test_jeans_are_worn_and_seamed_where_trousers_are_plain(sheet, person, bones, dyes):
    colours = {}
    for garment in ("trousers", "jeans"):
        canvas = lower(sheet, (60, 150), bones, dyes, person(lower=garment), "front")
        colours[garment] = {tuple(pixel) for pixel in canvas.pixels[canvas.painted].tolist()}
    assert len(colours["jeans"]) >= len(colours["trousers"]) + 3
    assert dyes.lower in colours["trousers"] & colours["jeans"]


def test_boots_cover_half_the_shin(sheet, person, bones, dyes):
    tops = {}
    for shoes in VALUES["shoes"]:
        canvas = lower(sheet, (60, 150), bones, dyes, person(lower="shorts", shoes=shoes), "front")
        tops[shoes] = canvas.span(canvas.marks == Part.SHOE)[0]
    assert tops["boots"] == pytest.approx((0.725 + 0.945) / 2, abs=SLACK)
    assert min(tops["sneakers"], tops["leather shoes"]) > 0.9


def test_from_the_side_the_far_leg_is_darker(sheet, person, bones, dyes):
    far = dyes.shaded(0.8).shoes
    for facing, expected in (("front", False), ("left", True)):
        canvas = sheet()
        draw_lower(canvas, person(), bones(facing, stride=1.0), dyes)
        assert (canvas.pixels == far).all(axis=2).any() == expected


@pytest.mark.parametrize("facing", FACINGS)
@pytest.mark.parametrize("garment", VALUES["upper"])
def test_every_upper_garment_reaches_from_the_neck_to_its_hem(
    sheet, size, person, bones, dyes, garment, facing
):
    who = person(upper=garment, pattern="logo")
    canvas = torso(sheet, size, bones, dyes, who, facing)
    expected = {Part.FACE, Part.TORSO}
    expected |= {Part.ARM} if garment == "tank top" else set()
    printed = facing == "front" and garment not in ("jacket", "coat")
    expected |= {Part.LOGO} if printed else set()
    assert canvas.seen() == expected
    low, high = canvas.span(canvas.marks == Part.TORSO)
    assert 0.12 < low < 0.24 + SLACK
    assert high == pytest.approx(HEMS.get(garment, 0.535), abs=SLACK)


@pytest.mark.parametrize("facing", FACINGS)
@pytest.mark.parametrize("garment", ["jacket", "coat"])
def test_an_open_garment_shows_what_is_under_it_at_the_front(
    sheet, size, person, bones, dyes, garment, facing
):
    for opening in VALUES["opening"]:
        canvas = torso(sheet, size, bones, dyes, person(upper=garment, opening=opening), facing)
        shown = opening == "open" and facing == "front"
        assert (Part.INNER in canvas.seen()) == shown
        assert (canvas.pixels == dyes.inner).all(axis=2).any() == shown


def test_a_turn_moves_what_is_at_the_middle_of_the_chest(sheet, person, bones, dyes):
    who = person(pattern="logo")
    middles = []
    for turn in (-1.0, 0.0, 1.0):
        canvas = sheet((100, 250))
        draw_torso(canvas, who, bones("front", who, turn=turn), dyes)
        columns = np.flatnonzero((canvas.marks == Part.LOGO).any(axis=0))
        middles.append((columns.mean() + 0.5 - canvas.frame.origin[0]) / canvas.frame.scale)
    assert middles == pytest.approx([-0.018, 0.0, 0.018], abs=0.004)


@pytest.mark.parametrize("garment", VALUES["upper"])
def test_an_arm_is_bare_where_its_sleeve_ends(sheet, size, person, bones, dyes, garment):
    arm, covered = bones().near_arm, {}
    hand, low = arm.joints[2]
    for sleeves in VALUES["sleeves"]:
        canvas = sheet(size)
        draw_arm(canvas, person(upper=garment, sleeves=sleeves), arm, dyes)
        assert canvas.seen() == ({Part.ARM} if sleeves == "sleeveless" else {Part.ARM, Part.SLEEVE})
        assert canvas.span(canvas.painted) == pytest.approx((0.2 - 0.03, 0.475 + 0.024), abs=0.03)
        covered[sleeves] = (canvas.marks == Part.SLEEVE).sum() / canvas.painted.sum()
        column, row = (round(place) for place in canvas.frame.project(hand, low + 0.018))
        assert canvas.marks[row, column] == Part.ARM, "the hand is covered"
    assert covered["sleeveless"] == 0
    assert covered["long"] > 0.76 > covered["short"] + 0.05 > 0.05


def test_the_same_person_is_drawn_the_same(sheet, person, bones, dyes):
    for draw in (lower, torso):
        for facing in FACINGS:
            who = person(upper="hoodie", lower="jeans", pattern="logo")
            first, again = (draw(sheet, (60, 150), bones, dyes, who, facing) for _ in range(2))
            assert np.array_equal(first.pixels, again.pixels)
            assert np.array_equal(first.marks, again.marks)


def test_a_scarf_or_a_bag_changes_no_cloth(sheet, person, bones, dyes):
    bare, laden = (
        torso(sheet, (60, 150), bones, dyes, who, "front")
        for who in (
            person(),
            person(scarf="green", bag="backpack", bag_colour="black", hat="cap", item="cup"),
        )
    )
    assert np.array_equal(bare.pixels, laden.pixels)
    assert person().opening == NONE
