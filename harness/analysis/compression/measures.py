"""The two measures of a module's importance from its R@1 values, and which layers matter least.

Metrics of Wang and Tu, "Rethinking the Value of Transformer Components" (COLING 2020), as TBPS-CLIP (Cao et al.,
AAAI 2024, https://arxiv.org/abs/2308.10045) uses them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

STEPS = 100
MOST_LAYERS = 5
LEFT_OUT = "drop_text_layers"
METHOD_KEYS = ("method.freeze_text_layers", f"method.{LEFT_OUT}")


def contributions(drops: Mapping[str, float], clip: float | None = None) -> dict[str, float]:
    """Return C¹ of each module: how much R@1 drops without it, relative to the largest drop.

    Args:
        drops: points of R@1 lost; a gain counts as 0.
        clip: a loss beyond counts as this many points; None cuts nothing.

    All are 0 where no module is needed.

    >>> contributions({"a": 10.0, "b": 5.0, "c": -1.0}), contributions({"a": 10.0, "b": 5.0}, clip=5)
    ({'a': 1.0, 'b': 0.5, 'c': 0.0}, {'a': 1.0, 'b': 1.0})
    """
    kept = {name: min(max(drop, 0.0), clip or float("inf")) for name, drop in drops.items()}
    largest = max(kept.values(), default=0.0)
    return {name: value / largest if largest else 0.0 for name, value in kept.items()}


def next_points(known: Mapping[int, bool]) -> list[int]:
    """Return which hundredths of a module's training must be tried next to know its C²; none when it is known.

    0 is tried first, then the interval is halved, which finds the smallest share that suffices if every larger one
    does too. The share below the one found is known not to suffice; the one above is tried. Where it does not suffice,
    which contradicts that, all below that are still unknown are tried as well: then nothing is assumed any more.

    Args:
        known: of the hundredths tried, whether R@1 stays within the tolerance; all of them, 100, always does.

    >>> next_points({}), next_points({0: True}), next_points({0: False}), next_points({0: False, 50: True})
    ([0], [], [50], [25])
    """
    if not known:
        return [0]
    if known[0]:
        return []
    low, high = 0, STEPS
    while high - low > 1:
        middle = (low + high) // 2
        if middle not in known:
            return [middle]
        low, high = (low, middle) if known[middle] else (middle, high)
    above = high + 1
    if above < STEPS and above not in known:
        return [above]
    if known.get(above, True):
        return []
    return [point for point in range(1, high) if point not in known]


def criticality(known: Mapping[int, bool]) -> float:
    """Return C²: the smallest share of a module's training that suffices, among the hundredths tried.

    >>> criticality({0: False, 50: True, 25: False, 37: True})
    0.37
    """
    return min([point for point, suffices in known.items() if suffices], default=STEPS) / STEPS


def contradicted(known: Mapping[int, bool]) -> bool:
    """Return whether some share suffices and a larger one does not.

    >>> contradicted({0: False, 50: True}), contradicted({0: False, 50: True, 51: False})
    (False, True)
    """
    enough = [point for point, suffices in known.items() if suffices]
    return bool(enough) and any(not suffices and point > min(enough) for point, suffices in known.items())


def least_important(c1: Mapping[int, float], c2: Mapping[int, float], x: int) -> list[int]:
    """Return the x layers with the smallest sum of C¹ and C² of the whole layer, smallest first; the lower on a tie.

    Args:
        c1: of each layer, counted from 1.
        c2: likewise.

    >>> least_important({1: 1.0, 2: 0.1, 3: 0.2}, {1: 0.9, 2: 0.5, 3: 0.2}, 2)
    [3, 2]
    """
    return sorted(c1, key=lambda layer: (round(c1[layer] + c2[layer], 9), layer))[:x]


def chosen_layers(order: Sequence[int]) -> list[tuple[int, list[int]]]:
    """Return for x = 1, 2, … the x layers that matter least, in ascending order.

    >>> chosen_layers([7, 8, 3])
    [(1, [7]), (2, [7, 8]), (3, [3, 7, 8])]
    """
    return [(x, sorted(order[:x])) for x in range(1, len(order) + 1)]


def notes(found: Mapping[str, Any]) -> list[str]:
    """Return the caveats of a result, a sentence each."""
    modules, one = found["modules"], 100 / found["n_queries"]
    still = [row for row in modules if not row["trained"]]
    said = [f"One caption more or less is {one:.2g} points of R@1."] if one > found["epsilon"] / 10 else []
    if not any(row["drop"] > 0 for row in modules):
        said.append("C¹ is 0 everywhere: removing any module does not lower R@1.")
    if len(still) == len(modules):
        said.append("C² is 0 by definition: the run trained no weight of these layers.")
    elif still:
        said.append(
            f"C² of {len(still)} of {len(modules)} modules is 0 by definition: the run trained none of their weights."
        )
    if found["R1"] <= found["epsilon"]:
        said.append(f"R@1 is no larger than epsilon, {found['epsilon']:g}: C² can only be 0.")
    if found["left_out"]:
        gone = ", ".join(map(str, found["left_out"]))
        said.append(
            f"The run left out text layers {gone}: layers here are numbered among those that it has, so settings "
            f"for {LEFT_OUT} must be renumbered."
        )
    if any(row["contradicted"] for row in modules):
        names = ", ".join(f"{m['tower']} {m['layer']} {m['part']}" for m in modules if m["contradicted"])
        said.append(f"R@1 is not monotonic in the share kept, so every smaller share was tried: {names}.")
    return said
