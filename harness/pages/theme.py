"""One look for all figures: colours that are safe for the colour-blind, marks that survive black-and-white print."""

import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Literal

from harness.pages.escaping import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

Looks = dict[str, dict[str, Any]]
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#7F5F00")
MARKS = ("o", "s", "D", "^", "v", "P", "X", "*")
FAINT = "#B4B4B4"
INK = "#262626"
WIDTH = 9.0
PAGE, PAPER = STYLES = ("page", "paper")
_LABEL, _SMALL = 8.0, 7.0
_GREY = "#7A7A7A"
STYLE = {
    "figure.dpi": 110,
    "savefig.dpi": 200,
    "savefig.bbox": "tight",
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.5,
    "axes.edgecolor": INK,
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "text.parse_math": False,
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "svg.hashsalt": "harness",
}


def use_theme(style: str = PAGE) -> None:
    """Switch the house theme on; names are drawn as they are, never as formulas.

    In the style `paper` figures are written as PDF, too, with their fonts inside.
    """
    import seaborn

    rc = STYLE | {"savefig.format": "pdf" if style == PAPER else "png"}
    seaborn.set_theme(context="paper", style="ticks", palette=list(COLOURS), rc=rc)
    warnings.filterwarnings("ignore", message=r"Glyph .* missing from font", category=UserWarning)


