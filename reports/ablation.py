"""Which settings of a method matter, and how much?

Rows: trained results on the dataset that a method was trained on. All configurations of one method are compared with
one of them, its reference: the method's defaults where they were run (on a synthetic twin with the preset `tiny`),
compared in the keys in which the configurations differ; else the configuration that the others differ from in the
fewest keys, all counted together; of several such, the defaults, the one of most seeds, the newest. In a suite it is
the method's first row, and rows have the suite's order.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import many
from harness.pages.escaping import visible
from harness.pages.tables import DASH, count_text, marked, p_text, row_interval
from harness.pages.theme import (
    INK,
    WIDTH,
    Looks,
    drawn,
    error_bar,
    legend_below,
    marks,
    row_inches,
    row_places,
)
from harness.reporting.missing import beginning
from harness.reporting.panel_report import PanelReport
from harness.reporting.suite_order import with_places
from harness.reporting.verdicts.settings import settings_verdict
from harness.reporting.verdicts.titles import where_of
from harness.reports import Gap, Source, Step, Table, register
from harness.results.ablation_pairs import COMMAND, ENDS, METRICS, SAME, SCORES, Row, compared, have_names
from harness.results.panels import Facts, Panel, dataset_facts
from harness.results.run_table import UNTRAINED
from harness.results.seeds.seed_notes import COVERED, legend_entry
from harness.results.telling import telling

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

MOST_DRAWN = 48
ALIKE = "same results"
COLUMNS = [
    *("suite_row", "method", "tested_on", "role", "group", "n_keys", "change", "instead_of", *SCORES),
    *(f"{name}_difference{end}" for name in METRICS for end in ENDS),
    *("p", "p_holm", "persons_only", "alike", "interval"),
    *("trainable", "n_seeds", "rule", "budget", "condition"),
]
NOTES = (
    f"Text to image, in percent with {COVERED}. Differences in points, a configuration minus its method's reference, "
    "paired per identity; their intervals cover the same. p: of no difference, adjusted for the number of comparisons "
    "in the table (Holm). Nothing is in bold.",
)
HOLLOW = {"interval contains zero": {"color": INK, "marker": "o", "markerfacecolor": "white"}}


def ablation_table(panel: Panel) -> Table:
    """Tabulate every method's reference and each other configuration against it."""
    from pandas import DataFrame

    rows = compared(panel)
    named, alike, n = have_names(rows), int(rows["alike"].sum()), int(rows["p_holm"].notna().sum())
    unknown = int((rows["role"] == "").sum()) - n - alike
    return Table(
        name=f"ablation-{panel.number}",
        title=f"{panel.facts['data']} · {panel.facts['dataset']}: effect of settings (protocol {panel.number})",
        values=rows[COLUMNS],
        cells=DataFrame([_named_cells(row) if named else _cells(row) for row in rows.to_dict("records")]),
        notes=(*NOTES, *panel.caveats(), *_count_notes(n, alike, unknown)),
        n_left=2 if named else 3,
    )


def _named_cells(row: dict[Any, Any]) -> dict[str, str]:
    """Return the cells of a row that its suite has a name for: what it changes comes last."""
    cells = {"row": visible(row["suite_row"]) or DASH} | _cells(row)
    return cells | {name: cells.pop(name) for name in ("changed", "instead of")}


def _cells(row: dict[Any, Any]) -> dict[str, str]:
    return {
        "method": row["method"],
        "changed": row["role"] or visible(row["change"]) or SAME,
        "instead of": visible(row["instead_of"]) or DASH,
        "R@1 [95 %]": row_interval(row, "R1"),
        "R@10 [95 %]": row_interval(row, "R10"),
        "mAP [95 %]": row_interval(row, "mAP"),
        "difference in R@1": ALIKE if row["alike"] else row_interval(row, "R1_difference"),
        "p (Holm)": p_text(row["p_holm"], row["persons_only"]),
        "trainable": count_text(row["trainable"]),
        "seeds": str(row["n_seeds"]),
    }


