"""What does accuracy cost: parameters, memory, time?

Rows: results on the dataset that a method was trained on, each with its training cost; a result that another one
beats at no higher cost is greyed. Different protocols, training data or devices never share a table: time and memory
are not comparable across machines.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.evaluate.pareto import pareto_front
from harness.pages.tables import DASH, count_text, marked, row_interval
from harness.pages.theme import (
    INK,
    WIDTH,
    Looks,
    drawn,
    error_bar,
    interval_ends,
    legend_below,
    log_axis,
    marks,
)
from harness.reporting.missing import beginning, floor_gap, rival_gap
from harness.reporting.panel_report import PanelReport
from harness.reports import Gap, Step, Table, register
from harness.results.over_seeds import PERSONS_ONLY
from harness.results.panels import Facts, Panel, dataset_facts, on_own_dataset
from harness.results.retention import with_retention
from harness.results.run_table import UNTRAINED
from harness.results.seed_notes import COVERED, legend_entry

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

COSTS = {
    "trainable": ("P", "trainable parameters", 1.0),
    "pair_flops": ("F", "MFLOPs per training pair", 1e6),
    "step_peak_bytes": ("M", "peak memory of a step (MB)", 1e6),
    "train_seconds": ("T", "training time (s)", 1.0),
}
COLUMNS = [
    *("label", "tested_on", "R1", "R1_low", "R1_high", "mAP", "mAP_low", "mAP_high", "interval"),
    *("trainable", "total", "pair_flops", "step_peak_bytes", "train_seconds", "front"),
    *("persons_only", "rule", "n_seeds"),
    *("train_pairs", "batch_size", "epochs", "backbone", "image_size", "budget", "device"),
]
NOTES = (
    f"Text-to-image R@1 and mAP in percent with {COVERED}. No result is in bold: significance is not tested here.",
    "Front: no other result is as good with fewer P parameters or F FLOPs, less M memory or T time. It compares point "
    "estimates; where intervals overlap, neighbours may change places. Greyed: on no front.",
    "FLOPs: per image and caption, forward + backward to what is trained. Memory: peak of one training step, of "
    "weights, optimiser, batch, activations and gradients, without what libraries take. Time: the training loop with "
    "its validations, mean over seeds.",
)
USE_COLUMNS = [
    *(
        "label",
        "tested_on",
        "checkpoint_bytes",
        "inference_extra",
        "image_flops",
        "text_flops",
        "images_per_second",
    ),
    *(
        "captions_per_second",
        "test_peak_bytes",
        "step_seconds",
        "seconds_to_best",
        "retention",
        "retained_on",
    ),
    *("n_seeds", "device"),
]
USE_NOTES = (
    "Extra parameters: those a method needs at inference after folding what can be folded. FLOPs: forward. Images/s "
    "and captions/s: measured over the test set, mean over seeds. Time to best: training time until the selected "
    "epoch.",
    "Retention: R@1 on the other datasets named minus that of the untrained backbone there, in points, mean over "
    "datasets and seeds; below 0, training reduced accuracy there. It needs `harness evaluate RUN --dataset OTHER`.",
)


def costs_and_fronts(panel: Panel) -> "DataFrame":
    """Return the panel's results, best first, with the costs on whose front each is (`front`).

    `persons_only` says so of what decides that: a difference to a result of no higher cost.
    """
    rows = panel.rows.sort_values("R1", ascending=False, kind="stable").reset_index(drop=True)
    flops = [rows[f"{kind}_training_flops"].astype(float) for kind in ("image", "text")]
    rows = rows.assign(pair_flops=flops[0] + flops[1])
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


def costs_table(panel: Panel) -> Table:
    """Tabulate accuracy, costs and the conditions without which they mean little."""
    from pandas import DataFrame

    rows = costs_and_fronts(panel)
    return Table(
        name=f"parameter_efficiency-{panel.number}",
        title=f"{panel.facts['data']} · {rows['tested_on'].iloc[0]}: accuracy and its cost (protocol {panel.number})",
        values=rows[COLUMNS],
        cells=DataFrame([_cells(row) for row in rows.to_dict("records")]),
        notes=(*NOTES, *panel.caveats()),
        faint=frozenset(np.flatnonzero(rows["front"] == DASH).tolist()),
    )


def _cells(row: dict[Any, Any]) -> dict[str, str]:
    untrained = row["rule"] == UNTRAINED
    return {
        "method": row["label"],
        "R@1 [95 %]": row_interval(row, "R1"),
        "mAP [95 %]": row_interval(row, "mAP"),
        "trainable": count_text(row["trainable"]),
        "share": _share(row["trainable"], row["total"]),
        "FLOPs": DASH if untrained else _millions(row["pair_flops"]),
        "memory": DASH if untrained else _megabytes(row["step_peak_bytes"]),
        "time": DASH if untrained else _seconds(row["train_seconds"]),
        "front": marked(row["front"], row["persons_only"]),
        "rule": row["rule"],
        "seeds": str(row["n_seeds"]),
        "pairs": DASH if untrained else count_text(row["train_pairs"]),
        "batch": DASH if untrained else count_text(row["batch_size"]),
        "backbone": f"{row['backbone']} {row['image_size']}",
        "budget": row["budget"],
    }


def use_table(panel: Panel) -> Table:
    """Tabulate the inference cost of each result, and how much of the untrained method's accuracy it retains."""
    from pandas import DataFrame

    rows = costs_and_fronts(panel)
    return Table(
        name=f"use-{panel.number}",
        title=f"{panel.facts['data']} · {rows['tested_on'].iloc[0]}: inference cost (protocol {panel.number})",
        values=rows[USE_COLUMNS],
        cells=DataFrame([_use_cells(row) for row in rows.to_dict("records")]),
        notes=USE_NOTES,
    )


