"""Crowds seen from far: many figures of a few pixels each."""

from collections.abc import Sequence

from harness.pretrain.corpus.canvas import Brush, Canvas, Paint, printed
from harness.pretrain.corpus.draws import Draws
from harness.pretrain.corpus.palette import HAIR, Dye, dye, skin, toned
from harness.pretrain.corpus.pictures import Mention, Picture

STYLES = ("crowd", "queue", "spectators", "group shot", "bystanders", "audience", "passersby")
_PLACES = (
    "at the station",
    "in the square",
    "at a concert",
    "in a line",
    "from above",
    "far away",
    "on the pavement",
)
_GROUNDS = ((170, 168, 164), (126, 128, 132), (196, 186, 166), (120, 160, 96), (222, 222, 220))
_NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}
_FEW = 6
_CLOTHES = ("shirts", "jackets", "tops", "coats", "uniforms")


def crowd(draws: Draws, size: tuple[int, int]) -> Picture:
    """Draw rows of small figures, the nearer the larger, dressed alike or in a few colours."""
    canvas = Canvas(size, draws.pick(_GROUNDS))
    tops = [dye(draws) for _ in range(draws.whole(1, 3))]
    legs = [dye(draws) for _ in range(draws.whole(1, 2))]
    rows, n = draws.whole(2, 6), 0
    for row in range(rows):
        height = size[0] * (0.12 + 0.1 * (row + 1) / rows)
        foot = size[0] * (0.3 + 0.65 * (row + 1) / rows)
        count = draws.whole(1, 4)
        for place in range(count):
            x = size[1] * (place + draws.between(0.25, 0.75)) / count
            _small(
                Brush(canvas, x, foot - height, height, height),
                tops[n % len(tops)],
                legs[n % len(legs)],
                draws,
            )
            n += 1
    return Picture(
        printed(canvas, draws),
        _counted(n, draws),
        _seen(tops, legs, n, draws),
        (draws.pick(_PLACES),),
        STYLES,
        worn=True,
    )


def _small(brush: Brush, top: Dye, legs: Dye, draws: Draws) -> None:
    for side in (-1, 1):
        brush.line((side * 0.06, 0.5), (side * 0.09, 1.0), 0.11, legs.paint)
    brush.polygon([(-0.17, 0.2), (0.17, 0.2), (0.13, 0.58), (-0.13, 0.58)], top.paint)
    brush.ellipse(0, 0.11, 0.1, 0.11, skin(draws))
    brush.ellipse(0, 0.06, 0.1, 0.07, toned(Paint(draws.pick(HAIR).rgb), 1.0))


def _counted(n: int, draws: Draws) -> str:
    """Return words for so many people."""
    return (
        f"{_NUMBERS[n]} people"
        if 1 < n <= _FEW
        else draws.pick(("people", "many people", "lots of people", "strangers"))
    )


def _seen(tops: Sequence[Dye], legs: Sequence[Dye], n: int, draws: Draws) -> tuple[Mention, ...]:
    """Return what is worn: the colours that anyone has on."""
    noun = draws.pick(_CLOTHES)
    upper = [Mention(noun, (top.colour,), plural=True, always=True) for top in tops[:n]]
    lower = [
        Mention(draws.pick(("pants", "trousers", "jeans")), (leg.colour,), plural=True) for leg in legs[:n]
    ]
    return (*upper, *lower)
