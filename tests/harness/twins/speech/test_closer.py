"""What a close look tells is compared with the pixels that change when the thing is taken away, and with the view."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from harness.datasets import DATASETS
from harness.twins.drawing.canvas import Part
from harness.twins.drawing.colours import CLOTHES, FIXED
from harness.twins.drawing.details import PLAIN, Details, choose_details
from harness.twins.drawing.people import NONE, Person, draw_person
from harness.twins.drawing.photograph import photograph
from harness.twins.drawing.views import FACINGS, draw_view
from harness.twins.speech.closer import FINE_PARTS, look_closely
from harness.twins.speech.fine_words import FINE_WORDS
from harness.twins.speech.sight import see

LOOK = DATASETS.get("ufine").twin.look


def clean(look):
    """The same scene without noise, blur and odd light, so that only drawn things change pixels."""
    plain = dict.fromkeys(("brightness", "contrast", "saturation"), (1.0, 1.0))
    return replace(look, **plain, noise=(0, 0), blur=(0, 0), cropped=0.3, occluded=0.4)


def scene(index, look=None):
    """A person with fine things in a view, the picture, and what a close look tells."""
    random = Random(f"closer {index}")
    look = look or clean(LOOK)
    person = draw_person(random)
    details = choose_details(person, index)
    view = draw_view(look, random.choice(FACINGS), random)
    view = replace(view, light=replace(view.light, slope=0.0))
    picture, parts = photograph(person, index, view, look, details)
    sight = look_closely(person, details, view, parts, see(person, view, parts))
    return index, person, details, view, np.asarray(picture, dtype=int), sight


@pytest.fixture(scope="module")
def scenes():
    return [scene(index) for index in range(240)]


def changed_share(found, details):
    """Share of the squared body height whose pixels clearly differ with other fine things."""
    index, person, _, view, before, _ = found
    after = np.asarray(photograph(person, index, view, clean(LOOK), details)[0], dtype=int)
    return (np.abs(before - after).max(axis=2) > 28).sum() / (view.frame.size * view.frame.height) ** 2


@pytest.mark.parametrize("name", FINE_PARTS)
def test_a_fine_thing_is_told_exactly_when_its_pixels_show(scenes, name):
    shown, hidden = [], []
    for found in scenes:
        details, sight = found[2], found[-1]
        group = shown if name in sight else hidden
        if getattr(details, name) != NONE and len(group) < 8:
            group.append(changed_share(found, replace(details, **{name: NONE})) / FINE_PARTS[name][1])
            assert name not in sight or sight[name] == getattr(details, name)
    assert len(shown) >= 5
    assert min(shown) > 0.5, sorted(shown)
    assert max(hidden, default=0) < 1.8, sorted(hidden)


def test_nothing_that_a_person_lacks_is_told(scenes):
    for index, person, _, view, _, _ in scenes[:60]:
        _, parts = photograph(person, index, view, clean(LOOK))
        assert not set(look_closely(person, PLAIN, view, parts, {})) & set(FINE_PARTS)


def test_the_attributes_in_sight_stay_as_they_are(scenes):
    for _, person, details, view, _, sight in scenes:
        for name, value in sight.items():
            if name in Person.__dataclass_fields__:
                assert getattr(person, name) == value
            elif name in Details.__dataclass_fields__:
                assert getattr(details, name) == value
            elif name not in ("facing", "gait"):
                assert value in FINE_WORDS[name]
        assert sight["facing"] == view.facing


def test_surroundings_are_those_of_the_view():
    told = [scene(index, replace(LOOK, occluded=0.0)) for index in range(80)]
    assert {sight["place"] for *_, sight in told} == set(LOOK.backdrop)
    light = {"bright": [], "dim": [], None: []}
    for _, _, _, view, picture, sight in told:
        assert sight["place"] == view.scene
        assert sight.get("camera") != "above" or view.frame.tilt > 0.25
        assert sight.get("camera") != "level" or view.frame.tilt < 0.15
        light[sight.get("light")].append(picture.mean())
        assert sight.get("light") != "dim" or view.light.brightness < 0.9
        assert sight.get("light") != "bright" or view.light.brightness > 1.05
    assert np.mean(light["dim"]) < np.mean(light[None]) < np.mean(light["bright"])


def test_posture_is_that_of_the_view(scenes):
    told = {"long": [], "short": []}
    for _, _, _, view, _, sight in scenes:
        side = view.facing in ("left", "right")
        assert "stride" not in sight or (side and sight["gait"] == "walking")
        assert "arms" not in sight or (not side and not view.pose.walking)
        if "stride" in sight:
            told[sight["stride"]].append(abs(view.pose.stride))
    assert max(told["short"]) < min(told["long"])


SIDES = {
    ("front_make", None): {"front"},
    ("hat_make", "peak"): {"front", "left", "right"},
    ("bag_make", "straps"): {"front"},
    ("bag_make", "zip"): {"back"},
    ("frames", None): {"front", "left", "right"},
}


@pytest.mark.parametrize(("name", "value"), SIDES)
def test_how_a_thing_is_made_is_told_only_from_the_sides_that_show_it(scenes, name, value):
    found = {
        view.facing
        for *_, view, _, sight in scenes
        if name in sight and value in (None, sight[name]) and not view.obstacle
    }
    assert found == SIDES[name, value]


def test_makes_are_of_things_in_sight_and_not_told_behind_an_obstacle(scenes):
    of = {
        "front_make": "upper",
        "hem_make": "upper",
        "lower_make": "lower",
        "hat_make": "hat",
        "frames": "glasses",
        "soles": "shoes",
        "bag_make": "bag",
        "item_make": "item",
    }
    seen = set()
    for *_, view, _, sight in scenes:
        makes = set(of) & set(sight)
        assert not (makes and view.obstacle)
        assert all(of[name] in sight for name in makes)
        seen |= makes
    assert seen == set(of)


COLOURS = {
    ("item_make", "cup"): FIXED["lid"],
    ("item_make", "book"): (150, 36, 44),
    ("item_make", "shopping bag"): (220, 66, 60),
    ("item_make", "phone"): FIXED["screen"],
}


@pytest.mark.parametrize(("name", "value"), COLOURS)
def test_a_make_that_names_a_colour_has_pixels_of_it(name, value):
    look, n = replace(clean(LOOK), occluded=0.0, cropped=0.0, backdrop="park"), 0
    for index in range(400):
        found = scene(index, look)
        if found[-1].get(name) == value:
            near = np.abs(found[4] - COLOURS[name, value]).max(axis=2) < 26
            assert near.sum() >= 3, index
            n += 1
        if n == 4:
            return
    assert n >= 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("soles", "low", "high"), [("white soles", 215, 256), ("grey soles", 135, 200), ("dark soles", 0, 135)]
)
def test_soles_are_as_light_as_told(soles, low, high):
    look, found = replace(clean(LOOK), occluded=0.0, cropped=0.0), []
    for index in range(400):
        _, person, details, view, picture, sight = scene(index, look)
        if sight.get("soles") == soles and len(found) < 5:
            shoes = photograph(person, index, view, look, details)[1] == Part.SHOE
            bottom = np.flatnonzero(shoes.any(axis=1))[-1]
            columns = np.flatnonzero(shoes[bottom]) // 2
            found.append(np.median(picture[bottom // 2 - 1 : bottom // 2, columns].mean(axis=2)))
    assert len(found) >= 3
    assert low <= min(found) <= max(found) < high, found


def test_the_least_area_of_a_fine_thing_is_enough_for_an_eye_in_the_smallest_picture():
    height = min(
        look.width[0] * look.aspect[0]
        for name in ("ufine", "ufine3c")
        for look in DATASETS.get(name).twin.looks.values()
    )
    assert min(least for _, least in FINE_PARTS.values()) * height**2 >= 8


def test_every_colour_of_a_fine_thing_has_a_word():
    for name in ("cuffs", "pocket", "stripe", "socks", "watch", "band"):
        assert set(FINE_WORDS[name]) == set(CLOTHES)
