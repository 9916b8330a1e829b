"""Things between camera and person, which hide a part of him."""

from random import Random

from harness.twins.drawing.canvas import Canvas, Point
from harness.twins.drawing.colours import Colour, scaled

KINDS = ("pole", "low", "side")
_POLES = {"street": (70, 78, 84), "corridor": (190, 188, 180), "park": (92, 74, 58)}
_STONES = {"street": (150, 148, 142), "corridor": (134, 102, 72)}
_LEAF = (62, 112, 52)


def draw_obstacle(canvas: Canvas, kind: str, scene: str, random: Random) -> None:
    """Draw a `pole`, something `low` at the bottom of the picture, or something at one `side` of it."""
    if kind == "pole":
        half, x = random.uniform(0.03, 0.05), random.uniform(0.2, 0.8)
        _pillar(
            canvas,
            x - half,
            x + half,
            0.0,
            scaled(_POLES.get(scene, (120, 120, 120)), random.uniform(0.85, 1.15)),
        )
    elif kind == "low":
        _low(canvas, scene, random.uniform(0.68, 0.86), random)
    else:
        _side(canvas, scene, random)


def _low(canvas: Canvas, scene: str, top: float, random: Random) -> None:
    if scene == "park":
        return _hedge(canvas, (-0.1, 1.1), top, random)
    stone = scaled(_STONES.get(scene, (130, 130, 130)), random.uniform(0.85, 1.15))
    _box(canvas, (-0.1, 1.1), top, stone)
    for x in (0.1, 0.45, 0.8):
        canvas.cover(_rectangle(x, top + 0.03, x + 0.02, 1.1), scaled(stone, 0.78))
    if scene == "street":
        _leaves(canvas, (0.0, 1.0), top, random)
    return None


def _side(canvas: Canvas, scene: str, random: Random) -> None:
    reach, top = random.uniform(0.24, 0.36), random.uniform(0.3, 0.55)
    left, right = (-0.1, reach) if random.random() < 0.5 else (1 - reach, 1.1)
    if scene == "park":
        return _hedge(canvas, (left, right), top, random)
    if scene == "corridor":
        return _pillar(canvas, left, right, 0.0, scaled((168, 162, 150), random.uniform(0.85, 1.1)))
    paint = scaled((58, 92, 128), random.uniform(0.8, 1.2))
    _box(canvas, (left, right), top, paint)
    canvas.cover(_rectangle(left + 0.05, top + 0.06, right - 0.05, top + 0.22), (222, 220, 208))
    canvas.cover(_rectangle(left + 0.09, top + 0.1, right - 0.09, top + 0.12), scaled(paint, 0.8))
    return None


def _pillar(canvas: Canvas, left: float, right: float, top: float, colour: Colour) -> None:
    wide = right - left
    canvas.cover(_rectangle(left, top, right, 1.0), colour)
    canvas.cover(_rectangle(left + wide * 0.15, top, left + wide * 0.4, 1.0), scaled(colour, 1.3))
    canvas.cover(_rectangle(right - wide * 0.25, top, right, 1.0), scaled(colour, 0.72))


def _box(canvas: Canvas, span: Point, top: float, colour: Colour) -> None:
    canvas.cover(_rectangle(span[0], top, span[1], 1.1), colour)
    canvas.cover(_rectangle(span[0], top, span[1], top + 0.018), scaled(colour, 1.35))
    canvas.cover(_rectangle(span[0], top + 0.018, span[1], top + 0.03), scaled(colour, 0.7))


def _hedge(canvas: Canvas, span: Point, top: float, random: Random) -> None:
    canvas.cover(_rectangle(span[0], top, span[1], 1.1), scaled(_LEAF, 0.8))
    for row in range(5):
        _leaves(canvas, span, top + 0.07 * row, random)


def _leaves(canvas: Canvas, span: Point, v: float, random: Random) -> None:
    for _ in range(round(12 * (span[1] - span[0]))):
        centre = (random.uniform(*span), v + random.uniform(-0.012, 0.02))
        canvas.cover_disc(centre, random.uniform(0.04, 0.08), scaled(_LEAF, random.uniform(0.7, 1.3)))


def _rectangle(left: float, top: float, right: float, bottom: float) -> list[Point]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]
