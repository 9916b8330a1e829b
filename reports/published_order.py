"""Do the results put methods in the order that is published?

Rows: results on the dataset that a method was trained on, with published counterparts (with `--suite`, only the tables
that the suite names) whose method they have the settings of. Every two whose counterparts come from one paper, with one
backbone, image size and choice of the epoch, are a pair. Published figures are never set beside figures of synthetic
twins: only the orders are.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import many
from harness.evaluate.pair_order import Agreement
from harness.evaluate.per_identity import persons_key
from harness.pages.escaping import visible
from harness.pages.tables import DASH, marked, p_text, row_interval
from harness.pages.theme import COLOURS, INK, WIDTH, drawn
from harness.reporting.conditions import test_set_name
from harness.reporting.missing import beginning, run_command
from harness.reporting.panel_report import PanelReport
from harness.reporting.published.matches import counterparts, published_tables, short_paper, with_published
from harness.reporting.published.order import (
    OPEN,
    OPPOSITE,
    SAME,
    Row,
    order_agreement,
    order_pairs,
    published_pairs,
    rests_on_persons,
)
from harness.reporting.verdicts.published import order_verdict
from harness.reporting.verdicts.titles import results_title, where_of
from harness.reports import Gap, Source, Step, Table, register
from harness.results.panels import Facts, Panel, dataset_facts, on_own_dataset
from harness.results.seeds.seed_notes import any_marked
from harness.results.telling import telling

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

LOOKS: dict[str, dict[str, Any]] = {
    SAME: {"color": COLOURS[0], "marker": "o"},
    OPPOSITE: {"color": COLOURS[1], "marker": "s"},
    OPEN: {"color": INK, "marker": "o", "markerfacecolor": "white", "alpha": 0.6},
}
# How many pairs a table shows; its CSV has all. A figure of more has no intervals.
MOST_SHOWN = 60
_COUNTS = ("pairs", "same order", "opposite order", "equal")


def agreement_table(panel: Panel) -> Table:
    """Tabulate Kendall's tau and how many pairs are in the published order."""
    from pandas import DataFrame

    pairs = order_pairs(panel)
    tau, alone = order_agreement(panel, pairs), rests_on_persons(panel, pairs)
    orders = [row["order"] for row in pairs]
    counts = (len(pairs), orders.count(SAME), orders.count(OPPOSITE), orders.count("equal"))
    claims = [row["claim"] for row in pairs]
    n_trained = panel.facts.get(f"training pairs of {panel.facts['dataset']}", DASH)
    values = {
        "tested_on": panel.facts["dataset"],
        "training pairs": n_trained,
        "tau": None if tau is None else tau.tau,
        "tau_low": None if tau is None else tau.low,
        "tau_high": None if tau is None else tau.high,
        **dict(zip(_COUNTS, counts, strict=True)),
        "significantly same": claims.count(SAME),
        "significantly opposite": claims.count(OPPOSITE),
        "persons_only": alone,
    }
    cells = {
        "test set": panel.facts["dataset"],
        "training pairs": n_trained,
        "Kendall's tau [95 %]": marked(_tau_text(tau), alone),
    }
    claimed = ("significantly same", "significantly opposite")
    cells |= {name: f"{values[name]:,}" for name in (*_COUNTS, *claimed)}
    return Table(
        name=f"agreement-{panel.number}",
        title=f"{test_set_name(panel)}: agreement with published orders (protocol {panel.number})",
        values=DataFrame([values]),
        cells=DataFrame([cells]),
        notes=(*_tau_notes(pairs), *any_marked([values]), *panel.caveats()),
        n_left=1,
    )


def _tau_text(tau: Agreement | None) -> str:
    return DASH if tau is None else "{:.2f} [{:.2f}, {:.2f}]".format(*tau).replace("-", "−")


def _tau_notes(pairs: Sequence[Row]) -> list[str]:
    if not pairs:
        return ["No two results have counterparts that one paper published under one protocol."]
    return [
        "Tau: pairs in the published order less pairs the other way round, divided by all pairs; 1 is full agreement, "
        "0 is what chance gives. Its interval covers identities and seeds here; published figures are taken as exact, "
        "though most are of one seed and of the best epoch on the test set."
    ]


