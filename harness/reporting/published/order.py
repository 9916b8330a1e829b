"""Pairs of results that were published under one protocol, and whether the results here are in the same order."""

from collections.abc import Mapping, Sequence
from itertools import combinations, product
from math import nan
from typing import Any

from harness.evaluate.pair_order import Agreement, agreement
from harness.evaluate.per_identity import persons_key
from harness.reporting.published.matches import ordered
from harness.reporting.published.settings import preset_of
from harness.results.panels import Panel
from harness.results.seeds.over_seeds import PERSONS_ONLY

Row = dict[Any, Any]
SAME, OPPOSITE, OPEN = "same", "opposite", "not significant"
# What two published figures must share for their order to mean something.
_PROTOCOL = ("paper", "backbone", "image_size", "selection", "trained_on", "tested_on", "condition")


def order_pairs(panel: Panel) -> list[Row]:
    """Return each two results whose counterparts were published under one protocol, the published order first.

    `published` is the difference there and `difference` the one here, in points of R@1, `order` says whether the two
    have the same sign, and `claim` whether that is significant here. Published ties have no order and are left out.
    """
    known = [row for row in ordered(panel) if persons_key(row) in panel.persons]
    found = []
    for one, other in combinations(known, 2):
        for ours, theirs in product(one["published"], other["published"]):
            if _one_protocol(ours, theirs) and ours["R1"] != theirs["R1"]:
                first = ours["R1"] > theirs["R1"]
                better, worse = ((one, ours), (other, theirs))[:: 1 if first else -1]
                found.append(_pair(panel, better, worse))
    return _each_once(found)


def _one_protocol(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> bool:
    figures = (one["R1"], other["R1"])
    return None not in figures and all(one[name] == other[name] for name in _PROTOCOL)


def _pair(panel: Panel, better: tuple[Row, Row], worse: tuple[Row, Row]) -> Row:
    (one, ours), (other, theirs) = better, worse
    less = panel.difference(one, other)
    values = (less.estimate, less.low, less.high) if less is not None else (nan, nan, nan)
    row = dict(zip(("difference", "difference_low", "difference_high"), values, strict=True))
    return row | {
        "better": _called(one),
        "worse": _called(other),
        "keys": (persons_key(one), persons_key(other)),
        "tested_on": one["tested_on"],
        "published": ours["R1"] - theirs["R1"],
        "order": SAME if values[0] > 0 else OPPOSITE if values[0] < 0 else "equal",
        "claim": SAME if values[1] > 0 else OPPOSITE if values[2] < 0 else OPEN,
        "persons_only": less is not None and less.persons_only,
        "paper": ours["paper"],
        "table": ours["table"],
    }


def _called(row: Row) -> str:
    """Return a result's name: of a method's preset that of the preset, of any other what sets it apart."""
    preset, others = preset_of(row)
    return f"{row['method']} ({preset})" if preset and not others else str(row["label"])


def _each_once(pairs: Sequence[Row]) -> list[Row]:
    """Return pairs once for each paper, the clearest published difference first."""
    once = {(*row["keys"], row["paper"], row["published"]): row for row in pairs}
    return sorted(once.values(), key=lambda row: (-row["published"], row["better"], row["worse"]))


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
