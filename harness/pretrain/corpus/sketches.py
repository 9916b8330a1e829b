"""Things as data: a few convex pieces in inks, and the words for the whole."""

from collections.abc import Mapping
from dataclasses import dataclass

from harness.pretrain.corpus.canvas import Brush, Paint, Point

_OWN = {
    "dark": Paint((34, 34, 38)),
    "light": Paint((246, 246, 244)),
    "glass": Paint((178, 214, 234)),
    "metal": Paint((166, 170, 176)),
    "wood": Paint((146, 98, 56)),
    "leaf": Paint((62, 138, 58)),
    "skin": Paint((238, 200, 168)),
    "red": Paint((214, 40, 40)),
    "yellow": Paint((250, 206, 60)),
    "green": Paint((40, 170, 80)),
    "sole": Paint((226, 226, 224)),
}


@dataclass(frozen=True)
class Fill:
    """A convex polygon."""

    ink: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Oval:
    """An upright ellipse: centre and radii."""

    ink: str
    u: float
    v: float
    across: float
    down: float


@dataclass(frozen=True)
class Line:
    """A straight line of some width."""

    ink: str
    start: Point
    end: Point
    width: float = 0.12


Piece = Fill | Oval | Line


@dataclass(frozen=True)
class Sketch:
    """A thing from -1 to 1 in both directions.

    Attributes:
        words: nouns for it.
        pieces: what it is drawn of, the farthest first. The ink `main` is the colour that captions name, `shade` a
            darker one of it.
        tall: how much higher than wide it is.
        plural: whether its nouns are plural, as `boots` is.
        extra: what may be said of every such thing.
        coloured: whether its colour is worth saying.
    """

    words: tuple[str, ...]
    pieces: tuple[Piece, ...]
    tall: float = 1.0
    plural: bool = False
    extra: tuple[str, ...] = ()
    coloured: bool = True


def box(ink: str, left: float, top: float, right: float, bottom: float) -> Fill:
    """Return an upright rectangle."""
    return Fill(ink, ((left, top), (right, top), (right, bottom), (left, bottom)))


def draw_sketch(sketch: Sketch, brush: Brush, inks: Mapping[str, Paint]) -> None:
    """Draw a thing with its inks, those that every thing has besides."""
    every = {**_OWN, **inks}
    for piece in sketch.pieces:
        if isinstance(piece, Fill):
            brush.polygon(piece.points, every[piece.ink])
        elif isinstance(piece, Oval):
            brush.ellipse(piece.u, piece.v, piece.across, piece.down, every[piece.ink])
        else:
            brush.line(piece.start, piece.end, piece.width, every[piece.ink])
