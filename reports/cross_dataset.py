"""How well does what is learned on one dataset transfer to another?

Rows: results of each method on its own test set and on others (`harness evaluate RUN --dataset OTHER`). The drop
compares on the same test set the method trained on that dataset with the method trained elsewhere. Pairs of datasets
that share some identities are marked, because such a transfer is easier.
"""

from collections.abc import Sequence
from math import nan
from typing import TYPE_CHECKING, Any

from harness.pages.tables import DASH, count_text, marked, row_interval
from harness.pages.theme import INK, WIDTH, Looks, drawn, error_bar, interval_ends, legend_below, marks
from harness.reporting.missing import (
    beginning,
    evaluate_command,
    floor_gap,
    sets_of,
    source_gaps,
    untested_gaps,
)
from harness.reporting.panel_report import PanelReport
from harness.reporting.protocols import base_of
from harness.reporting.verdicts.settings import transfer_verdict
from harness.reports import Gap, Step, Table, register
from harness.results.panels import Facts, Panel, protocol_facts, training_facts
from harness.results.run_table import UNTRAINED
from harness.results.seeds.seed_notes import COVERED, any_marked

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

OWN, SHARED = "‡", "§"
COLUMNS = [
    *(
        "label",
        "trained_on",
        "tested_on",
        "R1",
        "R1_low",
        "R1_high",
        "mAP",
        "mAP_low",
        "mAP_high",
        "interval",
    ),
    *("in_domain", "shares_persons", "rule", "n_seeds", "train_pairs", "batch_size", "epochs", "backbone"),
    *("image_size", "budget"),
]
DROP_COLUMNS = [
    *("label", "trained_on", "tested_on", "R1", "R1_in_domain", "drop", "drop_low", "drop_high"),
    "persons_only",
]
MATRIX_NOTES = (
    f"Text-to-image R@1 with {COVERED}; mAP in round brackets; percent. No result is in bold: significance is not "
    "tested here.",
    f"{OWN} trained and tested on the same dataset. {SHARED} persons of the real test set were met in training.",
)
_NO_ENDS = dict.fromkeys(("drop_low", "drop_high", "p"), nan)
DROP_NOTES = (
    "R@1 on a test set when trained elsewhere, minus R@1 of the same method trained on that dataset; in points, paired "
    f"per identity, with {COVERED}.",
    f"{SHARED} persons of the real test set were met in training. {DASH} no such method trained on that dataset.",
)


def lines(panel: Panel) -> "DataFrame":
    """Return one row for each line of the matrix and test set; a method that trains nothing has one line in all."""
    rows = panel.rows
    trained = rows["rule"] != UNTRAINED
    rows = rows.assign(
        trained=trained,
        trained_on=rows["trained_on"].where(trained, DASH),
        in_domain=rows["in_domain"].astype(bool) & trained,
    )
    return rows.sort_values(["trained", "label", "trained_on", "tested_on"], kind="stable", ignore_index=True)


def matrix(panel: Panel) -> Table:
    """Tabulate every method and training set on every test set."""
    from pandas import DataFrame

    rows = lines(panel)
    tests = sorted(set(rows["tested_on"]))
    grouped = rows.groupby(["label", "trained_on"], sort=False)
    return Table(
        name=f"cross_dataset-{panel.number}",
        title=f"{panel.facts['data']} · trained on a row's dataset, tested on a column's (protocol {panel.number})",
        values=rows[COLUMNS],
        cells=DataFrame([_line(part.to_dict("records"), tests) for _, part in grouped]),
        notes=(*MATRIX_NOTES, *panel.caveats()),
        n_left=2,
    )


def _line(records: Sequence[dict[Any, Any]], tests: Sequence[str]) -> dict[str, str]:
    first = records[0]
    cells = {row["tested_on"]: _cell(row) for row in records}
    trained = first["rule"] != UNTRAINED
    return {
        "method": first["label"],
        "trained on": first["trained_on"],
        **{f"on {name}": cells.get(name, DASH) for name in tests},
        "rule": first["rule"],
        "seeds": "–".join(dict.fromkeys(str(n) for n in sorted(row["n_seeds"] for row in records))),
        "pairs": count_text(first["train_pairs"]) if trained else DASH,
        "batch": count_text(first["batch_size"]) if trained else DASH,
        "backbone": f"{first['backbone']} {first['image_size']}",
        "budget": first["budget"],
    }


