"""What a picture is said to show is compared with the pixels that change when the thing is taken away."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from harness.datasets import DATASETS
from harness.twins.drawing.people import NONE, draw_person
from harness.twins.drawing.photograph import photograph
from harness.twins.drawing.views import FACINGS, draw_view
from harness.twins.speech.sight import LEAST, see

SELDOM_HIDDEN = ("upper_colour", "hat_colour", "item", "scarf")

# attribute: (least area of sight.LEAST that decides, how to paint it over or take it away)
PROBES = {
    "upper_colour": ("cloth", {"red": "blue", None: "red"}),
    "lower_colour": ("lower", {"red": "blue", None: "red"}),
    "shoes_colour": ("shoes", {"red": "blue", None: "red"}),
    "hat_colour": ("hat", {"red": "blue", None: "red"}),
    "bag_colour": ("bag", {"red": "blue", None: "red"}),
    "inner_colour": ("inner", {"red": "blue", None: "red"}),
    "hair_colour": ("hair", {"blond": "black", None: "blond"}),
    "scarf": ("scarf", {None: NONE}),
    "glasses": ("glasses", {None: NONE}),
    "item": ("item", {None: NONE}),
}


def clean(look):
    """The same scene without noise, blur and odd light, so that only drawn things change pixels."""
    plain = dict.fromkeys(("brightness", "contrast", "saturation"), (1.0, 1.0))
    return replace(look, **plain, noise=(0, 0), blur=(0, 0), tint=(1, 1, 1), cropped=0.3, occluded=0.5)


@pytest.fixture(scope="module")
def scenes():
    """Persons in views with what they show: half with something before them, a third cut off."""
    return [scene(index) for index in range(80)]


def scene(index):
    random = Random(f"scene {index}")
    look = clean(DATASETS.get(("icfg", "cuhk", "rstp")[index % 3]).twin.look)
    person = draw_person(random)
    while index % 4 == 0 and person.opening != "open":
        person = draw_person(random)
    view = draw_view(look, random.choice(FACINGS), random)
    view = replace(view, light=replace(view.light, slope=0.0))
    picture, parts = photograph(person, 5, view, look)
    return person, view, look, np.asarray(picture, dtype=int), see(person, view, parts)


def changed_share(before, other, view, look):
    """Share of the squared body height whose pixels clearly differ from the picture of the other person."""
    after = np.asarray(photograph(other, 5, view, look)[0], dtype=int)
    return (np.abs(before - after).max(axis=2) > 28).sum() / (view.frame.size * view.frame.height) ** 2


@pytest.mark.parametrize("attribute", PROBES)
def test_an_attribute_is_declared_visible_exactly_when_its_pixels_show(scenes, attribute):
    part, swaps = PROBES[attribute]
    shown, hidden = [], []
    for person, view, look, before, sight in scenes:
        value = getattr(person, attribute)
        group = shown if attribute in sight else hidden
        if value != NONE and len(group) < 8:
            other = replace(person, **{attribute: swaps.get(value, swaps[None])})
            group.append(changed_share(before, other, view, look) / LEAST[part])
    assert len(shown) >= 5
    assert min(shown) > 0.55, sorted(shown)
    assert max(hidden, default=0) < 1.6, sorted(hidden)
    assert hidden or attribute in SELDOM_HIDDEN


def test_what_is_seen_is_true_and_what_a_person_lacks_is_never_seen(scenes):
    for person, view, _, _, sight in scenes:
        own = {name: value for name, value in sight.items() if name not in ("facing", "gait")}
        assert sight["facing"] == view.facing
        assert all(getattr(person, name) == value != NONE for name, value in own.items())


def test_nothing_of_the_front_is_seen_from_behind(scenes):
    behind = [sight for _, view, _, _, sight in scenes if view.facing == "back"]
    assert len(behind) > 8
    for sight in behind:
        assert not {"glasses", "inner_colour", "opening"} & set(sight)
        assert sight.get("pattern") != "logo"


def test_a_backpack_seen_from_the_front_has_straps_but_no_colour():
    random = Random(0)
    person = replace(
        draw_person(random), bag="backpack", bag_colour="yellow", hair="short", hair_colour="black"
    )
    look = replace(clean(DATASETS.get("icfg").twin.look), occluded=0.0, cropped=0.0)
    front, back = (
        see(person, view, photograph(person, 5, view, look)[1])
        for view in (draw_view(look, facing, random) for facing in ("front", "back"))
    )
    assert front["bag"] == "backpack"
    assert "bag_colour" not in front
    assert back["bag_colour"] == "yellow"


def test_feet_outside_the_frame_are_not_seen():
    look = replace(clean(DATASETS.get("rstp").twin.look), occluded=0.0, cropped=1.0)
    for index in range(20):
        random = Random(index)
        person, view = draw_person(random), draw_view(look, "front", random)
        view = replace(view, frame=replace(view.frame, size=1.45))
        assert not {"shoes", "shoes_colour"} & set(see(person, view, photograph(person, 5, view, look)[1]))


def test_the_least_area_is_enough_for_an_eye():
    height = 150
    assert min(LEAST.values()) * height**2 >= 8


def test_the_three_domains_can_be_told_apart_by_their_light_alone():
    """Each picture lies nearest to the mean tint, colourfulness and contrast of its own domain."""
    features = {
        name: np.array([light_of(name, index) for index in range(24)]) for name in ("icfg", "cuhk", "rstp")
    }
    spread = np.concatenate(list(features.values())).std(axis=0)
    centres = {name: rows[:12].mean(axis=0) for name, rows in features.items()}
    right = [
        min(centres, key=lambda other: np.abs((row - centres[other]) / spread).sum()) == name
        for name, rows in features.items()
        for row in rows[12:]
    ]
    assert np.mean(right) > 0.8


def light_of(name, index):
    look, random = DATASETS.get(name).twin.look, Random(f"{name} light {index}")
    view = draw_view(look, random.choice(FACINGS), random)
    pixels = np.asarray(photograph(draw_person(random), index, view, look)[0], dtype=float)
    border = np.concatenate([pixels[:, :8].reshape(-1, 3), pixels[:, -8:].reshape(-1, 3)])
    red, green, blue = border.mean(axis=0)
    colourful = (border.max(axis=1) - border.min(axis=1)).mean()
    return [red - green, blue - green, colourful, border.mean(), pixels.std()]
