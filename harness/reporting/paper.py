"""A panel's results as a paper shows them: one table for LaTeX and one figure, each in the width of one column."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.files import write_text
from harness.metric_names import METRIC_NAMES
from harness.pages.paper_table import Number, PaperTable
from harness.pages.tables import MARK, marked
from harness.pages.theme import COLOURS, drawn, error_bar, row_places, write_pdf
from harness.reporting.display_names import begun, dataset_name, label_name
from harness.reporting.verdicts.titles import places_of
from harness.results.flags import FLAGS
from harness.results.panels import Panel
from harness.results.run_table import UNTRAINED
from harness.results.seeds.over_seeds import NO_INTERVAL, PERSONS_ONLY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = dict[str, Any]
# A column's heading: the row's value, what it is divided by, and the digits after the point.
More = Mapping[str, tuple[str, float, int]]
SHOWN = ("R1", "R5", "R10", "mAP")
COLUMN_INCHES = 3.3
# How the report on protocols calls a result's protocol, and where that stands among the others.
_PROTOCOL, _ORDER = "protocol_words", "protocol_place"
_PLACES = {_PROTOCOL: "Protocol", "trained_on": "Trained on", "tested_on": "Tested on"}
_NOWHERE = "–"
_RULES = {
    "val": "the epoch that is best on validation",
    "last": "the last epoch",
    "oracle": "the epoch that is best on the test split, which flatters",
}
_FONT: Any = {"font.size": 7.5, "axes.labelsize": 7.5, "xtick.labelsize": 7, "ytick.labelsize": 7.5}


def save_paper(panels: Sequence[Panel], folder: str | Path, name: str, more: More) -> None:
    """Write each panel's table as `NAME-N.tex` and its figure as `NAME-N.pdf`, with its fonts inside."""
    from matplotlib import pyplot

    for panel in panels:
        stem = Path(folder) / f"{name}-{panel.number}"
        write_text(
            stem.with_name(f"{stem.name}.tex"), paper_table(panel, f"{name}-{panel.number}", more).latex()
        )
        figure = draw_paper(panel)
        with pyplot.rc_context({"savefig.bbox": None}):  # a tight box would be wider than the column
            write_pdf(figure, stem.with_name(f"{stem.name}.pdf"))
        pyplot.close(figure)


def paper_table(panel: Panel, label: str, more: More) -> PaperTable:
    """Return R@1, R@5, R@10 and mAP of a panel's results, best first, with further columns of the report's own."""
    rows = _ordered(panel)
    places = _places(rows)
    return PaperTable(
        label=label,
        caption=caption(panel),
        words=("Method", *(_PLACES[key] for key in places)),
        numbers=(
            *((heading, digits) for heading, (_, _, digits) in more.items()),
            *((METRIC_NAMES[name], 1) for name in SHOWN),
        ),
        rows=tuple(
            (
                (_name(row), *(_place(row, key) for key in places)),
                (
                    *(_own(row, *column[:2]) for column in more.values()),
                    *(_score(row, name) for name in SHOWN),
                ),
            )
            for row in rows
        ),
    )


def caption(panel: Panel) -> str:
    """Return what the table's figures are, under which protocol, and of how many seeds."""
    rows = panel.records
    trained = [row for row in rows if row["rule"] != UNTRAINED]
    rules = list(dict.fromkeys(_RULES.get(row["rule"], str(row["rule"])) for row in trained))
    counts = [row["train_pairs"] for row in trained]
    pairs = sorted({int(count) for count in counts if count and count == count})
    seeds = sorted({int(row["n_seeds"]) for row in trained})
    facts = [
        f"Backbone {rows[0]['backbone']}, {rows[0]['image_size']} pixels",
        *[f"tested at {' or '.join(rules)}"] * bool(rules),
        *[f"{_range(pairs)} training pairs"] * bool(pairs),
        *[f"{name}: {panel.facts[name]}" for name in FLAGS.values() if name in panel.facts],
        *[f"{_range(seeds)} seed{'s' * (seeds[-1] > 1)} each"] * bool(seeds),
    ]
    said = f"Text-to-image retrieval on {places_of(rows)}, in percent ± half of the 95 % interval. {'; '.join(facts)}."
    alone = any(row["interval"] == PERSONS_ONLY for row in rows)
    return f"{said} {MARK} one seed: its interval covers identities only." if alone else said


