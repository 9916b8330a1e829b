"""Draw one person in one view and photograph the scene."""

from functools import cache
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

from harness.datasets import Look
from harness.twins.drawing.backdrops import draw_backdrop, draw_passer_by
from harness.twins.drawing.canvas import SUPERSAMPLING, Canvas, Frame, Part
from harness.twins.drawing.colours import CLOTHES, contrasting
from harness.twins.drawing.details import (
    PLAIN,
    Details,
    draw_in_hair,
    draw_on_arm,
    draw_on_chest,
    draw_on_legs,
)
from harness.twins.drawing.dyes import Dyes, mix_dyes
from harness.twins.drawing.head import draw_glasses, draw_hair_behind, draw_hat, draw_head, draw_scarf
from harness.twins.drawing.lower_body import draw_lower
from harness.twins.drawing.obstacles import draw_obstacle
from harness.twins.drawing.people import NONE, Person
from harness.twins.drawing.skeleton import Limb, Skeleton, pose_skeleton
from harness.twins.drawing.things import draw_bag_before, draw_bag_behind, draw_in_hands
from harness.twins.drawing.upper_body import draw_arm, draw_torso
from harness.twins.drawing.views import Light, View

Pixels = NDArray[Any]
_CLUTTER = 0.3
_NOISE_TILE = 1024


def photograph(
    person: Person, body_seed: int, view: View, look: Look, details: Details = PLAIN
) -> tuple[Image.Image, Pixels]:
    """Return the finished picture and the part that each supersampled pixel shows [height, width].

    `body_seed` decides what no attribute names and all pictures of a person share: skin and exact shades.
    """
    random = Random(view.seed)
    scene = draw_backdrop(view.scene, (view.frame.width, view.frame.height), view.frame.tilt, random)
    if random.random() < _CLUTTER:
        draw_passer_by(scene, random)
    blurred = scene.reduce(SUPERSAMPLING).resize(scene.size, Image.Resampling.BILINEAR)
    canvas = Canvas(blurred, view.frame)
    _draw_person(canvas, person, pose_skeleton(person, view), mix_dyes(person, body_seed), details)
    if view.obstacle:
        draw_obstacle(canvas, view.obstacle, view.scene, random)
    parts = np.asarray(canvas.parts)
    drawn = _ink(np.array(canvas.image), parts, person, view.frame)
    return _expose(Image.fromarray(drawn).reduce(SUPERSAMPLING), view.light, look, random), parts


def _draw_person(canvas: Canvas, person: Person, bones: Skeleton, dyes: Dyes, details: Details) -> None:
    """Draw from the farthest to the nearest part."""

    def arm(limb: Limb) -> None:
        draw_arm(canvas, person, limb, dyes)
        draw_on_arm(canvas, limb, bones, details)

    draw_hair_behind(canvas, person, bones, dyes.hair)
    draw_bag_behind(canvas, person, bones, dyes.bag)
    if bones.side:
        arm(bones.far_arm)
    draw_lower(canvas, person, bones, dyes)
    draw_on_legs(canvas, person, bones, details)
    if not bones.side:
        arm(bones.far_arm)
        arm(bones.near_arm)
    draw_torso(canvas, person, bones, dyes)
    draw_on_chest(canvas, bones, details)
    draw_scarf(canvas, person, bones, dyes.scarf)
    draw_head(canvas, person, bones, dyes)
    draw_in_hair(canvas, bones, details)
    draw_glasses(canvas, person, bones)
    draw_hat(canvas, person, bones, dyes.hat)
    draw_bag_before(canvas, person, bones, dyes)
    if bones.side:
        arm(bones.near_arm)
    draw_in_hands(canvas, person, bones, dyes.bag)


def _ink(pixels: Pixels, parts: Pixels, person: Person, frame: Frame) -> Pixels:
    """Print the pattern on the visible cloth and draw dark outlines where one part meets another."""
    if person.pattern not in ("plain", "logo", NONE):
        cloth = (parts == Part.TORSO) | (parts == Part.SLEEVE)
        ink = np.array(contrasting(CLOTHES[person.upper_colour]), dtype=np.float32)
        printed = cloth & _pattern(person.pattern, parts.shape, frame)
        pixels[printed] = (0.2 * pixels[printed] + 0.8 * ink).astype(np.uint8)
    edge = _outlines(np.where(parts == Part.HAIR, int(Part.FACE), parts) if person.hair == "bald" else parts)
    pixels[edge] = (pixels[edge].astype(np.uint16) * 5 + 40 * 3 >> 3).astype(np.uint8)
    return pixels


def _outlines(parts: Pixels) -> NDArray[np.bool_]:
    """Return the pixels whose left or upper neighbour shows another part."""
    edge = np.zeros(parts.shape, dtype=bool)
    edge[:, 1:] = parts[:, 1:] != parts[:, :-1]
    edge[1:] |= parts[1:] != parts[:-1]
    return edge


def _pattern(name: str, shape: tuple[int, ...], frame: Frame) -> NDArray[np.bool_]:
    """Return which pixels a pattern inks; it moves and grows with the person."""
    left, top = frame.origin
    u = ((np.arange(shape[1]) - left) / frame.scale)[None, :]
    v = ((np.arange(shape[0]) - top) / frame.scale)[:, None]
    if name == "striped":
        return np.broadcast_to(v % 0.05 < 0.022, shape)
    if name == "checked":
        return (u % 0.05 < 0.012) | (v % 0.05 < 0.012)
    shifted_u = u + 0.0225 * (np.floor(v / 0.045) % 2)
    squared: NDArray[np.bool_] = (shifted_u % 0.045 - 0.0225) ** 2 + (v % 0.045 - 0.0225) ** 2 < 0.011**2
    return squared


def _expose(picture: Image.Image, light: Light, look: Look, random: Random) -> Image.Image:
    """Apply lens, light and sensor to the finished scene."""
    if light.blur > 0.05:
        picture = picture.filter(ImageFilter.BoxBlur(light.blur))
    picture = ImageEnhance.Color(picture).enhance(light.saturation)
    picture = picture.point(_response(light, look))
    pixels = np.asarray(picture, dtype=np.float32)
    height, width = pixels.shape[:2]
    slope = 1 + light.slope * np.linspace(-0.5, 0.5, width, dtype=np.float32)
    y, x = random.randrange(_NOISE_TILE - height), random.randrange(_NOISE_TILE - width)
    noise = _noise_tile()[y : y + height, x : x + width, None]
    return Image.fromarray(
        np.clip(pixels * slope[None, :, None] + light.noise * noise, 0, 255).astype(np.uint8)
    )


def _response(light: Light, look: Look) -> list[int]:
    """Return the look-up table of brightness, contrast and tint for the three channels."""
    levels = np.arange(256)
    table = [(levels - 118) * light.contrast + 118 for _ in look.tint]
    scaled = [values * light.brightness * tint for values, tint in zip(table, look.tint, strict=True)]
    return [int(value) for value in np.clip(np.concatenate(scaled), 0, 255)]


@cache
def _noise_tile() -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((_NOISE_TILE, _NOISE_TILE), dtype=np.float32)
