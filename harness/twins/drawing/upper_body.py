"""Torso, arms and the upper garment with its collar, opening, hood and print."""

from harness.twins.drawing.canvas import Canvas, Part, Point, between
from harness.twins.drawing.colours import Colour, contrasting, scaled
from harness.twins.drawing.dyes import Dyes
from harness.twins.drawing.people import Person
from harness.twins.drawing.skeleton import Limb, Skeleton

_HEM = {
    "t-shirt": 0.53,
    "tank top": 0.52,
    "shirt": 0.545,
    "sweater": 0.53,
    "hoodie": 0.54,
    "jacket": 0.53,
    "coat": 0.73,
}
_BULK = {
    "t-shirt": 0.052,
    "tank top": 0.044,
    "shirt": 0.054,
    "sweater": 0.062,
    "hoodie": 0.066,
    "jacket": 0.066,
    "coat": 0.066,
}


def draw_torso(canvas: Canvas, person: Person, bones: Skeleton, dyes: Dyes) -> None:
    """Draw neck, torso and everything sewn to it."""
    cloth = dyes.upper
    canvas.limb(((0.0, 0.12), (0.0, 0.175)), (0.05, 0.056), scaled(dyes.skin, 0.9), Part.FACE)
    if person.upper == "tank top":
        canvas.polygon(_outline(bones, 0.3, 0.0), dyes.skin, Part.ARM)
    canvas.polygon(_cut(person, bones), cloth, Part.TORSO)
    _hem(canvas, person, bones, cloth)
    if bones.side:
        canvas.stroke(
            [(-bones.waist * 0.5, 0.24), (-bones.waist * 0.55, _HEM[person.upper] - 0.02)],
            0.02,
            scaled(cloth, 0.86),
        )
    elif not bones.back:
        _front(canvas, person, bones, dyes)
    if person.upper == "hoodie":
        _hood(canvas, bones, cloth)


def draw_arm(canvas: Canvas, person: Person, limb: Limb, dyes: Dyes) -> None:
    """Draw one arm, bare where the sleeve ends."""
    shoulder, elbow, hand = limb.joints
    bulk, cloth, skin = _BULK[person.upper], dyes.upper, dyes.skin
    canvas.limb((shoulder, elbow, hand), (0.05, 0.04, 0.032), skin, Part.ARM)
    canvas.ellipse(hand, (0.02, 0.024), skin, Part.ARM)
    if person.sleeves == "long":
        wrist = between(elbow, hand, 0.86)
        canvas.limb((shoulder, elbow, wrist), (bulk + 0.01, bulk, bulk * 0.86), cloth, Part.SLEEVE)
        canvas.stroke([shoulder, elbow, wrist], 0.008, scaled(cloth, 0.82))
    elif person.sleeves == "short":
        canvas.limb(
            (shoulder, between(shoulder, elbow, 0.72)), (bulk + 0.012, bulk + 0.014), cloth, Part.SLEEVE
        )


def _outline(bones: Skeleton, hem: float, flare: float) -> list[Point]:
    """Return the outline of the trunk from the neck down to `hem`."""
    neck = 0.03
    half = [(neck, 0.16), (bones.shoulder, 0.185), (bones.shoulder * 0.97, 0.24), (bones.waist, 0.41)]
    half += [(bones.hip + 0.012, 0.5)] if hem > 0.5 else []
    half += [(bones.hip + flare, hem)] if hem > 0.42 else []
    return half + [(-u, v) for u, v in reversed(half)]


def _cut(person: Person, bones: Skeleton) -> list[Point]:
    if person.upper != "tank top":
        return _outline(bones, _HEM[person.upper], 0.03 if person.upper == "coat" else 0.008)
    strap = bones.shoulder * 0.62
    half = [(strap * 0.55, 0.23), (strap * 0.6, 0.165), (strap, 0.17), (bones.shoulder * 0.8, 0.28)]
    half += [(bones.waist, 0.41), (bones.hip, 0.52)]
    return half + [(-u, v) for u, v in reversed(half)]


def _hem(canvas: Canvas, person: Person, bones: Skeleton, cloth: Colour) -> None:
    if person.upper in ("sweater", "hoodie", "jacket"):
        hem, wide = _HEM[person.upper], bones.hip + 0.01
        canvas.polygon(
            [(-wide, hem - 0.022), (wide, hem - 0.022), (wide, hem), (-wide, hem)], scaled(cloth, 0.76)
        )


