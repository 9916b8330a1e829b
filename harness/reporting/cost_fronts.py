"""What results cost, which of them no other beats at that cost, and the figure of it."""

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import listed
from harness.evaluate.pareto import pareto_front
from harness.pages.tables import DASH, marked
from harness.pages.theme import (
    COLOURS,
    INK,
    WIDTH,
    drawn,
    error_bar,
    interval_ends,
    label_points,
    legend_below,
    log_axis,
)
from harness.results.panels import Panel
from harness.results.run_table import UNTRAINED
from harness.results.seeds.over_seeds import PERSONS_ONLY
from harness.results.seeds.seed_notes import legend_entry

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame, Series

COSTS = {
    "trainable": ("P", "trainable parameters", 1.0),
    "pair_flops": ("F", "MFLOPs per training pair", 1e6),
    "step_peak_bytes": ("M", "peak memory of a step (MB)", 1e6),
    "train_seconds": ("T", "training time (s)", 1.0),
}
MARK_LOOK: dict[str, Any] = {"color": COLOURS[0], "marker": "o"}
HOLLOW = {"markerfacecolor": "white"}


def costs_and_fronts(panel: Panel) -> "DataFrame":
    """Return the panel's results, best first, with the costs on whose front each is (`front`).

    `persons_only` says so of what decides that: a difference to a result of no higher cost. `towers_only` says of which
    result the operations of a pair are those of the towers, all that earlier runs counted.
    """
    rows = panel.rows.sort_values("R1", ascending=False, kind="stable").reset_index(drop=True)
    towers = sum(rows[f"{kind}_training_flops"].astype(float) for kind in ("image", "text"))
    counted = rows["pair_flops"].astype(float)
    rows = rows.assign(
        pair_flops=counted.fillna(towers), towers_only=counted.isna() & (rows["rule"] != UNTRAINED)
    )
    unknown = (rows["interval"] == PERSONS_ONLY).to_numpy()
    # What another seed would change is unknown of one or the other; a result is not compared with itself.
    blind = (unknown[:, None] | unknown) & ~np.eye(len(rows), dtype=bool)
    marks = np.zeros(len(rows), dtype=bool)
    fronts: list[list[str]] = [[] for _ in range(len(rows))]
    for column, (word, _, _) in COSTS.items():
        cost = rows[column].astype(float).mask(rows["rule"] == UNTRAINED, 0.0).to_numpy()
        marks |= (blind & (cost <= cost[:, None])).any(axis=1)
        for place in np.flatnonzero(pareto_front([(-cost).tolist(), rows["R1"].astype(float).tolist()])):
            fronts[place].append(word)
    return rows.assign(front=[" ".join(words) or DASH for words in fronts], persons_only=marks)


def towers_note(rows: "DataFrame") -> list[str]:
    """Return a note on operations that were counted of the towers alone, among `costs_and_fronts`; none of none."""
    named = [str(row["label"]) for row in rows.to_dict("records") if row["towers_only"]]
    return [
        f"FLOPs of {listed(named)}: of one pass through each tower, without further views and losses, which "
        "this version counts, too; train again to have them."
    ] * bool(named)


def draw_costs(panel: Panel) -> "Figure":
    """Draw R@1 against each cost, with its front; results that are beaten at no higher cost are hollow."""
    from matplotlib import pyplot

    rows = costs_and_fronts(panel)
    rows["shown"] = [marked(row["label"], row["persons_only"]) for row in rows.to_dict("records")]
    height = max(2.6, 0.6 + 0.14 * len(rows))
    figure, grid = pyplot.subplots(2, 2, figsize=(WIDTH, 2 * height + 0.6), sharey=True)
    for axes, column in zip(grid.flat, COSTS, strict=True):
        _draw_cost(axes, rows, column)
    for axes in grid[:, 0]:
        axes.set_ylabel("text-to-image R@1 (%)")
    untrained = rows["rule"] == UNTRAINED
    looks = (
        {"on the front": MARK_LOOK, "beaten at no higher cost": MARK_LOOK | HOLLOW}
        if not untrained.all()
        else {}
    )
    legend_below(
        figure,
        looks | legend_entry(bool(rows["persons_only"].any())),
        ["trains nothing"] if untrained.any() else [],
    )
    title = f"{panel.facts['data']} · {rows['tested_on'].iloc[0]} · protocol {panel.number}"
    figure.suptitle(drawn(title, 90), x=0.01, ha="left", fontweight="bold")
    figure.draw_without_rendering()
    for axes, column in zip(grid.flat, COSTS, strict=True):
        _name_points(axes, rows, column)
    return figure


def _draw_cost(axes: "Axes", rows: "DataFrame", column: str) -> None:
    """Draw one cost: points with intervals, the front as a staircase, untrained methods as lines."""
    _, name, unit = COSTS[column]
    trained = _trained(rows, column)
    on_front = _on_front(trained, column)
    front = trained[on_front].sort_values(column)
    axes.plot(front[column] / unit, front["R1"], color=INK, linewidth=1, drawstyle="steps-post", zorder=1)
    for row, shines in zip(trained.to_dict("records"), on_front, strict=True):
        look = MARK_LOOK | ({} if shines else HOLLOW)
        axes.errorbar(
            row[column] / unit, row["R1"], yerr=error_bar(row), markersize=5, elinewidth=0.8, **look
        )
    for row in rows[rows["rule"] == UNTRAINED].to_dict("records"):
        axes.axhline(row["R1"], color=INK, linestyle="--", linewidth=1)
        axes.axhspan(*interval_ends(row), color=INK, alpha=0.07, linewidth=0)
    axes.set_xlabel(name)
    if len(trained) and (column == "trainable" or trained[column].max() > 20 * trained[column].min()):
        log_axis(axes)
    else:
        axes.set_xlim(0, 1.05 * axes.get_xlim()[1])  # no marker at the frame is cut


def _name_points(axes: "Axes", rows: "DataFrame", column: str) -> None:
    """Write the names of what one cost's panel shows beside it, those on the front in ink."""
    trained, unit = _trained(rows, column), COSTS[column][2]
    points: dict[str, tuple[float | None, float]] = {
        row["shown"]: (row[column] / unit, row["R1"]) for row in trained.to_dict("records")
    }
    untrained = rows[(rows["rule"] == UNTRAINED) & rows["R1"].notna()]
    points |= {row["shown"]: (None, row["R1"]) for row in untrained.to_dict("records")}
    label_points(axes, points, {*trained["shown"][_on_front(trained, column)], *untrained["shown"]})


def _trained(rows: "DataFrame", column: str) -> "DataFrame":
    return rows[(rows["rule"] != UNTRAINED) & rows[column].notna() & rows["R1"].notna()]


def _on_front(rows: "DataFrame", column: str) -> "Series[bool]":
    word = COSTS[column][0]
    return rows["front"].str.split().apply(lambda words: word in words).astype(bool)
