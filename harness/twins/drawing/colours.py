"""The named colours of clothes, hair and skin, and small arithmetic on them."""

from random import Random

Colour = tuple[int, int, int]

CLOTHES: dict[str, Colour] = {
    "black": (36, 36, 40),
    "white": (238, 238, 235),
    "grey": (138, 140, 142),
    "red": (200, 34, 38),
    "blue": (46, 104, 208),
    "navy": (28, 40, 98),
    "green": (34, 138, 62),
    "khaki": (110, 112, 62),
    "yellow": (240, 206, 46),
    "orange": (236, 124, 28),
    "pink": (244, 150, 184),
    "purple": (122, 56, 158),
    "brown": (112, 68, 38),
    "beige": (218, 192, 150),
}
HAIR: dict[str, Colour] = {
    "black": (28, 24, 26),
    "brown": (98, 60, 32),
    "blond": (222, 186, 104),
    "red": (166, 66, 28),
    "grey": (168, 168, 170),
}
SKIN: tuple[Colour, ...] = ((246, 212, 186), (228, 184, 148), (196, 146, 108), (142, 96, 66), (96, 64, 46))
FIXED: dict[str, Colour] = {
    "strap dark": (58, 56, 58),
    "strap light": (128, 124, 118),
    "phone": (24, 26, 32),
    "screen": (150, 196, 236),
    "paper": (244, 244, 238),
    "cup": (240, 236, 226),
    "lid": (92, 56, 36),
    "frame": (30, 28, 30),
    "lens": (206, 224, 232),
    "umbrella": (150, 40, 96),
    "carrier": (236, 240, 244),
    "denim seam": (214, 162, 80),
    "sole": (240, 240, 240),
    "lips": (190, 84, 84),
}


def scaled(colour: Colour, factor: float) -> Colour:
    """Return a darker (below 1) or lighter (above 1) colour; lightening moves towards white.

    >>> scaled((100, 200, 0), 0.5), scaled((100, 200, 0), 1.5)
    ((50, 100, 0), (178, 228, 128))
    """
    if factor <= 1:
        return _rounded(*(channel * factor for channel in colour))
    return _rounded(*(channel + (255 - channel) * (factor - 1) for channel in colour))


def shifted(colour: Colour, by: tuple[float, float, float]) -> Colour:
    """Return a colour moved by so many grey levels a channel, kept in range."""
    return _rounded(*(channel + move for channel, move in zip(colour, by, strict=True)))


def luminance(colour: Colour) -> float:
    """Return how light a colour is, from 0 to 255."""
    red, green, blue = colour
    return 0.299 * red + 0.587 * green + 0.114 * blue


def contrasting(colour: Colour) -> Colour:
    """Return white for a dark colour and near-black for a light one."""
    return (242, 242, 240) if luminance(colour) < 130 else (40, 40, 48)


def own_shade(random: Random, spread: float = 7.0) -> tuple[float, float, float]:
    """Draw the small shift that makes one person's red another red than the next person's."""
    common = random.uniform(-spread, spread)
    red, green, blue = (common + random.uniform(-spread, spread) / 2 for _ in range(3))
    return red, green, blue


def _rounded(*channels: float) -> Colour:
    red, green, blue = (min(255, max(0, round(channel))) for channel in channels)
    return red, green, blue