def _front(canvas: Canvas, person: Person, bones: Skeleton, dyes: Dyes) -> None:
    middle, cloth = bones.turn, dyes.upper
    if person.upper in ("jacket", "coat"):
        return _opening(canvas, person, middle, dyes)
    if person.upper == "shirt":
        _buttons(canvas, person, middle, cloth)
    elif person.upper == "hoodie":
        _pouch(canvas, middle, cloth)
    elif person.upper != "sweater":
        canvas.pie((middle, 0.158), (0.042, 0.036), (0, 180), dyes.skin, Part.FACE)
    if person.upper == "sweater":
        canvas.limb(((middle - 0.03, 0.162), (middle + 0.03, 0.162)), (0.024, 0.024), scaled(cloth, 0.78))
    if person.pattern == "logo":
        _logo(canvas, middle, cloth)
    return None


def _opening(canvas: Canvas, person: Person, middle: float, dyes: Dyes) -> None:
    hem, cloth = _HEM[person.upper], dyes.upper
    if person.opening == "open":
        low = min(hem, 0.54)
        canvas.polygon(
            [(middle - 0.034, 0.16), (middle + 0.034, 0.16), (middle + 0.05, low), (middle - 0.05, low)],
            dyes.inner,
            Part.INNER,
        )
        for sign in (-1, 1):
            lapel = [(middle + sign * 0.03, 0.16), (middle + sign * 0.07, 0.2), (middle + sign * 0.036, 0.3)]
            canvas.polygon(lapel, scaled(cloth, 0.78), Part.TORSO)
        return
    canvas.stroke([(middle, 0.18), (middle, hem)], 0.009, contrasting(cloth))
    for sign in (-1, 1):
        canvas.polygon(
            [(middle, 0.2), (middle + sign * 0.045, 0.155), (middle + sign * 0.05, 0.19)], scaled(cloth, 0.72)
        )
        canvas.stroke(
            [(middle + sign * 0.035, 0.42), (middle + sign * 0.065, 0.4)], 0.007, scaled(cloth, 0.65)
        )


def _buttons(canvas: Canvas, person: Person, middle: float, cloth: Colour) -> None:
    canvas.stroke([(middle, 0.19), (middle, _HEM[person.upper])], 0.005, scaled(cloth, 0.7))
    for index in range(5):
        canvas.ellipse((middle, 0.23 + 0.06 * index), (0.006, 0.006), contrasting(cloth))
    for sign in (-1, 1):
        collar = [(middle, 0.19), (middle + sign * 0.048, 0.152), (middle + sign * 0.056, 0.2)]
        canvas.polygon(collar, scaled(cloth, 1.45 if sum(cloth) < 600 else 0.85))


def _pouch(canvas: Canvas, middle: float, cloth: Colour) -> None:
    canvas.polygon(
        [(middle - 0.04, 0.41), (middle + 0.04, 0.41), (middle + 0.062, 0.49), (middle - 0.062, 0.49)],
        scaled(cloth, 0.76),
    )
    for sign in (-1, 1):
        canvas.stroke(
            [(middle + sign * 0.018, 0.18), (middle + sign * 0.02, 0.27)], 0.006, contrasting(cloth)
        )


def _logo(canvas: Canvas, middle: float, cloth: Colour) -> None:
    ink = contrasting(cloth)
    canvas.ellipse((middle, 0.29), (0.042, 0.036), ink, Part.LOGO)
    canvas.polygon([(middle - 0.018, 0.305), (middle, 0.267), (middle + 0.018, 0.305)], cloth)


def _hood(canvas: Canvas, bones: Skeleton, cloth: Colour) -> None:
    dark = scaled(cloth, 0.72)
    if bones.back:
        canvas.polygon(
            [(-0.06, 0.155), (0.06, 0.155), (0.046, 0.225), (0.0, 0.25), (-0.046, 0.225)], dark, Part.TORSO
        )
    elif bones.side:
        canvas.ellipse((-0.05, 0.165), (0.04, 0.035), dark, Part.TORSO)
    else:
        for sign in (-1, 1):
            canvas.limb(
                ((sign * 0.042, 0.14), (sign * 0.03 + bones.turn, 0.182)), (0.03, 0.026), dark, Part.TORSO
            )
