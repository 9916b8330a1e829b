"""Which patches and words carry a run's matches, for some of its queries: values for a report, a table and a figure."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.analysis.pictures import Pictures
from harness.errors import HarnessError, UsageError
from harness.evaluate.top_items import choose
from harness.files import write_json
from harness.images.decoding import ImageError
from harness.inference.relevance import PatchMap, Relevance, Word, WordMap
from harness.inference.relevance_look import as_dict, carried_text, strengths, tinted, word_text
from harness.pages.tables import Table
from harness.pages.theme import COLOURS, INK, WIDTH
from harness.paths import runs_root
from harness.record import find_run
from harness.results.run_source import Source

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Rows = Sequence[Mapping[str, Any]]
_SIZE, _TALL, _WIDE, _GAP, _LINE = 8.0, 1.7, 0.75, 0.35, 0.2
_NAMED, _MOST_LINES = 3, 6


def chosen_queries(queries: Mapping[str, Any], named: Sequence[int]) -> list[tuple[str, int]]:
    """Return what to look at: the named text queries, or the best, the median and the worst, each with why.

    Raises `UsageError` for a number that no query has.
    """
    n = len(queries["t2i/rank"])
    if wrong := [query for query in named if not 0 <= query < n]:
        raise UsageError(
            f"There is no query {wrong[0]} among the {n:,} of the test, 0 to {n - 1}: `harness runs queries RUN` "
            "numbers them."
        )
    if named:
        return [("chosen", query) for query in dict.fromkeys(named)]
    return [(kind, query) for kind, some in choose(queries, 1).items() for query in some]


def maps_for_report(
    source: Source, run: str, queries: Mapping[str, Any], pictures: Pictures, data: Path
) -> tuple[list[dict[str, Any]], str]:
    """Make the maps of a report, write them into its data as `relevance.json`, and return them and why there are none.

    Where the pictures are not on this machine the report's gallery tells it. Raises `UsageError` for a query that is
    not there.
    """
    chosen_queries(queries, source.queries)
    if pictures.missing is not None:
        return [], ""
    try:
        maps = make_maps(run, source.runs, queries, pictures, source.queries)
    except HarnessError as error:
        return [], f"What carries a match needs the run's weights on this machine: {error}"
    write_json(data / "relevance.json", maps)
    return maps, ""


def make_maps(
    run: str, runs: str | None, queries: Mapping[str, Any], pictures: Pictures, named: Sequence[int]
) -> list[dict[str, Any]]:
    """Return a map for each chosen query with the image put first, and with the one described where that is another.

    Each holds numbers alone: `why`, `query`, `image`, `right`, and what `harness search --json` gives, without words.
    Raises `HarnessError` where the run cannot be loaded on this machine. Pictures that cannot be read are left out.
    """
    from harness.inference.model import Trained

    trained = Trained(find_run(run, runs_root(runs).path))
    rows = []
    for why, query in chosen_queries(queries, named):
        own = pictures.owner(query)
        for image in dict.fromkeys((int(queries["t2i/top"][query][0]), own)):
            path = pictures.path(image)
            try:
                found = trained.relevance(pictures.caption(query), path) if path else None
            except ImageError:
                found = None
            if found is not None:
                right = bool(queries["i2t/identity"][image] == queries["t2i/identity"][query])
                rows.append(_row(found) | {"why": why, "query": query, "image": image, "right": right})
    return rows


def _row(found: Relevance) -> dict[str, Any]:
    return as_dict(found) | {"words": [word.carries for word in found.caption.words]}


def read_map(row: Mapping[str, Any], caption: str) -> Relevance:
    """Return a map from its numbers and the caption that they are about."""
    import torch

    words = [Word(text, value) for text, value in zip(caption.split(), row["words"], strict=False)]
    picture = PatchMap(torch.tensor(row["patches"]), row["similarity"], row["grey_picture"])
    return Relevance(picture, WordMap(words, row["similarity"], row["no_words"], row["words_not_read"]))


def maps_table(rows: Rows, pictures: Pictures) -> Table:
    """Tabulate what carries each match: totals, and the strongest patches and words."""
    from pandas import DataFrame

    found = [read_map(row, pictures.caption(row["query"])) for row in rows]
    cells = [
        {
            "query": f"{row['why']} · caption {row['query']}",
            "image": f"{row['image']}, {'right' if row['right'] else 'wrong'}",
            "similarity": f"{row['similarity']:.3f}",
            "patches carry": carried_text(row["similarity"], row["grey_picture"]),
            "patches that carry most": "flat: it does not say where"
            if row["flat"]
            else _strongest_patches(row["patches"]),
            "words that carry most": _strongest_words(one),
        }
        for row, one in zip(rows, found, strict=True)
    ]
    notes = (
        "Patches by row and column, counted from 1 at the top left. What patches carry is the similarity less that of "
        "an even grey picture; a word carries what is lost without it. All numbers: data/relevance.json.",
    )
    kept = ["why", "query", "image", "right", "similarity", "grey_picture", "no_words", "flat"]
    values = DataFrame([{key: row[key] for key in kept} for row in rows], columns=kept)
    texts = ["query", "image", "patches that carry most", "words that carry most"]
    table = DataFrame(cells, columns=[*texts, "similarity", "patches carry"])
    return Table("run-relevance", "What carries a match", values, table, notes, n_left=len(texts))


def _strongest_patches(patches: Any) -> str:
    values = np.asarray(patches)
    order = np.argsort(-values, axis=None)[:_NAMED]
    places = zip(*np.unravel_index(order, values.shape), strict=True)
    return ", ".join(f"{row + 1}/{column + 1} {values[row, column]:+.3f}" for row, column in places)


def _strongest_words(found: Relevance) -> str:
    words = sorted(found.caption.words, key=lambda word: -abs(word.carries))[:_NAMED]
    return ", ".join(f"{word_text(word)} {word.carries:+.3f}" for word in words)


def draw_maps(rows: Rows, pictures: Pictures) -> "Figure":
    """Draw one row for each map: the picture, its tinted copy, and the caption with its words shaded."""
    from matplotlib.figure import Figure

    height = max(len(rows) * (_TALL + _GAP), _TALL)
    figure = Figure(figsize=(WIDTH, height))
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(height, 0), autoscale_on=False)
    axes.set_axis_off()
    for number, row in enumerate(rows):
        _draw_row(axes, row, pictures, number * (_TALL + _GAP) + _GAP / 2)
    return figure


def _draw_row(axes: "Axes", row: Mapping[str, Any], pictures: Pictures, y: float) -> None:
    pixels = pictures.thumbnail(row["image"])
    if pixels is not None:
        for x, shown in ((0.05, pixels), (0.15 + _WIDE, tinted(pixels, row["patches"]))):
            scale = min(_TALL / shown.shape[0], _WIDE / shown.shape[1])
            box = (x, x + shown.shape[1] * scale, y + shown.shape[0] * scale, y)
            axes.imshow(shown, extent=box, aspect="auto", interpolation="bilinear")
    left = 0.4 + 2 * _WIDE
    mark = "✓ right" if row["right"] else "✗ wrong"
    head = f"{row['why']} · caption {row['query']} · image {row['image']}, {mark}"
    _write(axes, left, y, head, weight="bold")
    carry = carried_text(row["similarity"], row["grey_picture"])
    flat = " · flat: it does not say where" if row["flat"] else ""
    _write(axes, left, y + _LINE, f"similarity {row['similarity']:.3f} · patches carry {carry}{flat}")
    _draw_words(axes, read_map(row, pictures.caption(row["query"])).caption.words, left, y + 2.4 * _LINE)


def _draw_words(axes: "Axes", words: list[Word], left: float, top: float) -> None:
    """Write words in lines, shaded by what they carry; what speaks against the match has a dotted line below."""
    from matplotlib.patches import Rectangle

    x, line = left, 0
    for word, strength in zip(words, strengths(words), strict=True):
        text, look = word_text(word), COLOURS[0] if strength >= 0 else COLOURS[1]
        wide = _width(text)
        if x > left and x + wide > WIDTH - 0.1:
            x, line = left, line + 1
        if line == _MOST_LINES:
            _write(axes, x, top + line * _LINE, "…")
            return
        y = top + line * _LINE
        shade: dict[str, Any] = {"facecolor": look, "alpha": 0.55 * abs(strength), "edgecolor": "none"}
        axes.add_patch(Rectangle((x - 0.02, y - 0.02), wide + 0.04, _LINE - 0.03, **shade))
        if strength < 0:
            axes.plot([x, x + wide], [y + _LINE - 0.05] * 2, color=look, linestyle=":", linewidth=1.2)
        _write(axes, x, y, text)
        x += wide + 0.07


def _width(text: str) -> float:
    """Return how wide a text is, in inches."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family="DejaVu Sans", size=_SIZE)
    wide: float = text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]
    return wide / 72


def _write(axes: "Axes", x: float, y: float, text: str, **look: Any) -> None:
    options: dict[str, Any] = {"va": "top", "size": _SIZE, "color": INK, "family": "DejaVu Sans"} | look
    axes.text(x, y, text, parse_math=False, **options)
