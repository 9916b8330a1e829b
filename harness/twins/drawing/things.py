"""Bags and what the hands hold."""

from harness.twins.drawing.canvas import Canvas, Part, Point
from harness.twins.drawing.colours import FIXED, Colour, luminance, scaled
from harness.twins.drawing.dyes import Dyes
from harness.twins.drawing.people import Person
from harness.twins.drawing.skeleton import Skeleton


def draw_bag_behind(canvas: Canvas, person: Person, bones: Skeleton, colour: Colour) -> None:
    """Draw the bags that the body hides in part, before the torso is drawn."""
    if person.bag == "suitcase":
        _suitcase(canvas, bones, colour)
    if person.bag == "backpack" and bones.side:
        back = -bones.shoulder - 0.035
        canvas.limb(((back, 0.25), (back, 0.37)), (0.1, 0.12), colour, Part.BAG)
        canvas.limb(((back - 0.02, 0.36), (back - 0.02, 0.38)), (0.06, 0.06), scaled(colour, 0.78), Part.BAG)


def draw_bag_before(canvas: Canvas, person: Person, bones: Skeleton, dyes: Dyes) -> None:
    """Draw the bags and straps that are over the clothes."""
    strap = FIXED["strap dark"] if luminance(dyes.upper) > 90 else FIXED["strap light"]
    if person.bag == "backpack":
        _backpack(canvas, bones, dyes.bag, strap)
    elif person.bag == "shoulder bag":
        _shoulder_bag(canvas, bones, dyes.bag, strap)


def draw_in_hands(canvas: Canvas, person: Person, bones: Skeleton, colour: Colour) -> None:
    """Draw the handbag in one hand and the held item in the other, after the arms."""
    if person.bag == "handbag":
        _handbag(canvas, bones.far_arm.joints[2] if not bones.side else bones.near_arm.joints[2], colour)
    hand = bones.near_arm.joints[2] if not bones.side or person.bag != "handbag" else bones.far_arm.joints[2]
    draw = {"phone": _phone, "cup": _cup, "book": _book, "umbrella": _umbrella, "shopping bag": _shopping_bag}
    if person.item in draw:
        draw[person.item](canvas, hand)


def _backpack(canvas: Canvas, bones: Skeleton, colour: Colour, strap: Colour) -> None:
    if bones.side:
        canvas.stroke([(-0.03, 0.175), (0.03, 0.23), (-0.02, 0.35)], 0.022, strap, Part.STRAP)
    elif bones.back:
        canvas.limb(((-0.035, 0.24), (0.035, 0.24)), (0.09, 0.09), colour, Part.BAG)
        canvas.polygon(
            [(-0.078, 0.235), (0.078, 0.235), (0.086, 0.42), (0.07, 0.44), (-0.07, 0.44), (-0.086, 0.42)],
            colour,
            Part.BAG,
        )
        canvas.polygon(
            [(-0.056, 0.34), (0.056, 0.34), (0.06, 0.42), (-0.06, 0.42)], scaled(colour, 0.76), Part.BAG
        )
        canvas.stroke([(-0.05, 0.275), (0.05, 0.275)], 0.007, scaled(colour, 0.6))
    else:
        for sign in (-1, 1):
            points = [
                (sign * 0.052 + bones.turn, 0.17),
                (sign * 0.062 + bones.turn, 0.27),
                (sign * 0.086 + bones.turn / 2, 0.36),
            ]
            canvas.stroke(points, 0.024, strap, Part.STRAP)


def _shoulder_bag(canvas: Canvas, bones: Skeleton, colour: Colour, strap: Colour) -> None:
    reach = 0.02 if bones.side else bones.hip * 0.95
    start = (-0.01, 0.17) if bones.side else (-bones.shoulder * 0.6, 0.175)
    canvas.stroke([start, (reach, 0.45)], 0.015, strap, Part.STRAP)
    u, v = reach, 0.49
    canvas.polygon(
        [(u - 0.056, v - 0.045), (u + 0.056, v - 0.045), (u + 0.062, v + 0.05), (u - 0.062, v + 0.05)],
        colour,
        Part.BAG,
    )
    canvas.polygon(
        [(u - 0.056, v - 0.045), (u + 0.056, v - 0.045), (u + 0.04, v + 0.006), (u - 0.04, v + 0.006)],
        scaled(colour, 0.76),
        Part.BAG,
    )


