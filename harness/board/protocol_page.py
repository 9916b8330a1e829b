"""The page of a dataset and protocol: ranks as intervals, tests of all pairs, what accuracy costs, and claims apart.

All figures are those of reports: `ranked` and `pairs` rank and compare, `costs_and_fronts` finds what no result beats.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pandas import DataFrame

from harness.board.drawings import cost_drawing, interval_bar, top_of
from harness.board.facts import board_facts
from harness.board.pages import Cell, link, notes, page_name, paragraph, section, table, text
from harness.board_file import Protocol
from harness.errors import many
from harness.metric_names import METRIC_NAMES
from harness.pages.cost_text import memory_text, millions_text, seconds_text
from harness.pages.tables import count_text, marked, p_text, row_interval
from harness.reporting.conditions import counted, fairness_notes, rank_notes
from harness.reporting.cost_fronts import COSTS, costs_and_fronts
from harness.reporting.display_names import dataset_name, label_name
from harness.reporting.published.matches import CHOSEN, Sources, published_row
from harness.reporting.published.missing import printed
from harness.reporting.verdicts.ranking import ranking_verdict
from harness.reporting.verdicts.titles import where_of
from harness.reporting.verdicts.words import flagged
from harness.results.flags import flags
from harness.results.method_ranks import LEADER, LEVEL, pairs, ranked, row_rank
from harness.results.panels import Panel, split_panels
from harness.results.run_table import UNTRAINED
from harness.results.seeds.seed_notes import COVERED
from harness.suites.published_tables import load_published, published_names

if TYPE_CHECKING:
    from collections.abc import Iterator

Row = dict[Any, Any]
MEASURED, SCORED_WORD = "trained here", "scored, not trained here"
_HEADER = (
    "#", "rank", "method", "interval of R@1", "R@1 [95 %]", "R@5 [95 %]", "R@10 [95 %]", "mAP [95 %]",
    "difference to leader", "p (Holm)", "seeds", "runs",
)  # fmt: skip
_COST_HEADER = (
    "#", "method", "R@1 [95 %]", "front", "trainable", "FLOPs a pair", "memory of a step", "training", "rule", "batch"
)  # fmt: skip
_CLAIM_HEADER = ("method", "trained on", "R@1", "R@5", "R@10", "mAP", "epoch", "backbone", "source")
_NO_CLAIMS = (
    "What papers print, as claims: none was measured by this board, and nothing above is compared with them."
)
_TWIN_CLAIMS = (
    "These figures are of the photographs of {name}. This page is of its synthetic twin, whose figures say nothing of "
    "them."
)
_COST_NOTES = (
    "Front: no other result is as good with fewer P trainable parameters or F FLOPs of training, less M memory of a "
    "step or T time of training. It compares point estimates. Results of different devices are kept apart here, for "
    "time and memory are not comparable across machines."
)


def protocol_body(protocol: Protocol, panels: Sequence[Panel], *, claims: bool) -> str:
    """Return the page's body of the results that fit a protocol, those that may be compared together."""
    parts = [] if panels else [paragraph("No result of this protocol has been contributed yet.")]
    for number, panel in enumerate(panels, start=1):
        parts.append(_panel(panel, number, len(panels)))
    return "\n".join([*parts, *([claims_section(protocol)] if claims else [])])


def verdict_of(panel: Panel) -> str:
    """Return what may be claimed of results that may be compared, in a sentence, as the leaderboard says it."""
    rows, found = (frame.to_dict("records") for frame in (ranked(panel), pairs(panel)))
    return flagged(ranking_verdict(rows, found, where_of(panel.records)), panel.facts)


def kind_of(row: Mapping[Any, Any]) -> str:
    """Return how a result came about, with what sets it apart from others."""
    parts = [
        SCORED_WORD if row.get("scored") else MEASURED if row["rule"] != UNTRAINED else "nothing trained"
    ]
    return "; ".join([*parts, *(f"{name}: {value}" for name, value in flags(row).items())])


def _panel(panel: Panel, number: int, n_panels: int) -> str:
    """Return the part of the page of results that may be compared with one another."""
    heading = "Results" if n_panels == 1 else f"Results, part {number} of {n_panels}"
    apart = [reason.replace("protocol", "part", 1) for reason in panel.reasons] if number > 1 else []
    shared = [line for line in panel.words() if line not in panel.reasons and line not in panel.caveats()]
    rows = ranked(panel)
    return section(
        heading,
        paragraph(verdict_of(panel), "verdict"),
        *(paragraph(line, "apart") for line in apart),
        _ranks(rows.to_dict("records")),
        notes([f"Text to image, in percent with {COVERED}. The rank is an interval: results that are not "
               "significantly different have no order.", *rank_notes(rows), *fairness_notes(rows), *panel.caveats()]),
        _pairs(panel),
        *_costs(panel),
        f"<details><summary>What all results of this part share</summary>{notes(shared)}</details>",
        name=f"part-{number}",
    )  # fmt: skip


def _ranks(rows: Sequence[Row]) -> str:
    most = top_of([row["R1_high"] for row in rows])
    cells = [_rank_cells(place, row, most) for place, row in enumerate(rows, start=1)]
    return table(_HEADER, cells, n_left=3, kind="ranks")


def _rank_cells(place: int, row: Row, most: float) -> list[Cell]:
    rank = row["rank_low"]
    return [
        text(place, place),
        text(row_rank(row), rank if rank == rank else None),
        method_cell(row),
        Cell(interval_bar(row["R1"], row["R1_low"], row["R1_high"], most), row["R1"]),
        *(text(row_interval(row, name), row[name]) for name in ("R1", "R5", "R10", "mAP")),
        text(LEADER, 0.0) if row["leads"] else text(row_interval(row, "difference"), row["difference"]),
        text(p_text(row["p_holm"], row["persons_only"]), row["p_holm"]),
        text(row["n_seeds"], row["n_seeds"]),
        Cell(" ".join(link(name.rpartition("-")[2][:6], "run", f"{name}.html") for name in row["runs"])),
    ]