def marks(names: Iterable[str]) -> Looks:
    """Return colour and mark of each name, both distinct; the first names get the clearest.

    >>> marks(["a", "b"])["b"]
    {'color': '#D55E00', 'marker': 's'}
    """
    unique = dict.fromkeys(names)
    return {
        name: {"color": COLOURS[i % len(COLOURS)], "marker": MARKS[(i + i // len(COLOURS)) % len(MARKS)]}
        for i, name in enumerate(unique)
    }


def legend_below(figure: "Figure", look: Looks, lines: Iterable[str]) -> None:
    """Put one legend below a figure: marks in their own colours, whatever they are drawn in, and reference lines."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], linestyle="", label=drawn(name), **style) for name, style in look.items()]
    dashes: dict[str, Any] = {"color": INK, "linestyle": "--", "linewidth": 1}
    handles += [Line2D([], [], label=drawn(name), **dashes) for name in dict.fromkeys(lines)]
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 4))


def label_lines(axes: "Axes", lines: Mapping[str, "Line2D"], length: int = 26) -> None:
    """Write each line's name at its end, in its colour, on the right of the axes; no name touches another.

    To be called when the limits of the axes are set.
    """
    ends = {name: float(line.get_ydata()[-1]) for name, line in lines.items() if len(line.get_ydata())}  # type: ignore[arg-type,index]
    texts = {name: drawn(name, length) for name in ends}
    axes.figure.draw_without_rendering()  # type: ignore[union-attr]
    for name, (place, shift) in _beside(axes, ends, texts, _LABEL).items():
        axes.annotate(
            texts[name],
            xy=(1, place),
            xycoords=("axes fraction", "data"),
            xytext=(5, shift),
            textcoords="offset points",
            color=lines[name].get_color(),
            fontsize=_LABEL,
            va="center",
            annotation_clip=False,
        )


def label_points(
    axes: "Axes", points: Mapping[str, tuple[float | None, float]], strong: Collection[str], length: int = 22
) -> None:
    """Write each point's name on the right of the axes, with a thin line to the point; no name touches another.

    To be called when everything else is drawn and laid out (`figure.draw_without_rendering()`).

    Args:
        axes: of the points.
        points: position by name; without an x it is a line across.
        strong: names that are written in ink; others are greyed.
        length: of a name before it is folded.
    """
    from matplotlib.text import OffsetFrom

    texts = {name: drawn(name, length) for name in points}
    values = {name: value for name, (_, value) in points.items()}
    for name, (place, shift) in _beside(axes, values, texts, _SMALL).items():
        x, ink = points[name][0], INK if name in strong else _GREY
        label = axes.annotate(
            texts[name],
            xy=(1, place),
            xycoords=("axes fraction", "data"),
            xytext=(14, shift),
            textcoords="offset points",
            color=ink,
            fontsize=_SMALL,
            va="center",
            annotation_clip=False,
        )
        axes.annotate(
            "",
            xy=(1, place) if x is None else (x, place),
            xycoords=("axes fraction", "data") if x is None else "data",
            xytext=(-2, 0.5 * _SMALL),
            textcoords=OffsetFrom(label, (0, 0), "points"),
            arrowprops={
                "arrowstyle": "-",
                "color": ink,
                "linewidth": 0.4,
                "alpha": 0.5,
                "shrinkA": 0,
                "shrinkB": 2,
            },
            annotation_clip=False,
        )


def _beside(
    axes: "Axes", values: Mapping[str, float], texts: Mapping[str, str], size: float
) -> dict[str, tuple[float, float]]:
    """Return each value, and how many points above its height its text stands so that none touches another."""
    points = 72 / axes.figure.dpi
    bottom, top = (edge * points for edge in axes.get_window_extent().intervaly)
    places = {name: float(axes.transData.transform((1, end))[1]) * points for name, end in values.items()}
    heights = {name: size * 1.35 * (text.count("\n") + 1) for name, text in texts.items()}
    apart = _apart(places, heights, bottom, top)
    return {name: (values[name], place - places[name]) for name, place in apart.items()}


def _apart(
    places: Mapping[str, float], heights: Mapping[str, float], bottom: float, top: float
) -> dict[str, float]:
    """Return places near those given at which no two things of these heights overlap, inside where they fit.

    >>> _apart({"a": 5.0, "b": 6.0}, {"a": 2.0, "b": 2.0}, 0.0, 10.0)
    {'a': 5.0, 'b': 7.0}
    """
    order = sorted(places, key=lambda name: places[name])
    found, edge = {}, bottom
    for name in order:
        found[name] = max(places[name], edge + heights[name] / 2)
        edge = found[name] + heights[name] / 2
    edge = max(top, bottom + sum(heights.values()))
    for name in reversed(order):
        found[name] = min(found[name], edge - heights[name] / 2)
        edge = found[name] - heights[name] / 2
    return found


def error_bar(row: Mapping[Any, Any], name: str = "R1") -> list[list[float]] | None:
    """Return the lengths below and above a value to its interval's ends; None without an interval."""
    value, low, high = (row[name], row[f"{name}_low"], row[f"{name}_high"])
    if any(part is None or part != part for part in (value, low, high)):
        return None
    return [[max(value - low, 0.0)], [max(high - value, 0.0)]]


def interval_ends(row: Mapping[Any, Any], name: str = "R1") -> tuple[float, float]:
    """Return the ends of a value's interval, both the value itself where it has none."""
    below, above = error_bar(row, name) or [[0.0], [0.0]]
    return row[name] - below[0], row[name] + above[0]


def save_figure(figure: "Figure", path: str | Path) -> "Figure":
    """Write a figure as PNG and SVG beside each other and return it, so that a notebook shows it

    For a paper (`use_theme`) it is written as PDF, too.
    """
    from matplotlib import rcParams

    stem = Path(path)
    stem.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(stem.with_name(f"{stem.name}.png"))
    figure.savefig(stem.with_name(f"{stem.name}.svg"), metadata={"Date": None})
    if rcParams["savefig.format"] == "pdf":
        write_pdf(figure, stem.with_name(f"{stem.name}.pdf"))
    return figure


def write_pdf(figure: "Figure", path: Path) -> None:
    """Write a figure as PDF with its fonts inside and without the time, so that equal figures are equal files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"CreationDate": None})


def drawn(text: str, length: int = 48) -> str:
    """Return a name fit for a figure: visible characters only, all of them, folded into lines of `length` at most.

    >>> drawn("cskt (method.lr=0.1)", length=16)
    'cskt\\n(method.lr=0.1)'
    """
    return "\n".join(wrap(visible(text), length, break_on_hyphens=False))


def row_inches(names: Iterable[str]) -> float:
    """Return how high each row of a figure must be, in inches, for its folded name not to touch the next."""
    return 0.13 + 0.15 * max((name.count("\n") + 1 for name in names), default=1)


def row_places(heights: Sequence[float]) -> list[float]:
    """Return where the middle of each row is, from the top, of rows of unequal heights.

    >>> row_places([2.0, 4.0])
    [1.0, 4.0]
    """
    return [below - own / 2 for below, own in zip(accumulate(heights), heights, strict=True)]


def short_number(value: float, place: Any = None) -> str:
    """Return a large number in few signs, for ticks.

    >>> short_number(12_117_888), short_number(500_000), short_number(30)
    ('12M', '500k', '30')
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}" if value / size < 10 else f"{value / size:.0f}{letter}"
    return f"{value:g}"


def log_axis(axes: "Axes", which: Literal["x", "y"] = "x") -> None:
    """Make an axis logarithmic with plain numbers at its ticks."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis, ends = (axes.xaxis, axes.get_xlim) if which == "x" else (axes.yaxis, axes.get_ylim)
    axes.set(**{f"{which}scale": "log"})
    with suppress(ValueError):
        low, high = ends()
        wide = high / low > 50
        axis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(short_number))
    axis.set_minor_formatter(NullFormatter())
