"""Draw scenes of shapes as small pictures: soft-edged masks by distance, textures, light and noise."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.pretrain.shapes import COLOURS, Scene, Thing

Array = NDArray[np.float32]


def draw(scene: Scene, image_size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a scene as RGB pixels [height, width, 3]; light, noise and colour vary with the generator."""
    height, width = image_size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    image = np.broadcast_to(_colour(scene.background, scene.shade, rng), (height, width, 3)).astype(
        np.float32
    )
    image = image + rng.uniform(-30, 30) * (y[..., None] / height - 0.5)
    for thing in scene.things:
        image = _paint(image, thing, y, x, rng)
    noise = rng.standard_normal(image.shape, np.float32) * rng.uniform(1, 8)
    image = image * rng.uniform(0.75, 1.15) + noise
    return np.clip(image, 0, 255).astype(np.uint8)


def _paint(image: Array, thing: Thing, y: Array, x: Array, rng: np.random.Generator) -> Array:
    height, width = image.shape[:2]
    first, second = _colour(thing.colour, thing.shade, rng), _colour(thing.second, 0, rng)
    marks = _marks(thing.texture, y, x, rng)[..., None]
    surface = first * (1 - marks) + second * marks
    for row, column in thing.centres:
        down, right = y - row * (height - 1), x - column * (width - 1)
        inside = _inside(thing.shape, down, right, thing.radius * width)
        mask = np.clip(inside + 0.5, 0, 1)[..., None]
        image = image * (1 - mask) + surface * mask
    return image


def _inside(shape: str, y: Array, x: Array, r: float) -> Array:
    """Return how deep each pixel is inside a shape of radius `r` around the origin; negative outside."""
    depth: Array = _DEPTHS[shape](y, x, r)
    return depth


_DEPTHS: dict[str, Callable[[Array, Array, float], Any]] = {
    "circle": lambda y, x, r: r - np.hypot(x, y),
    "square": lambda y, x, r: 0.9 * r - np.maximum(np.abs(x), np.abs(y)),
    "triangle": lambda y, x, r: np.minimum((y + r) / 2 - np.abs(x), 0.8 * r - y),
    "diamond": lambda y, x, r: (r - np.abs(x) - np.abs(y)) * 0.7,
    "ring": lambda y, x, r: 0.22 * r - np.abs(0.8 * r - np.hypot(x, y)),
    "cross": lambda y, x, r: np.minimum(
        r - np.maximum(np.abs(x), np.abs(y)), 0.3 * r - np.minimum(np.abs(x), np.abs(y))
    ),
    "star": lambda y, x, r: r * (0.7 + 0.3 * np.cos(5 * np.arctan2(x, -y))) - np.hypot(x, y),
    "ellipse": lambda y, x, r: r - np.hypot(x * 1.6, y),
    "column": lambda y, x, r: np.minimum(0.45 * r - np.abs(x), 1.4 * r - np.abs(y)),
    "bar": lambda y, x, r: np.minimum(r - np.abs(x), 0.4 * r - np.abs(y)),
    "arch": lambda y, x, r: np.minimum(r - np.hypot(x, y - 0.4 * r), 0.4 * r - y),
    "half": lambda y, x, r: (y.shape[0] - 1) / 4 + 0.5 - np.abs(y),
}


def _marks(texture: str, y: Array, x: Array, rng: np.random.Generator) -> Array:
    """Return where the second colour of a texture shows, between 0 and 1 [height, width]."""
    step = rng.uniform(4, 8)
    down, right = 2 * np.pi * (y / step + rng.random()), 2 * np.pi * (x / step + rng.random())
    wave = _WAVES[texture](down.astype(np.float32), right.astype(np.float32))
    return np.asarray(np.clip(4 * wave + 0.5, 0, 1))


_WAVES: dict[str, Callable[[Array, Array], Any]] = {
    "plain": lambda y, x: np.full_like(y, -1),
    "rows": lambda y, x: np.sin(y),
    "columns": lambda y, x: np.sin(x),
    "slants": lambda y, x: np.sin((y + x) / 2**0.5),
    "checks": lambda y, x: np.sin(y) * np.sin(x),
    "spots": lambda y, x: np.sin(y) + np.sin(x) - 0.9,
}


def _colour(name: str, shade: int, rng: np.random.Generator) -> Array:
    colour = np.array(COLOURS[name], np.float32) + rng.normal(0, 7, 3)
    goal = 255.0 if shade > 0 else 0.0
    return np.asarray(colour + abs(shade) * rng.uniform(0.25, 0.45) * (goal - colour), np.float32)
