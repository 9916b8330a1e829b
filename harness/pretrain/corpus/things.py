"""Things by themselves, as shops and encyclopedias show them: clothes, what goes with them, and other objects."""

from collections.abc import Mapping

from harness.pretrain.corpus import accessories, objects
from harness.pretrain.corpus.canvas import Brush, Canvas, Paint, photographed
from harness.pretrain.corpus.draws import Draws
from harness.pretrain.corpus.garments import (
    BOTTOMS,
    PRINTS,
    TOPS,
    draw_bottom,
    draw_print,
    draw_top,
    sleeve_words,
)
from harness.pretrain.corpus.palette import Dye, dye, toned
from harness.pretrain.corpus.pictures import Mention, Picture
from harness.pretrain.corpus.sketches import Sketch, draw_sketch

_GROUNDS = (
    (250, 250, 250),
    (235, 235, 232),
    (214, 216, 220),
    (180, 182, 186),
    (200, 186, 164),
    (90, 94, 100),
)
_ACCESSORIES = {**accessories.SHOES, **accessories.HATS, **accessories.BAGS, **accessories.HELD}
_OBJECTS = {**objects.VEHICLES, **objects.FURNITURE, **objects.ANIMALS, **objects.SIGNS, **objects.HOUSEHOLD}


def garment(draws: Draws, size: tuple[int, int]) -> Picture:
    """Draw one garment, or two, laid flat on a plain ground."""
    canvas = _ground(draws, size)
    mentions: tuple[Mention, ...]
    if draws.chance(0.35):
        mentions = (
            _top(_brush(canvas, draws, 0.3, 0.2), draws),
            _bottom(_brush(canvas, draws, 0.74, 0.2), draws),
        )
    elif draws.chance(0.6):
        mentions = (_top(_brush(canvas, draws, 0.4, 0.24), draws),)
    else:
        mentions = (_bottom(_brush(canvas, draws, 0.5, 0.34), draws),)
    return Picture(photographed(canvas, draws), "", mentions)


def accessory(draws: Draws, size: tuple[int, int]) -> Picture:
    """Draw shoes, hats, bags, umbrellas and the like, one above the other where there are two."""
    return _of_sketches(_ACCESSORIES, draws, size)


def thing(draws: Draws, size: tuple[int, int]) -> Picture:
    """Draw vehicles, furniture, animals, signs and things of the house."""
    return _of_sketches(_OBJECTS, draws, size)


def mention_of(sketch: Sketch, colour: Dye, draws: Draws, *, always: bool = False) -> Mention:
    """Return what is to be said of a thing that was drawn in a colour."""
    before = tuple(filter(None, (colour.colour, colour.pattern))) if sketch.coloured else ()
    return Mention(draws.pick(sketch.words), before, sketch.extra, sketch.plural, always)


def inks_of(colour: Dye, ground: Paint) -> Mapping[str, Paint]:
    """Return the inks of a thing of that colour on that ground."""
    return {"main": colour.paint, "shade": toned(colour.paint, 0.72), "ground": ground}


def _ground(draws: Draws, size: tuple[int, int]) -> Canvas:
    red, green, blue = draws.pick(_GROUNDS)
    canvas = Canvas(size, (red, green, blue))
    if draws.chance(0.3):
        floor = toned(dye(draws).paint, 1.3)
        edge = draws.between(0.55, 0.8) * size[0]
        canvas.polygon([(0, edge), (size[1], edge), (size[1], size[0]), (0, size[0])], floor)
    return canvas


def _brush(canvas: Canvas, draws: Draws, place: float, share: float) -> Brush:
    """Return a brush whose unit down is a share of the picture's height, at a place about its middle."""
    down = share * canvas.height * draws.between(0.75, 1.05)
    across = min(canvas.width * 0.44, down * draws.between(0.62, 0.9))
    x = canvas.width * draws.between(0.42, 0.58)
    return Brush(canvas, x, canvas.height * (place + draws.between(-0.04, 0.04)), across, down)


def _top(brush: Brush, draws: Draws) -> Mention:
    top = TOPS[draws.pick(list(TOPS))]
    cloth, inner, sleeves = dye(draws, 0.35), dye(draws), draws.pick(top.sleeves)
    draw_top(brush, top, sleeves, cloth.paint, inner.paint, None)
    after: tuple[str, ...] = ()
    if not cloth.pattern and not top.trimmings and draws.chance(0.4):
        name, ink = draws.pick(PRINTS), dye(draws)
        draw_print(brush, name, ink.paint)
        after = (f"with {ink.colour} {name}",)
    return Mention(
        draws.pick(top.words),
        tuple(filter(None, (cloth.colour, cloth.pattern, draws.pick(sleeve_words(sleeves))))),
        after,
        always=True,
    )


def _bottom(brush: Brush, draws: Draws) -> Mention:
    bottom = BOTTOMS[draws.pick(list(BOTTOMS))]
    cloth = dye(draws, 0.2)
    draw_bottom(brush, bottom, cloth.paint, None, draws.between(-0.1, 0.15))
    before = tuple(filter(None, (cloth.colour, cloth.pattern)))
    return Mention(draws.pick(bottom.words), before, plural=bottom.plural, always=True)


def _of_sketches(sketches: Mapping[str, Sketch], draws: Draws, size: tuple[int, int]) -> Picture:
    canvas = _ground(draws, size)
    ground = Paint(tuple(float(channel) for channel in canvas.pixels[size[0] // 3, 0]))  # type: ignore[arg-type]
    places = (0.5,) if draws.chance(0.55) else (0.27, 0.74)
    mentions = []
    for place in places:
        sketch, colour = sketches[draws.pick(list(sketches))], dye(draws, 0.12)
        across = size[1] * draws.between(0.28, 0.46)
        down = min(across * sketch.tall * draws.between(0.9, 1.5), size[0] * 0.44 / len(places))
        brush = Brush(canvas, size[1] * draws.between(0.46, 0.54), size[0] * place, across, down)
        mirrored = draws.chance(0.5)
        draw_sketch(sketch, brush.part(0, 0, -1 if mirrored else 1, 1), inks_of(colour, ground))
        mentions.append(mention_of(sketch, colour, draws, always=True))
    return Picture(photographed(canvas, draws), "", tuple(mentions))