def pair_table(panel: Panel) -> Table:
    """Tabulate the pairs, the significant ones first, then those that differ most as published."""
    from pandas import DataFrame

    pairs = order_pairs(panel)
    notes = (
        "Both differences are of R@1, in points; the difference here with its 95 % interval over identities and seeds. "
        "On a synthetic twin only the signs may be compared.",
        f"p of no difference here is adjusted for {many(len(pairs), 'pair')} (Holm); by it an order is significant.",
        *_left_out(pairs),
    )
    return Table(
        name=f"published-order-{panel.number}",
        title=f"{test_set_name(panel)}: published order and order here (protocol {panel.number})",
        values=DataFrame([{key: value for key, value in row.items() if key != "keys"} for row in pairs]),
        cells=DataFrame([_pair_line(row) for row in pairs[:MOST_SHOWN]]),
        notes=(*(notes if pairs else _tau_notes(pairs)), *any_marked(pairs), *panel.caveats()),
        n_left=2,
        faint_cells=frozenset(
            (line, place)
            for line, row in enumerate(pairs[:MOST_SHOWN])
            if row["claim"] == OPEN
            for place in range(3, 6)
        ),
    )


def _left_out(pairs: Sequence[Row]) -> list[str]:
    more = len(pairs) - MOST_SHOWN
    return [f"{more:,} more, none clearer, are in the table's CSV."] if more > 0 else []


def _pair_line(row: Row) -> dict[str, str]:
    claim = row["claim"] if row["claim"] == OPEN else f"significantly {row['claim']}"
    return {
        "published as better": visible(row["better"]),
        "published as worse": visible(row["worse"]),
        "published difference": f"+{row['published']:.2f}",
        "difference here [95 %]": row_interval(row, "difference"),
        "p (Holm)": p_text(row["p_holm"], row["persons_only"]),
        "order here": marked(f"{row['order']}, {claim}", row["persons_only"] and row["claim"] != OPEN),
        "source": ", ".join(filter(None, (short_paper(row["paper"]), row["backbone"]))),
    }


def draw_order(panel: Panel) -> "Figure":
    """Draw the published difference of each pair against the one here."""
    from matplotlib import pyplot

    pairs = order_pairs(panel)
    figure, axes = pyplot.subplots(figsize=(0.62 * WIDTH, 0.5 * WIDTH))
    axes.axhline(0, color=INK, linewidth=1)
    for claim, look in reversed(LOOKS.items()):
        _draw_pairs(axes, [row for row in pairs if row["claim"] == claim], look, len(pairs) <= MOST_SHOWN)
    axes.set_xlim(left=0)
    axes.set_xlabel("published difference in R@1 (points)")
    axes.set_ylabel("difference here (points)")
    axes.set_title("above the line: same order", loc="left", fontsize="medium")
    title = f"{test_set_name(panel)} · protocol {panel.number}"
    figure.suptitle(drawn(title, 70), x=0.01, ha="left", fontweight="bold")
    _legend(figure, {row["claim"] for row in pairs})
    return figure


def _draw_pairs(axes: "Axes", pairs: Sequence[Row], look: dict[str, Any], intervals: bool) -> None:
    if not pairs:
        return
    middle = [row["difference"] for row in pairs]
    ends = [
        [row["difference"] - row["difference_low"] for row in pairs],
        [row["difference_high"] - row["difference"] for row in pairs],
    ]
    published = [row["published"] for row in pairs]
    axes.errorbar(
        published, middle, yerr=ends if intervals else None, linestyle="", elinewidth=0.8, capsize=2, **look
    )


def _legend(figure: "Figure", claims: set[str]) -> None:
    from matplotlib.lines import Line2D

    words = {SAME: "significantly the same order", OPPOSITE: "significantly the opposite", OPEN: OPEN}
    handles = [
        Line2D([], [], linestyle="", label=words[name], **LOOKS[name]) for name in LOOKS if name in claims
    ]
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


