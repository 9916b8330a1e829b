"""Which method is best on a dataset, and which differences are significant?

Rows: results on the dataset that a method was trained on, and untrained methods. A rank is an interval: any two
results are compared per identity, all p-values are adjusted for the number of pairs (Holm), and a result's rank is
between those that are significantly better and those that are significantly worse. Results without per-query results
are in the table and have no rank.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.evaluate.per_identity import persons_key
from harness.pages.escaping import visible
from harness.pages.tables import DASH, marked, p_text, row_interval
from harness.pages.theme import COLOURS, INK, WIDTH, drawn, error_bar, interval_ends, row_inches
from harness.reporting.conditions import (
    conditions,
    counted,
    fairness_notes,
    points_text,
    rank_notes,
    test_set_name,
)
from harness.reporting.missing import beginning, floor_gap, rival_gap
from harness.reporting.panel_report import PanelReport
from harness.reporting.verdicts.ranking import ranking_verdict
from harness.reporting.verdicts.titles import where_of
from harness.reports import Gap, Step, Table, register
from harness.results.method_ranks import (
    DIFFERENCE,
    LEADER,
    LEVEL,
    MOST_DRAWN,
    MOST_PAIRED,
    SCORES,
    Row,
    pairs,
    rank_text,
    ranked,
    row_rank,
)
from harness.results.panels import Facts, Panel, dataset_facts, on_own_dataset
from harness.results.run_table import UNTRAINED
from harness.results.seeds.seed_notes import COVERED, MARK_WORDS, any_marked

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

COLUMNS = [
    "rank_low",
    "rank_high",
    "rank_persons_only",
    "place",
    "label",
    "tested_on",
    *SCORES,
    *DIFFERENCE,
    "persons_only",
    "interval",
    "n_seeds",
]
NOTES = (
    f"Text to image, in percent with {COVERED}. No result is in bold: the rank shows which differences are "
    "significant.",
)


def leaderboard(panel: Panel) -> Table:
    """Tabulate ranks, scores and the difference to the leader."""
    from pandas import DataFrame

    rows = ranked(panel)
    return Table(
        name=f"leaderboard-{panel.number}",
        title=f"{test_set_name(panel)}: ranks (protocol {panel.number})",
        values=rows[COLUMNS],
        cells=DataFrame([_cells(row) for row in rows.to_dict("records")]),
        notes=(*NOTES, *rank_notes(rows), *fairness_notes(rows), *panel.caveats()),
        n_left=3,
    )


def _cells(row: Row) -> dict[str, str]:
    return {
        "rank": row_rank(row),
        "method": visible(row["label"]),
        "place": marked(row["place"], row["rank_persons_only"]),
        "R@1 [95 %]": row_interval(row, "R1"),
        "R@5 [95 %]": row_interval(row, "R5"),
        "R@10 [95 %]": row_interval(row, "R10"),
        "mAP [95 %]": row_interval(row, "mAP"),
        "R@1 difference to leader": LEADER if row["leads"] else row_interval(row, "difference"),
        "p (Holm)": p_text(row["p_holm"], row["persons_only"]),
        "detectable": points_text(row["detectable"]),
    }


def pair_table(panel: Panel) -> Table:
    """Tabulate how much better each of the best results is than those below it, greyed where not significant."""
    from pandas import DataFrame

    rows, found = panel.rows, pairs(panel)
    lines = found[found["other_place"] <= MOST_PAIRED].to_dict("records")
    n = min(len(rows), MOST_PAIRED)
    labels = dict(enumerate(ranked(panel)["label"].head(n), start=1))
    upper = [[DASH if i < j else "" for j in range(2, n + 1)] for i in range(1, n)]
    cells = DataFrame(upper, index=range(1, n), columns=range(2, n + 1))
    for line in lines:
        cells.loc[line["place"], line["other_place"]] = _pair_cell(line)
    cells = cells.rename(columns=str)
    cells.insert(0, "method", [f"{place} {visible(labels[place])}" for place in cells.index])
    more = f"The best {n} of {len(rows)} results; the CSV has all pairs. " if len(rows) > n else ""
    below = f"Column {n} is {labels[n]}. " if n > 1 else "One result: there is no pair. "
    return Table(
        name=f"pairs-{panel.number}",
        title=f"{test_set_name(panel)}: difference in R@1, row minus column (protocol {panel.number})",
        values=found,
        cells=cells,
        notes=(
            f"{more}{below}Columns are the rows' numbers. Points, with p in brackets, adjusted for "
            f"{counted(len(found), 'pair')} (Holm). Greyed: not significantly different at 5 %.",
            *any_marked(found.to_dict("records")),
        ),
        faint_cells=frozenset(
            (line["place"] - 1, line["other_place"] - 1) for line in lines if not line["p_holm"] <= 1 - LEVEL
        ),
    )


def _pair_cell(row: Row) -> str:
    if row["difference"] != row["difference"]:
        return DASH
    return f"{row['difference']:+.1f} ({p_text(row['p_holm'], row['persons_only'])})".replace("-", "−")


def draw_ranks(panel: Panel) -> "Figure":
    """Draw R@1 and mAP with their intervals, best first; filled marks: no result is significantly better."""
    from matplotlib import pyplot

    rows: list[Row] = ranked(panel).head(MOST_DRAWN).to_dict("records")
    names = [drawn(row["label"], 42) for row in rows]
    height = 1.5 + row_inches(names) * len(rows)
    figure, grid = pyplot.subplots(1, 2, figsize=(WIDTH, height), sharey=True)
    for axes, (name, word) in zip(grid, (("R1", "R@1"), ("mAP", "mAP")), strict=True):
        _draw_metric(axes, rows, name)
        axes.set_xlabel(f"text-to-image {word} (%)")
    grid[0].set_yticks(range(len(rows)), names)
    grid[0].set_ylim(len(rows) - 0.4, -0.6)
    _write_ranks(grid[1], rows)
    n_all = len(panel.records)
    more = f" · the best {MOST_DRAWN} of {n_all}" if n_all > MOST_DRAWN else ""
    figure.suptitle(
        drawn(f"{test_set_name(panel)} · protocol {panel.number}{more}", 90),
        x=0.01,
        ha="left",
        fontweight="bold",
    )
    _explain(figure, rows)
    return figure


def _draw_metric(axes: "Axes", rows: Sequence[Row], name: str) -> None:
    for place, row in enumerate(rows):
        first = row["rank_low"] == 1
        if first:
            axes.axhspan(place - 0.5, place + 0.5, color="#EFEFEF", linewidth=0, zorder=0)
        if row["rule"] == UNTRAINED:
            axes.axvline(row[name], color=INK, linestyle="--", linewidth=1, zorder=1)
            axes.axvspan(*interval_ends(row, name), color=INK, alpha=0.07, linewidth=0)
        style: dict[str, Any] = {"color": COLOURS[0], "marker": "o", "markersize": 6, "capsize": 2}
        style |= {} if first else {"markerfacecolor": "white"}
        axes.errorbar(row[name], place, xerr=error_bar(row, name), **style)
    axes.grid(axis="y", visible=False)


def _write_ranks(axes: "Axes", rows: Sequence[Row]) -> None:
    """Write each result's rank beside the figure."""
    side = axes.secondary_yaxis("right")
    places = [f", {row['place']}" if row["rank_low"] == 1 else "" for row in rows]
    words = [
        f"{rank_text(row['rank_low'], row['rank_high'])}{place}"
        for row, place in zip(rows, places, strict=True)
    ]
    side.set_yticks(range(len(rows)), map(marked, words, (row["rank_persons_only"] for row in rows)))
    side.tick_params(length=0)
    side.set_ylabel("rank")