def _count_notes(n: int, alike: int, unknown: int) -> list[str]:
    by_chance = f"if no setting mattered, one in 20 would still exclude zero, here {0.05 * n:.1f}"
    notes = [
        f"Comparisons in this table: {n}. p is adjusted for their number, the intervals are not: {by_chance}."
    ]
    if not n + alike + unknown:
        notes = ["One configuration of each method: there is nothing to compare."]
    if unknown:
        notes.append(f"Without results per identity, and so no comparison: {many(unknown, 'row')}.")
    if alike:
        notes.append(
            f"A row with the {ALIKE} has the reference's R@1, R@10 and mAP on each identity: what it changes did "
            "nothing here, and it is no comparison."
        )
    return notes


def draw_differences(panel: Panel) -> "Figure":
    """Draw the differences to the reference, grouped by key; a mark is hollow where its interval contains zero."""
    from matplotlib import pyplot

    found = compared(panel)
    rows: list[Any] = [row for row in found.to_dict("records") if not row["role"]]
    lines = (_names if have_names(found) else _lines)(rows[:MOST_DRAWN])
    look = marks(row["method"] for row in rows[:MOST_DRAWN])
    # In inches: a folded name is higher than others, and must not touch the next.
    heights = [row_inches([text]) for text, _ in lines]
    size, places = (WIDTH, 1.4 + sum(heights)), row_places(heights)
    figure, grid = pyplot.subplots(1, 2, figsize=size, sharex=True, sharey=True)
    placed = [(place, row) for place, (_, row) in zip(places, lines, strict=True)]
    for axes, (name, word) in zip(grid, (("R1", "R@1"), ("mAP", "mAP")), strict=True):
        _draw_metric(axes, placed, f"{name}_difference", look)
        axes.set_xlabel(f"difference in {word} (points)")
    grid[0].set_yticks(places, [text for text, _ in lines])
    for tick, (_, row) in zip(grid[0].get_yticklabels(), lines, strict=True):
        tick.set_fontweight("normal" if row else "bold")
    grid[0].set_ylim(max(sum(heights), 0.1), 0)
    legend_below(figure, look | HOLLOW | legend_entry(any(map(_claimed_alone, rows[:MOST_DRAWN]))), ())
    more = f" · the first {MOST_DRAWN} of {len(rows)}" if len(rows) > MOST_DRAWN else ""
    more = more if rows else " · nothing to compare"
    title = f"{panel.facts['data']} · {panel.facts['dataset']} · protocol {panel.number}{more}"
    figure.suptitle(drawn(title, 90), x=0.01, ha="left", fontweight="bold")
    return figure


def _names(rows: Sequence[Row]) -> list[tuple[str, Row | None]]:
    """Return one line for each row, by its name in the suite."""
    return [(marked(drawn(row["suite_row"] or row["method"], 44), _claimed_alone(row)), row) for row in rows]


def _lines(rows: Sequence[Row]) -> list[tuple[str, Row | None]]:
    """Return the figure's lines from the top: a heading for each method and key, and below it one line a value."""
    lines: list[tuple[str, Row | None]] = []
    for before, row in zip([None, *rows], rows, strict=False):
        alone = next(iter(row["changes"].values())) if row["n_keys"] == 1 else None
        if before is None or (before["method"], before["group"]) != (row["method"], row["group"]):
            heading = f"{row['method']}: {row['group']}"
            lines.append((drawn(f"{heading} ({alone[1]})" if alone else heading, 44), None))
        short = ", ".join(f"{key.rpartition('.')[2]}={value}" for key, (value, _) in row["changes"].items())
        text = drawn(alone[0] if alone else short or SAME, 44)
        lines.append((marked(text, _claimed_alone(row)), row))
    return lines


def _claimed_alone(row: Row) -> bool:
    """Say whether a drawn difference that is significant stands on persons only."""
    return bool(row["persons_only"]) and any(
        _excludes_zero(row, f"{name}_difference") for name in ("R1", "mAP")
    )


def _excludes_zero(row: Row, name: str) -> bool:
    return bool(row[f"{name}_low"] > 0 or row[f"{name}_high"] < 0)


