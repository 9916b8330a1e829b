"""Shapes in body coordinates: where they fall, and that colour and part go to the same pixels."""

from dataclasses import replace

import numpy as np
import pytest

from harness.twins.drawing.canvas import SUPERSAMPLING, Frame, Part, between

FRAME = Frame(width=50, height=100, centre=0.4, top=0.1, size=0.8, tilt=0.0, lean=0.0, mirrored=False)
BOX = [(-0.1, 0.2), (0.1, 0.2), (0.1, 0.4), (-0.1, 0.4)]
RED = (250, 0, 0)
SHAPES = {
    "polygon": lambda canvas, part: canvas.polygon(BOX, RED, part),
    "ellipse": lambda canvas, part: canvas.ellipse((0.0, 0.3), (0.1, 0.1), RED, part),
    "pie": lambda canvas, part: canvas.pie((0.0, 0.3), (0.1, 0.1), (0, 90), RED, part),
    "stroke": lambda canvas, part: canvas.stroke([(-0.1, 0.21), (0.1, 0.39)], 0.02, RED, part),
    "limb": lambda canvas, part: canvas.limb([(-0.05, 0.25), (0.05, 0.35)], (0.1, 0.05), RED, part),
}


def test_a_body_stands_between_the_top_of_the_head_and_the_soles():
    assert FRAME.scale == 0.8 * 100 * SUPERSAMPLING
    assert FRAME.origin == (0.4 * 50 * SUPERSAMPLING, 0.1 * 100 * SUPERSAMPLING)
    assert FRAME.project(0, 0) == FRAME.origin
    x, y = FRAME.project(0.25, 1)
    assert (x, y) == pytest.approx((FRAME.origin[0] + 0.25 * FRAME.scale, FRAME.origin[1] + FRAME.scale))


def test_mirroring_swaps_left_and_right_about_the_axis():
    mirrored = replace(FRAME, mirrored=True)
    assert mirrored.project(0.2, 0.3) == pytest.approx(FRAME.project(-0.2, 0.3))
    assert mirrored.project(0.0, 0.3) == FRAME.project(0.0, 0.3)


def test_a_lean_moves_the_head_and_a_high_camera_shortens_the_legs_while_the_soles_stay():
    leaning = replace(FRAME, lean=0.1)
    assert leaning.project(0, 0)[0] == pytest.approx(FRAME.origin[0] + 0.1 * FRAME.scale)
    assert leaning.project(0, 1) == pytest.approx(FRAME.project(0, 1))
    high = replace(FRAME, tilt=0.5)
    assert [high.project(0, v)[1] for v in (0, 1)] == pytest.approx([FRAME.project(0, v)[1] for v in (0, 1)])
    assert high.project(0, 0.5)[1] == pytest.approx(FRAME.project(0, 0.5 + 0.45 * 0.5 * 0.25)[1])
    widths = [high.project(0.1, v)[0] - high.project(-0.1, v)[0] for v in (0.0, 0.5, 1.0)]
    assert widths == pytest.approx([0.2 * FRAME.scale * factor for factor in (1.15, 1.0, 0.85)])


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_colours_the_pixels_that_it_marks_and_no_others(sheet, size, shape):
    canvas = sheet(size)
    SHAPES[shape](canvas, Part.BAG)
    assert canvas.seen() == {Part.BAG}
    assert np.array_equal(canvas.painted, canvas.marks == Part.BAG)
    assert np.all(canvas.pixels[canvas.painted] == RED)
    low, high = canvas.span(canvas.painted)
    slack = 2 / canvas.frame.scale
    assert 0.2 - slack <= low < high <= 0.4 + slack


@pytest.mark.parametrize("shape", SHAPES)
def test_decoration_leaves_the_parts_alone(sheet, shape):
    canvas = sheet()
    canvas.polygon([(-0.3, 0), (0.3, 0), (0.3, 1), (-0.3, 1)], (0, 0, 250), Part.TORSO)
    before = canvas.marks
    SHAPES[shape](canvas, None)
    assert np.array_equal(canvas.marks, before)
    assert (canvas.pixels == RED).all(axis=2).any()


def test_a_polygon_and_a_disc_have_the_area_that_they_should(sheet):
    canvas = sheet((100, 200))
    canvas.polygon(BOX, RED, Part.BAG)
    assert canvas.painted.sum() == pytest.approx((0.2 * canvas.frame.scale) ** 2, rel=0.03)
    disc = sheet((100, 200))
    disc.ellipse((0.0, 0.5), (0.1, 0.05), RED, Part.BAG)
    assert disc.painted.sum() == pytest.approx(np.pi * 0.1 * 0.05 * disc.frame.scale**2, rel=0.05)


def test_a_stroke_is_as_wide_as_asked_and_one_pixel_at_least(sheet):
    canvas, thin = sheet((100, 200)), sheet((3, 5))
    canvas.stroke([(-0.1, 0.5), (0.1, 0.5)], 0.1, RED, Part.STRAP)
    assert abs(canvas.painted.any(axis=1).sum() - 0.1 * canvas.frame.scale) <= 1
    thin.stroke([(-0.1, 0.5), (0.1, 0.5)], 1e-6, RED, Part.STRAP)
    assert thin.painted.any(axis=1).sum() == 1


def test_a_sector_is_mirrored_with_the_person(sheet):
    canvas, mirrored = sheet((100, 200)), sheet((100, 200), mirrored=True)
    for each in (canvas, mirrored):
        each.pie((0.1, 0.5), (0.1, 0.1), (0, 90), RED, Part.HAT)
    flipped = mirrored.painted[:, ::-1]
    different = (canvas.painted[:, 1:] != flipped[:, :-1]).sum()
    assert different <= 0.05 * canvas.painted.sum()


def test_a_limb_without_length_is_a_disc(sheet):
    canvas, disc = sheet(), sheet()
    canvas.limb([(0.0, 0.5), (0.0, 0.5)], (0.1, 0.1), RED, Part.ARM)
    disc.ellipse((0.0, 0.5), (0.05, 0.05), RED, Part.ARM)
    assert np.array_equal(canvas.painted | disc.painted, canvas.painted)
    assert (canvas.painted & ~disc.painted).sum() <= 2 * 0.1 * canvas.frame.scale


def test_what_covers_the_person_hides_its_parts(sheet):
    canvas = sheet((100, 200))
    canvas.parts.paste(int(Part.TORSO), (0, 0, *canvas.parts.size))
    canvas.cover([(0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)], RED)
    half = canvas.parts.size[0] // 2
    assert canvas.painted[:, half:].all()
    assert not canvas.painted[:, :half].any()
    assert np.array_equal(canvas.marks == Part.NOTHING, canvas.painted)
    disc = sheet((100, 200))
    disc.parts.paste(int(Part.TORSO), (0, 0, *disc.parts.size))
    disc.cover_disc((0.5, 0.5), 0.25, RED)
    assert np.array_equal(disc.marks == Part.NOTHING, disc.painted)
    assert disc.painted.sum() == pytest.approx(np.pi * 50**2, rel=0.03)


def test_parts_have_numbers_of_their_own_from_nothing_on():
    assert [int(part) for part in Part] == list(range(26))
    assert Part.NOTHING == 0


@pytest.mark.parametrize(("share", "point"), [(0, (1, 2)), (1, (3, 6)), (0.5, (2, 4)), (0.25, (1.5, 3))])
def test_a_point_between_two(share, point):
    assert between((1, 2), (3, 6), share) == point
