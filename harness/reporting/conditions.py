"""The conditions of a comparison, and what makes it unfair."""

from typing import TYPE_CHECKING

from harness.pages.escaping import visible
from harness.pages.tables import DASH, count_text
from harness.reports import Table
from harness.results.method_ranks import ERRORS, Row, rank_text, ranked
from harness.results.panels import Panel
from harness.results.run_table import UNTRAINED

if TYPE_CHECKING:
    from pandas import DataFrame

_CONDITIONS = ["label", *ERRORS, "n_seeds", "interval", "budget", "rule", "epochs", "batch_size", "trainable"]
_CONDITION_NOTES = (
    "Standard errors (SE) of R@1 in points, from identities and from seeds; the interval includes both. With one seed "
    "the SE from seeds is unknown, and an untrained method has none. ICC: intra-class correlation of the hits of one "
    "identity's captions; at 1 they count as one caption.",
)


def test_set_name(panel: Panel) -> str:
    """Return what a panel's rows were tested on, and whether that is a twin."""
    return f"{panel.facts['data']} · {panel.facts['dataset']}"


def points_text(value: float, digits: int = 1) -> str:
    """Return a number of points as text, a dash where there is none."""
    return DASH if value != value else f"{value:.{digits}f}"


def fairness_notes(rows: "DataFrame") -> list[str]:
    """Name what makes a comparison of results unfair: their seeds and their tuning budgets."""
    trained = rows[rows["rule"] != UNTRAINED]
    budgets, notes = list(dict.fromkeys(trained["budget"])), []
    if len(trained) and (trained["n_seeds"] == 1).all():
        notes.append(
            "One seed each: the intervals cover identities only; another seed may change the order of the methods."
        )
    elif (trained["n_seeds"] == 1).any():
        notes.append(
            "Some results have one seed, some several: the interval of a difference covers the seeds of a side only "
            "where it has several."
        )
    if len(budgets) > 1:
        notes.append(f"Tuning budgets differ ({', '.join(budgets)}): comparing such results is not fair.")
    return notes


def conditions(panel: Panel) -> Table:
    """Tabulate what the intervals consist of and the conditions of the results."""
    from pandas import DataFrame

    rows = ranked(panel)
    return Table(
        name=f"leaderboard_conditions-{panel.number}",
        title=f"{test_set_name(panel)}: standard errors and conditions (protocol {panel.number})",
        values=rows[_CONDITIONS],
        cells=DataFrame([_condition_cells(row) for row in rows.to_dict("records")]),
        notes=_CONDITION_NOTES,
        n_left=2,
    )


def _condition_cells(row: Row) -> dict[str, str]:
    return {
        "rank": rank_text(row["rank_low"], row["rank_high"]),
        "method": visible(row["label"]),
        "SE, identities": points_text(row["identity_error"], 2),
        "SE, seeds": points_text(row["seed_error"], 2),
        "ICC": points_text(row["correlation"], 2),
        "seeds": str(row["n_seeds"]),
        "identities": count_text(row["n_identities"]),
        "budget": row["budget"],
        "rule": row["rule"],
        "epochs": count_text(row["epochs"]),
        "batch": count_text(row["batch_size"]),
        "trainable": count_text(row["trainable"]),
    }
