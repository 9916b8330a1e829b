"""Figures of one result, or of several beside one another: curves, ranks, slices, maps of identities, a probe."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.metric_names import METRIC_NAMES
from harness.pages.theme import COLOURS, FAINT, INK, MARKS, WIDTH, drawn, error_bar, label_lines, marks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from pandas import DataFrame

Queries = Mapping[str, Any]
_MOST_RANKS = 50
_COLOURED = 8
_LINE_STYLES = ("-", "--", ":", "-.")


def draw_curves(history: Sequence[Mapping[str, float]], epoch: int | None) -> "Figure":
    """Draw losses and validation results over the epochs of a run; a line marks the epoch that was tested."""
    from matplotlib import pyplot

    figure, grid = pyplot.subplots(1, 2, figsize=(WIDTH, 3.1))
    losses = sorted({key for row in history for key in row if key.startswith("train/")})
    shown = losses if len(losses) > 2 else losses[:1]
    results = {
        "val/t2i/R1": "R@1, text to image",
        "val/t2i/mAP": "mAP, text to image",
        "val/i2t/R1": "R@1, image to text",
    }
    _draw_lines(grid[0], history, {key: key.removeprefix("train/") for key in shown})
    _draw_lines(grid[1], history, results)
    grid[0].set_ylabel("training loss")
    grid[1].set_ylabel("validation (%)")
    for axes in grid:
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        if epoch is not None:
            axes.axvline(epoch, color=INK, linewidth=1, linestyle=":", zorder=0)
    return figure


def _draw_lines(axes: "Axes", history: Sequence[Mapping[str, float]], names: Mapping[str, str]) -> None:
    lines: dict[str, Line2D] = {}
    for place, (key, word) in enumerate(names.items()):
        points = [(row["epoch"], row[key]) for row in history if key in row]
        look: dict[str, Any] = {
            "color": COLOURS[place % len(COLOURS)],
            "marker": MARKS[place % len(MARKS)],
            "markersize": 4,
        }
        style = _LINE_STYLES[place % len(_LINE_STYLES)]
        if points:
            (lines[word],) = axes.plot(*zip(*points, strict=True), linewidth=1.3, linestyle=style, **look)
    if len(names) > 1:
        label_lines(axes, lines)


def draw_ranks(results: Mapping[str, Queries]) -> "Figure":
    """Draw, for each result, recall at every cutoff, and R@1 per identity, hardest first.

    Args:
        results: per-query results by the name that the legend gives them.
    """
    from matplotlib import pyplot

    figure, grid = pyplot.subplots(1, 2, figsize=(WIDTH, 3.3))
    lines: dict[str, Line2D] = {}
    for place, (name, queries) in enumerate(results.items()):
        look = {
            "color": COLOURS[place],
            "linewidth": 1.5,
            "linestyle": _LINE_STYLES[place % len(_LINE_STYLES)],
        }
        ranks = np.asarray(queries["t2i/rank"])
        cutoffs = np.arange(1, _MOST_RANKS + 1)
        grid[0].plot(cutoffs, [100 * (ranks <= k).mean() for k in cutoffs], **look)
        shares = 100 * np.sort(person_shares(queries))
        (lines[name],) = grid[1].plot(np.linspace(0, 100, len(shares)), shares, **look)
    grid[0].set(xlabel="cutoff k", ylabel="text-to-image R@k (%)", ylim=(0, 100), xlim=(1, _MOST_RANKS))
    grid[1].set(xlabel="identities, hardest first (%)", ylabel="R@1 per identity (%)")
    grid[1].set(ylim=(-2, 102), xlim=(0, 100))
    if len(results) > 1:
        label_lines(grid[0], {name: grid[0].lines[place] for place, name in enumerate(results)})
        label_lines(grid[1], lines)
    return figure


def person_shares(queries: Queries) -> np.ndarray:
    """Return the share of each identity's captions that are answered at rank 1, in ascending order of identity.

    >>> person_shares({"t2i/identity": np.array([4, 4, 2]), "t2i/rank": np.array([1, 3, 1])}).tolist()
    [1.0, 0.5]
    """
    _, member = np.unique(np.asarray(queries["t2i/identity"]), return_inverse=True)
    hits = np.asarray(queries["t2i/rank"]) == 1
    return np.asarray(np.bincount(member, hits) / np.bincount(member))


def draw_slices(slices: Mapping[str, "DataFrame"], metric: str = "R1") -> "Figure":
    """Draw a metric of each slice with its interval, slices of one kind together, results beside one another.

    Args:
        slices: rows of `harness.analysis.caption_slices.Slices` by the name that the legend gives the result.
        metric: which of their metrics.
    """
    from matplotlib import pyplot

    first = next(iter(slices.values()))
    lines: list[tuple[str, str | None]] = []
    for by, part in first.groupby("by", sort=False):
        lines += [(str(by), None), *((str(by), str(name)) for name in part["slice"])]
    figure, axes = pyplot.subplots(figsize=(WIDTH * 0.75, 1.0 + 0.19 * len(lines)))
    look = marks(slices)
    shifts = np.linspace(-0.16, 0.16, len(slices)) if len(slices) > 1 else [0.0]
    for shift, (name, rows) in zip(shifts, slices.items(), strict=True):
        found = {(row["by"], row["slice"]): row for row in rows.to_dict("records")}
        for place, line in enumerate(lines):
            if (row := found.get(line)) is not None:
                bar = error_bar(row, metric)
                axes.errorbar(row[metric], place + shift, xerr=bar, capsize=2, markersize=4.5, **look[name])
    texts = [f"{drawn(one, 30)}  ({_n(first, by, one)})" if one else drawn(by, 40) for by, one in lines]
    axes.set_yticks(range(len(lines)), texts, fontsize=8)
    for tick, (_, one) in zip(axes.get_yticklabels(), lines, strict=True):
        tick.set_fontweight("normal" if one else "bold")
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.set_xlabel(f"{METRIC_NAMES[metric]} (%), with the number of queries in brackets")
    if len(slices) > 1:
        handles = [axes.plot([], [], linestyle="", label=drawn(name), **look[name])[0] for name in slices]
        figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def _n(rows: "DataFrame", by: str, name: str) -> int:
    return int(rows[(rows["by"] == by) & (rows["slice"] == name)]["n_queries"].iloc[0])


def draw_map(places: np.ndarray, identities: Any, title: str) -> "Figure":
    """Draw a map of identities: images as dots, captions as crosses, a few identities coloured.

    Args:
        places: of the images and then of their captions [2 * n, 2] (`harness.analysis.attribute_probe.lay_out`).
        identities: of the images [n]; the identities with most images are coloured.
        title: above the figure.
    """
    from matplotlib import pyplot

    persons = np.asarray(identities)
    names, counts = np.unique(persons, return_counts=True)
    chosen = names[np.argsort(-counts, kind="stable")][:_COLOURED]
    figure, axes = pyplot.subplots(figsize=(WIDTH * 0.7, 5.0))
    halves = (places[: len(persons)], places[len(persons) :])
    for half, mark, size in zip(halves, ("o", "x"), (14, 18), strict=True):
        rest = ~np.isin(persons, chosen)
        axes.scatter(
            half[rest][:, 0], half[rest][:, 1], s=size * 0.6, marker=mark, color=FAINT, linewidths=0.8
        )
        for place, person in enumerate(chosen):
            own = half[persons == person]
            axes.scatter(
                own[:, 0], own[:, 1], s=size * 1.8, marker=mark, color=COLOURS[place], linewidths=1.3
            )
    kinds = [("o", "image"), ("x", "its first caption")]
    handles = [axes.plot([], [], mark, color=INK, label=word)[0] for mark, word in kinds]
    handles += [
        axes.plot([], [], "s", color=COLOURS[i], label=f"identity {p}")[0] for i, p in enumerate(chosen)
    ]
    figure.legend(handles=handles, loc="outside right upper", fontsize=8)
    axes.set(xticks=[], yticks=[], title=title)
    return figure


def draw_probe(rows: "DataFrame") -> "Figure":
    """Draw how well each attribute is read off, with its interval, against chance."""
    from matplotlib import pyplot

    rows = rows.sort_values("accuracy", ascending=False, ignore_index=True)
    figure, axes = pyplot.subplots(figsize=(WIDTH * 0.7, 1.0 + 0.2 * max(len(rows), 1)))
    axes.axvline(50, color=INK, linestyle="--", linewidth=1)
    for place, row in enumerate(rows.to_dict("records")):
        bar = error_bar(row, "accuracy")
        axes.errorbar(row["accuracy"], place, xerr=bar, capsize=2, markersize=5, color=COLOURS[0], marker="o")
    texts = [f"{row['attribute']}  ({row['share']:.0f} %)" for row in rows.to_dict("records")]
    axes.set_yticks(range(len(rows)), texts, fontsize=8)
    axes.set_ylim(max(len(rows), 1) - 0.4, -0.6)
    axes.set_xlabel("balanced accuracy (%); dashed: chance; in brackets: share of images")
    return figure
