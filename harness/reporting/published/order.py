"""Pairs of results that were published under one protocol, and whether the results here are in the same order."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, product
from math import nan
from typing import Any

from harness.evaluate.pair_order import Agreement, agreement
from harness.evaluate.paired_difference import holm
from harness.evaluate.per_identity import persons_key
from harness.reporting.published.matches import ordered
from harness.reporting.published.settings import names_settings
from harness.results.method_ranks import LEVEL
from harness.results.panels import Panel
from harness.results.seeds.over_seeds import PERSONS_ONLY

Row = dict[Any, Any]
SAME, OPPOSITE, OPEN = "same", "opposite", "not significant"
# What two published figures must share for their order to mean something.
_PROTOCOL = ("paper", "backbone", "image_size", "selection", "trained_on", "tested_on")
_Side = tuple[Row, Row]


def order_pairs(panel: Panel) -> list[Row]:
    """Return each two results whose counterparts were published under one protocol, the published order first.

    `published` is the difference there and `difference` the one here, in points of R@1, `order` says whether the two
    have the same sign, and `claim` whether that is significant here, p adjusted for all pairs of the panel (Holm).
    Significant pairs come first, then those that differ most as published. Published ties have no order and are left
    out, and so is a result that is not what was published (`published_pairs`).
    """
    rows = [row for row in ordered(panel) if persons_key(row) in panel.persons]
    pairs = _each_once([_pair(panel, better, worse) for better, worse in published_pairs(rows)])
    known = [1.0 if row["p"] != row["p"] else row["p"] for row in pairs]
    for row, adjusted in zip(pairs, holm(known), strict=True):
        row |= {"p_holm": float(adjusted), "claim": row["order"] if adjusted <= 1 - LEVEL else OPEN}
    return sorted(
        pairs, key=lambda row: (row["claim"] == OPEN, -row["published"], row["better"], row["worse"])
    )


def published_pairs(rows: Sequence[Row]) -> list[tuple[_Side, _Side]]:
    """Return each two results that were published under one protocol with their published rows, the better one first.

    A result counts as published if its method's settings are those of the published row. Settings of training may be
    others, a shorter budget say, as long as both results have them.
    """
    found = []
    for one, other in combinations(rows, 2):
        for ours, theirs in product(one["published"], other["published"]):
            if _one_protocol(ours, theirs) and ours["R1"] != theirs["R1"]:
                first = ours["R1"] > theirs["R1"]
                better, worse = ((one, ours), (other, theirs))[:: 1 if first else -1]
                found.append((better, worse))
    return found


def _one_protocol(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> bool:
    if None in (one["R1"], other["R1"]) or one["changed"] != other["changed"]:
        return False
    if any(key.startswith("method.") for key in one["changed"]):
        return False
    return all(one[name] == other[name] for name in _PROTOCOL) and _condition(one) == _condition(other)


def _condition(published: Mapping[Any, Any]) -> str | None:
    """Return the condition of a published row, unless its settings say it already."""
    return None if names_settings(published) else published["condition"]


def _pair(panel: Panel, better: _Side, worse: _Side) -> Row:
    (one, ours), (other, theirs) = better, worse
    less = panel.difference(one, other)
    values = (less.estimate, less.low, less.high, less.p_value) if less is not None else (nan,) * 4
    row = dict(zip(("difference", "difference_low", "difference_high", "p"), values, strict=True))
    return row | {
        "better": _called(one, ours),
        "worse": _called(other, theirs),
        "keys": (persons_key(one), persons_key(other)),
        "tested_on": one["tested_on"],
        "published": ours["R1"] - theirs["R1"],
        "order": SAME if values[0] > 0 else OPPOSITE if values[0] < 0 else "equal",
        "persons_only": less is not None and less.persons_only,
        "paper": ours["paper"],
        "backbone": ours["backbone"],
        "table": ours["table"],
    }


def _called(row: Row, published: Row) -> str:
    """Return a result's name: of published settings of a method that of the paper, of a method itself the method's."""
    if not names_settings(published):
        return str(row["method"])
    condition = f" ({published['condition']})" if published["condition"] else ""
    return f"{row['method']}: {published['method']}{condition}"


def _each_once(pairs: Iterable[Row]) -> list[Row]:
    """Return pairs once for each paper and difference that it published."""
    return list({(*row["keys"], row["paper"], row["published"]): row for row in pairs}.values())


def order_agreement(panel: Panel, pairs: Sequence[Row]) -> Agreement | None:
    """Return Kendall's tau of the published order over the pairs; None without a pair, or on different queries."""
    keys = list(dict.fromkeys(key for row in pairs for key in row["keys"]))
    results = [panel.persons[key] for key in keys]
    if not pairs or not all(one.same_test_set(results[0]) for one in results):
        return None
    places = [(keys.index(better), keys.index(worse)) for better, worse in (row["keys"] for row in pairs)]
    return agreement(places, results, [panel.seeds()[key] for key in keys])


def rests_on_persons(panel: Panel, pairs: Sequence[Row]) -> bool:
    """Whether nothing tells what another seed of some result would change."""
    keys = {key for row in pairs for key in row["keys"]}
    return any(row["interval"] == PERSONS_ONLY for row in panel.records if persons_key(row) in keys)
