"""Clothes laid flat, as shops show them; the paper dolls wear the same."""

from collections.abc import Mapping
from dataclasses import dataclass

from harness.pretrain.corpus.canvas import Brush, Paint
from harness.pretrain.corpus.palette import toned

_LIGHT, _DARK = Paint((244, 244, 242)), Paint((40, 40, 46))
_SLEEVE_WORDS = {
    "none": ("sleeveless",),
    "short": ("short sleeve", "short-sleeved"),
    "long": ("long sleeve", "long-sleeved"),
}


@dataclass(frozen=True)
class Top:
    """A garment for the upper body: shoulders at -1, hips at 1.

    Attributes:
        words: nouns for it.
        sleeves: which it may have.
        hem: where it ends.
        flare: half its width there.
        shoulder: half its width at the shoulders.
        trimmings: what is sewn to it.
    """

    words: tuple[str, ...]
    sleeves: tuple[str, ...]
    hem: float = 1.0
    flare: float = 0.64
    shoulder: float = 0.72
    trimmings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bottom:
    """A garment from the waist, at -1, down: to the ankle, at 1, where `length` is 1."""

    words: tuple[str, ...]
    length: float
    legs: float = 0.3
    skirt: float = 0.0
    trimmings: tuple[str, ...] = ()

    @property
    def plural(self) -> bool:
        """Whether its nouns are plural, as trousers are."""
        return not self.skirt


TOPS: Mapping[str, Top] = {
    "t_shirt": Top(("t-shirt", "tee", "t shirt", "graphic tee", "cotton t-shirt"), ("short",)),
    "tank_top": Top(("tank top", "vest top", "camisole", "muscle tank"), ("none",), shoulder=0.45),
    "shirt": Top(
        ("shirt", "button-up shirt", "dress shirt", "button down shirt"),
        ("long", "short"),
        trimmings=("collar", "buttons"),
    ),
    "polo": Top(("polo shirt", "polo", "golf shirt"), ("short",), trimmings=("collar",)),
    "blouse": Top(("blouse", "tunic", "top"), ("long", "short"), flare=0.8, trimmings=("neckline",)),
    "sweater": Top(
        ("sweater", "pullover", "jumper", "knit sweater"), ("long",), flare=0.7, trimmings=("ribs",)
    ),
    "cardigan": Top(("cardigan", "knit cardigan", "open cardigan"), ("long",), trimmings=("open",)),
    "hoodie": Top(
        ("hoodie", "hooded sweatshirt", "sweatshirt", "zip hoodie"),
        ("long",),
        flare=0.72,
        trimmings=("hood", "pocket"),
    ),
    "jacket": Top(
        ("jacket", "bomber jacket", "leather jacket", "windbreaker", "denim jacket"),
        ("long",),
        flare=0.72,
        trimmings=("zip", "collar"),
    ),
    "open_jacket": Top(
        ("open jacket", "unzipped jacket", "jacket"), ("long",), flare=0.75, trimmings=("open",)
    ),
    "puffer": Top(
        ("puffer jacket", "down jacket", "padded jacket"), ("long",), flare=0.8, trimmings=("quilt", "zip")
    ),
    "blazer": Top(("blazer", "suit jacket", "suit"), ("long",), hem=1.15, trimmings=("lapels",)),
    "coat": Top(
        ("coat", "overcoat", "trench coat", "long coat", "winter coat", "raincoat"),
        ("long",),
        hem=1.9,
        flare=0.85,
        trimmings=("collar", "buttons"),
    ),
    "vest": Top(("vest", "waistcoat", "gilet"), ("none",), trimmings=("zip",)),
    "dress": Top(
        ("dress", "gown", "summer dress", "maxi dress", "evening dress"),
        ("none", "short", "long"),
        hem=2.1,
        flare=1.05,
        shoulder=0.6,
        trimmings=("waist",),
    ),
}
BOTTOMS: Mapping[str, Bottom] = {
    "trousers": Bottom(("trousers", "pants", "chinos", "dress pants"), 1.0),
    "jeans": Bottom(("jeans", "denim jeans", "skinny jeans", "denim pants"), 1.0, 0.28, trimmings=("seams",)),
    "leggings": Bottom(("leggings", "tights", "yoga pants", "tight leggings"), 1.0, 0.19),
    "joggers": Bottom(("sweatpants", "joggers", "track pants"), 1.0, 0.34, trimmings=("stripe",)),
    "shorts": Bottom(("shorts", "short pants", "denim shorts", "bermuda shorts"), -0.15, 0.36),
    "skirt": Bottom(("skirt", "mini skirt", "knee length skirt", "pleated skirt"), 0.0, skirt=0.85),
    "long_skirt": Bottom(("long skirt", "maxi skirt", "ankle length skirt"), 0.9, skirt=0.95),
}
WHOLE = ("coat", "dress")
PRINTS = ("logo", "print", "star", "heart")


def sleeve_words(sleeves: str) -> tuple[str, ...]:
    """Return what may be said of sleeves that are `none`, `short` or `long`."""
    return _SLEEVE_WORDS[sleeves]


