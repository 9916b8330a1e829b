"""Legs, what covers them, and shoes."""

from harness.twins.drawing.canvas import Canvas, Part, Point, between
from harness.twins.drawing.colours import FIXED, Colour, contrasting, scaled
from harness.twins.drawing.dyes import Dyes
from harness.twins.drawing.people import Person
from harness.twins.drawing.skeleton import Limb, Skeleton

_WIDTHS = {"trousers": (0.1, 0.08, 0.068), "jeans": (0.098, 0.074, 0.06), "leggings": (0.088, 0.062, 0.044)}
_BARE = (0.084, 0.06, 0.044)


def draw_lower(canvas: Canvas, person: Person, bones: Skeleton, dyes: Dyes) -> None:
    """Draw legs, shoes and the lower garment, the far leg first."""
    for limb, own in ((bones.far_leg, dyes.shaded(0.8) if bones.side else dyes), (bones.near_leg, dyes)):
        _leg(canvas, person, limb, own)
        _shoe(canvas, person, bones.back, limb, own.shoes)
    if person.lower in ("skirt", "long skirt"):
        _skirt(canvas, person, bones, dyes.lower)
    else:
        _hips(canvas, bones, dyes.lower)


def _leg(canvas: Canvas, person: Person, limb: Limb, dyes: Dyes) -> None:
    hip, knee, ankle = limb.joints
    cloth = dyes.lower
    if person.lower in _WIDTHS:
        top, middle, bottom = _WIDTHS[person.lower]
        canvas.limb((hip, knee), (top, middle), cloth, Part.LOWER)
        canvas.limb((knee, ankle), (middle, bottom), cloth, Part.SHIN)
        _fold(canvas, limb, middle, scaled(cloth, 0.8))
        if person.lower == "jeans":
            _denim(canvas, limb, cloth)
        return
    canvas.limb((hip, knee, ankle), _BARE, dyes.skin, Part.LEG)
    if person.lower == "shorts":
        canvas.limb((hip, between(hip, knee, 0.8)), (0.11, 0.1), cloth, Part.LOWER)


def _fold(canvas: Canvas, limb: Limb, width: float, dark: Colour) -> None:
    hip, knee, ankle = limb.joints
    canvas.stroke([(u + width * 0.3, v) for u, v in (hip, knee, ankle)], width * 0.22, dark)


def _denim(canvas: Canvas, limb: Limb, cloth: Colour) -> None:
    """Draw the worn thigh, the seam and the turned-up hem that distinguish jeans from trousers."""
    hip, knee, ankle = limb.joints
    pale = scaled(cloth, 1.35)
    canvas.limb((between(hip, knee, 0.25), between(hip, knee, 0.85)), (0.03, 0.022), pale)
    canvas.ellipse(between(knee, ankle, 0.12), (0.018, 0.026), pale)
    seam = [(u - 0.034, v) for u, v in (between(hip, knee, 0.15), knee, between(knee, ankle, 0.9))]
    canvas.stroke(seam, 0.006, FIXED["denim seam"])
    canvas.limb((between(knee, ankle, 0.86), between(knee, ankle, 0.96)), (0.066, 0.066), scaled(cloth, 1.6))


def _hips(canvas: Canvas, bones: Skeleton, cloth: Colour) -> None:
    wide = bones.hip
    points = [
        (-wide * 0.95, 0.45),
        (wide * 0.95, 0.45),
        (wide, 0.53),
        (0.02, 0.575),
        (-0.02, 0.575),
        (-wide, 0.53),
    ]
    canvas.polygon(points, cloth, Part.LOWER)


def _skirt(canvas: Canvas, person: Person, bones: Skeleton, cloth: Colour) -> None:
    hem, flare = (0.7, 0.045) if person.lower == "skirt" else (0.9, 0.05)
    wide = bones.hip + (0.01 if person.upper == "coat" else flare + (0.02 if bones.side else 0.0))
    top = bones.waist
    points = [
        (-top, 0.42),
        (top, 0.42),
        (wide, hem),
        (wide / 2, hem + 0.012),
        (-wide / 2, hem + 0.012),
        (-wide, hem),
    ]
    canvas.polygon(points, cloth, Part.LOWER)
    for share in (-0.6, -0.1, 0.4):
        canvas.stroke([(top * share, 0.5), (wide * share * 1.05, hem)], 0.007, scaled(cloth, 0.75))


def _shoe(canvas: Canvas, person: Person, back: bool, limb: Limb, colour: Colour) -> None:
    u, v = limb.joints[2]
    if person.shoes == "boots":
        _shaft(canvas, between(limb.joints[1], limb.joints[2], 0.5), (u, v), colour)
    if limb.toes:
        _shoe_from_side(canvas, person, (u, v), colour)
    else:
        _shoe_from_front(canvas, person, (u, v), colour, back)


def _shaft(canvas: Canvas, top: Point, ankle: Point, colour: Colour) -> None:
    """Draw the shaft of a boot and its cuff, over whatever covers the shin."""
    across, down = 0.037, 0.022
    (u, v), (left, low) = top, ankle
    canvas.polygon(
        [(u - across, v), (u + across, v), (left + 0.03, low), (left - 0.03, low)], colour, Part.SHOE
    )
    cuff = [(u - across, v - 0.004), (u + across, v - 0.004), (u + across, v + down), (u - across, v + down)]
    canvas.polygon(cuff, scaled(colour, 0.72), Part.SHOE)


def _shoe_from_side(canvas: Canvas, person: Person, ankle: Point, colour: Colour) -> None:
    u, v = ankle
    pointed = 0.092 if person.shoes == "leather shoes" else 0.08
    body = [
        (u - 0.033, v - 0.012),
        (u + 0.03, v - 0.012),
        (u + pointed, v + 0.03),
        (u + pointed, v + 0.045),
        (u - 0.038, v + 0.045),
    ]
    canvas.polygon(body, colour, Part.SHOE)
    sole = [(u - 0.04, v + 0.036), (u + pointed, v + 0.036), (u + pointed, v + 0.05), (u - 0.04, v + 0.05)]
    canvas.polygon(sole, _sole(person, colour), Part.SHOE)


def _shoe_from_front(canvas: Canvas, person: Person, ankle: Point, colour: Colour, back: bool) -> None:
    u, v = ankle
    canvas.ellipse((u, v + 0.018), (0.034, 0.034), colour, Part.SHOE)
    canvas.polygon(
        [(u - 0.036, v + 0.032), (u + 0.036, v + 0.032), (u + 0.034, v + 0.05), (u - 0.034, v + 0.05)],
        _sole(person, colour),
        Part.SHOE,
    )
    if person.shoes == "sneakers" and not back:
        for step in (0.0, 0.013):
            canvas.stroke(
                [(u - 0.014, v + 0.004 + step), (u + 0.014, v + 0.004 + step)], 0.005, contrasting(colour)
            )


def _sole(person: Person, colour: Colour) -> Colour:
    if person.shoes != "sneakers":
        return scaled(colour, 0.5)
    return FIXED["sole"] if sum(colour) < 640 else (150, 150, 155)
