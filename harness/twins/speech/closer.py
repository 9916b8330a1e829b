"""What a close look at one picture adds to the attributes it shows: fine things, makes, posture and surroundings."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.twins.drawing.canvas import Part
from harness.twins.drawing.details import Details
from harness.twins.drawing.people import NONE, Person
from harness.twins.drawing.views import View
from harness.twins.speech.sight import Sight

FINE_PARTS = {
    "cuffs": (Part.CUFF, 0.0012),
    "pocket": (Part.POCKET, 0.0009),
    "stripe": (Part.STRIPE, 0.002),
    "socks": (Part.SOCK, 0.0012),
    "watch": (Part.WATCH, 0.0006),
    "necklace": (Part.NECKLACE, 0.0005),
    "band": (Part.BAND, 0.0006),
}
_BRIGHT, _DIM, _STEEP, _LEVEL, _LONG_STRIDE = 1.08, 0.86, 0.28, 0.1, 0.75


def look_closely(
    person: Person, details: Details, view: View, parts: NDArray[Any], sight: Mapping[str, str]
) -> Sight:
    """Return the attributes in sight and what a close look adds to them; `parts` as `photograph` gives it.

    How a thing is made is only told where nothing stands before the person.
    """
    closer = _fine_things(details, view, parts) | _surroundings(view) | _posture(view, parts, sight)
    if not view.obstacle:
        closer |= _makes(person, view, sight)
        soles = _soles(person, view)
        if soles and "shoes" in sight and not (parts[-3:] == Part.SHOE).any():
            closer["soles"] = soles
    return dict(sight) | closer


def _fine_things(details: Details, view: View, parts: NDArray[Any]) -> Sight:
    areas = np.bincount(parts.ravel(), minlength=len(Part)) / (view.frame.scale**2)
    values = {field.name: getattr(details, field.name) for field in fields(Details)}
    seen = {name for name, (part, least) in FINE_PARTS.items() if areas[part] >= least}
    return {name: value for name, value in values.items() if value != NONE and name in seen}


def _surroundings(view: View) -> Sight:
    found = {"place": view.scene}
    if view.frame.tilt >= _STEEP or view.frame.tilt <= _LEVEL:
        found["camera"] = "above" if view.frame.tilt >= _STEEP else "level"
    if view.light.brightness >= _BRIGHT:
        found["light"] = "bright"
    elif view.light.brightness <= _DIM:
        found["light"] = "dim"
    return found


def _posture(view: View, parts: NDArray[Any], sight: Mapping[str, str]) -> Sight:
    found: Sight = {}
    if view.facing in ("left", "right"):
        if sight.get("gait") == "walking":
            found["stride"] = "long" if abs(view.pose.stride) >= _LONG_STRIDE else "short"
    elif not view.pose.walking and np.isin(parts, (Part.SLEEVE, Part.ARM)).mean() > 0.01:
        found["arms"] = "hanging"
    return found


def _makes(person: Person, view: View, sight: Mapping[str, str]) -> Sight:
    """Return how the things in sight are made, as far as they are drawn on the side that the picture shows."""
    front, coat = view.facing == "front", person.upper == "coat"
    chest = front and "upper" in sight and person.scarf == NONE
    found = {
        "front_make": chest and _front(person),
        "hem_make": "upper" in sight and "lower_colour" in sight and _hem(person),
        "lower_make": "lower" in sight and not coat and _LOWER_MAKES.get(person.lower),
        "hat_make": "hat" in sight and _hat(person, view),
        "frames": sight.get("glasses") == "glasses" and "dark",
        "bag_make": "bag" in sight and _bag(person, view, sight),
        "item_make": "item" in sight and person.item in _MADE_ITEMS and person.item,
    }
    return {name: str(value) for name, value in found.items() if value}


_LOWER_MAKES = {"jeans": "denim", "skirt": "pleated", "long skirt": "pleated"}
_MADE_ITEMS = ("phone", "cup", "book", "shopping bag")


def _front(person: Person) -> str:
    return {"open": "lapels", "closed": "fastened"}.get(person.opening, person.upper)


def _hem(person: Person) -> str:
    return "ribbed" if person.upper in ("sweater", "hoodie", "jacket") else ""


def _hat(person: Person, view: View) -> str:
    if person.hat == "cap":
        return "" if view.facing == "back" else "peak"
    return "crown band" if person.hat == "sun hat" else ""


def _bag(person: Person, view: View, sight: Mapping[str, str]) -> str:
    if person.bag == "backpack":
        return {"front": "straps", "back": "zip"}.get(view.facing, "")
    return person.bag if "bag_colour" in sight else ""


def _soles(person: Person, view: View) -> str:
    if person.shoes != "sneakers":
        return "dark soles"
    if person.shoes_colour != "white":
        return "white soles"
    # From the side the far shoe is in shadow and has another sole than the near one.
    return "grey soles" if view.facing in ("front", "back") else ""
