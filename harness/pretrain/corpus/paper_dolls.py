"""Paper dolls: a figure cut out of card with clothes laid on it, flatly printed on a sheet."""

from dataclasses import dataclass

import harness.pretrain.corpus.accessories as parts
from harness.pretrain.corpus import pictures
from harness.pretrain.corpus.canvas import Brush, Canvas, Paint, printed
from harness.pretrain.corpus.draws import Draws
from harness.pretrain.corpus.garments import (
    BOTTOMS,
    PRINTS,
    TOPS,
    WHOLE,
    draw_bottom,
    draw_print,
    draw_top,
    sleeve_words,
)
from harness.pretrain.corpus.palette import HAIR, Dye, dye, skin, toned
from harness.pretrain.corpus.pictures import Mention, Picture
from harness.pretrain.corpus.sketches import Sketch, draw_sketch
from harness.pretrain.corpus.things import inks_of, mention_of

STYLES = (
    "paper doll",
    "paperdoll",
    "dress-up doll",
    "cutout doll",
    "cartoon",
    "clip art",
    "flat illustration",
)
HAIR_STYLES = {
    "short": ("short",),
    "long": ("long", "shoulder length", "flowing"),
    "ponytail": ("ponytail", "pony tail"),
    "bun": ("bun", "topknot"),
    "curly": ("curly", "afro"),
    "bald": ("bald head", "shaved head"),
}
_SHEETS = (
    (246, 244, 238),
    (226, 230, 234),
    (236, 224, 206),
    (206, 220, 206),
    (196, 198, 204),
    (150, 152, 158),
)
_VIEWS = {"front": pictures.FRONT, "back": pictures.BACK, "side": pictures.SIDE}


@dataclass(frozen=True)
class _Doll:
    """A figure under way: unit 1 is its height, (0, 0) the top of its head."""

    brush: Brush
    draws: Draws
    who: str
    view: str
    spread: float
    skin: Paint

    def part(self, u: float, v: float, across: float, down: float) -> Brush:
        return self.brush.part(u, v, across, down)


def paper_doll(draws: Draws, size: tuple[int, int]) -> Picture:
    """Draw one figure from head to foot with what it wears and carries."""
    canvas = Canvas(size, draws.pick(_SHEETS))
    view = draws.weighted({"front": 5, "back": 2, "side": 2})
    height = size[0] * draws.between(0.78, 0.97)
    across = height * draws.between(0.9, 1.1) * (0.7 if view == "side" else 1)
    x, top = size[1] * draws.between(0.44, 0.56), (size[0] - height) * draws.between(0.2, 0.8)
    walking = draws.chance(0.4)
    spread = draws.between(0.2, 0.5) if walking else draws.between(-0.05, 0.1)
    brush = Brush(canvas, x, top, -across if draws.chance(0.5) else across, height)
    doll = _Doll(brush, draws, pictures.who(draws), view, spread, skin(draws))
    if draws.chance(0.4):
        brush.ellipse(0, 0.98, 0.26, 0.03, toned(Paint(draws.pick(_SHEETS)), 0.8))
    states = (draws.pick(pictures.WALKING if walking else pictures.STANDING), draws.pick(_VIEWS[view]))
    mentions = _dressed(doll)
    return Picture(
        printed(canvas, draws), draws.pick(pictures.WHO[doll.who]), mentions, states, STYLES, worn=True
    )


