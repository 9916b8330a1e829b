"""The conditions of a comparison, and what makes it unfair."""

from typing import TYPE_CHECKING

from harness.pages.escaping import visible
from harness.pages.tables import DASH, count_text, marked
from harness.reports import Table
from harness.results.method_ranks import ERRORS, MOST_PAIRED, TIED, Row, ranked, row_rank
from harness.results.panels import Panel
from harness.results.run_table import UNTRAINED
from harness.results.seeds.over_seeds import PERSONS_ONLY
from harness.results.seeds.seed_notes import seed_notes

if TYPE_CHECKING:
    from pandas import DataFrame

_CONDITIONS = [
    *("label", *ERRORS, "n_seeds", "interval", "budget", "rule", "epochs", "batch_size"),
    "trainable",
]
_CONDITION_NOTES = (
    "Standard errors (SE) of R@1 in points, from identities and from seeds; the interval includes both. Seeds' df: the "
    "degrees of freedom of what is known of seeds, from all results of the table that train something; a dash where "
    "nothing is known, or nothing is trained. ICC: intra-class correlation of the hits of one identity's captions; at "
    "1 they count as one caption.",
)


def test_set_name(panel: Panel) -> str:
    """Return what a panel's rows were tested on, and whether that is a twin."""
    return f"{panel.facts['data']} · {panel.facts['dataset']}"


def points_text(value: float, digits: int = 1) -> str:
    """Return a number of points as text, a dash where there is none."""
    return DASH if value != value else f"{value:.{digits}f}"


def fairness_notes(rows: "DataFrame") -> list[str]:
    """Name what makes a comparison of results unfair: their tuning budgets."""
    budgets = list(dict.fromkeys(rows.loc[rows["rule"] != UNTRAINED, "budget"]))
    if len(budgets) < 2:
        return []
    return [f"Tuning budgets differ ({', '.join(budgets)}): comparing such results is not fair."]


def rank_notes(rows: "DataFrame") -> list[str]:
    """Say how ranks and differences came about, and what difference could have been seen."""
    known = rows[rows["rank_low"].notna()]
    missing = rows.loc[rows["rank_low"].isna(), "label"]
    notes = []
    if len(known) > 1:
        n_pairs = len(known) * (len(known) - 1) // 2
        identities = " or ".join(f"{n:,.0f}" for n in sorted(set(known["n_identities"])))
        detectable = known["detectable"].dropna()
        notes = [
            f"Rank: the range of ranks a result may have, simultaneous at 95 % for all, from the paired difference in "
            f"R@1 of each pair on the same {identities} identities (Student's t); p adjusted for "
            f"{counted(n_pairs, 'pair')} of {len(known)} results (Holm). {TIED.capitalize()}: no other result is "
            "significantly better.",
            f"Leader: {known['label'].iloc[0]}; the interval of a difference is not adjusted for the number of pairs. "
            "Detectable: the true difference to the leader that 80 of 100 such comparisons would find, each taken "
            f"alone, before the adjustment; median {points_text(detectable.median())} points.",
        ]
        if len(known) > MOST_PAIRED:
            notes.append(
                "Each further result makes it harder for any pair to be significant; the options --suite and --dataset "
                "leave out what is not of interest."
            )
    elif len(known):
        notes = ["One result: there is nothing to rank it against."]
    if len(missing):
        notes.append(f"Not ranked, because the results per identity are missing: {', '.join(missing)}.")
    return notes


def counted(n: int, word: str) -> str:
    """Return how many comparisons an adjustment counts.

    >>> counted(1, "pair"), counted(3, "pair")
    ('the one pair', 'all 3 pairs')
    """
    return f"the one {word}" if n == 1 else f"all {n} {word}s"


def conditions(panel: Panel) -> Table:
    """Tabulate what the intervals consist of and the conditions of the results."""
    from pandas import DataFrame

    rows = ranked(panel)
    return Table(
        name=f"leaderboard_conditions-{panel.number}",
        title=f"{test_set_name(panel)}: standard errors and conditions (protocol {panel.number})",
        values=rows[_CONDITIONS],
        cells=DataFrame([_condition_cells(row) for row in rows.to_dict("records")]),
        notes=(*_CONDITION_NOTES, *seed_notes(panel.records, panel.persons)),
        n_left=2,
    )


def _condition_cells(row: Row) -> dict[str, str]:
    return {
        "rank": row_rank(row),
        "method": visible(row["label"]),
        "SE, identities": points_text(row["identity_error"], 2),
        "SE, seeds": points_text(row["seed_error"], 2),
        "seeds' df": count_text(row["seed_freedom"]),
        "interval": marked(row["interval"], row["interval"] == PERSONS_ONLY),
        "ICC": points_text(row["correlation"], 2),
        "seeds": str(row["n_seeds"]),
        "identities": count_text(row["n_identities"]),
        "budget": row["budget"],
        "rule": row["rule"],
        "epochs": count_text(row["epochs"]),
        "batch": count_text(row["batch_size"]),
        "trainable": count_text(row["trainable"]),
    }