def _draw_metric(axes: "Axes", placed: Sequence[tuple[float, Row | None]], name: str, look: Looks) -> None:
    axes.axvline(0, color=INK, linewidth=1, zorder=1)
    for place, row in placed:
        if row is None:
            continue
        style = look[row["method"]] | ({} if _excludes_zero(row, name) else {"markerfacecolor": "white"})
        axes.errorbar(row[name], place, xerr=error_bar(row, name), capsize=2, markersize=5.5, **style)


@register
class Ablation(PanelReport):
    """Each configuration of a method against its reference."""

    title = "Ablation"
    subject_words = "Settings of"
    question = "Which settings of a method matter, and how much?"
    steps = (
        Step(
            "### Effect of settings\n\n"
            "Each method's reference, then its other configurations: in the order of the suite, else those that "
            "differ in one key, by key, then those that differ in several.",
            'report.ablation_table(panel).save("tables")',
        ),
        Step(
            "### Differences\n\n"
            "Differences to the reference, with 95 % intervals; a hollow mark's interval contains zero. Without a "
            "suite's order keys are sorted by their largest difference in R@1; the reference's value is in brackets "
            "beside a key.",
            'figure = report.draw_differences(panel)\nsave_figure(figure, f"figures/ablation-{panel.number}");',
        ),
    )
    how_to_read = (
        "The reference is the method's defaults where they were run (on a synthetic twin with the preset `tiny`), "
        "compared in the keys in which the configurations differ; else the configuration that the others differ from "
        "in the fewest keys, all counted together; in a suite it is the method's first row, and rows have the suite's "
        "order, which runs of an earlier version do not say. A row that a suite varies is the reference "
        "of its variations, and rows have the suite's names where it gives them. Settings that cannot change a result "
        "are left out; those that change the protocol (backbone, image size, selection rule, training data) have "
        "separate panels. Protocols in which each method has one configuration, a test set that few were tested on, "
        "say, are left out beside others.\n\n"
        "Each line but a reference is one comparison; the note below a table counts them. One in 20 would exclude zero "
        "by chance alone, and the largest of many differences is biased upwards. A hollow mark says that no difference "
        "was found, not that there is none. A difference in several settings says nothing about one of them.\n\n"
        "What another seed would change is estimated from all results of the table together. Where no result has "
        "several seeds nothing tells it: p and filled marks then cover identities only and carry the mark †."
    )

    @classmethod
    def select(cls, results: "DataFrame") -> "DataFrame":
        """Take the results of trained methods on the dataset that they were trained on."""
        return results[results["in_domain"].astype(bool) & (results["rule"] != UNTRAINED)]

    @classmethod
    def extend(cls, results: "DataFrame", source: Source) -> "DataFrame":
        """Leave out the protocols in which no method has two configurations, unless none has; say a suite's order."""
        return with_places(telling(results, cls.facts, _compares), source.suite)

    @classmethod
    def facts(cls, row: Row) -> Facts:
        """Fix the protocol, the training data and the dataset."""
        return dataset_facts(row)

    @classmethod
    def tables(cls, panel: Panel) -> list[Table]:
        """Return the one table."""
        return [ablation_table(panel)]

    @classmethod
    def verdict(cls, panel: Panel) -> str:
        """Say how many changes of settings matter, and which most."""
        where = where_of(panel.records)
        found = compared(panel)
        called = found.assign(change=found["suite_row"]) if have_names(found) else found
        return settings_verdict(called.to_dict("records"), where)

    @classmethod
    def gaps(cls, panels: Sequence[Panel]) -> list[Gap]:
        """Say how to begin, or that no method has two configurations."""
        if not panels:
            begin = Gap(
                "No finished run of a method that trains. A whole ablation:", (f"{COMMAND} --synthetic",)
            )
            return [begin, beginning("icfg")]
        return [_gap(panel) for panel in panels if not panel.rows["method"].duplicated().any()]


def _compares(rows: list[Row]) -> bool:
    return max(Counter(row["method"] for row in rows).values()) > 1


def _gap(panel: Panel) -> Gap:
    where = f"Protocol {panel.number}, {panel.facts['dataset']}"
    command = f"{COMMAND} --synthetic" if panel.rows["synthetic"].iloc[0] else COMMAND
    return Gap(f"{where}: one configuration of each method; an ablation needs two.", (command,))