def _dressed(doll: _Doll) -> tuple[Mention, ...]:
    """Draw the figure, the farthest first, and return what it wears."""
    draws = doll.draws
    style = draws.weighted({"short": 4, "long": 3, "ponytail": 2, "bun": 1.5, "curly": 1, "bald": 0.7})
    hair, top = dye(draws, 0, HAIR), TOPS[draws.pick(list(TOPS))]
    bag = draws.pick(list(parts.BAGS)) if draws.chance(0.5) else ""
    if bag == "backpack" and doll.view != "back":
        doll.part(0, 0.3, 0.16, 0.13).ellipse(0, 0, 1, 1, Paint((60, 60, 64)))
    if style in ("long", "ponytail") and doll.view == "front":
        _hair_behind(doll, style, hair.paint)
    worn = [*_legs(doll, top.words == TOPS["dress"].words), _chest(doll, top)]
    _head(doll, style, hair.paint)
    worn.append(_hair_words(style, hair, draws))
    if draws.chance(0.3):
        hat = parts.HATS[draws.pick(list(parts.HATS))]
        worn.append(_laid_on(doll, hat, (0, 0.025, 0.1, 0.05)))
    if draws.chance(0.25) and doll.view != "back":
        worn.append(
            _laid_on(doll, parts.HELD[draws.pick(("glasses", "sunglasses"))], (0, 0.078, 0.06, 0.022))
        )
    if draws.chance(0.15):
        worn.append(_laid_on(doll, parts.HELD["scarf"], (0, 0.19, 0.075, 0.08)))
    if bag:
        worn.append(_bag(doll, bag))
    if draws.chance(0.25):
        held = draws.pick(("phone", "cup", "book", "umbrella", "folded_umbrella"))
        large = 0.16 if "umbrella" in held else 0.05
        worn.append(_laid_on(doll, parts.HELD[held], (-0.17, 0.5 - large / 2, large * 0.8, large)))
    return tuple(worn)


def _laid_on(doll: _Doll, sketch: Sketch, place: tuple[float, float, float, float]) -> Mention:
    """Lay a thing on the figure at a place: its centre and half its size."""
    colour = dye(doll.draws)
    draw_sketch(sketch, doll.part(*place), inks_of(colour, Paint((200, 200, 200))))
    return mention_of(sketch, colour, doll.draws)


def _bag(doll: _Doll, name: str) -> Mention:
    places = {
        "backpack": (0.0, 0.31, 0.085 if doll.view == "back" else 0.0, 0.11),
        "shoulder_bag": (0.11, 0.42, 0.08, 0.13),
        "suitcase": (0.19, 0.78, 0.075, 0.2),
    }
    sketch, colour = parts.BAGS[name], dye(doll.draws)
    u, v, across, down = places.get(name, (0.17, 0.6, 0.075, 0.09))
    inks = inks_of(colour, Paint((200, 200, 200)))
    if across:
        draw_sketch(sketch, doll.part(u, v, across, down), inks)
    else:
        for side in (-1, 1):
            doll.brush.line((side * 0.07, 0.18), (side * 0.08, 0.36), 0.025, inks["main"])
    return mention_of(sketch, colour, doll.draws)


def _legs(doll: _Doll, dressed: bool) -> list[Mention]:
    """Draw shoes and the lower garment; a dress has none."""
    draws, shade = doll.draws, dye(doll.draws)
    shoe = parts.SHOES[draws.pick(list(parts.SHOES))]
    names = [name for name in BOTTOMS if doll.who != "man" or "skirt" not in name]
    bottom = BOTTOMS[draws.pick(names)]
    cloth = _denim(draws) if "seams" in bottom.trimmings else dye(draws, 0.12)
    legs = doll.part(0, 0.72, 0.135, 0.235)
    draw_bottom(legs, BOTTOMS["shorts"] if dressed else bottom, cloth.paint, doll.skin, doll.spread)
    for side in (-1, 1):
        foot = doll.part(side * (0.05 + 0.135 * doll.spread), 0.965, side * 0.055, 0.035 * shoe.tall)
        draw_sketch(shoe, foot, inks_of(shade, Paint((200, 200, 200))))
    said = [mention_of(shoe, shade, draws)]
    if not dressed:
        before = tuple(filter(None, (cloth.colour, cloth.pattern)))
        said.insert(0, Mention(draws.pick(bottom.words), before, plural=bottom.plural))
    return said


def _denim(draws: Draws) -> Dye:
    found = dye(draws)
    if draws.chance(0.3):
        return found
    dark = draws.chance(0.4)
    words = ("dark blue", "navy") if dark else ("blue", "faded blue", "light blue")
    return Dye(Paint((40, 56, 104) if dark else (96, 132, 182)), draws.pick(words))


