"""Fine things: which a person may have, and that each is drawn where it belongs and nowhere else."""

from dataclasses import fields
from random import Random

import numpy as np
import pytest

from harness.twins.drawing.canvas import Part
from harness.twins.drawing.colours import CLOTHES
from harness.twins.drawing.details import (
    METALS,
    PLAIN,
    Details,
    choose_details,
    draw_in_hair,
    draw_on_arm,
    draw_on_chest,
    draw_on_legs,
)
from harness.twins.drawing.people import NONE, alike, draw_person

NAMES = [field.name for field in fields(Details)]


@pytest.fixture(scope="module")
def chosen():
    """Hundreds of persons with their fine things."""
    return [
        (draw_person(Random(seed)), choose_details(draw_person(Random(seed)), seed)) for seed in range(600)
    ]


def test_fine_things_follow_from_person_and_seed_alone(chosen):
    person, details = chosen[0]
    assert choose_details(person, 0) == details
    assert len({choose_details(person, seed) for seed in range(50)}) > 10


def test_each_fine_thing_is_had_by_some_and_not_by_others(chosen):
    for name in NAMES:
        values = {getattr(details, name) for _, details in chosen}
        assert NONE in values
        assert len(values) >= (3 if name == "necklace" else 6), name


def test_fine_things_fit_what_the_person_wears(chosen):
    for person, details in chosen:
        had = {name for name in NAMES if getattr(details, name) != NONE}
        assert "cuffs" not in had or person.sleeves == "long"
        assert "watch" not in had or person.sleeves != "long"
        assert "stripe" not in had or person.lower in ("trousers", "leggings")
        assert "socks" not in had or (person.lower in ("shorts", "skirt") and person.shoes != "boots")
        assert "necklace" not in had or person.scarf == NONE
        assert "band" not in had or person.hat == NONE
        assert "pocket" not in had or person.pattern != "logo"


def test_nothing_has_the_colour_of_what_it_lies_on(chosen):
    for person, details in chosen:
        below = {"cuffs": person.upper_colour, "pocket": person.upper_colour, "stripe": person.lower_colour}
        for name, colour in (below | {"socks": person.shoes_colour}).items():
            value = getattr(details, name)
            assert value == NONE or not alike(value, (colour,)), (name, value, colour)


DRAWN = {
    "cuffs": (Part.CUFF, "red", {"front", "back", "right"}),
    "watch": (Part.WATCH, "red", {"front", "back", "right"}),
    "stripe": (Part.STRIPE, "red", {"front", "back", "right"}),
    "socks": (Part.SOCK, "red", {"front", "back", "right"}),
    "band": (Part.BAND, "red", {"front", "back", "right"}),
    "pocket": (Part.POCKET, "red", {"front"}),
    "necklace": (Part.NECKLACE, "gold", {"front"}),
}


def draw(canvas, who, skeleton, details):
    draw_on_legs(canvas, who, skeleton, details)
    for limb in (skeleton.far_arm, skeleton.near_arm):
        draw_on_arm(canvas, limb, skeleton, details)
    draw_on_chest(canvas, skeleton, details)
    draw_in_hair(canvas, skeleton, details)


@pytest.mark.parametrize("facing", ["front", "back", "right"])
@pytest.mark.parametrize("name", NAMES)
def test_a_fine_thing_shows_in_its_colour_from_the_sides_that_have_it(sheet, person, bones, name, facing):
    part, value, sides = DRAWN[name]
    canvas = sheet((90, 220))
    draw(canvas, person(), bones(facing), Details(**{name: value}))
    assert canvas.seen() == ({int(part)} if facing in sides else set())
    shown = canvas.pixels[canvas.marks == part]
    assert (shown == (CLOTHES | METALS)[value]).all()
    assert np.array_equal(canvas.painted, canvas.marks > 0)


WHERE = {
    "cuffs": (0.4, 0.48),
    "watch": (0.41, 0.47),
    "stripe": (0.48, 0.95),
    "socks": (0.84, 0.96),
    "band": (0.0, 0.07),
    "pocket": (0.22, 0.3),
    "necklace": (0.15, 0.25),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_fine_thing_is_at_its_height_of_the_body(sheet, person, bones, name):
    part, value, _ = DRAWN[name]
    canvas = sheet((90, 220))
    draw(canvas, person(), bones("front"), Details(**{name: value}))
    first, last = canvas.span(canvas.marks == part)
    assert WHERE[name][0] <= first < last <= WHERE[name][1], (first, last)


def test_the_stripe_ends_where_boots_begin(sheet, person, bones):
    spans = []
    for shoes in ("boots", "sneakers"):
        canvas = sheet((90, 220))
        draw_on_legs(canvas, person(shoes=shoes), bones("front"), Details(stripe="red"))
        spans.append(canvas.span(canvas.marks == Part.STRIPE)[1])
    assert spans[0] < 0.84 < spans[1]


def test_without_fine_things_nothing_is_drawn(sheet, person, bones):
    canvas = sheet()
    draw(canvas, person(), bones("front"), PLAIN)
    assert not canvas.painted.any()
    assert canvas.seen() == set()
