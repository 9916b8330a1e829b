"""What does each method lose or gain where the protocol is not the usual one?

Rows: results on datasets that a method learned from, of each setting that was also trained or tested otherwise: tested
on a gallery of reduced pictures (`harness evaluate --gallery`), trained on captions of which some are with another
image (`dataset.noise`), on few persons (`dataset.few_shot_persons`), or on several datasets at once; and the same
setting under the usual protocol. Methods that train nothing are the floor.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.pages.tables import count_text, p_text, row_interval
from harness.pages.theme import INK, WIDTH, drawn, error_bar, interval_ends, legend_below, marks
from harness.reporting.display_names import data_name
from harness.reporting.panel_report import PanelReport
from harness.reporting.protocols import (
    USUAL,
    base_of,
    changes_of,
    is_of_protocol,
    missing_commands,
    protocol_words,
    setting_command,
    setting_of,
)
from harness.reporting.published.settings import preset_of
from harness.reporting.verdicts.settings import protocols_verdict
from harness.reports import Gap, Source, Step, Table, register
from harness.results.flags import NO, OF_PROTOCOL
from harness.results.labels import line_names
from harness.results.panels import Facts, Panel, on_own_dataset, protocol_facts
from harness.results.run_table import UNTRAINED
from harness.results.seeds.seed_notes import COVERED
from harness.results.to_reference import differences

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

Row = dict[Any, Any]
SUITES = ("gallery_resolution", "noisy_correspondence", "few_persons", "joint_training")
METRICS, ENDS = ("R1", "mAP"), ("", "_low", "_high")
COLUMNS = [
    *("line", "protocol_words", "trained_on", "tested_on", "train_pairs"),
    *(name + end for name in METRICS for end in ENDS),
    *(f"{name}_difference{end}" for name in METRICS for end in ENDS),
    *("p", "persons_only", "interval", "n_seeds", "rule", "budget", "condition"),
]
NOTES = (
    f"Text to image, in percent with {COVERED}. Differences in points to the same setting under the usual protocol, "
    "paired per identity on the same captions; their intervals cover the same. p: of no difference in R@1, not "
    "adjusted for the number of comparisons.",
    "Usual: pictures as they are, each training caption with its own image, all training persons, one training set. "
    "Which persons, captions and pictures are chosen follows from a seed of its own; no interval covers that choice.",
)


def lines(panel: Panel) -> "DataFrame":
    """Return one row for each setting and protocol, the best setting first, with differences to the usual protocol."""
    from pandas import DataFrame

    names = line_names(panel.records)
    rows: list[Row] = [row | {"line": name} for row, name in zip(panel.records, names, strict=True)]
    usual = {row["setting"]: row for row in rows if row["protocol_words"] == USUAL}
    found = [row | differences(row, _other(row, usual), panel, METRICS) for row in rows]
    best = {
        row["setting"]: row["R1"]
        for row in sorted(rows, key=lambda row: (row["protocol_words"] == USUAL, row["R1"]))
    }
    found.sort(
        key=lambda row: (row["rule"] == UNTRAINED, -best[row["setting"]], row["line"], row["protocol_place"])
    )
    return DataFrame(found)


def _other(row: Row, usual: dict[str, Row]) -> Row | None:
    """Return the same setting under the usual protocol; None for that itself, and where it is missing."""
    return None if row["protocol_words"] == USUAL else usual.get(row["setting"])


def protocols_table(panel: Panel) -> Table:
    """Tabulate every setting under every protocol, with its difference to the usual one."""
    from pandas import DataFrame

    rows = lines(panel)
    records = rows.to_dict("records")
    return Table(
        name=f"protocols-{panel.number}",
        title=f"{panel.facts['data']} · {panel.facts['dataset']}: other protocols (protocol {panel.number})",
        values=rows[COLUMNS],
        cells=DataFrame([_cells(row) for row in records]),
        notes=(*NOTES, *panel.caveats()),
        n_left=2,
    )


def _cells(row: Row) -> dict[str, str]:
    return {
        "method": row["line"],
        "protocol": row["protocol_words"],
        "pairs": count_text(row["train_pairs"] if row["rule"] != UNTRAINED else None),
        "R@1 [95 %]": row_interval(row, "R1"),
        "mAP [95 %]": row_interval(row, "mAP"),
        "difference in R@1": row_interval(row, "R1_difference"),
        "difference in mAP": row_interval(row, "mAP_difference"),
        "p": p_text(row["p"], row["persons_only"]),
        "seeds": str(row["n_seeds"]),
    }


def draw_protocols(panel: Panel) -> "Figure":
    """Draw R@1 under each protocol, by setting, against the methods that train nothing under the usual one."""
    from matplotlib import pyplot

    rows = lines(panel)
    floors = rows[(rows["rule"] == UNTRAINED) & (rows["protocol_words"] == USUAL)]
    others = set(rows["setting"]) - set(floors["setting"]) | set(
        rows.loc[rows["protocol_words"] != USUAL, "setting"]
    )
    shown = rows[rows["setting"].isin(others)].to_dict("records")
    look = marks(row["line"] for row in shown)
    protocols = list(
        dict.fromkeys(row["protocol_words"] for row in sorted(shown, key=lambda row: row["protocol_place"]))
    )
    height = 1.5 + 0.22 * len(protocols) * max(len(look), 1) ** 0.7 + 0.15 * len(protocols)
    figure, axes = pyplot.subplots(figsize=(WIDTH, height))
    for row in shown:
        shift = 0.7 * ((list(look).index(row["line"]) + 0.5) / len(look) - 0.5)
        place = protocols.index(row["protocol_words"]) + shift
        axes.errorbar(row["R1"], place, xerr=error_bar(row), capsize=2, markersize=5.5, **look[row["line"]])
    for floor in floors.to_dict("records"):
        axes.axvline(floor["R1"], color=INK, linestyle="--", linewidth=1, zorder=1)
        axes.axvspan(*interval_ends(floor), color=INK, alpha=0.07, linewidth=0)
    if protocols[:1] == [USUAL]:
        axes.axhspan(-0.5, 0.5, color="#EFEFEF", zorder=0)
    axes.set_yticks(range(len(protocols)), [drawn(name, 26) for name in protocols])
    axes.set_ylim(len(protocols) - 0.5, -0.5)
    axes.set_xlabel("text-to-image R@1 (%)")
    axes.grid(axis="y", visible=False)
    legend_below(figure, look, (f"{name}, usual" for name in floors["line"]))
    title = f"{panel.facts['data']} · {panel.facts['dataset']} · protocol {panel.number}"
    figure.suptitle(drawn(title, 110), x=0.01, ha="left", fontweight="bold")
    return figure


@register
class Protocols(PanelReport):
    """Results under other protocols beside those of the same settings under the usual one."""

    title = "Other protocols"
    subject_words = "Other protocols:"
    question = "What does each method lose or gain where the protocol is not the usual one?"
    steps = (
        Step(
            "### Protocols\n\nEvery setting under each protocol, the usual one first.",
            'report.protocols_table(panel).save("tables")',
        ),
        Step(
            "### Figure\n\n"
            "Bars are 95 % intervals; in the grey band the protocol is the usual one; the dashed line is a method that "
            "trains nothing, under the usual protocol.",
            'figure = report.draw_protocols(panel)\nsave_figure(figure, f"figures/protocols-{panel.number}");',
        ),
    )
    how_to_read = (
        "A difference compares a setting with itself on the same captions and persons, so it is known better than "
        "either result. With the same number of epochs fewer persons mean fewer steps, and several datasets mean more. "
        "Results under different protocols never share a table of the other reports."
    )

    @classmethod
    def select(cls, rows: "DataFrame") -> "DataFrame":
        """Take the settings that have a result under another protocol, and untrained methods beside them."""
        own = on_own_dataset(rows)
        own = own[~own["scored"].astype(bool)] if "scored" in own else own
        if not len(own):
            return own
        settings, other = own.apply(setting_of, axis=1), own.apply(is_of_protocol, axis=1)
        kept = settings.isin(set(settings[other]))
        places = own.apply(lambda row: f"{base_of(row)}|{row['synthetic']}|{row['backbone']}", axis=1)
        floor = (own["rule"] == UNTRAINED) & ~other & places.isin(set(places[kept]))
        return own[kept | floor]

    @classmethod
    def extend(cls, results: "DataFrame", source: Source) -> "DataFrame":
        """Add setting, protocol, preset, and departures from it."""
        records = results.to_dict("records")
        presets = [preset_of(row) for row in records]
        order = sorted({tuple(changes_of(row)) for row in records})
        columns: dict[str, Any] = {
            "setting": [setting_of(row) for row in records],
            "protocol_words": (words := [protocol_words(row) for row in records]),
            "apart": ["" if said == USUAL else said for said in words],
            "protocol_place": [order.index(tuple(changes_of(row))) for row in records],
            "preset": [name for name, _ in presets],
            "departures": [_own(departures) for _, departures in presets],
        }
        return results.assign(**columns)

    @classmethod
    def facts(cls, row: Row) -> Facts:
        """Fix the test set, the backbone and the rule, but not what the report varies."""
        base = base_of(row)
        return protocol_facts(row | dict.fromkeys(OF_PROTOCOL, NO) | {"tested_on": base}) | {"dataset": base}

    @classmethod
    def tables(cls, panel: Panel) -> list[Table]:
        """Return the one table."""
        return [protocols_table(panel)]

    @classmethod
    def verdict(cls, panel: Panel) -> str:
        """Say under how many other protocols R@1 is lower, and where most."""
        where = data_name(panel.facts["dataset"], bool(panel.records[0]["synthetic"]))
        return protocols_verdict(
            [row for row in lines(panel).to_dict("records") if row["protocol_words"] != USUAL], where
        )

    @classmethod
    def gaps(cls, panels: Sequence[Panel]) -> list[Gap]:
        """Name settings that lack the usual protocol, or one that another setting has."""
        if not panels:
            what = "No finished run under another protocol than the usual one. Whole comparisons:"
            return [Gap(what, tuple(f"harness suite run {name} --synthetic" for name in SUITES))]
        return [gap for panel in panels for gap in _panel_gaps(panel)]


def _own(departures: Mapping[str, str]) -> dict[str, str]:
    """Return the departures from a preset that are not about data."""
    return {key: value for key, value in departures.items() if not key.startswith("dataset.")}


def _panel_gaps(panel: Panel) -> list[Gap]:
    rows = lines(panel)
    where, dataset = f"Protocol {panel.number}, {panel.facts['dataset']}", str(panel.facts["dataset"])
    others = {row["protocol_words"]: row for row in rows.to_dict("records") if row["protocol_words"] != USUAL}
    found = []
    for line, part in rows.groupby("line", sort=False):
        records = part.to_dict("records")
        known = {row["protocol_words"] for row in records}
        if USUAL not in known:
            what = f"{where}: {line} has no result under the usual protocol, to which differences are taken."
            found.append(Gap(what, (setting_command(records[0], dataset),)))
        if known == {USUAL} and records[0]["rule"] == UNTRAINED:
            continue
        for words in (words for words in others if words not in known):
            commands = missing_commands(records[0], others[words])
            if commands:
                found.append(Gap(f"{where}: {line} lacks a result under this protocol: {words}.", commands))
    return found
