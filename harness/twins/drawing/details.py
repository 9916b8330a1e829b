"""Fine things besides the attributes, the same in all pictures of a person: cuffs, a stripe, a watch and so on.

Only looks with `fine` have them; they distinguish persons whom a short caption could not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from harness.twins.drawing.canvas import Canvas, Part, Point, between
from harness.twins.drawing.colours import CLOTHES, Colour
from harness.twins.drawing.people import NONE, Person, alike
from harness.twins.drawing.skeleton import Limb, Skeleton

METALS: dict[str, Colour] = {"gold": (226, 176, 52), "silver": (212, 216, 222)}
_CHANCES = {
    "cuffs": 0.5,
    "pocket": 0.5,
    "stripe": 0.5,
    "socks": 0.75,
    "watch": 0.5,
    "necklace": 0.45,
    "band": 0.45,
}
_BANDS = ("red", "blue", "green", "yellow", "pink", "purple", "white")
_LIKE_HAIR = {"red": ("red", "pink"), "blond": ("yellow", "white"), "grey": ("white",)}
_LIKE_METAL = {
    "gold": ("yellow", "orange", "beige", "brown", "khaki"),
    "silver": ("white", "grey", "beige", "yellow", "pink"),
}


@dataclass(frozen=True)
class Details:
    """The fine things of one person: a colour or metal each, `none` for what the person does not have.

    Attributes:
        cuffs: contrasting ends of long sleeves.
        pocket: a pocket on the chest.
        stripe: a stripe along the outside of the legs.
        socks: socks on otherwise bare legs.
        watch: the strap of a wristwatch on a bare arm.
        necklace: a necklace with a pendant.
        band: a band in the hair.
    """

    cuffs: str = NONE
    pocket: str = NONE
    stripe: str = NONE
    socks: str = NONE
    watch: str = NONE
    necklace: str = NONE
    band: str = NONE


PLAIN = Details()


def choose_details(person: Person, seed: int) -> Details:
    """Draw the fine things that fit a person."""
    random = Random(f"details {seed}")
    return Details(
        **{
            name: random.choice(options) if random.random() < _CHANCES[name] and options else NONE
            for name, options in _options(person).items()
        }
    )


def _options(person: Person) -> dict[str, Sequence[str]]:
    """Return the values that each fine thing may have on a person, none where it does not fit."""
    on_cloth = _unlike(person.upper_colour)
    bare_shins = person.lower in ("shorts", "skirt") and person.shoes != "boots"
    low_neck = person.upper in ("t-shirt", "tank top") and person.scarf == NONE
    held = person.hat == NONE and person.hair in ("long", "ponytail", "bun")
    with_pocket = person.upper in ("t-shirt", "shirt", "sweater") and person.pattern != "logo"
    return {
        "cuffs": on_cloth if person.sleeves == "long" else (),
        "pocket": on_cloth if with_pocket else (),
        "stripe": _unlike(person.lower_colour) if person.lower in ("trousers", "leggings") else (),
        "socks": _unlike(person.shoes_colour) if bare_shins else (),
        "watch": tuple(CLOTHES) if person.sleeves != "long" else (),
        "necklace": [metal for metal in METALS if person.upper_colour not in _LIKE_METAL[metal]]
        if low_neck
        else (),
        "band": [colour for colour in _BANDS if colour not in _LIKE_HAIR.get(person.hair_colour, ())]
        if held
        else (),
    }


def _unlike(colour: str) -> list[str]:
    return [other for other in CLOTHES if not alike(other, (colour,))]


def draw_on_legs(canvas: Canvas, person: Person, bones: Skeleton, details: Details) -> None:
    """Draw stripes and socks over the legs, before the torso is drawn."""
    if details.stripe != NONE:
        low = 0.42 if person.shoes == "boots" else 0.92
        for sign, limb in (
            ((0, bones.near_leg),) if bones.side else ((-1, bones.far_leg), (1, bones.near_leg))
        ):
            hip, knee, ankle = limb.joints
            line = [(hip, 0.036), (knee, 0.03), (between(knee, ankle, low), 0.026)]
            canvas.stroke(
                [(u + sign * out, v) for (u, v), out in line], 0.015, CLOTHES[details.stripe], Part.STRIPE
            )
    if details.socks != NONE:
        for limb in (bones.far_leg, bones.near_leg):
            _, knee, ankle = limb.joints
            ends = (between(knee, ankle, 0.62), between(knee, ankle, 0.97))
            canvas.stroke(ends, 0.054, CLOTHES[details.socks], Part.SOCK)


def draw_on_arm(canvas: Canvas, limb: Limb, bones: Skeleton, details: Details) -> None:
    """Draw the cuff of an arm, and the watch of the near one, over the arm."""
    _, elbow, hand = limb.joints
    if details.cuffs != NONE:
        ends = (between(elbow, hand, 0.62), between(elbow, hand, 0.86))
        canvas.stroke(ends, 0.06, CLOTHES[details.cuffs], Part.CUFF)
    if details.watch != NONE and limb is bones.near_arm:
        ends = (between(elbow, hand, 0.68), between(elbow, hand, 0.82))
        canvas.stroke(ends, 0.044, CLOTHES[details.watch], Part.WATCH)


def draw_on_chest(canvas: Canvas, bones: Skeleton, details: Details) -> None:
    """Draw pocket and necklace on the chest, which only the front shows."""
    if bones.side or bones.back:
        return
    middle = bones.turn
    if details.pocket != NONE:
        left, right = middle + 0.024, middle + 0.068
        points: list[Point] = [(left, 0.235), (right, 0.235), (right, 0.285), (left, 0.285)]
        canvas.polygon(points, CLOTHES[details.pocket], Part.POCKET)
    if details.necklace != NONE:
        metal = METALS[details.necklace]
        chain = [(middle - 0.034, 0.166), (middle, 0.222), (middle + 0.034, 0.166)]
        canvas.stroke(chain, 0.007, metal, Part.NECKLACE)
        canvas.ellipse((middle, 0.226), (0.012, 0.013), metal, Part.NECKLACE)


def draw_in_hair(canvas: Canvas, bones: Skeleton, details: Details) -> None:
    """Draw the band over the crown of the head."""
    if details.band == NONE:
        return
    crown = [(-0.055, 0.052), (-0.032, 0.027), (0.0, 0.018), (0.032, 0.027), (0.055, 0.052)]
    line = [(-0.006, 0.008), (0.0, 0.045), (0.0, 0.085)] if bones.side else crown
    canvas.stroke(line, 0.017, CLOTHES[details.band], Part.BAND)
