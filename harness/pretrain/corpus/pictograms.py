"""Pictograms: people as signs and icons show them, in few flat colours."""

from harness.pretrain.corpus import accessories, pictures
from harness.pretrain.corpus.canvas import Brush, Canvas, Paint, printed
from harness.pretrain.corpus.draws import Draws
from harness.pretrain.corpus.palette import Dye, dye, toned
from harness.pretrain.corpus.pictures import Mention, Picture
from harness.pretrain.corpus.sketches import draw_sketch
from harness.pretrain.corpus.things import inks_of, mention_of

STYLES = ("pictogram", "icon", "stick figure", "silhouette", "symbol", "sign icon")
_TOPS = ("top", "shirt", "jacket", "t-shirt", "sweater")
_LEGS = ("pants", "trousers", "legs", "jeans")
_POSES = {"standing": pictures.STANDING, "walking": pictures.WALKING, "running": pictures.RUNNING}
_SPREAD = {"standing": 0.0, "walking": 0.13, "running": 0.22}


def pictogram(draws: Draws, size: tuple[int, int]) -> Picture:
    """Draw one figure of a few shapes on a plain ground, in one colour or with clothes of two."""
    ground = toned(dye(draws).paint, draws.pick((1.0, 1.5, 1.8)))
    canvas = Canvas(size, ground.colour)
    who, pose = pictures.who(draws), draws.pick(list(_POSES))
    height = size[0] * draws.between(0.6, 0.9)
    side = -1 if draws.chance(0.5) else 1
    brush = Brush(canvas, size[1] * draws.between(0.44, 0.56), (size[0] - height) / 2, side * height, height)
    carried = _behind(brush, draws)
    upper, lower = dye(draws), dye(draws)
    one = draws.chance(0.35)
    mentions = _figure(brush, who, pose, upper, upper if one else lower, draws)
    return Picture(
        printed(canvas, draws),
        draws.pick(pictures.WHO[who]),
        (*mentions, *carried),
        (draws.pick(_POSES[pose]),),
        STYLES,
        worn=True,
    )


def _figure(brush: Brush, who: str, pose: str, upper: Dye, lower: Dye, draws: Draws) -> tuple[Mention, ...]:
    """Draw head, body, arms and legs, and return the clothes that can be told apart."""
    head = Paint((242, 206, 170)) if upper is not lower else upper.paint
    spread = _SPREAD[pose]
    skirt = who == "woman" and draws.chance(0.7)
    for side in (-1, 1):
        start, end = (side * 0.05, 0.5), (side * (0.055 + spread), 0.98)
        brush.line(start, end, 0.085, lower.paint if not skirt or upper is lower else head)
        brush.line((side * 0.12, 0.22), (side * (0.15 + spread * 0.7), 0.5), 0.06, upper.paint)
    if skirt:
        brush.polygon([(-0.08, 0.42), (0.08, 0.42), (0.17, 0.74), (-0.17, 0.74)], lower.paint)
    brush.polygon([(-0.13, 0.19), (0.13, 0.19), (0.09, 0.54), (-0.09, 0.54)], upper.paint)
    brush.ellipse(0, 0.09, 0.075, 0.075, head)
    if upper is lower:
        return (Mention(draws.pick(("icon", "shape", "sign")), (upper.colour,), always=True),)
    below = (
        Mention("skirt", (lower.colour,), always=True)
        if skirt
        else Mention(draws.pick(_LEGS), (lower.colour,), plural=True, always=True)
    )
    return Mention(draws.pick(_TOPS), (upper.colour,), always=True), below


def _behind(brush: Brush, draws: Draws) -> tuple[Mention, ...]:
    """Draw what is carried, if anything."""
    if not draws.chance(0.4):
        return ()
    places = {
        "suitcase": (0.26, 0.8, 0.08, 0.19),
        "umbrella": (0.16, 0.1, 0.2, 0.3),
        "backpack": (-0.16, 0.32, 0.09, 0.13),
    }
    name = draws.pick(("suitcase", "umbrella", "backpack", "handbag", "tote"))
    sketch, colour = {**accessories.BAGS, **accessories.HELD}[name], dye(draws)
    place = places.get(name, (0.2, 0.58, 0.08, 0.09))
    draw_sketch(sketch, brush.part(*place), inks_of(colour, Paint((200, 200, 200))))
    return (mention_of(sketch, colour, draws),)
