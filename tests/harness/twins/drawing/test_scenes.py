"""What is behind and before a person: every kind at every size, the same for the same draws, only where it should."""

from random import Random

import numpy as np
import pytest
from PIL import Image

from harness.datasets import DATASETS
from harness.twins.drawing.backdrops import BACKDROPS, draw_backdrop, draw_passer_by
from harness.twins.drawing.canvas import SUPERSAMPLING, Part
from harness.twins.drawing.obstacles import KINDS, draw_obstacle

SCENES = [*BACKDROPS, "elsewhere"]


@pytest.mark.parametrize("kind", BACKDROPS)
def test_every_backdrop_fills_the_picture_the_same_for_the_same_draws(kind, size):
    width, height = size
    first, again, other = (np.asarray(draw_backdrop(kind, size, 0.2, Random(seed))) for seed in (3, 3, 4))
    assert first.shape == (height * SUPERSAMPLING, width * SUPERSAMPLING, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.any(axis=2).all(), "a pixel was left unpainted"


def test_backdrops_differ_and_the_twins_know_them_all():
    pictures = {kind: draw_backdrop(kind, (40, 80), 0.1, Random(0)).tobytes() for kind in BACKDROPS}
    assert len(set(pictures.values())) == len(BACKDROPS)
    looks = [look for name in DATASETS.names() for look in DATASETS.get(name).twin.looks.values()]
    named = [[look.backdrop] if isinstance(look.backdrop, str) else look.backdrop for look in looks]
    assert {scene for scenes in named for scene in scenes} == set(BACKDROPS)
    with pytest.raises(KeyError):
        draw_backdrop("moon", (40, 80), 0.1, Random(0))


@pytest.mark.parametrize("tilt", [0.0, 0.3, 0.5, 1.0])
def test_a_steeper_camera_shows_more_ground_and_always_a_little_of_what_is_behind(monkeypatch, tilt):
    seen = []
    monkeypatch.setitem(BACKDROPS, "seen", lambda draw, size, horizon, random: seen.append((size, horizon)))
    draw_backdrop("seen", (50, 100), tilt, Random(8))
    height = 100 * SUPERSAMPLING
    share = max(0.05, Random(8).uniform(0.3, 0.5) - 0.6 * tilt)
    assert seen == [((50 * SUPERSAMPLING, height), int(height * share))]
    assert seen[0][1] > 0


def test_a_passer_by_is_small_and_at_one_edge(size):
    grey = Image.new("RGB", size, (128, 128, 128))
    for seed in range(20):
        picture = grey.copy()
        draw_passer_by(picture, Random(seed))
        changed = (np.asarray(picture) != 128).any(axis=2)
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        assert 0.12 * size[1] - 1 <= rows[0] <= rows[-1] <= 0.46 * size[1] + 1
        middle = (columns[0] + columns[-1]) / 2 / size[0]
        assert middle < 0.3 or middle > 0.7
        again = grey.copy()
        draw_passer_by(again, Random(seed))
        assert again.tobytes() == picture.tobytes()


def obstructed(sheet, size, kind, scene, seed):
    """Draw an obstacle before a picture that shows nothing but cloth; return the canvas and what it hides."""
    canvas = sheet(size)
    canvas.parts.paste(int(Part.TORSO), (0, 0, *canvas.parts.size))
    draw_obstacle(canvas, kind, scene, Random(seed))
    return canvas, canvas.marks == Part.NOTHING


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_obstacle_hides_what_it_paints_and_nothing_else(sheet, size, kind, scene):
    canvas, hidden = obstructed(sheet, size, kind, scene, 1)
    assert np.array_equal(hidden, canvas.painted)
    assert 0.04 < hidden.mean() < 0.75
    again, _ = obstructed(sheet, size, kind, scene, 1)
    assert np.array_equal(again.pixels, canvas.pixels)
    assert not np.array_equal(obstructed(sheet, size, kind, scene, 2)[0].pixels, canvas.pixels)


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("seed", range(6))
def test_obstacles_stand_where_their_kind_says(sheet, scene, seed):
    _, pole = obstructed(sheet, (60, 150), "pole", scene, seed)
    assert pole.any(axis=1).all()
    columns = np.flatnonzero(pole.any(axis=0)) / pole.shape[1]
    assert 0.15 - 0.01 <= columns[0] <= columns[-1] <= 0.85 + 0.01
    assert 0.06 - 0.02 <= np.ptp(columns) <= 0.1 + 0.02
    _, low = obstructed(sheet, (60, 150), "low", scene, seed)
    assert low[-1].all()
    assert np.flatnonzero(low.any(axis=1))[0] / len(low) > 0.6
    _, side = obstructed(sheet, (60, 150), "side", scene, seed)
    assert side[-1, 0] != side[-1, -1], "it is at both sides or at none"
    assert not side[:, int(0.48 * side.shape[1]) : int(0.52 * side.shape[1])].any()
