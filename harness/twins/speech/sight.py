"""Which attributes of a person one picture shows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.twins.drawing.canvas import Part
from harness.twins.drawing.people import NONE, Person
from harness.twins.drawing.views import View

Sight = dict[str, str]
LEAST = {
    "body": 0.02,
    "hair": 0.0022,
    "scalp": 0.004,
    "tail": 0.0009,
    "hat": 0.0022,
    "glasses": 0.0004,
    "upper": 0.022,
    "cloth": 0.022,
    "arms": 0.006,
    "inner": 0.004,
    "logo": 0.0018,
    "scarf": 0.0016,
    "lower": 0.01,
    "legs": 0.006,
    "shoes": 0.0022,
    "bag": 0.003,
    "strap": 0.0025,
    "item": 0.0012,
}
_PARTS = {
    "body": (Part.TORSO, Part.INNER, Part.LOWER, Part.FACE),
    "hair": (Part.HAIR,),
    "scalp": (Part.HAIR,),
    "tail": (Part.TAIL,),
    "hat": (Part.HAT,),
    "glasses": (Part.GLASSES,),
    "upper": (Part.TORSO,),
    "cloth": (Part.TORSO, Part.SLEEVE),
    "arms": (Part.SLEEVE, Part.ARM),
    "inner": (Part.INNER,),
    "logo": (Part.LOGO,),
    "scarf": (Part.SCARF,),
    "lower": (Part.LOWER, Part.SHIN),
    "legs": (Part.SHIN, Part.LEG),
    "shoes": (Part.SHOE,),
    "bag": (Part.BAG,),
    "strap": (Part.BAG, Part.STRAP),
    "item": (Part.ITEM,),
}


def see(person: Person, view: View, parts: NDArray[Any]) -> Sight:
    """Return the attributes that a picture shows, with their values; `parts` as `photograph` gives it.

    Something shows when its pixels cover a least share of the squared body height. What a person does not
    have (`none`) never shows. `facing` and `walking` are added to what the person is.
    """
    areas = np.bincount(parts.ravel(), minlength=len(Part)) / (view.frame.scale**2)
    shown = {name for name, own in _PARTS.items() if sum(areas[part] for part in own) >= LEAST[name]}
    names = _about_head(person, shown) | _about_clothes(person, view, shown) | _about_things(shown)
    sight = {name: getattr(person, name) for name in sorted(names) if getattr(person, name) != NONE}
    sight["facing"] = view.facing
    if "legs" in shown:
        sight["gait"] = "walking" if view.pose.walking else "standing"
    return sight


def _about_head(person: Person, shown: set[str]) -> set[str]:
    names = {"gender"} if "body" in shown else set()
    if {"ponytail": "tail", "bun": "tail", "bald": "scalp"}.get(person.hair, "hair") in shown:
        names.add("hair")
    if "hair" in shown:
        names.add("hair_colour")
    if "hat" in shown:
        names |= {"hat", "hat_colour"}
    return names | ({"glasses", "scarf"} & shown)


def _about_clothes(person: Person, view: View, shown: set[str]) -> set[str]:
    names: set[str] = set()
    if "cloth" in shown:
        names.add("upper_colour")
    if "upper" in shown:
        names.add("upper")
        names |= {"sleeves"} if "arms" in shown else set()
        names |= _about_chest(person, view, shown)
    if "lower" in shown:
        names |= {"lower", "lower_colour"} if "legs" in shown else {"lower_colour"}
    if "shoes" in shown:
        names |= {"shoes", "shoes_colour"}
    return names


def _about_chest(person: Person, view: View, shown: set[str]) -> set[str]:
    """Return what only the chest shows: an all-over pattern shows from any side, the rest from the front."""
    names = {"pattern"} if person.pattern in ("striped", "checked", "dotted") or "logo" in shown else set()
    if view.facing == "front" and person.pattern == "plain":
        names.add("pattern")
    if "inner" in shown:
        names |= {"opening", "inner_colour"}
    if view.facing == "front" and person.opening == "closed":
        names.add("opening")
    return names


def _about_things(shown: set[str]) -> set[str]:
    names = {"bag"} if shown & {"bag", "strap"} else set()
    return names | ({"bag_colour"} if "bag" in shown else set()) | ({"item"} & shown)
