"""What results say of published figures, and of the order in which methods were published."""

from collections.abc import Sequence

from harness.errors import many
from harness.evaluate.pair_order import Agreement
from harness.reporting.published.matches import OTHER
from harness.reporting.published.order import OPPOSITE, SAME
from harness.reporting.verdicts.words import Row, sentence

_LIES = {"within": "within the interval of the result here", "above": "above it", "below": "below it"}


def order_verdict(pairs: Sequence[Row], tau: Agreement | None, where: str) -> str:
    """Say how many pairs are in the published order.

    Args:
        pairs: as `published.order.order_pairs` gives them.
        tau: as `published.order.order_agreement` gives it.
        where: what all were tested on.
    """
    if not pairs:
        why = "no two results there are compared by one paper"
        return sentence([f"nothing can be said of published orders on {where}", why])
    claims = [row["claim"] for row in pairs]
    same, opposite = claims.count(SAME), claims.count(OPPOSITE)
    left = len(pairs) - same - opposite
    parts = [
        f"of {many(len(pairs), 'published order')} of two results on {where}, {same:,} {_is(same)} significantly the "
        f"same here and {opposite:,} {_is(opposite)} significantly the opposite",
        f"{left:,} {_is(left)} open" if left else "",
        _tau_words(tau) if tau else "",
    ]
    return sentence(parts, any(row["persons_only"] for row in pairs))


def _tau_words(tau: Agreement) -> str:
    value, low, high = (f"{value:.2f}".replace("-", "−") for value in tau)
    return f"Kendall's tau is {value} (95 % interval {low} to {high})"


def _is(n: int) -> str:
    return "is" if n == 1 else "are"


def reproduction_verdict(rows: Sequence[Row], n_results: int, synthetic: bool, where: str) -> str:
    """Say where published figures lie beside the results here.

    Args:
        rows: results with one published counterpart each, as `published.matches.compared` gives them.
        n_results: how many results there are, with a counterpart or without.
        synthetic: whether they are of synthetic twins.
        where: what all were tested on.
    """
    nothing = f"nothing can be said of published results from {many(n_results, 'result')} on {where}"
    if synthetic:
        return sentence([nothing, "a twin has no published counterpart"])
    lies = [row["R1_lies"] for row in rows]
    known = [word for word in lies if word]
    if not known:
        return sentence([nothing, "none has a published R@1 that its interval can be compared with"])
    found = [f"{known.count(word)} {_is(known.count(word))} {words}" for word, words in _LIES.items()]
    other = sum(row["protocol"] == OTHER for row in rows)
    apart = (
        f"{other} {_is(other)} of another protocol, so a difference is no failed reproduction"
        if other
        else ""
    )
    claim = f"of {many(len(known), 'published R@1', 'published R@1')} on {where}, {', '.join(found)}"
    return sentence([claim, apart])