def _use_cells(row: dict[Any, Any]) -> dict[str, str]:
    known = row["retention"] is not None and row["retention"] == row["retention"]
    flops = [_millions(row[f"{kind}_flops"]) for kind in ("image", "text")]
    speeds = [count_text(row[f"{kind}_per_second"]) for kind in ("images", "captions")]
    return {
        "method": row["label"],
        "checkpoint": _megabytes(row["checkpoint_bytes"]),
        "extra parameters": count_text(row["inference_extra"]),
        "FLOPs per image, caption": " / ".join(flops),
        "images/s, captions/s": " / ".join(speeds),
        "peak test memory": _megabytes(row["test_peak_bytes"]),
        "step time": _milliseconds(row["step_seconds"]),
        "time to best": _seconds(row["seconds_to_best"]),
        "retention": f"{row['retention']:+.1f} ({row['retained_on']})".replace("-", "−") if known else DASH,
    }


def _share(part: float | None, whole: float | None) -> str:
    if part is None or whole is None or part != part or not whole > 0:
        return DASH
    return f"{100 * part / whole:.2f} %"


def _millions(value: float | None) -> str:
    return DASH if value is None or value != value else f"{value / 1e6:,.0f} M"


def _megabytes(value: float | None) -> str:
    if value is None or value != value:
        return DASH
    return f"{value / 1e6:,.0f} MB" if value >= 1e7 else f"{value / 1e6:.2g} MB"


def _milliseconds(value: float | None) -> str:
    if value is None or value != value:
        return DASH
    return f"{1e3 * value:,.0f} ms" if value >= 0.1 else f"{1e3 * value:.3g} ms"


def _seconds(value: float | None) -> str:
    return DASH if value is None or value != value else f"{value:,.0f} s"


def draw_costs(panel: Panel) -> "Figure":
    """Draw R@1 against each cost, with its front; results that are beaten at no higher cost are hollow."""
    from matplotlib import pyplot

    rows = costs_and_fronts(panel)
    look = marks(rows.loc[rows["rule"] != UNTRAINED, "label"])
    figure, grid = pyplot.subplots(1, len(COSTS), figsize=(WIDTH, 3.5), sharey=True)
    for axes, column in zip(grid, COSTS, strict=True):
        _draw_cost(axes, rows, column, look)
    grid[0].set_ylabel("text-to-image R@1 (%)")
    names = dict(zip(rows["label"], map(marked, rows["label"], rows["persons_only"]), strict=True))
    shown = {names[name]: style for name, style in look.items()} | legend_entry(
        bool(rows["persons_only"].any())
    )
    legend_below(figure, shown, rows.loc[rows["rule"] == UNTRAINED, "label"].map(names))
    title = f"{panel.facts['data']} · {rows['tested_on'].iloc[0]} · protocol {panel.number}"
    figure.suptitle(drawn(title, 90), x=0.01, ha="left", fontweight="bold")
    return figure


