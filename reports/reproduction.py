"""How do the results compare with the published ones?

Rows: all results of the harness, each compared with the published figures of the same method, training and test set
(`harness/suites/published/`; with `--suite`, only the tables that the suite names). A published figure is taken as
exact. Where the two protocols differ in anything that is known, the row says so: such a difference is no failed
reproduction. Results on synthetic twins are never compared with published figures.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.metric_names import METRIC_NAMES, METRICS
from harness.pages.escaping import visible
from harness.pages.tables import DASH, marked, row_interval
from harness.pages.theme import COLOURS, WIDTH, drawn, error_bar, row_inches
from harness.reporting.missing import beginning
from harness.reporting.panel_report import PanelReport
from harness.reporting.published.matches import (
    CHOSEN,
    OTHER,
    OWN,
    PARTLY,
    SAME,
    SCORES,
    Row,
    against,
    compared,
    counterparts,
    is_twin,
    ordered,
    published_tables,
    with_published,
)
from harness.reporting.published.missing import cell_text, missing, printed
from harness.reporting.published.protocols import (
    EXACT,
    OTHERS,
    TWIN,
    other_protocols,
    published_table,
    result_names,
)
from harness.reporting.verdicts.published import reproduction_verdict
from harness.reporting.verdicts.titles import places_of
from harness.reports import Contents, Gap, Source, Step, Table, register
from harness.results.panels import Facts, Panel, protocol_facts, training_facts
from harness.results.run_table import UNTRAINED
from harness.results.seeds.over_seeds import PERSONS_ONLY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

MOST_DRAWN = 48
SHAPES = {SAME: "D", PARTLY: "^", OTHER: "s"}
HOLLOW: dict[str, Any] = {"linestyle": "", "markerfacecolor": "none", "markeredgecolor": COLOURS[1]}


def results_table(panel: Panel) -> Table:
    """Tabulate results against published figures; on a synthetic twin the results alone."""
    return _own_table(panel) if is_twin(panel) else _difference_table(panel)


def _own_table(panel: Panel) -> Table:
    from pandas import DataFrame

    rows = ordered(panel)
    return Table(
        name=f"reproduction-{panel.number}",
        title=f"{panel.facts['data']} · results without published ones (protocol {panel.number})",
        values=DataFrame(rows)[[*OWN, *SCORES]],
        cells=DataFrame([_own_line(row) for row in rows]),
        notes=(TWIN, *panel.caveats()),
        n_left=2,
    )


def _own_line(row: Row) -> dict[str, str]:
    who = {"method": visible(row["label"]), "dataset": cell_text(row)}
    scores = {f"{METRIC_NAMES[name]} [95 %]": row_interval(row, name) for name in METRICS}
    return who | scores | {"rule": row["rule"], "seeds": str(row["n_seeds"]), "budget": row["budget"]}


def _difference_table(panel: Panel) -> Table:
    from pandas import DataFrame

    rows = compared(panel)
    notes = (EXACT, OTHERS, *_epoch_notes(rows)) if rows else ()
    return Table(
        name=f"reproduction-{panel.number}",
        title=f"{panel.facts['data']} · results vs. published ones (protocol {panel.number})",
        values=DataFrame(rows),
        cells=DataFrame([_difference_line(row, name) for row in rows for name in METRICS]),
        notes=(*notes, *_alone_notes(panel), *panel.caveats()),
        n_left=4,
    )


def _difference_line(row: Row, name: str) -> dict[str, str]:
    """Return the line of one metric; only the first line of a result names method, dataset and source."""
    shown = name == METRICS[0]
    differing = f": {row['differing']}" * bool(row["differing"])
    lies = row[f"{name}_lies"] or DASH
    return {
        "method": visible(row["label"]) * shown,
        "dataset": cell_text(row) * shown,
        "published as": visible(row["published_as"]) * shown,
        "metric": METRIC_NAMES[name],
        "published": printed(row[f"{name}_published"]),
        "here [95 %]": row_interval(row, name),
        "difference": row_interval(row, f"{name}_less"),
        "published is": marked(lies, lies in ("below", "above") and row["interval"] == PERSONS_ONLY),
        "protocol": f"{row['protocol']}{differing}",
    }


def _epoch_notes(rows: Sequence[Row]) -> list[str]:
    """Say for which rows the epoch was chosen in the same way, and for which it was not."""
    trained = [row for row in rows if row["rule"] != UNTRAINED]
    same = [row for row in trained if row["rule"] == row["published_rule"]]
    flattered = [row for row in trained if row["rule"] != "oracle" and row["published_rule"] == "oracle"]
    notes = []
    if same:
        how = " and ".join(dict.fromkeys(CHOSEN[row["rule"]] for row in same))
        notes.append(f"Epoch {how} in both, so in that respect the difference is fair: {result_names(same)}.")
    if flattered:
        notes.append(
            "Published with the best epoch on the test set, which is biased upwards, unlike the results here: "
            f"{result_names(flattered)}. A run with the rule oracle is fair in that respect, in a separate protocol."
        )
    return notes


def _alone_notes(panel: Panel) -> list[str]:
    """Name the results without a published row."""
    alone = [row for row in ordered(panel) if not row["published"]]
    return [f"Without a published counterpart: {result_names(alone)}."] if alone else []


def draw_reproduction(panel: Panel) -> "Figure":
    """Draw results with their intervals and, hollow, the published figures; on a synthetic twin the results alone."""
    from matplotlib import pyplot

    twin = is_twin(panel)
    rows = [row for row in ordered(panel) if twin or row["published"]] or ordered(panel)
    shown = rows[:MOST_DRAWN]
    marks = [[] if twin else [against(row, one) for one in row["published"]] for row in shown]
    names = [drawn(f"{row['label']} · {cell_text(row)}", 44) for row in shown]
    height = 1.6 + row_inches(names) * len(shown)
    figure, grid = pyplot.subplots(1, 2, figsize=(WIDTH, height), sharey=True)
    for axes, name in zip(grid, ("R1", "mAP"), strict=True):
        _draw_metric(axes, shown, marks, name)
    grid[0].set_yticks(range(len(shown)), names)
    grid[0].set_ylim(len(shown) - 0.4, -0.6)
    more = f" · the first {MOST_DRAWN} of {len(rows)}" if len(rows) > MOST_DRAWN else ""
    alone = " · results only: twins have no published counterpart" if twin else ""
    title = f"{panel.facts['data']} · protocol {panel.number}{more}{alone}"
    figure.suptitle(drawn(title, 110), x=0.01, ha="left", fontweight="bold")
    _legend(figure, {one["protocol"] for line in marks for one in line})
    return figure


def _draw_metric(axes: "Axes", rows: Sequence[Row], marks: Sequence[Sequence[Row]], name: str) -> None:
    for place, (row, published) in enumerate(zip(rows, marks, strict=True)):
        style: dict[str, Any] = {"color": COLOURS[0], "marker": "o", "markersize": 5.5, "capsize": 2}
        axes.errorbar(row[name], place, xerr=error_bar(row, name), **style)
        for one in published:
            mark: dict[str, Any] = HOLLOW | {"marker": SHAPES[one["protocol"]]}
            axes.plot(one[f"{name}_published"], place, markersize=7, **mark)
    axes.set_xlabel(f"text-to-image {METRIC_NAMES[name]} (%)")


def _legend(figure: "Figure", protocols: set[str]) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], linestyle="", marker="o", color=COLOURS[0], label="here, with 95 % interval")]
    handles += [
        Line2D([], [], marker=SHAPES[name], label=f"published, {words}", **HOLLOW)
        for name, words in ((SAME, "same protocol"), (PARTLY, "protocol partly unknown"), (OTHER, OTHER))
        if name in protocols
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


@register
class Reproduction(PanelReport):
    """Each result against the published figures of its method, and how their protocols differ."""

    title = "Reproduction"
    subject_words = "Published and reproduced:"
    question = "How do the results compare with the published ones?"
    steps = (
        Step(
            "### Results and published figures\n\n"
            "Each result beside its published counterparts, and whether their protocols are the same. Results on "
            "synthetic twins have no counterpart.",
            'report.results_table(panel).save("tables")',
        ),
        Step(
            "### Published protocols\n\nHow the published results were obtained.",
            'report.published_table(panel).save("tables")',
        ),
        Step(
            "### Figure\n\n"
            "Filled: results with 95 % intervals. Hollow: published figures; their shape says whether the protocols "
            "are the same.",
            "figure = report.draw_reproduction(panel)\n"
            'save_figure(figure, f"figures/reproduction-{panel.number}");',
        ),
    )
    how_to_read = (
        "A published figure is one number, mostly of one seed and of the best epoch on the test set; it is taken as "
        "exact here, so an interval of a difference covers only the harness's identities and seeds and is too short "
        "to that extent. `within` does not prove a reproduction where the interval is wide, and `below` or `above` do "
        "not prove a failed one where the protocols differ: the column `protocol` names the known differences, and "
        "settings that differ from the method's defaults and from its preset `released` count as different.\n\n"
        "Where nothing tells what another seed of a result would change, its interval covers identities only, and "
        "`below` and `above` carry the mark †. Figures that could not be found in print are left empty, never "
        "estimated. Results on synthetic twins are never compared with published figures."
    )

    @classmethod
    def select(cls, rows: "DataFrame") -> "DataFrame":
        """Take all results."""
        return rows

    @classmethod
    def extend(cls, results: "DataFrame", source: Source) -> "DataFrame":
        """Add to each result its published rows, and the settings it changes."""
        return with_published(results, counterparts(published_tables(source.suite)))

    @classmethod
    def facts(cls, row: dict[str, Any]) -> Facts:
        """Fix the protocol, and the data of each training set."""
        return protocol_facts(row) | training_facts(row)

    @classmethod
    def tables(cls, panel: Panel) -> list[Table]:
        """Return the results and what is published."""
        return [results_table(panel), published_table(panel)]

    @classmethod
    def verdict(cls, panel: Panel) -> str:
        """Say where published figures lie beside the results."""
        where = places_of(panel.records)
        return reproduction_verdict(compared(panel), len(panel.records), is_twin(panel), where)

    @classmethod
    def gather(cls, source: Source, data: Path) -> Contents:
        """Read the results; name the published ones that nothing was run for, unless all is about twins."""
        contents, panels = super().gather(source, data), cls.panels(data)
        if not panels or not all(is_twin(panel) for panel in panels):
            known = counterparts(published_tables(source.suite))
            contents.gaps += missing(known, panels, source.datasets)
        return contents

    @classmethod
    def gaps(cls, panels: Sequence[Panel]) -> list[Gap]:
        """Name published results for which there are only other protocols; without results: how to begin."""
        return other_protocols(panels) if panels else [beginning("icfg")]
