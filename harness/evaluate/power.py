"""How many seeds and identities it takes to see a difference, from the variances that were measured.

Three things make the difference of two results vary, and each shrinks with something else. Identities differ in which
result serves them better: that shrinks with more identities. What a seed changes as a whole shrinks with more seeds.
The luck of single queries under a seed shrinks with both.
"""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf

import numpy as np
from scipy import special

from harness.evaluate.variance import (
    SEEDLESS,
    Array,
    SeedVariance,
    Variance,
    detectable,
    identity_variance,
    influence,
    seed_variance,
    shared,
    total_variance,
)

# Where the search ends: a number above says that it takes more.
MOST_SEEDS, MOST_IDENTITIES = 100, 1_000_000
_DRAWS = (np.arange(20) + 0.5) / 20


@dataclass(frozen=True)
class Spread:
    """What makes the difference of two results vary; variances are those of shares, and so are differences.

    Attributes:
        identities: variance of the difference over `n_identity` identities, without the luck of their queries.
        n_identity: how many identities it was measured on.
        seeds: what another seed changes in one side; its luck (`within`) was measured on as many identities.
        n_sides: how many of the two sides another seed changes: 0 where neither trains anything.
        others: degrees of freedom that further results bring to the knowledge of `seeds`.
    """

    identities: float
    n_identity: int
    seeds: SeedVariance = SEEDLESS
    n_sides: int = 0
    others: int = 0

    def detectable(self, n_seed: int, n_identity: float) -> float:
        """Return the true difference whose interval would exclude zero in 80 of 100 comparisons of such a design.

        It is what `paired_difference` has as `detectable` there, on average. Infinite where nothing would tell what
        seeds change: one seed each, and no further result.

        Args:
            n_seed: seeds of each side that has any.
            n_identity: identities of the test set, at least 2; infinity leaves what seeds make up.
        """
        freedom = self.others + self.n_sides * (n_seed - 1)
        if self.n_sides and not freedom:
            return inf
        shrunk = self.n_identity / n_identity
        luck = self.seeds.within * shrunk
        identities = self.identities * shrunk + self.n_sides * luck / n_seed
        one = _as_shared(self.seeds.value + luck, luck, n_seed - 1, freedom) if self.n_sides else SEEDLESS
        total = total_variance(Variance(identities, n_identity - 1), [(n_seed, one)] * self.n_sides)
        return detectable(total)

    def seeds_needed(self, difference: float, n_identity: int) -> int | None:
        """Return how many seeds of each side make a true difference detectable on so many identities, or on more.

        `MOST_SEEDS` + 1 says that it takes more; None that no number does it: identities alone vary by more.

        >>> Spread(1e-4, 1000, SeedVariance(2e-4, 1e-4, 4), 2).seeds_needed(0.06, 1000)
        3
        """
        if self.detectable(10**9, n_identity) > difference:
            return None
        return _fewest(1, MOST_SEEDS, lambda n: self._seen(difference, n, n_identity))

    def identities_needed(self, difference: float, n_seed: int) -> int | None:
        """Return how many identities make a true difference detectable with so many seeds of each side.

        `MOST_IDENTITIES` + 1 says that it takes more; None that no number does it: seeds alone differ by more.

        >>> Spread(1e-4, 1000).identities_needed(0.02, 1)
        1965
        """
        if self.detectable(n_seed, inf) > difference:
            return None
        return _fewest(2, MOST_IDENTITIES, lambda n: self._seen(difference, n_seed, n))

    def at_limit(self) -> "Spread":
        """Return the same with the seeds' variance at its upper confidence limit (`SeedVariance.limit`)."""
        return replace(self, seeds=replace(self.seeds, between=self.seeds.limit + self.seeds.within))

    def _seen(self, difference: float, n_seed: int, n_identity: int) -> bool:
        """Say whether a difference is detectable on so many identities, and on more.

        The more of the variance seeds make up, the fewer degrees of freedom it has: between both ends, more identities
        may make the detectable difference a little larger, but never larger than at one of them.
        """
        return max(self.detectable(n_seed, n) for n in (n_identity, inf)) <= difference


def spread(
    a: Array, b: Array, sizes: Array, seeds: tuple[SeedVariance | None, SeedVariance | None]
) -> Spread | None:
    """Return what makes the difference of two results on the same identities vary.

    None for one identity, and where nothing tells what another seed would change.

    Args:
        a, b: the values of an identity's queries under each seed, added up [n_seed, n_identity].
        sizes: numbers of queries of each identity [n_identity].
        seeds: the variance of one seed of each side as it is shared with other results (`variance.shared`),
            `SEEDLESS` where no seed changes anything.
    """
    known = [one for one in seeds if one is not None]
    if len(sizes) < 2 or len(known) < 2:
        return None
    sides = [(sums, one) for sums, one in zip((a, b), known, strict=True) if one.freedom]
    lucks = [(seed_variance(sums, sizes) or one).within for sums, one in sides]
    total = identity_variance(influence(a.mean(axis=0) - b.mean(axis=0), sizes)).value
    identities = total - sum(luck / len(sums) for luck, (sums, _) in zip(lucks, sides, strict=True))
    if not sides:
        return Spread(identities, len(sizes))
    value, luck = (float(np.mean(found)) for found in ([one.value for _, one in sides], lucks))
    freedom = max(one.freedom for _, one in sides)
    others = max(freedom - sum(len(sums) - 1 for sums, _ in sides), 0)
    one = SeedVariance(value + luck, luck, freedom)
    return Spread(max(identities, 0.0), len(sizes), one, len(sides), others)


def _as_shared(between: float, luck: float, own: int, freedom: int) -> SeedVariance:
    """Return what sharing makes of a true seed variance, on average over what a side's own seeds may say of it.

    A side whose own seeds happen to differ more keeps a part of that (`variance.shared`), which costs power.

    Args:
        between: variance of the figures of seeds, with their luck.
        luck: that luck alone.
        own: degrees of freedom of the side's own seeds.
        freedom: those of all results together.
    """
    if not own or own == freedom:
        return SeedVariance(between, luck, freedom, pooled=True)
    rest = SeedVariance(between, luck, freedom - own)
    draws = between * 2 * special.gammaincinv(own / 2, _DRAWS) / own
    found = [shared([SeedVariance(float(one), luck, own), rest])[0] or rest for one in draws]
    raised = float(np.mean([one.between for one in found]))
    return SeedVariance(raised, luck, round(np.mean([one.freedom for one in found])), pooled=True)


def _fewest(first: int, most: int, enough: Callable[[int], bool]) -> int:
    """Return the smallest number from `first` that is enough, as all above it are; `most` + 1 where none is."""
    return first + bisect_left(range(first, most + 1), True, key=enough)
