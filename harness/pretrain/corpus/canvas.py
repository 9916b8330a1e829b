"""Small pictures of soft-edged convex shapes, drawn by arithmetic that is exact to the bit on every machine.

Only sums, products, quotients, square roots and comparisons of single values occur, which IEEE 754 defines to the last
bit: no sine, no sum over an array, no library that rasterises in its own way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from harness.pretrain.corpus.draws import Draws

Array = NDArray[np.float32]
Point = tuple[float, float]
Colour = tuple[float, float, float]
_EDGE = 0.5


@dataclass(frozen=True)
class Paint:
    """What a surface looks like: a colour from 0 to 255, and where a pattern has it, a second one."""

    colour: Colour
    second: Colour = (0.0, 0.0, 0.0)
    pattern: str = "plain"
    period: int = 6
    shift: int = 0


class Canvas:
    """A picture under way: pixels from 0 to 255 [height, width, 3]."""

    def __init__(self, size: tuple[int, int], ground: Colour) -> None:
        self.height, self.width = size
        self.pixels = np.empty((*size, 3), np.float32)
        self.pixels[:] = ground

    def polygon(self, points: Sequence[Point], paint: Paint) -> None:
        """Fill a convex polygon, given in pixels from the upper left corner, in either direction of turning."""
        box = self._box([x for x, _ in points], [y for _, y in points])
        if box is None:
            return
        top, bottom, left, right = box
        across, down, offset = _half_planes(points)
        y, x = _axes(self.height, self.width)
        depth = across * x[:, :, left:right] + down * y[:, top:bottom] - offset
        self._fill(np.minimum.reduce(depth), box, paint)

    def ellipse(self, centre: Point, radii: Point, paint: Paint) -> None:
        """Fill an upright ellipse, given in pixels."""
        (u, v), (across, down) = centre, (max(abs(radii[0]), 0.3), max(abs(radii[1]), 0.3))
        box = self._box((u - across, u + across), (v - down, v + down))
        if box is None:
            return
        top, bottom, left, right = box
        y, x = _axes(self.height, self.width)
        x, y = (
            (x[0, :, left:right] - np.float32(u)) / np.float32(across),
            (y[0, top:bottom] - np.float32(v)) / np.float32(down),
        )
        self._fill((1 - (x * x + y * y)) * np.float32(min(across, down) / 2), box, paint)

    def _box(self, x: Sequence[float], y: Sequence[float]) -> tuple[int, int, int, int] | None:
        """Return rows and columns that a shape can touch; None where it lies outside."""
        top, bottom = max(0, int(min(y) - 1)), min(self.height, int(max(y) + 2))
        left, right = max(0, int(min(x) - 1)), min(self.width, int(max(x) + 2))
        return (top, bottom, left, right) if top < bottom and left < right else None

    def _fill(self, depth: Array, box: tuple[int, int, int, int], paint: Paint) -> None:
        """Paint where a shape is; `depth` says how many pixels each is inside of it."""
        top, bottom, left, right = box
        mask = np.minimum(np.maximum(depth + _EDGE, 0), 1)[..., None]
        region = self.pixels[top:bottom, left:right]
        surface = np.array(paint.colour, np.float32)
        if paint.pattern != "plain":
            marks = _marks(paint.pattern, paint.period, paint.shift, (self.height, self.width))
            surface = surface + marks[top:bottom, left:right, None] * (
                np.array(paint.second, np.float32) - surface
            )
        region += mask * (surface - region)


@dataclass(frozen=True)
class Brush:
    """Draws in units of its own: (0, 0) is at `x`, `y` of the canvas, a unit is `across` and `down` pixels long."""

    canvas: Canvas
    x: float
    y: float
    across: float
    down: float

    def part(self, u: float, v: float, across: float, down: float) -> "Brush":
        """Return a brush for a part: its centre and the length of its units, in this one's."""
        x, y = self._place(u, v)
        return Brush(self.canvas, x, y, self.across * across, self.down * down)

    def polygon(self, points: Sequence[Point], paint: Paint) -> None:
        """Fill a convex polygon."""
        self.canvas.polygon([self._place(u, v) for u, v in points], paint)

    def ellipse(self, u: float, v: float, across: float, down: float, paint: Paint) -> None:
        """Fill an upright ellipse around a point."""
        self.canvas.ellipse(self._place(u, v), (across * self.across, down * self.down), paint)

    def line(self, start: Point, end: Point, width: float, paint: Paint) -> None:
        """Draw a straight line, its width in units across."""
        (x0, y0), (x1, y1) = self._place(*start), self._place(*end)
        length = sqrt((x1 - x0) * (x1 - x0) + (y1 - y0) * (y1 - y0)) or 1.0
        half = max(abs(width * self.across), 0.6) / 2
        right, below = -(y1 - y0) / length * half, (x1 - x0) / length * half
        corners = [(x0 + right, y0 + below), (x1 + right, y1 + below)]
        self.canvas.polygon([*corners, (x1 - right, y1 - below), (x0 - right, y0 - below)], paint)

    def _place(self, u: float, v: float) -> Point:
        return self.x + u * self.across, self.y + v * self.down


