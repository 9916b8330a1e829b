"""Words that verdicts are made of: names in a row, spans of points, and what another seed may change."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.evaluate.paired_difference import holm
from harness.pages.escaping import visible
from harness.pages.tables import cut_text
from harness.reporting.display_names import begun, label_name
from harness.results.flags import FLAGS

Row = Mapping[Any, Any]
MOST_NAMED = 3
LEVEL = 0.05
_LONGEST = 80
ANOTHER_SEED = "known for identities only, so another seed may order otherwise"
NOTHING = "Nothing can be said yet: there is no finished result to look at."


def named(names: Iterable[str], most: int = MOST_NAMED) -> str:
    """Return names as a sentence lists them, the first `most` of many; none is counted as one other.

    >>> named(["a", "b"]), named("abcd", 2), named("abc", 2)
    ('a and b', 'a, b and 2 others', 'a, b and c')
    """
    known = list(names)
    shown = known if len(known) <= most + 1 else [*known[:most], f"{len(known) - most:,} others"]
    return " and ".join(part for part in (", ".join(shown[:-1]), shown[-1]) if part) if shown else "none"


def labelled(rows: Iterable[Row], most: int = MOST_NAMED) -> str:
    """Return the proper names of results, told apart as in their table."""
    return named([cut_text(label_name(row), _LONGEST) for row in rows], most)


def span(values: Iterable[float]) -> str:
    """Return how large differences are, in points, whatever their signs.

    >>> span([20.04, -30.3]), span([4.12]), span([0.52, 4.0])
    ('20 to 30 points', '4.1 points', '0.5 to 4.0 points')
    """
    sizes = sorted(abs(value) for value in values)
    digits = 0 if sizes[0] >= 9.95 else 1
    ends = dict.fromkeys(f"{size:.{digits}f}" for size in (sizes[0], sizes[-1]))
    return f"{' to '.join(ends)} points"


def are(rows: Sequence[Any]) -> str:
    """Return the verb of so many results."""
    return "is" if len(rows) == 1 else "are"


def share_words(value: float, low: float | None, high: float | None) -> str:
    """Return a percentage with its interval in words.

    >>> share_words(36.94, 33.1, 40.8), share_words(36.94, None, None)
    ('36.9 % (95 % interval 33.1 to 40.8)', '36.9 % (no interval)')
    """
    if low is None or high is None or low != low or high != high:
        return f"{value:.1f} % (no interval)"
    return f"{value:.1f} % (95 % interval {low:.1f} to {high:.1f})"


def sentence(parts: Iterable[str], persons_only: bool = False) -> str:
    """Return parts as one sentence, with what another seed may change where that is not known.

    >>> sentence(["a is better", "", "b is not"])
    'A is better; b is not.'
    """
    kept = [part for part in (*parts, ANOTHER_SEED if persons_only else "") if part]
    return f"{begun(visible('; '.join(kept)))}."


def flagged(verdict: str, facts: Mapping[str, str]) -> str:
    """Return a verdict with what sets its results apart from others of their dataset (`harness.results.flags`).

    >>> flagged("CSKT is better.", {"data": "real data", "re-ranked": "the first 50"})
    'CSKT is better; all with re-ranked: the first 50.'
    """
    known = [f"{name}: {facts[name]}" for name in FLAGS.values() if name in facts]
    return (
        f"{verdict.removesuffix('.')}; all with {visible(', '.join(known))}."
        if verdict and known
        else verdict
    )


def significant(rows: Sequence[Row], name: str = "p") -> list[Row]:
    """Return the rows whose p-value is significant when adjusted for all that are known (Holm)."""
    known = [row for row in rows if row[name] is not None and row[name] == row[name]]
    adjusted = holm([row[name] for row in known])
    return [row for row, p_value in zip(known, adjusted, strict=True) if p_value <= LEVEL]