def method_cell(row: Row) -> Cell:
    """Return a result's label as a link to its method's page, with how it came about where that is no training here."""
    kind = kind_of(row)
    badge = "" if kind == MEASURED else f'<span class="kind">{text(kind).html}</span>'
    name = label_name(row)
    return Cell(link(name, "method", page_name(str(row["method"]))) + badge, name.lower())


def _pairs(panel: Panel) -> str:
    """Return the differences of all pairs, behind a line that opens them."""
    found = pairs(panel).to_dict("records")
    if not found:
        return ""
    significant = sum(line["p_holm"] <= 1 - LEVEL for line in found)
    rows = [
        [
            text(line["label"]),
            text(line["other"]),
            text(row_interval(line, "difference"), line["difference"]),
            text(p_text(line["p_holm"], line["persons_only"]), line["p_holm"]),
            text(marked("yes" if line["p_holm"] <= 1 - LEVEL else "no", line["persons_only"])),
        ]
        for line in found
    ]
    head = ("method", "other", "R@1, method minus other", "p (Holm)", "significant")
    words = f"Tests of {counted(len(found), 'pair')}, {significant} significantly different at 5 %"
    return f"<details><summary>{words}</summary>{table(head, rows, n_left=2)}</details>"


def _costs(panel: Panel) -> "Iterator[str]":
    """Yield the cost fronts of results that were made on one device."""
    parts = split_panels(DataFrame(panel.records), _device_facts, panel.persons)
    for part in parts:
        rows = costs_and_fronts(part)
        records = rows.to_dict("records")
        if not any(row["rule"] != UNTRAINED and row["trainable"] == row["trainable"] for row in records):
            continue
        device = part.facts.get("device", "")
        words = f"What accuracy costs{f', on {device}' if len(parts) > 1 and device else ''}"
        drawings = "".join(_drawing(records, column) for column in COSTS)
        cells = [_cost_cells(place, row) for place, row in enumerate(records, start=1)]
        yield (
            f"<h3>{text(words).html}</h3><div class='costs'>{drawings}</div>"
            f"{table(_COST_HEADER, cells, n_left=2)}{notes([_COST_NOTES])}"
        ).replace("<div class='costs'>", '<div class="costs">')


def _device_facts(row: Row) -> dict[str, str]:
    device = {} if row["rule"] == UNTRAINED else {"device": str(row["device"])}
    return board_facts(row) | device


def _drawing(records: Sequence[Row], column: str) -> str:
    word, name, unit = COSTS[column]
    points = [
        (place, label_name(row), float(row[column]) / unit, float(row["R1"]))
        for place, row in enumerate(records, start=1)
        if row["rule"] != UNTRAINED and row[column] is not None and row["R1"] is not None
    ]
    front = [place for place, row in enumerate(records, start=1) if word in row["front"].split()]
    return cost_drawing(points, front, name)


def _cost_cells(place: int, row: Row) -> list[Cell]:
    trained = row["rule"] != UNTRAINED
    return [
        text(place, place),
        method_cell(row),
        text(row_interval(row, "R1"), row["R1"]),
        text(marked(row["front"], row["persons_only"])),
        text(count_text(row["trainable"]), row["trainable"]),
        text(millions_text(row["pair_flops"]), row["pair_flops"]),
        text(memory_text(row["step_peak_bytes"]), row["step_peak_bytes"]),
        text(seconds_text(row["train_seconds"]), row["train_seconds"]),
        text(row["rule"]),
        text(count_text(row["batch_size"]) if trained else "", row["batch_size"] if trained else None),
    ]


def claims_of(dataset: str) -> list[Row]:
    """Return what papers print for training and testing on a dataset, or for testing without training, each once."""
    found: dict[str, Row] = {}
    for name in published_names():
        for row in load_published(name).rows:
            if row.tested_on == dataset and row.trained_on in (None, dataset):
                own = published_row(row)
                figures = (own["R1"], own["R5"], own["R10"], own["mAP"])
                key = str((own["method"], own["condition"], own["trained_on"], own["paper"], figures))
                found.setdefault(key, own)
    return sorted(found.values(), key=lambda row: (-(row["R1"] or 0.0), row["method"]))


def claims_section(protocol: Protocol) -> str:
    """Return the part of a page with what papers print, marked as claims."""
    rows, sources = claims_of(protocol.dataset), Sources()
    if not rows:
        return ""
    cells = [
        [
            text(row["method"] + (f" ({row['condition']})" if row["condition"] else "")),
            text("nothing" if row["trained_on"] is None else row["trained_on"]),
            *(text(printed(row[name]), row[name]) for name in ("R1", "R5", "R10", "mAP")),
            text(CHOSEN[row["rule"]]),
            text(row["backbone"] or CHOSEN[None]),
            text(sources.mark(row)),
        ]
        for row in rows
    ]
    twin = _TWIN_CLAIMS.format(name=dataset_name(protocol.dataset)) if protocol.synthetic else ""
    assert tuple(METRIC_NAMES[name] for name in ("R1", "R5", "R10", "mAP")) == _CLAIM_HEADER[2:6]
    return section(
        f"Claims: {many(len(rows), 'published result')}, not measured here",
        paragraph(_NO_CLAIMS),
        paragraph(twin) if twin else "",
        table(_CLAIM_HEADER, cells, n_left=2, kind="published"),
        f"<details><summary>Sources</summary>{notes(sources.notes)}</details>",
        kind="claims",
        name="claims",
    )