def draw_top(brush: Brush, top: Top, sleeves: str, cloth: Paint, inner: Paint, skin: Paint | None) -> None:
    """Draw a garment for the upper body: with arms of `skin`, or flat where that is None."""
    shoulder, dark = top.shoulder, toned(cloth, 0.75)
    for side in (-1, 1):
        if skin is not None:
            brush.line((side * 0.72, -0.8), (side * 1.02, 0.25), 0.3, skin)
            brush.line((side * 1.02, 0.25), (side * 1.05, 1.1), 0.26, skin)
            brush.ellipse(side * 1.05, 1.15, 0.17, 0.12, skin)
        if sleeves != "none":
            brush.line((side * (shoulder - 0.05), -0.82), (side * 0.98, 0.0), 0.44, cloth)
        if sleeves == "long":
            brush.line((side * 0.98, 0.0), (side * 1.05, 1.0), 0.38, cloth)
            brush.line((side * 1.05, 0.9), (side * 1.06, 1.02), 0.38, dark)
    if "hood" in top.trimmings:
        brush.ellipse(0, -1.02, 0.5, 0.2, dark)
    brush.polygon([(-shoulder, -1), (shoulder, -1), (0.62, 0.35), (-0.62, 0.35)], cloth)
    brush.polygon([(-0.62, 0.2), (0.62, 0.2), (top.flare, top.hem), (-top.flare, top.hem)], cloth)
    brush.ellipse(0, -1.0, 0.24, 0.13, skin or dark)
    for trimming in top.trimmings:
        _trim(brush, trimming, top, cloth, inner)


def draw_bottom(brush: Brush, bottom: Bottom, cloth: Paint, skin: Paint | None, spread: float = 0.0) -> None:
    """Draw a garment for the lower body; bare legs below it where there is `skin`, set apart by `spread`."""
    dark = toned(cloth, 0.75)
    for side in (-1, 1):
        foot = side * (0.34 + spread)
        if skin is not None:
            brush.line((side * 0.3, -0.6), (foot, 1.02), 0.34, skin)
        if bottom.skirt:
            continue
        share = (bottom.length + 1) / 2
        knee = side * 0.3 + (foot - side * 0.3) * share
        half = bottom.legs
        brush.polygon(
            [
                (side * 0.62, -1),
                (0, -1),
                (knee - side * half, bottom.length),
                (knee + side * half, bottom.length),
            ],
            cloth,
        )
        if "stripe" in bottom.trimmings:
            brush.line((side * 0.58, -0.9), (knee + side * (half - 0.08), bottom.length), 0.1, _LIGHT)
        if "seams" in bottom.trimmings:
            brush.line((side * 0.25, -0.7), (side * 0.5, -0.62), 0.08, Paint((206, 170, 100)))
    if bottom.skirt:
        wide, end = bottom.skirt, bottom.length
        brush.polygon([(-0.58, -1), (0.58, -1), (wide, end), (-wide, end)], cloth)
        brush.line((0.2, -0.8), (0.35, end), 0.08, dark)
    brush.polygon([(-0.6, -1.02), (0.6, -1.02), (0.6, -0.88), (-0.6, -0.88)], dark)


def draw_print(brush: Brush, name: str, ink: Paint) -> None:
    """Draw a print on the chest: one of `PRINTS`."""
    if name == "star":
        brush.polygon([(0, -0.7), (0.3, -0.1), (-0.3, -0.1)], ink)
        brush.polygon([(0, 0.1), (0.3, -0.5), (-0.3, -0.5)], ink)
    elif name == "heart":
        brush.ellipse(-0.14, -0.45, 0.18, 0.14, ink)
        brush.ellipse(0.14, -0.45, 0.18, 0.14, ink)
        brush.polygon([(-0.3, -0.38), (0.3, -0.38), (0, 0.0)], ink)
    elif name == "logo":
        brush.ellipse(0, -0.35, 0.32, 0.24, ink)
    else:
        brush.polygon([(-0.35, -0.6), (0.35, -0.6), (0.35, -0.1), (-0.35, -0.1)], ink)


def _trim(brush: Brush, trimming: str, top: Top, cloth: Paint, inner: Paint) -> None:
    """Draw one thing that is sewn to a garment."""
    dark, light = toned(cloth, 0.72), toned(cloth, 1.35)
    if trimming == "collar":
        for side in (-1, 1):
            brush.polygon([(0, -0.72), (side * 0.3, -1.08), (side * 0.36, -0.8)], light)
    elif trimming == "buttons":
        brush.line((0, -0.75), (0, top.hem), 0.06, dark)
        for place in (-0.4, 0.0, 0.4, 0.8):
            brush.ellipse(0.1, place, 0.06, 0.04, _DARK if sum(cloth.colour) > 300 else _LIGHT)
    elif trimming == "zip":
        brush.line((0, -0.9), (0, top.hem), 0.1, Paint((150, 152, 158)))
    elif trimming == "open":
        brush.polygon([(-0.14, -0.95), (0.14, -0.95), (0.26, top.hem), (-0.26, top.hem)], inner)
    elif trimming == "lapels":
        brush.polygon([(-0.28, -1), (0.28, -1), (0, 0.05)], _LIGHT)
        brush.line((0, -0.85), (0, -0.1), 0.12, inner)
        for side in (-1, 1):
            brush.polygon([(side * 0.3, -1), (side * 0.5, -0.7), (0, 0.1)], dark)
    elif trimming == "pocket":
        brush.polygon([(-0.35, 0.35), (0.35, 0.35), (0.45, 0.75), (-0.45, 0.75)], dark)
    elif trimming == "quilt":
        for place in (-0.6, -0.2, 0.2, 0.6):
            brush.line((-0.66, place), (0.66, place), 0.08, dark)
    elif trimming == "ribs":
        brush.polygon([(-0.7, 0.86), (0.7, 0.86), (0.68, 1.02), (-0.68, 1.02)], dark)
    elif trimming == "neckline":
        brush.polygon([(-0.25, -1.02), (0.25, -1.02), (0, -0.6)], light)
    elif trimming == "waist":
        brush.polygon([(-0.62, 0.24), (0.62, 0.24), (0.66, 0.4), (-0.66, 0.4)], dark)