def draw_paper(panel: Panel) -> "Figure":
    """Draw R@1 and mAP of a panel's results with their intervals, best first, in the width of one column."""
    from matplotlib import pyplot

    rows = _ordered(panel)
    names = [drawn(" · ".join([_name(row), *_where(row, rows)]), 22) for row in rows]
    heights = [0.17 * (name.count("\n") + 1) for name in names]
    places = row_places(heights)
    with pyplot.rc_context(_FONT):
        figure, axes = pyplot.subplots(figsize=(COLUMN_INCHES, 0.75 + sum(heights)))
        looks = {"R1": (COLOURS[0], "o", -0.02), "mAP": (COLOURS[1], "s", 0.02)}
        for name, (colour, mark, shift) in looks.items():
            style: dict[str, Any] = {
                "color": colour,
                "marker": mark,
                "linestyle": "",
                "markersize": 3,
                "capsize": 1.5,
            }
            for place, row in zip(places, rows, strict=True):
                label = METRIC_NAMES[name] if row is rows[0] else None
                bar = error_bar(row, name)
                axes.errorbar(row[name], place + shift, xerr=bar, elinewidth=0.8, label=label, **style)
        axes.set_yticks(places, names)
        axes.set_ylim(sum(heights), 0)
        axes.set_xlabel("text to image (%)")
        axes.grid(axis="y", visible=False)
        axes.legend(loc="best", fontsize=7)
    return figure


def _ordered(panel: Panel) -> list[Row]:
    """Return the results, the best first, or the best first of those of each training and test set."""
    keys = _places(panel.records)
    places = [_ORDER if key == _PROTOCOL else key for key in keys]
    return sorted(
        panel.records,
        key=lambda row: (
            *(row[key] if key == _ORDER else _place(row, key) for key in places),
            -(row["R1"] or 0),
        ),
    )


def _places(rows: Sequence[Row]) -> list[str]:
    """Return which of training and test set, or what protocol, tell results apart; what trains nothing has no first."""
    seen = {key: {_place(row, key) for row in rows} - {_NOWHERE} for key in _PLACES}
    found = [key for key, names in seen.items() if len(names) > 1]
    return [_PROTOCOL] if _PROTOCOL in found else found


def _name(row: Row) -> str:
    """Return a result's name; a protocol has a column, so it is left out of the name."""
    label, apart = str(row["label"]), str(row.get("apart") or "")
    plain = label.replace(f" ({apart})", "").replace(f", {apart})", ")") if apart else label
    return marked(begun(label_name({**row, "label": plain})), row["interval"] == PERSONS_ONLY)


def _place(row: Row, key: str) -> str:
    if key == _PROTOCOL:
        return begun(str(row.get(key, _NOWHERE)))
    return _NOWHERE if key == "trained_on" and row["rule"] == UNTRAINED else dataset_name(str(row[key]))


def _where(row: Row, rows: Sequence[Row]) -> list[str]:
    places = [_place(row, key) for key in _places(rows)]
    return [" → ".join(places)] if places else []


def _own(row: Row, key: str, unit: float) -> Number:
    value = row.get(key)
    return (None, None) if value is None or value != value else (float(value) / unit, None)


def _score(row: Row, name: str) -> Number:
    bar = error_bar(row, name) if row["interval"] != NO_INTERVAL else None
    return (row[name], None if bar is None else (bar[0][0] + bar[1][0]) / 2)


def _range(numbers: Sequence[int]) -> str:
    return " to ".join(dict.fromkeys(f"{number:,}" for number in (numbers[0], numbers[-1])))
