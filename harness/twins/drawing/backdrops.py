"""Scenes behind the person, one for each kind of place."""

from collections.abc import Callable
from random import Random

from PIL import Image, ImageDraw

from harness.twins.drawing.canvas import SUPERSAMPLING
from harness.twins.drawing.colours import CLOTHES, Colour, scaled

Draw = Callable[[ImageDraw.ImageDraw, tuple[int, int], int, Random], None]


def draw_backdrop(kind: str, size: tuple[int, int], tilt: float, random: Random) -> Image.Image:
    """Draw the scene behind a person on a supersampled canvas; a steeper camera shows more ground."""
    width, height = size[0] * SUPERSAMPLING, size[1] * SUPERSAMPLING
    image = Image.new("RGB", (width, height))
    horizon = int(height * max(0.05, random.uniform(0.3, 0.5) - 0.6 * tilt))
    BACKDROPS[kind](ImageDraw.Draw(image), (width, height), horizon, random)
    return image


def _street(draw: ImageDraw.ImageDraw, size: tuple[int, int], horizon: int, random: Random) -> None:
    width, height = size
    wall = _grey(random, 150, 215, warm=18)
    draw.rectangle((0, 0, width, horizon), fill=wall)
    step = max(12, width // random.randint(2, 4))
    for x in range(random.randint(-step, 0), width, step):
        draw.rectangle(
            (x + step // 4, horizon // 6, x + step * 3 // 4, horizon * 2 // 3), fill=(96, 112, 130)
        )
    ground = _grey(random, 150, 190)
    draw.rectangle((0, horizon, width, height), fill=ground)
    draw.rectangle((0, horizon, width, horizon + 5), fill=scaled(ground, 0.75))
    joint = scaled(ground, 0.88)
    for row in range(1, 7):
        y = horizon + (height - horizon) * row * row // 49
        draw.line((0, y, width, y), fill=joint, width=2)
    for _ in range(3):
        x = random.randint(-width // 2, width)
        draw.line((x, horizon, x + random.randint(-width, width), height), fill=joint, width=2)
    if random.random() < 0.4:
        _car(draw, size, horizon, random)


def _car(draw: ImageDraw.ImageDraw, size: tuple[int, int], horizon: int, random: Random) -> None:
    paint = scaled(random.choice(list(CLOTHES.values())), 0.85)
    length, x = size[0] * 4 // 5, random.choice((-size[0] // 3, size[0] * 2 // 3))
    base = horizon + size[1] // 20
    tall = size[1] // 12
    draw.rectangle((x, base - tall, x + length, base), fill=paint)
    draw.rectangle(
        (x + length // 5, base - tall * 2, x + length * 4 // 5, base - tall), fill=scaled(paint, 0.7)
    )
    for share in (0.2, 0.8):
        wheel = x + int(length * share)
        draw.ellipse(
            (wheel - tall // 2, base - tall // 2, wheel + tall // 2, base + tall // 2), fill=(30, 30, 32)
        )


def _corridor(draw: ImageDraw.ImageDraw, size: tuple[int, int], horizon: int, random: Random) -> None:
    width, height = size
    wall, floor = _grey(random, 118, 172, warm=8), _grey(random, 92, 142)
    draw.rectangle((0, 0, width, horizon), fill=wall)
    draw.rectangle((0, horizon, width, height), fill=floor)
    draw.rectangle((0, horizon - 10, width, horizon), fill=scaled(wall, 0.62))
    if random.random() < 0.6:
        x, wide = random.randint(-width // 4, width * 3 // 4), width // 3
        draw.rectangle((x, 0, x + wide, horizon), fill=scaled((136, 104, 78), random.uniform(0.8, 1.2)))
    vanish = random.randint(0, width)
    for index in range(-6, 12):
        draw.line((vanish, horizon, index * width // 5, height), fill=scaled(floor, 1.18), width=2)
    for row in range(1, 6):
        y = horizon + (height - horizon) * row * row // 36
        draw.line((0, y, width, y), fill=scaled(floor, 1.18), width=2)
    lamp = random.randint(0, width)
    draw.ellipse(
        (lamp - width // 3, height - height // 8, lamp + width // 3, height), fill=scaled(floor, 1.3)
    )


def _park(draw: ImageDraw.ImageDraw, size: tuple[int, int], horizon: int, random: Random) -> None:
    width, height = size
    grass = (random.randint(82, 116), random.randint(126, 156), random.randint(66, 92))
    draw.rectangle((0, 0, width, horizon), fill=(176, 198, 216))
    draw.rectangle((0, horizon, width, height), fill=grass)
    bend = random.randint(-width // 2, width // 2)
    path = [
        (width // 3 + bend // 3, horizon),
        (width // 2 + bend // 3, horizon),
        (width + width // 3, height),
        (-width // 4, height),
    ]
    draw.polygon(path, fill=_grey(random, 168, 196, warm=22))
    for _ in range(random.randint(2, 5)):
        _tree(draw, width, horizon, random)


def _tree(draw: ImageDraw.ImageDraw, width: int, horizon: int, random: Random) -> None:
    x, wide = random.randint(0, width), random.randint(width // 5, width // 2)
    leaf = scaled((60, 104, 56), random.uniform(0.7, 1.3))
    draw.rectangle((x - wide // 10, horizon // 2, x + wide // 10, horizon + 8), fill=(84, 66, 52))
    for _ in range(5):
        shift, rise = random.randint(-wide // 2, wide // 2), random.randint(0, max(1, horizon * 3 // 4))
        draw.ellipse(
            (x + shift - wide // 2, rise - wide // 2, x + shift + wide // 2, rise + wide // 2), fill=leaf
        )


def _crossing(draw: ImageDraw.ImageDraw, size: tuple[int, int], horizon: int, random: Random) -> None:
    width, height = size
    wall, road = _grey(random, 96, 150, warm=24), _grey(random, 84, 108)
    draw.rectangle((0, 0, width, horizon), fill=wall)
    step = max(16, width // random.randint(2, 3))
    for x in range(random.randint(-step, 0), width, step):
        draw.rectangle((x + 4, horizon // 5, x + step - 4, horizon - 4), fill=scaled(wall, 1.5))
        draw.rectangle((x + 4, horizon // 5, x + step - 4, horizon // 3), fill=scaled(wall, 0.6))
    draw.rectangle((0, horizon, width, height), fill=road)
    draw.rectangle((0, horizon, width, horizon + 6), fill=_grey(random, 176, 200))
    shift = random.randint(0, width // 4)
    for index in range(-2, 6):
        left = shift + index * width // 4
        bar = [
            (left, horizon + (height - horizon) // 4),
            (left + width // 8, horizon + (height - horizon) // 4),
        ]
        low = [(left + width // 7 - width // 10, height), (left - width // 10, height)]
        draw.polygon([*bar, *low], fill=(226, 226, 222))


def _platform(draw: ImageDraw.ImageDraw, size: tuple[int, int], horizon: int, random: Random) -> None:
    width, height = size
    paint, floor = scaled(random.choice(list(CLOTHES.values())), 0.9), _grey(random, 128, 168)
    draw.rectangle((0, 0, width, horizon), fill=_grey(random, 196, 222))
    draw.rectangle((0, horizon * 3 // 4, width, horizon), fill=paint)
    step = width // 2
    for x in range(random.randint(-step, 0), width, step):
        draw.rectangle((x + 6, horizon // 5, x + step - 6, horizon * 3 // 5), fill=(52, 64, 80))
    draw.rectangle((0, horizon, width, height), fill=floor)
    draw.rectangle((0, horizon, width, horizon + 8), fill=(48, 48, 52))
    edge = horizon + (height - horizon) // 7
    draw.rectangle((0, edge, width, edge + max(4, height // 50)), fill=(236, 200, 44))
    for row in range(3, 7):
        y = horizon + (height - horizon) * row * row // 40
        draw.line((0, y, width, y), fill=scaled(floor, 0.88), width=2)


def _waterfront(draw: ImageDraw.ImageDraw, size: tuple[int, int], horizon: int, random: Random) -> None:
    width, height = size
    sky, water = (186, 210, 232), (random.randint(58, 84), random.randint(116, 138), random.randint(146, 172))
    draw.rectangle((0, 0, width, horizon), fill=sky)
    draw.rectangle((0, horizon // 2, width, horizon), fill=water)
    for _ in range(8):
        x, y = random.randint(0, width), random.randint(horizon // 2, max(horizon // 2, horizon - 2))
        draw.line((x, y, x + width // 6, y), fill=scaled(water, 1.3), width=2)
    planks = (random.randint(146, 172), random.randint(118, 136), random.randint(88, 104))
    draw.rectangle((0, horizon, width, height), fill=planks)
    for x in range(random.randint(0, 12), width, max(12, width // 12)):
        draw.line((x, horizon, x, height), fill=scaled(planks, 0.82), width=2)
    top, rail = horizon - (height - horizon) // 8, (232, 234, 236)
    for y in (top, (top + horizon) // 2):
        draw.line((0, y, width, y), fill=rail, width=4)
    for x in range(random.randint(0, width // 4), width, max(16, width // 4)):
        draw.line((x, top, x, horizon + 4), fill=rail, width=4)


BACKDROPS: dict[str, Draw] = {
    "street": _street,
    "corridor": _corridor,
    "park": _park,
    "crossing": _crossing,
    "platform": _platform,
    "waterfront": _waterfront,
}


def draw_passer_by(image: Image.Image, random: Random) -> None:
    """Draw a small figure far behind, plain enough not to be taken for the person."""
    width, height = image.size
    draw = ImageDraw.Draw(image)
    tall, x = height * random.uniform(0.16, 0.26), random.choice((0.08, 0.92)) * width
    top, half = height * random.uniform(0.12, 0.2), tall * 0.13
    coat, legs = (scaled(random.choice(list(CLOTHES.values())), 0.8) for _ in range(2))
    draw.rectangle((x - half * 0.8, top + tall * 0.5, x + half * 0.8, top + tall), fill=legs)
    draw.rounded_rectangle((x - half, top + tall * 0.18, x + half, top + tall * 0.55), half / 2, fill=coat)
    draw.ellipse((x - half * 0.6, top, x + half * 0.6, top + tall * 0.2), fill=(176, 140, 116))


def _grey(random: Random, low: int, high: int, warm: int = 0) -> Colour:
    level, shift = random.randint(low, high), random.randint(-warm, warm)
    return level + shift, level + shift // 3, level - shift
