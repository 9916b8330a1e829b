"""What a table of ranks says: who is tied for first, whom all of them beat, and who is between."""

from collections.abc import Mapping, Sequence
from statistics import median

from harness.pages.cost_text import share_text
from harness.pages.tables import count_text
from harness.reporting.verdicts.words import LEVEL, Row, are, labelled, sentence, share_words, span

Pairs = Mapping[tuple[int, int], Row]


def ranking_verdict(rows: Sequence[Row], pairs: Sequence[Row], where: str) -> str:
    """Say which results are best and whom they beat.

    Args:
        rows: as `method_ranks.ranked` gives them, best first.
        pairs: as `method_ranks.pairs` gives them, by the rows' places from 1.
        where: what all were tested on.
    """
    if (nothing := _nothing(rows, where)) is not None:
        return nothing
    known = [place for place, row in enumerate(rows, start=1) if _ranked(row)]
    beats = _beats(pairs)
    first = [place for place in known if rows[place - 1]["rank_low"] == 1]
    rest = [place for place in known if place not in first]
    beaten = [place for place in rest if all((one, place) in beats for one in first)]
    between = [place for place in rest if place not in beaten]
    claims = [beats[one, place] for one in first for place in beaten]
    missing = [row for row in rows if not _ranked(row)]
    parts = [
        _first_words([rows[place - 1] for place in first], _between(pairs, first), where),
        _beaten_words([rows[place - 1] for place in beaten], claims, len(first)),
        _between_words([rows[place - 1] for place in between], len(first)),
        f"{labelled(missing)} {are(missing)} left out, without results per identity" if missing else "",
    ]
    claimed = claims or [row for row in pairs if not beats]
    return sentence(parts, any(row["persons_only"] for row in [*claimed, *_between(pairs, first)]))


def cost_verdict(rows: Sequence[Row], where: str) -> str:
    """Say which of the results that none is significantly better than trains the fewest parameters.

    Args:
        rows: as `method_ranks.ranked` gives them, best first.
        where: what all were tested on.
    """
    if (nothing := _nothing(rows, where)) is not None:
        return nothing
    known = [row for row in rows if _ranked(row)]
    first = [row for row in known if row["rank_low"] == 1]
    priced = [row for row in first if _priced(row)]
    alone = any(row["rank_persons_only"] for row in known) or all(row["persons_only"] for row in known[1:])
    if not priced:
        return sentence([f"nothing can be said of cost on {where}", f"{labelled(first)} did not record it"])
    best, cheapest = known[0], min(priced, key=lambda row: row["trainable"])
    if len(first) == 1:
        claim = f"{labelled([best])} is the best result on {where} and {_trains(best)}"
        return sentence([claim, "no cheaper result is as good" if _cheaper(best, known) else ""], alone)
    if cheapest is best:
        many = f"the {len(first)} results that are tied for first"
        return sentence(
            [f"of {many} on {where}, {labelled([best])} is the cheapest and {_trains(best)}"], alone
        )
    claim = f"{labelled([cheapest])} {_trains(cheapest)}, and is not significantly different from {labelled([best])}"
    there = f"which has the highest R@1 on {where} and {_trains(best)}"
    return sentence([f"{claim}, {there}"], alone)


def _nothing(rows: Sequence[Row], where: str) -> str | None:
    """Return the verdict where results cannot be compared; None where they can."""
    if len(rows) == 1:
        row = rows[0]
        reached = f"R@1 {share_words(row['R1'], row['R1_low'], row['R1_high'])}"
        return sentence(
            [f"only {labelled(rows)} was tested on {where}, with {reached}", "nothing is compared"]
        )
    if sum(_ranked(row) for row in rows) < 2:
        why = "results per identity are missing"
        return sentence([f"nothing can be said of the order of {len(rows)} results on {where}", why])
    return None


def _ranked(row: Row) -> bool:
    return bool(row["rank_low"] == row["rank_low"])


def _beats(pairs: Sequence[Row]) -> dict[tuple[int, int], Row]:
    """Return the significant differences by the places of better and worse."""
    found = {}
    for row in pairs:
        if row["p_holm"] <= LEVEL:
            places = (row["place"], row["other_place"])
            found[places if row["difference"] > 0 else places[::-1]] = row
    return found


def _between(pairs: Sequence[Row], places: Sequence[int]) -> list[Row]:
    """Return the pairs that two of some places are."""
    return [row for row in pairs if row["place"] in places and row["other_place"] in places]


def _first_words(first: Sequence[Row], among: Sequence[Row], where: str) -> str:
    if len(first) == 1:
        return f"{labelled(first)} is the best result on {where}"
    claim = f"{labelled(first)} are not significantly different on {where}"
    found = [row["detectable"] for row in among if row["detectable"] == row["detectable"]]
    missed = f", where a difference below {median(found):.1f} points would often be missed" if found else ""
    return f"{claim}{missed}"


def _beaten_words(beaten: Sequence[Row], claims: Sequence[Row], n_first: int) -> str:
    if not beaten:
        return ""
    who = {1: "it beats", 2: "both beat"}.get(n_first, "all of them beat")
    return f"{who} {labelled(beaten)} by {span(row['difference'] for row in claims)}"


def _between_words(between: Sequence[Row], n_first: int) -> str:
    if not between:
        return ""
    whom = {1: "it", 2: "both"}.get(n_first, "all of them")
    return (
        f"{labelled(between)} {are(between)} worse than some result, but not significantly worse than {whom}"
    )


def _trains(row: Row) -> str:
    if not _priced(row):
        return "does not tell what it trains"
    if not row["trainable"]:
        return "trains nothing"
    share = share_text(row["trainable"], row.get("total"))
    return f"trains {count_text(row['trainable'])} parameters ({share} of its weights)"


def _cheaper(best: Row, known: Sequence[Row]) -> bool:
    return any(row["trainable"] < best["trainable"] for row in known if _priced(row))


def _priced(row: Row) -> bool:
    return row["trainable"] is not None and bool(row["trainable"] == row["trainable"])