def _chest(doll: _Doll, top: object) -> Mention:
    """Draw the upper garment with the arms."""
    draws = doll.draws
    name = next(name for name in TOPS if TOPS[name] is top)
    cut, cloth, inner = TOPS[name], dye(draws, 0.25), dye(draws)
    sleeves = draws.pick(cut.sleeves)
    brush = doll.part(0, 0.345, 0.15, 0.175)
    draw_top(brush, cut, sleeves, cloth.paint, inner.paint, doll.skin)
    after: tuple[str, ...] = ()
    if "open" in cut.trimmings and doll.view == "front":
        after = (f"over {inner.colour} top", f"and {inner.colour} t-shirt underneath")
    elif not cloth.pattern and not cut.trimmings and doll.view == "front" and draws.chance(0.4):
        mark, ink = draws.pick(PRINTS), dye(draws)
        draw_print(brush, mark, ink.paint)
        after = (f"with {ink.colour} {mark}", f"with {mark}")
    before = tuple(filter(None, (cloth.colour, cloth.pattern)))
    sleeved = () if name in WHOLE and sleeves == "long" else (draws.pick(sleeve_words(sleeves)),)
    return Mention(draws.pick(cut.words), (*before, *sleeved), after, always=True)


def _hair_behind(doll: _Doll, style: str, paint: Paint) -> None:
    if style == "long":
        doll.brush.polygon([(-0.075, 0.05), (0.075, 0.05), (0.095, 0.25), (-0.095, 0.25)], paint)
    else:
        doll.brush.ellipse(0.075, 0.14, 0.03, 0.07, paint)


def _head(doll: _Doll, style: str, paint: Paint) -> None:
    brush, dark = doll.brush, Paint((40, 34, 34))
    brush.line((0, 0.12), (0, 0.18), 0.05, toned(doll.skin, 0.9))
    if style == "curly":
        brush.ellipse(0, 0.065, 0.1, 0.085, paint)
    if style == "bun":
        brush.ellipse(0, -0.005, 0.035, 0.03, paint)
    brush.ellipse(0, 0.08, 0.066, 0.078, doll.skin)
    if doll.view == "back" and style != "bald":
        brush.ellipse(0, 0.075, 0.07, 0.08, paint)
        if style in ("long", "ponytail"):
            half = 0.09 if style == "long" else 0.03
            brush.polygon([(-half, 0.1), (half, 0.1), (half, 0.26), (-half, 0.26)], paint)
        return
    if style != "bald":
        brush.polygon([(-0.066, 0.075), (-0.055, 0.01), (0.055, 0.01), (0.066, 0.045)], paint)
        brush.ellipse(0, 0.025, 0.06, 0.03, paint)
    if doll.view == "side":
        if style != "bald":
            brush.polygon([(-0.075, 0.02), (-0.01, 0.02), (-0.03, 0.13), (-0.075, 0.13)], paint)
        if style in ("long", "ponytail"):
            brush.polygon([(-0.09, 0.08), (-0.04, 0.08), (-0.06, 0.25), (-0.1, 0.25)], paint)
        brush.ellipse(0.066, 0.09, 0.014, 0.012, doll.skin)
    elif doll.view == "front":
        brush.ellipse(-0.026, 0.082, 0.008, 0.007, dark)
        brush.ellipse(0.026, 0.082, 0.008, 0.007, dark)
        brush.ellipse(0, 0.122, 0.018, 0.006, Paint((196, 70, 70)))


def _hair_words(style: str, hair: Dye, draws: Draws) -> Mention:
    word = draws.pick(HAIR_STYLES[style])
    if style == "bald":
        return Mention(word)
    if style in ("ponytail", "bun"):
        return (
            Mention(word, (hair.colour,))
            if draws.chance(0.5)
            else Mention("hair", (hair.colour,), (f"up in a {word}",), plural=True)
        )
    return Mention("hair", (word, hair.colour), plural=True)
