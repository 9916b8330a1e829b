"""The canvas against pictures that are known by arithmetic of another kind."""

import numpy as np
import pytest

from harness.pretrain.corpus import palette, sketches
from harness.pretrain.corpus.canvas import Brush, Canvas, Paint, photographed, printed
from harness.pretrain.corpus.draws import Draws

WHITE = Paint((255.0, 255.0, 255.0))
SQUARE = [(4, 3), (10, 3), (10, 9), (4, 9)]


def covered(canvas):
    return canvas.pixels[..., 0] / 255


def blank(size=(16, 16)):
    return Canvas(size, (0.0, 0.0, 0.0))


@pytest.mark.parametrize("points", [SQUARE, SQUARE[::-1], SQUARE[2:] + SQUARE[:2]])
def test_a_square_covers_its_pixels_whichever_way_it_turns(points):
    canvas = blank()
    canvas.polygon(points, WHITE)
    expected = np.zeros((16, 16))
    expected[3:9, 4:10] = 1
    assert (covered(canvas) == expected).all()


def test_edges_between_pixels_are_soft():
    canvas = blank()
    canvas.polygon([(4.5, 2), (9.5, 2), (9.5, 12), (4.5, 12)], WHITE)
    row = covered(canvas)[6]
    assert row[4] == row[9] == pytest.approx(0.5)
    assert (row[5:9] == 1).all()


def test_a_triangle_covers_half_its_box_and_an_ellipse_its_area():
    canvas = blank((40, 40))
    canvas.polygon([(5, 5), (35, 35), (5, 35)], WHITE)
    assert covered(canvas).sum() == pytest.approx(450, rel=0.03)
    canvas = blank((40, 40))
    canvas.ellipse((20, 20), (15, 10), WHITE)
    assert covered(canvas).sum() == pytest.approx(np.pi * 150, rel=0.03)
    mask = covered(canvas) > 0.5
    y, x = np.mgrid[0:40, 0:40] + 0.5
    assert (mask == ((x - 20) ** 2 / 225 + (y - 20) ** 2 / 100 < 1)).all()


def test_shapes_outside_and_without_extent_do_nothing_and_half_outside_are_cut():
    canvas = blank()
    canvas.polygon([(-9, -9), (-5, -9), (-5, -5)], WHITE)
    canvas.ellipse((30, 30), (3, 3), WHITE)
    assert not canvas.pixels.any()
    canvas.polygon([(-5, -5), (5, -5), (5, 5), (-5, 5)], WHITE)
    assert covered(canvas)[:5, :5].all()
    assert not covered(canvas)[6:, 6:].any()


def test_a_brush_places_parts_within_parts_and_mirrors():
    canvas = blank((20, 20))
    half = Brush(canvas, 10, 10, 10, 10).part(0.5, 0.5, 0.5, 0.5)
    half.polygon([(-1, -1), (0, -1), (0, 1), (-1, 1)], WHITE)
    assert (np.argwhere(covered(canvas) == 1).min(axis=0) == (10, 10)).all()
    mirrored = blank((20, 20))
    Brush(mirrored, 10, 10, -10, 10).part(0.5, 0.5, 0.5, 0.5).polygon(
        [(-1, -1), (0, -1), (0, 1), (-1, 1)], WHITE
    )
    assert (covered(mirrored) == covered(canvas)[:, ::-1]).all()


def test_a_line_is_as_wide_as_it_says():
    canvas = blank((20, 20))
    Brush(canvas, 0, 0, 20, 20).line((0.1, 0.5), (0.9, 0.5), 0.2, WHITE)
    assert covered(canvas)[:, 10].sum() == pytest.approx(4)


@pytest.mark.parametrize("pattern", palette.PATTERNS)
def test_each_pattern_shows_both_of_its_colours_and_differs_from_the_others(pattern):
    def made(name):
        canvas = blank((48, 48))
        canvas.polygon([(0, 0), (48, 0), (48, 48), (0, 48)], Paint((0, 0, 0), (255, 255, 255), name, 6, 2))
        return covered(canvas)

    assert 0.1 < made(pattern).mean() < 0.9
    assert all((made(other) != made(pattern)).any() for other in palette.PATTERNS if other != pattern)


def test_what_is_printed_stays_flat_and_what_is_photographed_does_not():
    flat = np.unique(printed(Canvas((96, 32), (120, 90, 200)), Draws("a")).reshape(-1, 3), axis=0)
    assert len(flat) == 1
    pixels = photographed(Canvas((96, 32), (120, 90, 200)), Draws("a"))
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 100
    assert abs(pixels.reshape(-1, 3).mean(axis=0) / (120, 90, 200) - 1).max() < 0.4


def test_dyes_are_of_the_colour_they_are_called_and_tones_go_both_ways():
    for index in range(300):
        dye = palette.dye(Draws(f"{index}"), patterned=0.5)
        near = [
            shade for shade in palette.SHADES if np.abs(np.subtract(shade.rgb, dye.paint.colour)).max() < 9.01
        ]
        assert dye.colour in {word for shade in near for word in shade.words}
        assert bool(dye.pattern) == (dye.paint.pattern != "plain")
    assert palette.toned(Paint((100, 200, 0)), 0.5).colour == (50, 100, 0)
    assert palette.toned(Paint((100, 200, 0)), 1.5).colour == (177.5, 227.5, 127.5)


def test_a_sketch_is_drawn_piece_by_piece_in_its_inks():
    sketch = sketches.Sketch(
        ("x",), (sketches.box("main", -1, -1, 1, 1), sketches.Oval("dark", 0, 0, 0.5, 0.5))
    )
    canvas = blank((20, 20))
    sketches.draw_sketch(sketch, Brush(canvas, 10, 10, 8, 8), {"main": WHITE})
    assert (canvas.pixels[3, 10] == 255).all()
    assert canvas.pixels[10, 10].max() < 40


def test_draws_are_those_of_the_text_alone_and_fair():
    first, again, other = (Draws(text) for text in ("a", "a", "b"))
    assert [first.whole(1, 9) for _ in range(20)] == [again.whole(1, 9) for _ in range(20)]
    assert {other.pick("abc") for _ in range(60)} == set("abc")
    assert sorted(other.shuffled(range(9))) == list(range(9))
    counts = [other.weighted({"x": 3, "y": 1, "z": 0}) for _ in range(4000)]
    assert counts.count("x") / 4000 == pytest.approx(0.75, abs=0.03)
    assert "z" not in counts
    assert np.mean([other.chance(0.3) for _ in range(4000)]) == pytest.approx(0.3, abs=0.03)
    assert {other.whole(2, 4) for _ in range(99)} == {2, 3, 4}


def test_draws_are_the_known_ones():
    draws = Draws("known")
    assert [draws.whole(0, 999) for _ in range(5)] == [720, 184, 611, 670, 741]