def _draw_cost(axes: "Axes", rows: "DataFrame", column: str, look: Looks) -> None:
    """Draw one cost: points with intervals, the front as a staircase, untrained methods as lines."""
    word, name, unit = COSTS[column]
    trained = rows[(rows["rule"] != UNTRAINED) & rows[column].notna() & rows["R1"].notna()]
    on_front = trained["front"].str.split().apply(lambda words: word in words).astype(bool)
    front = trained[on_front].sort_values(column)
    axes.plot(front[column] / unit, front["R1"], color=INK, linewidth=1, drawstyle="steps-post", zorder=1)
    for row, shines in zip(trained.to_dict("records"), on_front, strict=True):
        style = look[row["label"]] | ({} if shines else {"markerfacecolor": "white"})
        axes.errorbar(row[column] / unit, row["R1"], yerr=error_bar(row), capsize=2, markersize=6, **style)
    for row in rows[rows["rule"] == UNTRAINED].to_dict("records"):
        axes.axhline(row["R1"], color=INK, linestyle="--", linewidth=1)
        axes.axhspan(*interval_ends(row), color=INK, alpha=0.07, linewidth=0)
    axes.set_xlabel(name)
    if len(trained) and (column == "trainable" or trained[column].max() > 20 * trained[column].min()):
        log_axis(axes)
    else:
        axes.set_xlim(0, 1.05 * axes.get_xlim()[1])  # no marker at the frame is cut


@register
class ParameterEfficiency(PanelReport):
    """Accuracy against trainable parameters, memory and time, with the front of each."""

    title = "Parameter efficiency"
    question = "How accurate is each method for its trained parameters, memory and time?"
    steps = (
        Step(
            "`front`: no other result is as good with fewer P parameters or F FLOPs, less M memory or T time; greyed "
            "rows are on no front.",
            'report.costs_table(panel).save("tables")',
        ),
        Step("Inference cost.", 'report.use_table(panel).save("tables")'),
        Step(
            "R@1 against each cost. Bars and bands are 95 % intervals, the staircase is the front, the dashed line "
            "is a method that trains nothing; hollow marks are beaten at no higher cost.",
            "figure = report.draw_costs(panel)\n"
            'save_figure(figure, f"figures/parameter_efficiency-{panel.number}");',
        ),
    )
    how_to_read = (
        "Time and memory hold for the named device and its other load at the time. The tuning budget is the number "
        "of trials that chose a method's settings: comparing a tuned method with an untuned one is not fair."
    )

    @classmethod
    def select(cls, results: "DataFrame") -> "DataFrame":
        """Take the results on the dataset that a method was trained on, and all of one that trains nothing."""
        return on_own_dataset(with_retention(results))

    @classmethod
    def facts(cls, row: dict[str, Any]) -> Facts:
        """Fix the training data, the dataset and, for a trained method, the device."""
        device = {} if row["rule"] == UNTRAINED else {"device": str(row["device"])}
        return dataset_facts(row) | device

    @classmethod
    def tables(cls, panel: Panel) -> list[Table]:
        """Return training and inference costs."""
        return [costs_table(panel), use_table(panel)]

    @classmethod
    def gaps(cls, panels: Sequence[Panel]) -> list[Gap]:
        """Name a missing floor, a missing rival and missing costs."""
        return [gap for panel in panels for gap in _panel_gaps(panel)] if panels else [beginning("icfg")]


def _panel_gaps(panel: Panel) -> list[Gap]:
    rows, dataset = costs_and_fronts(panel), panel.facts["dataset"]
    trained = rows[rows["rule"] != UNTRAINED]
    lacking = trained[trained[list(COSTS)].isna().any(axis=1)]
    unknown = [
        Gap(f"{name}: parameters, FLOPs, memory or time were not recorded.") for name in lacking["label"]
    ]
    return [*floor_gap(panel, dataset), *rival_gap(panel, dataset, "comparison"), *unknown]
