"""Places without people: a sky or a wall, a ground, and a few things in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.pretrain.corpus import objects
from harness.pretrain.corpus.canvas import Brush, Canvas, Colour, Paint, photographed
from harness.pretrain.corpus.draws import Draws
from harness.pretrain.corpus.palette import dye, toned
from harness.pretrain.corpus.pictures import Mention, Picture
from harness.pretrain.corpus.sketches import draw_sketch
from harness.pretrain.corpus.things import inks_of, mention_of

_THINGS = {**objects.VEHICLES, **objects.FURNITURE, **objects.ANIMALS, **objects.SIGNS, **objects.HOUSEHOLD}
_STREET = ("car", "bus", "truck", "bicycle", "train", "lights", "stop", "house")
_NATURE = ("tree", "flower", "bird", "horse", "dog", "bicycle", "house")
_INSIDE = ("chair", "table", "sofa", "lamp", "bed", "clock", "cat", "bottle")
_DAY = ("sunny day", "in daylight", "in the morning", "at noon")


@dataclass(frozen=True)
class Place:
    """A kind of place: words for it, the colours above and below the horizon, what may stand there."""

    words: tuple[str, ...]
    above: tuple[Colour, ...]
    below: tuple[Colour, ...]
    holds: tuple[str, ...]
    states: tuple[str, ...] = _DAY
    back: str = ""


_SKIES = ((150, 196, 236), (188, 206, 222), (206, 208, 212))
PLACES: Mapping[str, Place] = {
    "street": Place(
        ("street", "city street", "road", "downtown"),
        _SKIES,
        ((96, 98, 102), (120, 120, 122)),
        _STREET,
        back="houses",
    ),
    "night": Place(
        ("city at night", "street at night", "skyline"),
        ((20, 24, 48), (34, 30, 60)),
        ((40, 40, 46),),
        _STREET,
        ("at night", "after dark"),
        "houses",
    ),
    "park": Place(
        ("park", "garden", "lawn", "meadow"), _SKIES, ((96, 160, 70), (128, 176, 84)), _NATURE, back="trees"
    ),
    "beach": Place(
        ("beach", "sandy beach", "seaside"),
        _SKIES,
        ((232, 212, 162), (222, 200, 150)),
        ("ball", "boat", "bird", "dog", "bottle"),
        ("in summer", "sunny day"),
        "sea",
    ),
    "lake": Place(
        ("lake", "sea", "river", "harbour"),
        _SKIES,
        ((48, 110, 170), (70, 140, 170)),
        ("boat", "bird", "fish"),
        ("in summer", "on a calm day"),
        "mountains",
    ),
    "mountains": Place(
        ("mountains", "hiking trail", "mountain landscape"),
        _SKIES,
        ((110, 140, 84), (236, 240, 244)),
        _NATURE,
        ("in winter", "in autumn", "sunny day"),
        "mountains",
    ),
    "room": Place(
        ("living room", "bedroom", "apartment", "hotel room"),
        ((230, 222, 206), (200, 212, 216), (240, 238, 234)),
        ((160, 116, 76), (190, 160, 124)),
        _INSIDE,
        ("interior", "indoors"),
    ),
    "mall": Place(
        ("shopping mall", "corridor", "train station", "airport hall", "hallway"),
        ((222, 222, 218), (196, 200, 206)),
        ((206, 200, 190), (170, 172, 176)),
        ("clock", "arrow", "chair", "lamp"),
        ("indoors", "empty"),
        "tiles",
    ),
}


def scene(draws: Draws, size: tuple[int, int]) -> Picture:
    """Draw a place with one to three things in it."""
    place = PLACES[draws.pick(list(PLACES))]
    canvas = Canvas(size, draws.pick(place.above))
    edge = draws.between(0.35, 0.65)
    unit = Brush(canvas, 0, 0, size[1], size[0])
    back = _BACKS[place.back](unit, edge, draws) if place.back else ""
    ground = Paint(draws.pick(place.below))
    unit.polygon([(0, edge), (1, edge), (1, 1), (0, 1)], ground)
    if place.back == "tiles":
        _tiles(unit, edge, ground)
    mentions = []
    for place_of in sorted(draws.between(edge + 0.05, 0.92) for _ in range(draws.whole(1, 3))):
        mentions.append(_thing(unit, draws.pick(place.holds), place_of, edge, draws))
    states = (draws.pick(place.states), *((f"{back} in the background",) if back else ()))
    return Picture(photographed(canvas, draws), draws.pick(place.words), tuple(mentions), states)


def _thing(unit: Brush, name: str, foot: float, edge: float, draws: Draws) -> Mention:
    """Draw a thing whose foot stands at a height, the larger the lower."""
    sketch, colour = _THINGS[name], dye(draws)
    near = 0.3 + 0.7 * (foot - edge) / (1 - edge)
    half = unit.across * draws.between(0.22, 0.42) * near
    down = half * sketch.tall * draws.between(0.9, 1.3)
    across = half if draws.chance(0.5) else -half
    x, y = unit.across * draws.between(0.2, 0.8), unit.down * foot - down
    brush = Brush(unit.canvas, x, y, across, down)
    draw_sketch(sketch, brush, inks_of(colour, Paint((150, 150, 150))))
    return mention_of(sketch, colour, draws)


def _houses(unit: Brush, edge: float, draws: Draws) -> str:
    left = -0.05
    while left < 1:
        right = left + draws.between(0.2, 0.5)
        wall = toned(dye(draws).paint, draws.between(0.6, 1.4))
        top = edge - draws.between(0.1, 0.35)
        unit.polygon([(left, top), (right, top), (right, edge), (left, edge)], wall)
        for row in range(draws.whole(1, 3)):
            y = top + 0.04 + row * 0.08
            unit.polygon(
                [(left + 0.06, y), (right - 0.06, y), (right - 0.06, y + 0.03), (left + 0.06, y + 0.03)],
                toned(wall, 1.6),
            )
        left = right
    return draws.pick(("buildings", "houses", "shops"))


def _trees(unit: Brush, edge: float, draws: Draws) -> str:
    for _ in range(draws.whole(2, 5)):
        tree = unit.part(draws.between(0, 1), edge - 0.1, 0.24, draws.between(0.08, 0.16))
        draw_sketch(_THINGS["tree"], tree, {})
    return draws.pick(("trees", "green trees", "bushes"))


def _sea(unit: Brush, edge: float, draws: Draws) -> str:
    top = edge - draws.between(0.08, 0.2)
    unit.polygon([(0, top), (1, top), (1, edge), (0, edge)], Paint((50, 130, 186)))
    return draws.pick(("sea", "ocean", "blue water"))


def _mountains(unit: Brush, edge: float, draws: Draws) -> str:
    for _ in range(draws.whole(2, 3)):
        x, top = draws.between(0.1, 0.9), edge - draws.between(0.12, 0.3)
        unit.polygon([(x, top), (x + 0.6, edge), (x - 0.6, edge)], Paint((104, 112, 130)))
        unit.polygon([(x, top), (x + 0.12, top + 0.05), (x - 0.12, top + 0.05)], Paint((244, 246, 250)))
    return draws.pick(("mountains", "hills", "snowy mountains"))


def _nothing(unit: Brush, edge: float, draws: Draws) -> str:
    return ""


def _tiles(unit: Brush, edge: float, ground: Paint) -> None:
    dark = toned(ground, 0.8)
    for place in (-0.6, 0.1, 0.5, 0.9, 1.6):
        unit.line((0.5, edge), (place, 1), 0.04, dark)
    for share in (0.15, 0.4, 0.75):
        y = edge + (1 - edge) * share
        unit.line((0, y), (1, y), 0.03, dark)


_BACKS: Mapping[str, Callable[[Brush, float, Draws], str]] = {
    "houses": _houses,
    "trees": _trees,
    "sea": _sea,
    "mountains": _mountains,
    "tiles": _nothing,
}