def _handbag(canvas: Canvas, hand: Point, colour: Colour) -> None:
    u, v = hand
    canvas.stroke(
        [(u - 0.034, v + 0.05), (u, v), (u + 0.034, v + 0.05)], 0.011, scaled(colour, 0.6), Part.BAG
    )
    canvas.polygon(
        [(u - 0.045, v + 0.045), (u + 0.045, v + 0.045), (u + 0.06, v + 0.125), (u - 0.06, v + 0.125)],
        colour,
        Part.BAG,
    )
    canvas.stroke([(u - 0.05, v + 0.072), (u + 0.05, v + 0.072)], 0.008, scaled(colour, 0.65), Part.BAG)


def _suitcase(canvas: Canvas, bones: Skeleton, colour: Colour) -> None:
    hand = bones.far_arm.joints[2]
    u = -0.15 if bones.side else hand[0] - 0.01
    canvas.stroke([hand, (u, 0.72)], 0.012, FIXED["strap dark"], Part.BAG)
    canvas.polygon(
        [(u - 0.065, 0.7), (u + 0.065, 0.7), (u + 0.065, 0.955), (u - 0.065, 0.955)], colour, Part.BAG
    )
    for share in (-0.03, 0.0, 0.03):
        canvas.stroke([(u + share, 0.725), (u + share, 0.935)], 0.007, scaled(colour, 0.72), Part.BAG)
    for side in (-0.045, 0.045):
        canvas.ellipse((u + side, 0.97), (0.014, 0.016), FIXED["frame"])


def _phone(canvas: Canvas, hand: Point) -> None:
    u, v = hand
    canvas.polygon(
        [(u - 0.024, v - 0.055), (u + 0.024, v - 0.055), (u + 0.024, v + 0.02), (u - 0.024, v + 0.02)],
        FIXED["phone"],
        Part.ITEM,
    )
    canvas.polygon(
        [(u - 0.018, v - 0.045), (u + 0.018, v - 0.045), (u + 0.018, v + 0.008), (u - 0.018, v + 0.008)],
        FIXED["screen"],
        Part.ITEM,
    )


def _cup(canvas: Canvas, hand: Point) -> None:
    u, v = hand
    canvas.polygon(
        [(u - 0.026, v - 0.05), (u + 0.026, v - 0.05), (u + 0.02, v + 0.025), (u - 0.02, v + 0.025)],
        FIXED["cup"],
        Part.ITEM,
    )
    canvas.polygon(
        [(u - 0.03, v - 0.064), (u + 0.03, v - 0.064), (u + 0.028, v - 0.046), (u - 0.028, v - 0.046)],
        FIXED["lid"],
        Part.ITEM,
    )
    canvas.polygon(
        [(u - 0.025, v - 0.03), (u + 0.025, v - 0.03), (u + 0.022, v - 0.005), (u - 0.022, v - 0.005)],
        FIXED["lid"],
        Part.ITEM,
    )


def _book(canvas: Canvas, hand: Point) -> None:
    u, v = hand
    canvas.polygon(
        [(u - 0.052, v - 0.055), (u + 0.052, v - 0.055), (u + 0.052, v + 0.03), (u - 0.052, v + 0.03)],
        (150, 36, 44),
        Part.ITEM,
    )
    canvas.polygon(
        [(u - 0.046, v - 0.048), (u + 0.046, v - 0.048), (u + 0.046, v + 0.022), (u - 0.046, v + 0.022)],
        FIXED["paper"],
        Part.ITEM,
    )
    canvas.stroke([(u, v - 0.05), (u, v + 0.025)], 0.007, (120, 120, 120), Part.ITEM)


def _umbrella(canvas: Canvas, hand: Point) -> None:
    u, v = hand
    canvas.stroke([(u, v - 0.04), (u, v + 0.3)], 0.012, FIXED["frame"], Part.ITEM)
    canvas.polygon(
        [(u - 0.032, v + 0.04), (u + 0.032, v + 0.04), (u + 0.006, v + 0.27), (u - 0.006, v + 0.27)],
        FIXED["umbrella"],
        Part.ITEM,
    )
    canvas.stroke(
        [(u, v - 0.045), (u + 0.02, v - 0.055), (u + 0.028, v - 0.035)], 0.012, FIXED["lid"], Part.ITEM
    )


def _shopping_bag(canvas: Canvas, hand: Point) -> None:
    u, v = hand
    canvas.stroke(
        [(u - 0.03, v + 0.06), (u, v + 0.005), (u + 0.03, v + 0.06)], 0.009, (196, 200, 206), Part.ITEM
    )
    canvas.polygon(
        [(u - 0.05, v + 0.05), (u + 0.05, v + 0.05), (u + 0.058, v + 0.17), (u - 0.058, v + 0.17)],
        FIXED["carrier"],
        Part.ITEM,
    )
    canvas.ellipse((u, v + 0.11), (0.024, 0.024), (220, 66, 60), Part.ITEM)