def _cell(row: dict[Any, Any]) -> str:
    mark = OWN if row["in_domain"] else SHARED if row["shares_persons"] and row["trained_on"] != DASH else ""
    score = f"{row['mAP']:.1f}" if row["mAP"] == row["mAP"] else DASH
    return f"{row_interval(row, 'R1')} ({score}){mark}"


def drops(panel: Panel) -> "DataFrame":
    """Return, for each transfer, the R@1 of the same method trained on the test set's own dataset, and the drop."""
    from pandas import DataFrame

    rows = lines(panel).to_dict("records")
    transfers = [row for row in rows if row["trained_on"] != DASH and not row["in_domain"]]
    return DataFrame([row | _drop(row, _at_home(row, rows), panel) for row in transfers])


def _at_home(row: dict[Any, Any], rows: Sequence[dict[Any, Any]]) -> dict[Any, Any] | None:
    """Return the same method trained on the test set's own data alone: of the same settings, or the only one."""
    own = [other for other in rows if other["trained_on"] == other["tested_on"] == row["tested_on"]]
    same = [other for other in own if other["label"] == row["label"]]
    fits = same or [other for other in own if other["method"] == row["method"]]
    return fits[0] if len(fits) == 1 else None


def _drop(row: dict[Any, Any], own: dict[Any, Any] | None, panel: Panel) -> dict[str, Any]:
    """Return what a transfer loses, paired per identity; without an interval where results per identity are missing."""
    if own is None:
        return dict.fromkeys(("R1_in_domain", "drop", "drop_low", "drop_high", "p"), nan) | {
            "persons_only": False
        }
    paired = panel.difference(row, own)
    ends = {"drop_low": paired.low, "drop_high": paired.high, "p": paired.p_value} if paired else _NO_ENDS
    drop = {"drop": row["R1"] - own["R1"], "persons_only": bool(paired and paired.persons_only)}
    return {"R1_in_domain": own["R1"], **drop, **ends}


def drop_table(panel: Panel) -> Table:
    """Tabulate the drop on each test set from training elsewhere."""
    from pandas import DataFrame

    found = drops(panel)
    tests = sorted(set(panel.rows["tested_on"]))
    parts = found.groupby(["label", "trained_on"], sort=False) if len(found) else ()
    return Table(
        name=f"drop-{panel.number}",
        title=f"{panel.facts['data']} · change of R@1 from training elsewhere, points (protocol {panel.number})",
        values=found[DROP_COLUMNS] if len(found) else DataFrame(columns=DROP_COLUMNS),
        cells=DataFrame(
            [_drop_line(part.to_dict("records"), tests) for _, part in parts],
            columns=["method", "trained on", *(f"on {name}" for name in tests)],
        ),
        notes=(*DROP_NOTES, *any_marked(found.to_dict("records")))
        if len(found)
        else ("No method is tested on a dataset other than its own yet.",),
        n_left=2,
    )


def _drop_line(records: Sequence[dict[Any, Any]], tests: Sequence[str]) -> dict[str, str]:
    cells = {
        row["tested_on"]: marked(row_interval(row, "drop"), row["persons_only"])
        + (SHARED if row["shares_persons"] and row["drop"] == row["drop"] else "")
        for row in records
    }
    first = records[0]
    shown = {f"on {name}": cells.get(name, DASH) for name in tests}
    return {"method": first["label"], "trained on": first["trained_on"], **shown}


def draw_transfer(panel: Panel) -> "Figure":
    """Draw R@1 on each test set, by training set and method, against the untrained method."""
    from matplotlib import pyplot

    rows = lines(panel)
    tests, sources = sorted(set(rows["tested_on"])), sorted(set(rows["trained_on"]) - {DASH})
    look = marks(rows.loc[rows["trained_on"] != DASH, "label"])
    height = 1.5 + 0.3 * max(len(sources), 1) * max(len(look), 1) ** 0.7
    figure, grid = pyplot.subplots(
        1, len(tests), figsize=(WIDTH, height), sharex=True, sharey=True, squeeze=False
    )
    for axes, test in zip(grid[0], tests, strict=True):
        _draw_test(axes, rows[rows["tested_on"] == test], test, sources, look)
    grid[0][0].set_yticks(range(len(sources)), [drawn(name, 20) for name in sources])
    grid[0][0].set_ylim(len(sources) - 0.5, -0.5)
    grid[0][0].set_ylabel("trained on")
    legend_below(figure, look, rows.loc[rows["trained_on"] == DASH, "label"])
    figure.suptitle(f"{panel.facts['data']} · protocol {panel.number}", x=0.01, ha="left", fontweight="bold")
    return figure