@register
class PublishedOrder(PanelReport):
    """Pairs of methods published under one protocol, and whether they are in the same order here."""

    title = "Published order"
    subject_words = "Published order of"
    question = "Do the results put methods in the order that is published?"
    steps = (
        Step(
            "### Agreement\n\n"
            "How many pairs are in the published order. The mark † stands where another seed may order otherwise.",
            'report.agreement_table(panel).save("tables")',
        ),
        Step("### Pairs", 'report.pair_table(panel).save("tables")'),
        Step(
            "### Figure\n\n"
            "Above the line a pair has the same order here as published. Only the side of the line is compared, not "
            "the height. Many pairs are drawn without their intervals.",
            'figure = report.draw_order(panel)\nsave_figure(figure, f"figures/published-order-{panel.number}");',
        ),
    )
    how_to_read = (
        "A synthetic twin may stand for real data in one respect: which of two methods is better. Its figures say "
        "nothing about published figures. Pairs of one paper with one backbone, image size and choice of the epoch are "
        "compared, because figures of different protocols have no order. A result counts if its method's settings are "
        "those that were published; its training may be shorter, say, if that of both is. Protocols without a pair are "
        "left out beside others.\n\n"
        "Pairs share methods, so they are not independent, and a tau of few methods is known poorly: its interval says "
        "how poorly, as far as identities and seeds here are concerned. A pair whose difference here is not "
        "significant neither confirms nor contradicts the published order. What one seed decided there is not known."
    )

    @classmethod
    def select(cls, rows: "DataFrame") -> "DataFrame":
        """Take the results on the dataset that a method was trained on, and all of one that trains nothing."""
        return on_own_dataset(rows)

    @classmethod
    def extend(cls, results: "DataFrame", source: Source) -> "DataFrame":
        """Add to each result its published rows, and leave out the protocols without a pair, unless none has one."""
        known = with_published(results, counterparts(published_tables(source.suite)))
        return telling(known, cls.facts, lambda rows: bool(published_pairs(rows)))

    @classmethod
    def facts(cls, row: dict[str, Any]) -> Facts:
        """Fix the protocol, the training data and the dataset."""
        return dataset_facts(row)

    @classmethod
    def tables(cls, panel: Panel) -> list[Table]:
        """Return the agreement and the pairs."""
        return [agreement_table(panel), pair_table(panel)]

    @classmethod
    def verdict(cls, panel: Panel) -> str:
        """Say how many pairs are in the published order."""
        where = where_of(panel.records)
        pairs = order_pairs(panel)
        return order_verdict(pairs, order_agreement(panel, pairs), where)

    @classmethod
    def subject(cls, panels: Sequence[Panel]) -> str:
        """Name the methods that are in a pair, or all where none is."""
        found = [row for panel in panels for row in _paired(panel)]
        return results_title(found or [row for panel in panels for row in panel.records], cls.subject_words)

    @classmethod
    def gaps(cls, panels: Sequence[Panel]) -> list[Gap]:
        """Name panels without a pair; without results: how to begin."""
        if not panels:
            return [beginning("icfg")]
        return [
            Gap(
                f"Protocol {panel.number}, {panel.facts['dataset']}: no two results that one paper compares.",
                _commands(panel),
            )
            for panel in panels
            if not order_pairs(panel)
        ]


def _paired(panel: Panel) -> list[Row]:
    keys = {key for pair in order_pairs(panel) for key in pair["keys"]}
    return [row for row in panel.records if persons_key(row) in keys]


def _commands(panel: Panel) -> tuple[str, ...]:
    """Return what gives two results that one paper compares, on the panel's dataset if a paper did there."""
    known = {row["tested_on"] for row in counterparts(["tbps_clip_main"])}
    dataset = panel.facts["dataset"] if panel.facts["dataset"] in known else "cuhk"
    twin = bool(panel.records[0]["synthetic"])
    return tuple(
        run_command("tbps_clip", dataset, twin, "--preset", name) for name in ("clip_baseline", "simplified")
    )
