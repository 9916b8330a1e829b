"""Draw a ranked gallery: the captions, and their top-ranked pictures, framed right or wrong.

Frames and marks say the same: a solid blue frame and a check mark for a right picture, a dashed orange frame and a
cross for a wrong one, so that nothing is lost in grey print.
"""

import warnings
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from harness.analysis.pictures import Pictures
from harness.analysis.ranked_gallery import SHOWN, Entry
from harness.pages.escaping import visible
from harness.pages.theme import COLOURS, INK, WIDTH

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Line = tuple[str, dict[str, Any]]
_RIGHT, _WRONG = COLOURS[0], COLOURS[1]
_LEGEND = "✓ and a solid frame: the right identity.   ✗ and a dashed frame: another identity."
SIZE, _TITLE_SIZE = 7.5, 10.5
# Lengths in inches.
TEXT_WIDTH, TILE_WIDTH, TILE_HEIGHT, _LABEL, _PITCH, _MARGIN = 2.58, 0.54, 1.2, 0.2, 0.635, 0.03
_INSET, _ROW_GAP, _PAIR_GAP = 0.03, 0.3, 0.1
LINE, _TITLE_LINE = SIZE * 1.32 / 72, _TITLE_SIZE * 1.4 / 72
_MOST_LINES, _MOST_SIGNS = 15, 400
_GREY, _DIM = "#D9D9D9", "#5F5F5F"
_FONT = "DejaVu Sans"


def draw_gallery(entries: Sequence[Entry], pictures: Pictures, title: str = "") -> "Figure":
    """Return a figure with one row for each entry: caption and findings on the left, the first pictures beside them.

    Where the pictures are not on this machine each is a grey box with its place, and a line below the title says
    why; one that cannot be read is a grey box too. Only small copies of what is drawn are held.
    """
    texts = [_text_of(entry, pictures) for entry in entries]
    head = wrapped(title, WIDTH, _TITLE_SIZE, weight="bold")
    note = wrapped(pictures.missing or "", WIDTH, SIZE)
    heights = [max(_tall(lines), TILE_HEIGHT + _LABEL) for lines in texts]
    spaces = [_PAIR_GAP if entry.repeats else _ROW_GAP for entry in entries]
    y = len(head) * _TITLE_LINE + len(note) * LINE
    figure, axes = _sheet(y + sum(heights) + sum(spaces) + 2 * LINE)
    for number, line in enumerate(head):
        _write(axes, 0, number * _TITLE_LINE, line, size=_TITLE_SIZE, weight="bold")
    for number, line in enumerate(note):
        _write(axes, 0, len(head) * _TITLE_LINE + number * LINE, line)
    for entry, lines, tall, space in zip(entries, texts, heights, spaces, strict=True):
        if not entry.repeats:
            axes.plot([0, WIDTH], [y + space / 2] * 2, color=_GREY, linewidth=0.7)
        _draw_row(axes, entry, lines, pictures, y + space)
        y += space + tall
    _write(axes, 0, y + LINE, _LEGEND, color=_DIM)
    return figure


def _sheet(height: float) -> "tuple[Figure, Axes]":
    """Return a figure and its empty axes of the house's width whose units are inches, downwards from the top left."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height))
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(height, 0), autoscale_on=False)
    axes.set_axis_off()
    return figure, axes


def wrapped(
    text: str, width: float, size: float, most: int = _MOST_LINES, weight: str = "normal"
) -> list[str]:
    """Return text in lines no wider than `width` inches at a font size, cut with `…` after `most` lines.

    What cannot be seen is left out, and a word wider than a line is broken.
    """
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=_FONT, size=size, weight=weight)

    def fits(line: str) -> bool:
        if len(line) > _MOST_SIGNS:
            return False
        with _quiet_glyphs():
            wide: float = text_to_path.get_text_width_height_descent(line, font, ismath=False)[0]
        return wide <= 72 * width

    words = deque(visible(text[: _MOST_SIGNS * most]).split())
    lines: list[str] = []
    line = ""
    while words and len(lines) <= most:
        word = words.popleft()
        if fits(f"{line} {word}".strip()):
            line = f"{line} {word}".strip()
            continue
        if not line:
            n = _most_that_fits(word[:_MOST_SIGNS], fits)
            line, word = word[:n], word[n:]
        lines.append(line)
        line = ""
        words.extendleft([word] if word else [])
    lines += [line] if line else []
    return lines if len(lines) <= most else [*lines[: most - 1], _cut(lines[most - 1], fits)]


def _most_that_fits(word: str, fits: Callable[[str], bool]) -> int:
    """Return how many of a word's letters fit into a line, at least one."""
    return 1 + bisect_left(range(2, len(word) + 1), True, key=lambda n: not fits(word[:n]))