def photographed(canvas: Canvas, draws: Draws) -> NDArray[np.uint8]:
    """Return pixels [height, width, 3] as a camera gives them: uneven light, a cast of colour, noise."""
    y, x = _axes(canvas.height, canvas.width)
    light = draws.between(0.75, 1.15) + draws.between(-0.25, 0.25) * (y[0] / canvas.height - 0.5)
    light = light + draws.between(-0.2, 0.2) * (x[0] / canvas.width - 0.5)
    cast = np.array([draws.between(0.94, 1.06) for _ in range(3)], np.float32)
    start = draws.whole(0, len(_noise()) - canvas.pixels.size)
    noise = _noise()[start : start + canvas.pixels.size].reshape(canvas.pixels.shape)
    pixels = canvas.pixels * light.astype(np.float32)[..., None] * cast
    return _even(pixels + noise * np.float32(draws.between(0.2, 1.5)))


def printed(canvas: Canvas, draws: Draws) -> NDArray[np.uint8]:
    """Return pixels [height, width, 3] as printed: lighter or darker as a whole, flat colours stay flat."""
    return _even(canvas.pixels * np.float32(draws.between(0.75, 1.1)))


def _even(pixels: Array) -> NDArray[np.uint8]:
    """Return pixels of even values alone, by which a picture of the corpus is known from any photograph of a twin."""
    return np.clip(pixels, 0, 255).astype(np.uint8) & np.uint8(0xFE)


def _half_planes(points: Sequence[Point]) -> tuple[Array, Array, Array]:
    """Return inward normals and offsets of the edges of a convex polygon, each [n_edge, 1, 1]."""
    pairs = [(points[i], points[(i + 1) % len(points)]) for i in range(len(points))]
    turning = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairs)
    sign = 1.0 if turning >= 0 else -1.0
    edges = []
    for (x0, y0), (x1, y1) in pairs:
        length = sqrt((x1 - x0) * (x1 - x0) + (y1 - y0) * (y1 - y0))
        if length:
            across, down = sign * (y0 - y1) / length, sign * (x1 - x0) / length
            edges.append((across, down, across * x0 + down * y0))
    across, down, offset = np.array(edges or [(0.0, 0.0, 1e9)], np.float32).T[..., None, None]
    return across, down, offset


@lru_cache(maxsize=8)
def _axes(height: int, width: int) -> tuple[Array, Array]:
    """Return the middles of the pixels, down [1, height, 1] and across [1, 1, width]."""
    y, x = np.arange(height, dtype=np.float32) + _EDGE, np.arange(width, dtype=np.float32) + _EDGE
    return y[None, :, None], x[None, None, :]


@lru_cache(maxsize=1)
def _noise() -> Array:
    """Return a stock of noise with a deviation of about 3: sums of raw bits, which NumPy keeps the same."""
    raw = np.random.PCG64(0).random_raw(1 << 14).astype("<u8").view(np.uint8).reshape(-1, 4)
    halves = (raw >> 3).astype(np.int16)
    total = halves[:, 0] + halves[:, 1] + halves[:, 2] + halves[:, 3] - 62
    return np.tile(total.astype(np.float32) / 6, 2)


@lru_cache(maxsize=4096)
def _marks(pattern: str, period: int, shift: int, size: tuple[int, int]) -> Array:
    """Return where the second colour of a pattern shows, from 0 to 1 [height, width]."""
    y = (np.arange(size[0])[:, None] + shift) % period
    x = (np.arange(size[1])[None, :] + shift * 3) % period
    row = ((np.arange(size[0])[:, None] + shift) // period) % 2
    half, third, middle = period // 2, max(1, period // 3), period / 2 - 0.5
    if pattern == "striped":
        found = np.broadcast_to(y < half, size)
    elif pattern == "pinstriped":
        found = np.broadcast_to(x < third, size)
    elif pattern == "plaid":
        return ((y < third) * 0.5 + (x < third) * 0.5).astype(np.float32)
    elif pattern == "checkered":
        found = (y < half) ^ (x < half)
    elif pattern == "dotted":
        shifted = (x + row * half) % period
        found = (y - middle) ** 2 + (shifted - middle) ** 2 < (period * 0.32) ** 2
    elif pattern == "floral":
        shifted = (x + row * half) % period
        down, right = abs(y - middle), abs(shifted - middle)
        found = (down + right < 3) & ((down > 0.6) | (right > 0.6))
    else:
        found = ((y * 5 + x * 3 + row * 4) // period + x // 3) % 3 == 0
    return found.astype(np.float32)
