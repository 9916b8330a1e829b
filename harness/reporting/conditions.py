"""The conditions of a comparison, and what makes it unfair."""

from typing import TYPE_CHECKING

from harness.pages.tables import DASH, count_text, short_text
from harness.reports import Table
from harness.results.method_ranks import ERRORS, Row, rank_text, ranked
from harness.results.panels import Panel
from harness.results.run_table import UNTRAINED

if TYPE_CHECKING:
    from pandas import DataFrame

CONDITIONS = ["label", *ERRORS, "n_seeds", "interval", "budget", "rule", "epochs", "batch_size", "trainable"]
CONDITION_NOTES = (
    "Standard errors of R@1 in points: what other persons would change, and what other seeds would; the interval "
    "holds both. One seed does not tell what seeds add, and an untrained method has none. Alike: correlation of the "
    "hits of one person's captions; at 1 a person's captions count as one.",
)


def test_set_name(panel: Panel) -> str:
    """Return what a panel's rows were tested on, and whether that is a twin."""
    return f"{panel.facts['data']} · {panel.facts['dataset']}"


def points_text(value: float, digits: int = 1) -> str:
    """Return a number of points as text, a dash where there is none."""
    return DASH if value != value else f"{value:.{digits}f}"


def fairness_notes(rows: "DataFrame") -> list[str]:
    """Name what keeps results from being a fair pair: their seeds and their tuning budgets."""
    trained = rows[rows["rule"] != UNTRAINED]
    budgets, notes = list(dict.fromkeys(trained["budget"])), []
    if len(trained) and (trained["n_seeds"] == 1).all():
        notes.append(
            "One seed each: all this speaks of persons alone; another seed may order the methods otherwise."
        )
    elif (trained["n_seeds"] == 1).any():
        notes.append(
            "Some results have one seed, some several: a difference of two holds the seeds of the side that has "
            "several, and of the other side persons alone."
        )
    if len(budgets) > 1:
        notes.append(f"Tuning budgets differ ({', '.join(budgets)}): such results are no fair pair.")
    return notes


def conditions(panel: Panel) -> Table:
    """Tabulate what the intervals are made of and under which conditions the results came about."""
    from pandas import DataFrame

    rows = ranked(panel)
    return Table(
        name=f"leaderboard_conditions-{panel.number}",
        title=f"{test_set_name(panel)}: what the intervals hold, and the conditions (protocol {panel.number})",
        values=rows[CONDITIONS],
        cells=DataFrame([_condition_cells(row) for row in rows.to_dict("records")]),
        notes=CONDITION_NOTES,
        n_left=2,
    )


def _condition_cells(row: Row) -> dict[str, str]:
    return {
        "rank": rank_text(row["rank_low"], row["rank_high"]),
        "method": short_text(row["label"]),
        "error: persons": points_text(row["identity_error"], 2),
        "error: seeds": points_text(row["seed_error"], 2),
        "alike": points_text(row["correlation"], 2),
        "seeds": str(row["n_seeds"]),
        "persons": count_text(row["n_identities"]),
        "budget": row["budget"],
        "rule": row["rule"],
        "epochs": count_text(row["epochs"]),
        "batch": count_text(row["batch_size"]),
        "trainable": count_text(row["trainable"]),
    }
