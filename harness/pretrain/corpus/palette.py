"""Colours and patterns with the words that the web has for them."""

from dataclasses import dataclass

from harness.pretrain.corpus.canvas import Colour, Paint
from harness.pretrain.corpus.draws import Draws


@dataclass(frozen=True)
class Shade:
    """A colour, about so, and the words for it; how much more often than another it is drawn."""

    rgb: Colour
    words: tuple[str, ...]
    weight: float = 1.0


SHADES = (
    Shade((28, 27, 30), ("black", "black", "jet black"), 3),
    Shade((240, 240, 238), ("white", "white", "off-white"), 3),
    Shade((132, 133, 136), ("grey", "gray", "gray"), 2),
    Shade((72, 74, 80), ("dark grey", "dark gray", "charcoal")),
    Shade((198, 200, 204), ("light grey", "silver", "light gray")),
    Shade((206, 28, 34), ("red", "red", "bright red"), 2),
    Shade((126, 24, 42), ("burgundy", "maroon", "dark red", "wine")),
    Shade((242, 142, 176), ("pink", "pink", "light pink"), 2),
    Shade((226, 50, 130), ("hot pink", "magenta")),
    Shade((238, 118, 28), ("orange", "orange", "bright orange"), 2),
    Shade((246, 168, 140), ("peach", "salmon", "coral")),
    Shade((244, 212, 52), ("yellow", "yellow", "bright yellow"), 2),
    Shade((206, 160, 44), ("mustard", "gold", "golden")),
    Shade((36, 146, 66), ("green", "green", "bright green"), 2),
    Shade((24, 76, 44), ("dark green", "forest green")),
    Shade((156, 216, 62), ("lime", "light green", "lime green")),
    Shade((112, 116, 64), ("olive", "khaki", "army green", "olive green"), 2),
    Shade((42, 96, 206), ("blue", "blue", "royal blue"), 2),
    Shade((140, 190, 236), ("light blue", "sky blue", "baby blue")),
    Shade((26, 36, 92), ("navy", "navy blue", "dark blue"), 2),
    Shade((26, 134, 140), ("teal", "turquoise")),
    Shade((124, 56, 164), ("purple", "violet", "purple"), 2),
    Shade((190, 168, 224), ("lavender", "lilac", "light purple")),
    Shade((110, 68, 38), ("brown", "brown", "chocolate brown"), 2),
    Shade((186, 146, 100), ("tan", "camel", "light brown")),
    Shade((222, 202, 164), ("beige", "cream", "ivory"), 2),
)
PATTERNS = {
    "striped": ("striped", "stripy", "with stripes"),
    "pinstriped": ("vertical striped", "pinstriped"),
    "plaid": ("plaid", "checked", "tartan"),
    "checkered": ("checkered", "chequered", "gingham"),
    "dotted": ("polka dot", "dotted", "spotted"),
    "floral": ("floral", "flowered", "flower print"),
    "camouflage": ("camouflage", "camo"),
}
HAIR = (
    Shade((30, 25, 26), ("black", "dark"), 3),
    Shade((96, 60, 34), ("brown", "brunette"), 3),
    Shade((226, 190, 108), ("blonde", "blond", "fair"), 2),
    Shade((168, 70, 30), ("red", "ginger")),
    Shade((174, 174, 176), ("grey", "gray", "white")),
)
SKIN: tuple[Colour, ...] = (
    (250, 218, 192), (234, 190, 154), (204, 152, 112), (160, 110, 74), (108, 72, 50), (255, 206, 72),
)  # fmt: skip


@dataclass(frozen=True)
class Dye:
    """A paint with the word for its colour and, where it has a pattern, the word for that."""

    paint: Paint
    colour: str
    pattern: str = ""


def dye(draws: Draws, patterned: float = 0.0, shades: tuple[Shade, ...] = SHADES) -> Dye:
    """Draw a paint and the words for it; `patterned` is the share that has a pattern."""
    shade = _shade(draws, shades)
    paint = Paint(_about(shade.rgb, draws))
    if not draws.chance(patterned):
        return Dye(paint, draws.pick(shade.words))
    pattern = draws.pick(list(PATTERNS))
    other = (244.0, 244.0, 240.0) if _is_dark(shade.rgb) else (34.0, 34.0, 40.0)
    if draws.chance(0.4):
        other = max((_shade(draws, shades).rgb for _ in range(3)), key=lambda rgb: _apart(rgb, shade.rgb))
    paint = Paint(paint.colour, other, pattern, draws.whole(4, 8), draws.whole(0, 7))
    return Dye(paint, draws.pick(shade.words), draws.pick(PATTERNS[pattern]))


def toned(paint: Paint, factor: float) -> Paint:
    """Return a plain paint of the same colour, darker (below 1) or nearer to white (above)."""
    if factor <= 1:
        red, green, blue = (channel * factor for channel in paint.colour)
    else:
        red, green, blue = (channel + (255 - channel) * (factor - 1) for channel in paint.colour)
    return Paint((red, green, blue))


def skin(draws: Draws) -> Paint:
    """Draw a colour of skin."""
    return Paint(_about(draws.pick(SKIN), draws, 5))


def _shade(draws: Draws, shades: tuple[Shade, ...]) -> Shade:
    return shades[int(draws.weighted({str(i): shade.weight for i, shade in enumerate(shades)}))]


def _about(rgb: Colour, draws: Draws, spread: float = 9) -> Colour:
    red, green, blue = (channel + draws.between(-spread, spread) for channel in rgb)
    return (red, green, blue)


def _is_dark(rgb: Colour) -> bool:
    return rgb[0] * 3 + rgb[1] * 6 + rgb[2] < 1250


def _apart(one: Colour, other: Colour) -> float:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True))
