"""Colours: arithmetic by hand, and tables whose names can be told apart."""

from random import Random

import pytest

from harness.twins.drawing.colours import (
    CLOTHES,
    FIXED,
    HAIR,
    SKIN,
    contrasting,
    luminance,
    own_shade,
    scaled,
    shifted,
)


@pytest.mark.parametrize(
    ("factor", "expected"),
    [(0, (0, 0, 0)), (0.5, (50, 100, 0)), (1, (100, 200, 0)), (1.2, (131, 211, 51)), (2, (255, 255, 255))],
)
def test_scaling_darkens_towards_black_and_lightens_towards_white(factor, expected):
    assert scaled((100, 200, 0), factor) == expected


def test_colours_stay_in_range():
    assert shifted((250, 3, 100), (10.0, -10.0, 0.4)) == (255, 0, 100)
    assert scaled((100, 200, 0), 5) == (255, 255, 255)


def test_lightness_is_weighted_as_the_eye_does():
    assert luminance((0, 0, 0)) == 0
    assert luminance((255, 255, 255)) == pytest.approx(255)
    assert luminance((0, 255, 0)) > luminance((255, 0, 0)) > luminance((0, 0, 255))


@pytest.mark.parametrize("level", [0, 129, 130, 255])
def test_ink_is_light_on_dark_cloth_and_dark_on_light(level):
    ink = contrasting((level, level, level))
    assert (luminance(ink) > 200) == (level < 130)
    assert abs(luminance(ink) - level) > 80


def test_a_shade_is_small_and_the_same_for_the_same_draws():
    shades = [own_shade(Random(seed), 4) for seed in range(200)]
    assert shades == [own_shade(Random(seed), 4) for seed in range(200)]
    assert len(set(shades)) == 200
    assert max(abs(move) for shade in shades for move in shade) <= 6
    assert own_shade(Random(0), 0) == (0, 0, 0)


def test_every_colour_of_the_tables_is_valid_and_those_of_clothes_differ_by_more_than_shades_do():
    for colour in (*CLOTHES.values(), *HAIR.values(), *SKIN, *FIXED.values()):
        assert len(colour) == 3
        assert all(isinstance(channel, int) and 0 <= channel <= 255 for channel in colour)
    for table in (list(CLOTHES.values()), list(HAIR.values()), list(SKIN)):
        distances = [
            sum(abs(a - b) for a, b in zip(x, y, strict=True)) for x in table for y in table if x != y
        ]
        assert len(distances) == len(table) * (len(table) - 1)
        assert min(distances) > 3 * 7
