"""What does accuracy cost: parameters, memory, time?

Rows: results on the dataset that a method was trained on, each with its training cost; a result that another one
beats at no higher cost is greyed. Different protocols, training data or devices never share a table: time and memory
are not comparable across machines.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from harness.pages.cost_text import (
    memory_text,
    millions_text,
    milliseconds_text,
    points_text,
    seconds_text,
    share_text,
)
from harness.pages.tables import DASH, count_text, marked, row_interval
from harness.reporting.cost_fronts import COSTS, costs_and_fronts, draw_costs, towers_note
from harness.reporting.missing import beginning, floor_gap, rival_gap
from harness.reporting.panel_report import PanelReport
from harness.reporting.verdicts.ranking import cost_verdict
from harness.reporting.verdicts.titles import where_of
from harness.reports import Gap, Step, Table, register
from harness.results.method_ranks import ranked
from harness.results.panels import Facts, Panel, dataset_facts, on_own_dataset
from harness.results.retention import with_retention
from harness.results.run_table import UNTRAINED
from harness.results.seeds.seed_notes import COVERED

if TYPE_CHECKING:
    from pandas import DataFrame

COLUMNS = [
    *("label", "tested_on", "R1", "R1_low", "R1_high", "mAP", "mAP_low", "mAP_high", "interval"),
    *("retention", "retained_on", "trainable", "total", "pair_flops", "step_peak_bytes"),
    *("step_seconds", "train_seconds", "front", "persons_only", "rule", "n_seeds"),
    *("train_pairs", "batch_size", "epochs", "backbone", "image_size", "budget", "device"),
]
NOTES = (
    f"Text-to-image R@1 and mAP in percent with {COVERED}. No result is in bold: significance is not tested here.",
    "Front: no other result is as good with fewer P parameters or F FLOPs, less M memory or T time. It compares point "
    "estimates; where intervals overlap, neighbours may change places. Greyed: on no front.",
    "FLOPs: of a training step for each pair, all views and losses, forward + backward to what is trained. Memory: "
    "peak of one training step, of weights, optimiser, batch, activations and gradients, without what libraries take. "
    "Step: median. Time: all steps, and computing once what is frozen, without validations. All mean over seeds.",
)
RETENTION = (
    "Retention: R@1 on other datasets{names} minus that of the untrained backbone there, in points, mean over datasets "
    "and seeds; below 0, training reduced accuracy there. It needs `harness evaluate RUN --dataset OTHER`."
)
USE_COLUMNS = [
    *("label", "tested_on", "checkpoint_bytes", "inference_extra", "image_flops", "text_flops"),
    *("images_per_second", "captions_per_second", "test_peak_bytes", "seconds_to_best", "n_seeds", "device"),
]
USE_NOTES = (
    "Extra parameters: those a method needs at inference after folding what can be folded. FLOPs: forward. Images/s "
    "and captions/s: measured over the test set, mean over seeds. Time to best: training time until the selected "
    "epoch.",
)
# What results were made under, in words; a column where trained results differ, and else said once.
CONDITIONS: dict[str, Callable[[dict[Any, Any]], str]] = {
    "rule": lambda row: str(row["rule"]),
    "seeds": lambda row: str(row["n_seeds"]),
    "pairs": lambda row: count_text(row["train_pairs"]),
    "batch": lambda row: count_text(row["batch_size"]),
    "backbone": lambda row: f"{row['backbone']} {row['image_size']}",
    "budget": lambda row: str(row["budget"]),
}


def costs_table(panel: Panel) -> Table:
    """Tabulate accuracy, costs and what differs of the conditions without which they mean little."""
    from pandas import DataFrame

    rows = costs_and_fronts(panel)
    records = rows.to_dict("records")
    differing, shared = _conditions(records)
    kept = sorted({str(row["retained_on"]) for row in records if _retained(row)})
    cells = [
        _cells(row, len(kept) > 1) | {name: _condition(row, name) for name in differing} for row in records
    ]
    return Table(
        name=f"parameter_efficiency-{panel.number}",
        title=f"{panel.facts['data']} · {rows['tested_on'].iloc[0]}: accuracy and its cost (protocol {panel.number})",
        values=rows[COLUMNS],
        cells=DataFrame(cells),
        notes=(
            *shared,
            *NOTES,
            *towers_note(rows),
            RETENTION.format(names=f" ({kept[0]})" if len(kept) == 1 else ""),
            *panel.caveats(),
        ),
        faint=frozenset(np.flatnonzero(rows["front"] == DASH).tolist()),
    )


def _conditions(records: Sequence[dict[Any, Any]]) -> tuple[list[str], list[str]]:
    """Return the conditions in which trained results differ, and a sentence of those that they share, if any is."""
    trained = [row for row in records if row["rule"] != UNTRAINED]
    found = {name: {text(row) for row in trained} for name, text in CONDITIONS.items()}
    same = [f"{name} {one}" for name, texts in found.items() if len(texts) == 1 for one in texts]
    return [name for name, texts in found.items() if len(texts) > 1], [
        f"Shared by all trained: {', '.join(same)}."
    ] * bool(same)


def _condition(row: dict[Any, Any], name: str) -> str:
    of_training = row["rule"] == UNTRAINED and name in ("pairs", "batch")
    return DASH if of_training else CONDITIONS[name](row)


def _retained(row: dict[Any, Any]) -> bool:
    return row["retention"] is not None and row["retention"] == row["retention"]


def _cells(row: dict[Any, Any], names_kept: bool) -> dict[str, str]:
    untrained = row["rule"] == UNTRAINED
    kept = f" ({row['retained_on']})" if names_kept and _retained(row) else ""
    return {
        "method": row["label"],
        "R@1 [95 %]": row_interval(row, "R1"),
        "mAP [95 %]": row_interval(row, "mAP"),
        "retention": f"{points_text(row['retention'])}{kept}",
        "trainable": count_text(row["trainable"]),
        "share": share_text(row["trainable"], row["total"]),
        "FLOPs": DASH if untrained else millions_text(row["pair_flops"]),
        "memory": DASH if untrained else memory_text(row["step_peak_bytes"]),
        "step": DASH if untrained else milliseconds_text(row["step_seconds"]),
        "time": DASH if untrained else seconds_text(row["train_seconds"]),
        "front": marked(row["front"], row["persons_only"]),
    }


def use_table(panel: Panel) -> Table:
    """Tabulate what each result takes to be used, and to be found."""
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
    flops = [millions_text(row[f"{kind}_flops"]) for kind in ("image", "text")]
    speeds = [count_text(row[f"{kind}_per_second"]) for kind in ("images", "captions")]
    return {
        "method": row["label"],
        "checkpoint": memory_text(row["checkpoint_bytes"]),
        "extra parameters": count_text(row["inference_extra"]),
        "FLOPs per image, caption": " / ".join(flops),
        "images/s, captions/s": " / ".join(speeds),
        "peak test memory": memory_text(row["test_peak_bytes"]),
        "time to best": seconds_text(row["seconds_to_best"]),
    }


@register
class ParameterEfficiency(PanelReport):
    """Accuracy against trainable parameters, memory and time, with the front of each."""

    title = "Parameter efficiency"
    subject_words = "Accuracy and cost of"
    paper_columns: ClassVar = {"Par. (M)": ("trainable", 1e6, 2)}
    question = "How accurate is each method for its trained parameters, memory and time?"
    steps = (
        Step(
            "### Accuracy and its cost\n\n"
            "`front`: no other result is as good with fewer P parameters or F FLOPs, less M memory or T time; greyed "
            "rows are on no front.",
            'report.costs_table(panel).save("tables")',
        ),
        Step("### Inference cost", 'report.use_table(panel).save("tables")'),
        Step(
            "### Fronts\n\n"
            "R@1 against each cost. Bars and bands are 95 % intervals, the staircase is the front, the dashed line "
            "is a method that trains nothing; hollow marks and grey names are beaten at no higher cost.",
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
    def verdict(cls, panel: Panel) -> str:
        """Say which of the results that none is significantly better than is the cheapest."""
        rows = ranked(panel).to_dict("records")
        return cost_verdict(rows, where_of(panel.records))

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


__all__ = ["ParameterEfficiency", "costs_and_fronts", "costs_table", "draw_costs", "use_table"]