def _draw_test(axes: "Axes", rows: "DataFrame", test: str, sources: Sequence[str], look: Looks) -> None:
    """Draw one test set: the band is where training and test set are the same, the line the untrained method."""
    names = list(look)
    for row in rows.to_dict("records"):
        if row["trained_on"] == DASH:
            axes.axvline(row["R1"], color=INK, linestyle="--", linewidth=1, zorder=1)
            axes.axvspan(*interval_ends(row), color=INK, alpha=0.07, linewidth=0)
            continue
        shift = 0.6 * ((names.index(row["label"]) + 0.5) / len(names) - 0.5)
        place = sources.index(row["trained_on"]) + shift
        axes.errorbar(row["R1"], place, xerr=error_bar(row), capsize=2, markersize=5.5, **look[row["label"]])
    if test in sources:
        axes.axhspan(sources.index(test) - 0.45, sources.index(test) + 0.45, color="#EFEFEF", zorder=0)
    axes.set_title(f"tested on {drawn(test, 20)}")
    axes.set_xlabel("R@1 (%)")
    axes.grid(axis="y", visible=False)


@register
class CrossDataset(PanelReport):
    """The matrix of training and test sets, and the drop from in-domain."""

    title = "Cross-dataset transfer"
    subject_words = "Transfer of"
    question = "How well does what a method learns on one dataset transfer to another?"
    steps = (
        Step(
            "### Training and test sets\n\nEvery method and training set on every test set.",
            'report.matrix(panel).save("tables")',
        ),
        Step(
            "### Drops\n\nThe drop in R@1 on a test set from training elsewhere, in points.",
            'report.drop_table(panel).save("tables")',
        ),
        Step(
            "### Figure\n\n"
            "Bars are 95 % intervals; in the grey band training and test set are the same; the dashed line is a "
            "method that trains nothing.",
            'figure = report.draw_transfer(panel)\nsave_figure(figure, f"figures/cross_dataset-{panel.number}");',
        ),
    )
    how_to_read = (
        "Galleries differ in size, so figures on different test sets are not comparable; a drop compares results on "
        "one test set. A few datasets say nothing about datasets in general."
    )

    @classmethod
    def select(cls, results: "DataFrame") -> "DataFrame":
        """Take all results on pictures as they are: what reducing them costs is in the report `protocols`."""
        whole = [row["tested_on"] == base_of(row) for row in results.to_dict("records")]
        return results[whole] if len(results) else results

    @classmethod
    def facts(cls, row: dict[str, Any]) -> Facts:
        """Fix the protocol, and the data of each training set."""
        return protocol_facts(row) | training_facts(row)

    @classmethod
    def tables(cls, panel: Panel) -> list[Table]:
        """Return matrix and drops."""
        return [matrix(panel), drop_table(panel)]

    @classmethod
    def verdict(cls, panel: Panel) -> str:
        """Say in how many transfers R@1 is lower."""
        return transfer_verdict(drops(panel).to_dict("records"), bool(panel.records[0]["synthetic"]))

    @classmethod
    def gaps(cls, panels: Sequence[Panel]) -> list[Gap]:
        """Name untested pairs, a missing floor and missing training sets."""
        return (
            [gap for panel in panels for gap in _panel_gaps(panel)] if panels else [beginning("icfg", "cuhk")]
        )


def _panel_gaps(panel: Panel) -> list[Gap]:
    tests = sets_of(panel)
    found = [*untested_gaps(panel, tests), *floor_gap(panel, tests[0]), *source_gaps(panel, tests)]
    if len(tests) < 2:
        what = f"Protocol {panel.number}: one dataset; a transfer needs two."
        own = [row["runs"][0] for row in panel.records if not row.get("scored")]
        found.append(Gap(what, tuple(evaluate_command(run, ["OTHER"]) for run in own[:1])))
    return found