def _cut(line: str, fits: Callable[[str], bool]) -> str:
    while line and not fits(f"{line}…"):
        line = line[:-1]
    return f"{line}…"


def _text_of(entry: Entry, pictures: Pictures) -> list[Line]:
    """Return the lines left of a row's pictures with their looks; an empty one is half a line."""
    lines: list[Line] = [
        (line, {"weight": "bold"}) for line in wrapped(entry.heading, TEXT_WIDTH, SIZE, 2, weight="bold")
    ]
    lines += [(line, {"color": _DIM}) for line in wrapped(entry.found, TEXT_WIDTH, SIZE, 3)]
    if entry.repeats:
        return lines
    caption = pictures.caption(entry.caption)
    caption = caption if pictures.missing else f"“{caption.strip()}”"
    return [*lines, ("", {}), *((line, {}) for line in wrapped(caption, TEXT_WIDTH, SIZE))]


def _tall(lines: Sequence[Line]) -> float:
    return sum(LINE if line else LINE / 2 for line, _ in lines)


def _draw_row(axes: "Axes", entry: Entry, lines: Sequence[Line], pictures: Pictures, y: float) -> None:
    for number, (line, look) in enumerate(lines):
        if line:
            _write(axes, 0, y + _tall(lines[:number]), line, **look)
    left = WIDTH - _MARGIN - TILE_WIDTH - (SHOWN - 1) * _PITCH
    for number, (place, right) in enumerate(zip(entry.places, entry.right, strict=True)):
        x = left + number * _PITCH
        _draw_picture(axes, x, y, place, pictures)
        _draw_frame(axes, x, y, number + 1, right)


def _draw_picture(axes: "Axes", x: float, y: float, place: int, pictures: Pictures) -> None:
    """Draw one picture as large as its box allows without changing its shape, or a grey box."""
    from matplotlib.patches import Rectangle

    pixels = pictures.thumbnail(place)
    middle, centre = x + TILE_WIDTH / 2, y + TILE_HEIGHT / 2
    if pixels is None:
        axes.add_patch(Rectangle((x, y), TILE_WIDTH, TILE_HEIGHT, facecolor=_GREY, edgecolor="none"))
        note = f"image\n{place}" if pictures.missing else f"image\n{place}\ncannot\nbe read"
        _write(axes, middle, centre, note, size=6, ha="center", va="center")
        return
    scale = min((TILE_HEIGHT - 2 * _INSET) / pixels.shape[0], (TILE_WIDTH - 2 * _INSET) / pixels.shape[1])
    tall, wide = pixels.shape[0] * scale, pixels.shape[1] * scale
    extent = (middle - wide / 2, middle + wide / 2, centre + tall / 2, centre - tall / 2)
    axes.imshow(pixels, extent=extent, aspect="auto", interpolation="bilinear")


def _draw_frame(axes: "Axes", x: float, y: float, rank: int, right: bool) -> None:
    """Frame one picture, with its rank and a mark below that say the same as the frame."""
    from matplotlib.patches import Rectangle

    colour, mark = (_RIGHT, "✓") if right else (_WRONG, "✗")
    look: dict[str, Any] = {"linewidth": 2.2} if right else {"linewidth": 1.3, "linestyle": (0, (4, 2))}
    axes.add_patch(Rectangle((x, y), TILE_WIDTH, TILE_HEIGHT, facecolor="none", edgecolor=colour, **look))
    middle, below = x + TILE_WIDTH / 2, y + TILE_HEIGHT + 0.05
    _write(axes, middle, below, f"{rank} {mark}", ha="center", color=colour, weight="bold")


def _write(axes: "Axes", x: float, y: float, text: str, **look: Any) -> None:
    """Write text as it is, never as a formula."""
    options: dict[str, Any] = {"va": "top", "size": SIZE, "color": INK, "family": _FONT} | look
    axes.text(x, y, text, parse_math=False, **options)


@contextmanager
def _quiet_glyphs() -> Iterator[None]:
    """Let signs that the font has not be boxes, without a warning for each."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from", category=UserWarning)
        yield