def _explain(figure: "Figure", rows: Sequence[Row]) -> None:
    from matplotlib.lines import Line2D

    mark: dict[str, Any] = {"linestyle": "", "marker": "o", "color": COLOURS[0]}
    handles = [
        Line2D([], [], label="none is significantly better", **mark),
        Line2D([], [], label="significantly not first, or not ranked", markerfacecolor="white", **mark),
    ]
    if any(row["rule"] == UNTRAINED for row in rows):
        handles.append(Line2D([], [], label="untrained", color=INK, linestyle="--", linewidth=1))
    if any(row["rank_persons_only"] for row in rows):
        handles.append(Line2D([], [], label=MARK_WORDS, linestyle=""))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 3))


@register
class Leaderboard(PanelReport):
    """Ranks as intervals, scores, and the differences of all pairs."""

    title = "Leaderboard"
    question = "Which method is best on a dataset, and which differences are significant?"
    steps = (
        Step(
            "### Ranks and scores\n\n"
            "Best first. A rank is an interval, because results that are not significantly different have no order. "
            "Results are tied for first where no other is significantly better. The mark † stands where another seed "
            "may order otherwise.",
            'report.leaderboard(panel).save("tables")',
        ),
        Step(
            "### R@1 and mAP\n\n"
            "Intervals are 95 %. Filled marks on a grey band: no result is significantly better. The dashed line and "
            "its band are a method that trains nothing.",
            'figure = report.draw_ranks(panel)\nsave_figure(figure, f"figures/leaderboard-{panel.number}");',
        ),
        Step(
            "### Conditions\n\nWhat the intervals consist of, and the conditions of each result.",
            'report.conditions(panel).save("tables")',
        ),
        Step("### Pairs\n\nAll pairs of results.", 'report.pair_table(panel).save("tables")'),
    )
    how_to_read = (
        "The ranks hold simultaneously: in at least 95 of 100 such tables every rank is within its interval. Being "
        "tied for first does not prove equality; the column `detectable` says how large a difference to the leader "
        "would likely have been found. Two intervals of R@1 may overlap while the paired difference is significant, "
        "because both results are measured on the same identities.\n\n"
        "What another seed would change is estimated from all results of the table together, and of a result with one "
        "seed, too. Where no result has several seeds nothing tells it: ranks and p-values then cover identities only "
        "and carry the mark †. Comparing a method tuned in many trials with an untuned one is not fair; the budget is "
        "in the table of conditions. The gallery is fixed: nothing is said about other galleries or other datasets."
    )

    @classmethod
    def select(cls, rows: "DataFrame") -> "DataFrame":
        """Take the results on the dataset that a method was trained on, and all of one that trains nothing."""
        return on_own_dataset(rows)

    @classmethod
    def facts(cls, row: dict[str, Any]) -> Facts:
        """Fix the protocol, the training data and the dataset."""
        return dataset_facts(row)

    @classmethod
    def tables(cls, panel: Panel) -> list[Table]:
        """Return ranks, conditions and pairs."""
        return [leaderboard(panel), conditions(panel), pair_table(panel)]

    @classmethod
    def verdict(cls, panel: Panel) -> str:
        """Say who is best and whom that beats."""
        rows, found = (frame.to_dict("records") for frame in (ranked(panel), pairs(panel)))
        return ranking_verdict(rows, found, where_of(panel.records))

    @classmethod
    def gaps(cls, panels: Sequence[Panel]) -> list[Gap]:
        """Name a missing floor, a missing rival and results that are not known per identity."""
        return [gap for panel in panels for gap in _panel_gaps(panel)] if panels else [beginning("icfg")]


def _panel_gaps(panel: Panel) -> list[Gap]:
    dataset = panel.facts["dataset"]
    unranked = [_unranked(row) for row in panel.records if persons_key(row) not in panel.persons]
    return [*floor_gap(panel, dataset), *rival_gap(panel, dataset, "leaderboard"), *unranked]


def _unranked(row: Row) -> Gap:
    what = (
        f"{row['label']} on {row['tested_on']}: the per-query results of some seed are missing, or its seeds were "
        "tested on different queries; so it has no rank."
    )
    return Gap(what, ("harness runs sync --all",))
