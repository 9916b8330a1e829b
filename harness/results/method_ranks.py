"""Methods ranked with simultaneous intervals, and compared in pairs."""

from collections.abc import Mapping, Sequence
from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.evaluate.paired_difference import Difference, holm, rank_intervals
from harness.evaluate.per_identity import persons_key
from harness.metric_names import METRICS
from harness.pages.tables import DASH, marked
from harness.results.panels import Panel

if TYPE_CHECKING:
    from pandas import DataFrame

Row = dict[Any, Any]
Compared = dict[tuple[int, int], Difference | None]
LEVEL = 0.95
MOST_PAIRED, MOST_DRAWN = 10, 48
TIED, _FIRST, LEADER = "tied for first", "first", "leader"
SCORES = [name + end for name in METRICS for end in ("", "_low", "_high")]
DIFFERENCE = ["difference", "difference_low", "difference_high", "p", "p_holm", "detectable"]
ERRORS = ["identity_error", "seed_error", "seed_freedom", "correlation", "n_identities"]
_PAIR_COLUMNS = ["place", "label", "other_place", "other", *DIFFERENCE, "persons_only"]


def ranked(panel: Panel) -> "DataFrame":
    """Return the panel's results, best first, each with its rank interval and its difference to the leader.

    The leader is the best of those known per identity; the others have neither rank nor difference. `persons_only` says
    so of the difference to the leader, `rank_persons_only` of any significant difference that the rank follows from.
    """
    from pandas import DataFrame

    rows, compared = _compared(panel)
    known = [place for place, row in enumerate(rows) if persons_key(row) in panel.persons]
    ranks = dict(zip(known, _ranks(compared, known), strict=True))
    n_first = sum(best == 1 for best, _ in ranks.values())
    adjusted = _adjusted(compared)
    resting = _resting(compared, adjusted)
    lines = []
    for place, row in enumerate(rows):
        best, worst = ranks.get(place, (nan, nan))
        pair = (known[0], place) if known else (place, place)
        found = _less(compared.get(pair), adjusted.get(pair, nan))
        words = (_FIRST if n_first == 1 else TIED) if best == 1 else "" if place in ranks else DASH
        own = {"rank_low": best, "rank_high": worst, "place": words, "leads": place in known[:1]}
        own |= {"rank_persons_only": place in resting}
        lines.append(row | own | found | _errors(row, panel))
    return DataFrame(lines)


def pairs(panel: Panel) -> "DataFrame":
    """Return each pair of results, best first, with the difference of the first minus the second."""
    from pandas import DataFrame

    rows, compared = _compared(panel)
    adjusted = _adjusted(compared)
    lines = [
        {"place": i + 1, "label": rows[i]["label"], "other_place": j + 1, "other": rows[j]["label"]}
        | _more(found, adjusted[i, j])
        for (i, j), found in compared.items()
    ]
    return DataFrame(lines, columns=_PAIR_COLUMNS)


def _compared(panel: Panel) -> tuple[list[Row], Compared]:
    """Return the results, best first, and the difference of each two that are known per identity, by place."""
    records = panel.rows.sort_values("R1", ascending=False, kind="stable", ignore_index=True)
    rows = records.astype(dict.fromkeys(SCORES, float)).to_dict("records")
    known = [place for place, row in enumerate(rows) if persons_key(row) in panel.persons]
    pairs = [(i, j) for i in known for j in known if i < j]
    return rows, {(i, j): panel.difference(rows[i], rows[j]) for i, j in pairs}


def _ranks(compared: Compared, known: Sequence[int]) -> list[tuple[int, int]]:
    return rank_intervals([[compared.get((i, j)) for j in known] for i in known], level=LEVEL)


def _adjusted(compared: Compared) -> dict[tuple[int, int], float]:
    """Return each pair's p-value, adjusted for the number of pairs as the ranks are."""
    p_values = [1.0 if one is None or np.isnan(one.p_value) else one.p_value for one in compared.values()]
    return dict(zip(compared, holm(p_values).tolist(), strict=True))


def _resting(compared: Compared, adjusted: Mapping[tuple[int, int], float]) -> set[int]:
    """Return the places of results of which a significant difference to another stands on persons only."""
    claimed = (pair for pair, p_value in adjusted.items() if p_value <= 1 - LEVEL)
    return {place for pair in claimed if (one := compared[pair]) and one.persons_only for place in pair}


def _more(found: Difference | None, adjusted: float) -> Row:
    """Return a difference as columns; NaN where it is not known."""
    if found is None:
        return dict.fromkeys(DIFFERENCE, nan) | {"persons_only": False}
    values = (found.estimate, found.low, found.high, found.p_value, adjusted, found.detectable)
    return dict(zip(DIFFERENCE, values, strict=True)) | {"persons_only": found.persons_only}


def _less(found: Difference | None, adjusted: float) -> Row:
    """Return the difference of the second result minus the first."""
    line = _more(found, adjusted)
    ends = {"difference_low": -line["difference_high"], "difference_high": -line["difference_low"]}
    return line | {"difference": -line["difference"]} | ends


def _errors(row: Row, panel: Panel) -> dict[str, float]:
    """Return the standard errors of R@1 from identities and seeds, in points, and what else its interval stands on."""
    persons = panel.persons.get(persons_key(row))
    if persons is None:
        return dict.fromkeys(ERRORS, nan)
    seeds = panel.seeds()[persons_key(row)]
    summary = persons.summary("R1", seeds)
    by_seed = (summary.seed_error, seeds.freedom) if seeds is not None and seeds.freedom else (nan, nan)
    values = (summary.identity_error, *by_seed, persons.correlation, len(persons.sizes))
    return dict(zip(ERRORS, values, strict=True))


def rank_text(best: float, worst: float, persons_only: bool = False) -> str:
    """Return a rank interval, marked where it stands on persons only; a dash where there is none.

    >>> rank_text(1, 3), rank_text(2, 2, persons_only=True), rank_text(nan, nan)
    ('1–3', '2†', '–')
    """
    if best != best:
        return DASH
    return marked(f"{best:.0f}" if best == worst else f"{best:.0f}–{worst:.0f}", persons_only)


def row_rank(row: Row) -> str:
    """Return the rank interval of one of the rows that `ranked` returns."""
    return rank_text(row["rank_low"], row["rank_high"], row["rank_persons_only"])
