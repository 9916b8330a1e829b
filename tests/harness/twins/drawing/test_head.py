"""Face, hair, hat, glasses and scarf: which parts show from where, and that nothing else is painted."""

import numpy as np
import pytest

from harness.twins.drawing.canvas import Part
from harness.twins.drawing.head import draw_glasses, draw_hair_behind, draw_hat, draw_head, draw_scarf
from harness.twins.drawing.people import NONE, VALUES
from harness.twins.drawing.views import FACINGS

SLACK = 0.02


def drawn(sheet, size, draw):
    canvas = sheet(size)
    draw(canvas)
    stray = canvas.painted & (canvas.marks == Part.NOTHING)
    assert stray.sum() <= 0.02 * canvas.painted.sum(), "painted without a part"
    return canvas


@pytest.mark.parametrize("facing", FACINGS)
@pytest.mark.parametrize("hair", VALUES["hair"])
def test_every_hair_shows_from_everywhere_with_the_face_where_it_can_be_seen(
    sheet, size, person, bones, dyes, hair, facing
):
    who = person(hair=hair, gender="man")
    canvas = drawn(sheet, size, lambda canvas: draw_head(canvas, who, bones(facing), dyes))
    tail = {Part.TAIL} if hair == "bun" or (hair == "ponytail" and facing != "front") else set()
    assert canvas.seen() - {Part.FACE} == {Part.HAIR} | tail
    face = (canvas.marks == Part.FACE).sum() / (canvas.marks == Part.HAIR).sum()
    assert face < 0.2 if facing == "back" and hair != "bald" else face > 0.25
    low, high = canvas.span(canvas.painted)
    assert -0.05 - SLACK < low < high < (0.285 if hair in ("long", "ponytail") else 0.16) + SLACK


def test_long_hair_falls_behind_the_shoulders_only_from_the_front(sheet, person, bones, dyes):
    for hair in VALUES["hair"]:
        for facing in FACINGS:
            canvas = sheet()
            draw_hair_behind(canvas, person(hair=hair), bones(facing), dyes.hair)
            assert canvas.seen() == ({Part.HAIR} if (hair, facing) == ("long", "front") else set())


@pytest.mark.parametrize("facing", FACINGS)
@pytest.mark.parametrize("hat", VALUES["hat"])
def test_every_hat_sits_on_the_head(sheet, size, person, bones, dyes, hat, facing):
    canvas = drawn(sheet, size, lambda canvas: draw_hat(canvas, person(hat=hat), bones(facing), dyes.hat))
    if hat == NONE:
        assert not canvas.painted.any()
        return
    assert canvas.seen() == {Part.HAT}
    low, high = canvas.span(canvas.painted)
    assert -0.035 - SLACK < low < high < 0.08 + SLACK


@pytest.mark.parametrize("facing", FACINGS)
@pytest.mark.parametrize("glasses", VALUES["glasses"])
def test_glasses_are_seen_from_all_sides_but_the_back(sheet, size, person, bones, glasses, facing):
    canvas = drawn(sheet, size, lambda canvas: draw_glasses(canvas, person(glasses=glasses), bones(facing)))
    seen = glasses != NONE and facing != "back"
    assert canvas.seen() == ({Part.GLASSES} if seen else set())


def test_sunglasses_are_darker_than_glasses(sheet, person, bones):
    means = {}
    for glasses in ("glasses", "sunglasses"):
        canvas = sheet((120, 300))
        draw_glasses(canvas, person(glasses=glasses), bones())
        means[glasses] = canvas.pixels[canvas.painted].mean()
    assert means["sunglasses"] < means["glasses"] - 20


@pytest.mark.parametrize("facing", FACINGS)
def test_the_ends_of_a_scarf_hang_at_the_front(sheet, size, person, bones, dyes, facing):
    canvas = drawn(
        sheet, size, lambda canvas: draw_scarf(canvas, person(scarf="green"), bones(facing), dyes.scarf)
    )
    assert canvas.seen() == {Part.SCARF}
    assert canvas.span(canvas.painted)[1] == pytest.approx(0.187 if facing == "back" else 0.321, abs=SLACK)
    bare = sheet(size)
    draw_scarf(bare, person(), bones(facing), dyes.scarf)
    assert not bare.painted.any()


def test_the_same_head_is_drawn_the_same(sheet, person, bones, dyes):
    for facing in FACINGS:
        first, again = sheet(), sheet()
        for canvas in (first, again):
            draw_head(canvas, person(hair="ponytail"), bones(facing), dyes)
            draw_hat(canvas, person(hat="sun hat"), bones(facing), dyes.hat)
        assert np.array_equal(first.pixels, again.pixels)


def test_women_have_red_lips_and_men_have_not(sheet, person, bones, dyes):
    man, woman = sheet((120, 300)), sheet((120, 300))
    draw_head(man, person(gender="man"), bones(), dyes)
    draw_head(woman, person(gender="woman"), bones(), dyes)
    assert np.array_equal(man.marks, woman.marks)
    low, high = man.span((man.pixels != woman.pixels).any(axis=2))
    assert 0.1 < low < high < 0.14
