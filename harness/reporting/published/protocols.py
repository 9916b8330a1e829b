"""Published results beside the harness's own, with all differences in protocol named."""

from collections.abc import Sequence

from harness.metric_names import METRIC_NAMES, METRICS
from harness.pages.escaping import visible
from harness.record import REAL
from harness.reporting.published.matches import (
    CHOSEN,
    OTHER,
    Row,
    Sources,
    compared,
    is_twin,
    ordered,
)
from harness.reporting.published.missing import cell_text, printed, released_command
from harness.reporting.published.settings import has_released
from harness.reports import Gap, Table
from harness.results.panels import Panel

TWIN = "A synthetic twin has no published counterpart, so its results are not compared with published ones."
_BESIDE = "The same runs on real data, made without --synthetic, would be compared with these."
NOTHING = "No published row names these methods and datasets."
EXACT = (
    "Text to image, in percent; here with 95 % intervals. Difference: here minus published, in points. A published "
    "figure is taken as exact, so the interval of a difference is that of the result here. The published figure is "
    "within, below or above that result's interval."
)
OTHERS = (
    "The column protocol names known differences (other protocol): there, a figure outside the interval is no failed "
    "reproduction. Partly unknown: the same in what is published. Settings count as different where they differ from "
    "the method's defaults and from its preset released."
)


def result_names(rows: Sequence[Row]) -> str:
    """Return the names of results, each with its dataset."""
    return ", ".join(dict.fromkeys(f"{row['label']} on {cell_text(row)}" for row in rows))


def published_table(panel: Panel) -> Table:
    """Tabulate both protocols of each comparison; on a synthetic twin what real data would be compared with."""
    return _beside_table(panel) if is_twin(panel) else _protocol_table(panel)


def _protocol_table(panel: Panel) -> Table:
    from pandas import DataFrame

    rows, sources = compared(panel), Sources()
    return Table(
        name=f"protocols-{panel.number}",
        title=f"{panel.facts['data']} · protocols of the published results (protocol {panel.number})",
        values=DataFrame(rows),
        cells=DataFrame([_protocol_line(row, sources) for row in rows]),
        notes=(_here(panel), *_unlike_notes(rows), *sources.notes) if rows else (NOTHING,),
        n_left=3,
    )


def _here(panel: Panel) -> str:
    row = panel.records[0]
    return f"All results here: backbone {row['backbone']}, image size {row['image_size']}."


def _protocol_line(row: Row, sources: "Sources") -> dict[str, str]:
    return {
        "method": visible(row["label"]),
        "dataset": cell_text(row),
        "published as": visible(row["published_as"]),
        "epoch here": CHOSEN[row["rule"]],
        "epoch published": CHOSEN[row["published_rule"]],
        "backbone published": row["published_backbone"] or CHOSEN[None],
        "image published": row["published_image_size"] or CHOSEN[None],
        "seeds": str(row["n_seeds"]),
        "source": sources.mark(row),
    }


def _unlike_notes(rows: Sequence[Row]) -> list[str]:
    """Name the differences in full, once for all rows with the same ones."""
    texts = dict.fromkeys(row["unlike"] for row in rows if row["unlike"])
    return [
        f"Different for {result_names([row for row in rows if row['unlike'] == text])}: {text}."
        for text in texts
    ]


def _beside_table(panel: Panel) -> Table:
    from pandas import DataFrame

    sources = Sources()
    rows = list({str(one): one for row in ordered(panel) for one in row["published"]}.values())
    return Table(
        name=f"published-{panel.number}",
        title=f"{REAL} · published results, where protocol {panel.number} has twins",
        values=DataFrame([row | {"tables": ", ".join(row["tables"])} for row in rows]),
        cells=DataFrame([_beside_line(row, sources) for row in rows]),
        notes=(TWIN, *((_BESIDE, *sources.notes) if rows else (NOTHING,))),
        n_left=3,
    )


def _beside_line(row: Row, sources: "Sources") -> dict[str, str]:
    return {
        "method here": row["counterpart"],
        "dataset": cell_text(row),
        "published as": visible(row["method"]),
        **{METRIC_NAMES[name]: printed(row[name]) for name in METRICS},
        "epoch": CHOSEN[row["rule"]],
        "backbone": row["backbone"] or CHOSEN[None],
        "image": row["image_size"] or CHOSEN[None],
        "source": sources.mark(row),
    }


def other_protocols(panels: Sequence[Panel]) -> list[Gap]:
    """Return a gap for each method and dataset run under other protocols alone, though a preset repeats the paper's."""
    marks: dict[tuple[str, str], set[str]] = {}
    for row in (row for panel in panels for row in compared(panel)):
        if row["trained_on"] == row["tested_on"] and has_released(row["method"]):
            marks.setdefault((row["method"], row["tested_on"]), set()).add(row["protocol"])
    return [
        Gap(f"{method} on {dataset}: run under other protocols alone.", (released_command(method, dataset),))
        for (method, dataset), found in marks.items()
        if found == {OTHER}
    ]
