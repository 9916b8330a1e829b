"""A picture under way: coloured shapes in body coordinates, and which part of the body each pixel shows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

from PIL import Image, ImageDraw

from harness.twins.drawing.colours import Colour

SUPERSAMPLING = 2
Point = tuple[float, float]


class Part(IntEnum):
    """What a pixel of the picture shows; 0 is anything but the person."""

    NOTHING = 0
    FACE = 1
    HAIR = 2
    TAIL = 3
    HAT = 4
    GLASSES = 5
    TORSO = 6
    SLEEVE = 7
    ARM = 8
    INNER = 9
    LOGO = 10
    SCARF = 11
    LOWER = 12
    SHIN = 13
    LEG = 14
    SHOE = 15
    BAG = 16
    STRAP = 17
    ITEM = 18
    CUFF = 19
    POCKET = 20
    STRIPE = 21
    SOCK = 22
    WATCH = 23
    NECKLACE = 24
    BAND = 25


@dataclass(frozen=True)
class Frame:
    """Where the person is in the picture and from what height the camera looks.

    Body coordinates run from (0, 0) at the top of the head to v = 1 at the soles; u points right, in body heights.

    Attributes:
        width, height: picture size in pixels.
        centre: position of the body axis as a share of the width.
        top: share of the height at which the head begins.
        size: body height as a share of the picture height; with `top` it decides what the frame cuts off.
        tilt: camera height; the head grows and the legs shrink with it.
        lean: sideways lean of the body axis.
        mirrored: whether left and right are swapped.
    """

    width: int
    height: int
    centre: float
    top: float
    size: float
    tilt: float
    lean: float
    mirrored: bool

    @cached_property
    def scale(self) -> float:
        """Body height in pixels of the supersampled canvas."""
        return self.size * self.height * SUPERSAMPLING

    @cached_property
    def origin(self) -> Point:
        """Canvas position of the top of an upright head."""
        return self.centre * self.width * SUPERSAMPLING, self.top * self.height * SUPERSAMPLING

    def project(self, u: float, v: float) -> Point:
        """Return the canvas position of a point of the body."""
        grown = 1 + 0.3 * self.tilt * (1 - 2 * v)
        across = (-u if self.mirrored else u) * grown + self.lean * (1 - v)
        down = v + 0.45 * self.tilt * v * (1 - v)
        return self.origin[0] + across * self.scale, self.origin[1] + down * self.scale


class Canvas:
    """Draws shapes twice: in colour, and as part numbers that later show what is visible."""

    def __init__(self, scene: Image.Image, frame: Frame) -> None:
        self.frame, self.image = frame, scene
        self.parts = Image.new("L", scene.size)
        self._paint = ImageDraw.Draw(scene)
        self._mark = ImageDraw.Draw(self.parts)

    def polygon(self, points: Sequence[Point], colour: Colour, part: Part | None = None) -> None:
        """Fill a polygon given in body coordinates; without a part it only decorates what is there."""
        placed = [self.frame.project(u, v) for u, v in points]
        self._paint.polygon(placed, fill=colour)
        if part is not None:
            self._mark.polygon(placed, fill=int(part))

    def ellipse(self, centre: Point, radii: Point, colour: Colour, part: Part | None = None) -> None:
        """Fill an upright ellipse given in body coordinates."""
        x, y = self.frame.project(*centre)
        across, down = radii[0] * self.frame.scale, radii[1] * self.frame.scale
        box = (x - across, y - down, x + across, y + down)
        self._paint.ellipse(box, fill=colour)
        if part is not None:
            self._mark.ellipse(box, fill=int(part))

    def pie(self, centre: Point, radii: Point, span: Point, colour: Colour, part: Part | None = None) -> None:
        """Fill a sector of an upright ellipse; angles in degrees, clockwise from the right."""
        x, y = self.frame.project(*centre)
        across, down = radii[0] * self.frame.scale, radii[1] * self.frame.scale
        start, end = (180 - span[1], 180 - span[0]) if self.frame.mirrored else span
        box = (x - across, y - down, x + across, y + down)
        self._paint.pieslice(box, start, end, fill=colour)
        if part is not None:
            self._mark.pieslice(box, start, end, fill=int(part))

    def stroke(self, points: Sequence[Point], width: float, colour: Colour, part: Part | None = None) -> None:
        """Draw a line through points, `width` in body heights."""
        placed = [self.frame.project(u, v) for u, v in points]
        pixels = max(1, round(width * self.frame.scale))
        self._paint.line(placed, fill=colour, width=pixels, joint="curve")
        if part is not None:
            self._mark.line(placed, fill=int(part), width=pixels, joint="curve")

    def limb(
        self, joints: Sequence[Point], widths: Sequence[float], colour: Colour, part: Part | None = None
    ) -> None:
        """Draw a tapering limb through its joints, `widths` being the thickness at each of them."""
        for index in range(len(joints) - 1):
            band = _band(joints[index], joints[index + 1], widths[index] / 2, widths[index + 1] / 2)
            self.polygon(band, colour, part)
        for joint, width in zip(joints, widths, strict=True):
            self.ellipse(joint, (width / 2, width / 2), colour, part)

    def cover(self, points: Sequence[Point], colour: Colour) -> None:
        """Fill a polygon given in shares of the picture, in front of the person: it hides what is there."""
        width, height = self.image.size
        placed = [(x * width, y * height) for x, y in points]
        self._paint.polygon(placed, fill=colour)
        self._mark.polygon(placed, fill=int(Part.NOTHING))

    def cover_disc(self, centre: Point, radius: float, colour: Colour) -> None:
        """Fill a disc given in shares of the picture (the radius of its width), in front of the person."""
        width, height = self.image.size
        x, y, reach = centre[0] * width, centre[1] * height, radius * width
        box = (x - reach, y - reach, x + reach, y + reach)
        self._paint.ellipse(box, fill=colour)
        self._mark.ellipse(box, fill=int(Part.NOTHING))


def between(start: Point, end: Point, share: float) -> Point:
    """Return the point at a share of the way from start to end."""
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share


def _band(start: Point, end: Point, first: float, last: float) -> list[Point]:
    """Return the four corners of a tapering band between two points."""
    across, along = end[0] - start[0], end[1] - start[1]
    length = math.hypot(across, along) or 1.0
    normal = (-along / length, across / length)
    return [
        (start[0] + normal[0] * first, start[1] + normal[1] * first),
        (end[0] + normal[0] * last, end[1] + normal[1] * last),
        (end[0] - normal[0] * last, end[1] - normal[1] * last),
        (start[0] - normal[0] * first, start[1] - normal[1] * first),
    ]
