"""What is said of the seeds and identities that it takes to see a difference in R@1, in sentences."""

from collections.abc import Iterable, Mapping
from typing import Any

from harness.errors import many
from harness.evaluate.per_identity import Persons, persons_key
from harness.evaluate.power import MOST_IDENTITIES, MOST_SEEDS, Spread
from harness.record import TWIN
from harness.results.run_source import Source
from harness.results.run_table import UNTRAINED
from harness.results.seeds.seed_plan import POINTS, Measured, measure, own_panels, pair_spread
from harness.results.seeds.shared_seeds import Seeds

Row = Mapping[Any, Any]
_FEW_SEEDS = 3
_LARGER = (2, 5, 10, 20)


def pair_line(pair: tuple[Row, Row], persons: Mapping[str, Persons], seeds: Seeds) -> str:
    """Return what a difference of one point takes between two results on one test set.

    Args:
        pair: the results with their seeds combined.
        persons: the results per identity, by `persons_key`.
        seeds: the variance of one seed of each in R@1.
    """
    n_seed = min((row["n_seeds"] for row in pair if row["rule"] != UNTRAINED), default=1)
    spread = pair_spread(persons, (persons_key(pair[0]), persons_key(pair[1])), seeds)
    return needs_line(spread, pair[0]["tested_on"], max(n_seed, _FEW_SEEDS))


def needs_line(found: Spread | None, where: str, n_seed: int) -> str:
    """Return what a difference of one point takes on a test set, or which larger one can be seen, in one sentence.

    Args:
        found: what makes the difference vary; None where nothing tells what seeds change.
        where: the test set.
        n_seed: seeds of each side for which identities are counted, where no number of seeds does it.
    """
    gap = "a difference of 1 point in R@1"
    if found is None:
        return (
            f"On {where}, it is unknown how many seeds {gap} takes: nothing tells what another seed changes."
        )
    if not found.n_sides:
        return f"On {where}, {gap} takes {_identities(found, n_seed)}."
    here = f"On {where} with its {many(found.n_identity, 'identity', 'identities')}, "
    each = " each" if found.n_sides > 1 else " of the side that trains"
    n = found.seeds_needed(0.01, found.n_identity)
    if n is not None:
        return f"{here}{gap} takes {_seeds(n)}{each}."
    more = _identities(found, n_seed)
    persons = f"; with {many(n_seed, 'seed')}{each} it takes {more}" if more else ""
    larger = _larger(found)
    return f"{here}no number of seeds shows {gap}{persons}{f'; {larger}{each}' if larger else ''}."


def _identities(found: Spread, n_seed: int) -> str:
    """Return how many identities a difference of one point takes, or nothing where no number is enough."""
    n = found.identities_needed(0.01, n_seed)
    if n is None:
        return ""
    return (
        f"more than {MOST_IDENTITIES:,} identities"
        if n > MOST_IDENTITIES
        else many(n, "identity", "identities")
    )


def _larger(found: Spread) -> str:
    """Return the smallest larger difference that some number of seeds shows, or nothing."""
    for points in _LARGER:
        n = found.seeds_needed(points / 100, found.n_identity)
        if n is not None and n <= MOST_SEEDS:
            return f"{points} points take {_seeds(n)}"
    return ""


def suite_lines(
    source: Source, n_seeds: Mapping[str, int], backbones: Iterable[str], *, synthetic: bool
) -> list[str]:
    """Return for each dataset what so many seeds would often miss, and what the next smaller difference takes.

    Args:
        source: where results are tracked.
        n_seeds: how many seeds a method will have, by dataset.
        backbones: names of those that will be used; results of others tell nothing.
        synthetic: whether it will be on twins.

    A dataset of which no tracked result has several seeds is left out.
    """
    if source.store is None:
        return []
    found: dict[str, Measured] = {}
    for panel in own_panels(source):
        alike = synthetic == (panel.facts["data"] == TWIN) and panel.records[0]["backbone"] in backbones
        one = measure(panel) if alike and panel.facts["dataset"] in n_seeds else None
        if one is not None:
            found.setdefault(one.dataset, one)
    return [suite_line(found[name], n) for name, n in n_seeds.items() if name in found]


def suite_line(measured: Measured, n_seed: int) -> str:
    """Return what so many seeds of each method would often miss, and what the next smaller difference takes."""
    known = measured.spread
    missed = 100 * known.detectable(n_seed, known.n_identity)
    stands = f"({many(measured.n_results, 'result')} measured so far)"
    begin = f"{measured.dataset}: with {many(n_seed, 'seed')} each, "
    first = (
        f"{begin}a difference below {missed:.1f} points in R@1 would often be missed {stands}"
        if missed < float("inf")
        else f"{begin}nothing would tell what another seed changes {stands}"
    )
    smaller = max((one for one in POINTS if one < missed), default=None)
    if smaller is None:
        return f"{first}."
    n = known.seeds_needed(smaller / 100, known.n_identity)
    if n is None:
        here = many(known.n_identity, "identity", "identities")
        return f"{first}; no number of seeds shows {_points(smaller)} on its {here}."
    return f"{first}; {_points(smaller)} {'takes' if smaller == 1 else 'take'} {_seeds(n)}."


def _points(points: float) -> str:
    return f"{points:g} point{'' if points == 1 else 's'}"


def _seeds(n: int) -> str:
    return f"more than {MOST_SEEDS} seeds" if n > MOST_SEEDS else many(n, "seed")
