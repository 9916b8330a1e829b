"""How certain the difference of two results is, which of many differ significantly, and what could be detected.

Two results on the same test set share its identities, so their difference is paired per identity; their seeds are
independent. Its interval covers new identities and new seeds; with one seed each it covers identities only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from harness.evaluate.intervals import Array, SeedSummary, holm, ratio_variance, satterthwaite, seed_variance

_POWER = 0.8


@dataclass(frozen=True)
class Difference(SeedSummary):
    """A difference with its interval, its p-value and the smallest true difference that would likely be found.

    Attributes:
        p_value: of no difference, two-sided, by Student's t; where all identities differ equally, that of so many equal
            signs; 1 where both results are the same everywhere.
        detectable: the true difference whose interval would exclude zero in 80 of 100 such comparisons.
    """

    p_value: float
    detectable: float


def paired_difference(a: Array, b: Array, sizes: Array, *, level: float = 0.95) -> Difference:
    """Return a - b of two results on the same identities, by variance components with Satterthwaite's t.

    The variance is that of the seed-averaged paired differences over identities, plus that of each side's seeds.

    Args:
        a: the values of an identity's queries under each seed, added up [n_seed, n_identity].
        b: the same of the other result [n_seed, n_identity]; its number of seeds may be another.
        sizes: numbers of queries of each identity [n_identity].
        level: share of such intervals that should hold the truth.

    >>> one, two = np.array([[2.0, 1.0, 2.0]]), np.array([[1.0, 0.0, 1.0]])
    >>> paired_difference(one, two, np.full(3, 2.0)).estimate
    0.5
    """
    paired = a.mean(axis=0) - b.mean(axis=0)
    estimate, by_identity = float(paired.sum() / sizes.sum()), ratio_variance(paired, sizes)
    sides = (seed_variance(a, sizes), seed_variance(b, sizes))
    by_seed = sum(side.variance for side in sides)
    total = by_identity + by_seed
    freedom = satterthwaite(total, [(by_identity, len(sizes) - 1), *sides[0].parts, *sides[1].parts])
    error = total**0.5
    quantile = float(stats.t.ppf((1 + level) / 2, freedom))
    half = quantile * error if error else 0.0
    by_sign = 2.0 ** (1 - len(sizes)) if estimate else 1.0
    p_value = float(2 * stats.t.sf(abs(estimate) / error, freedom)) if error else by_sign
    detectable = (quantile + float(stats.t.ppf(_POWER, freedom))) * error if error else 0.0
    ends = (estimate - half, estimate + half)
    return Difference(estimate, *ends, by_identity**0.5, by_seed**0.5, freedom, p_value, detectable)


def rank_intervals(
    differences: Sequence[Sequence[Difference | None]], *, level: float = 0.95
) -> list[tuple[int, int]]:
    """Return the best and the worst rank that each of several results may have, simultaneously at the level.

    Which results are significantly better or worse follows from p-values adjusted for the number of pairs (Holm); a
    result's rank is between the two groups.

    Args:
        differences: entry [i][j] is result i minus result j, for j > i; other entries are not read. None is a pair
            that cannot be compared, which counts as not significant.
        level: one minus the probability that any rank is outside its interval.

    >>> clear = Difference(0.5, 0.4, 0.6, 0.05, 0.0, 99.0, 1e-9, 0.14)
    >>> rank_intervals([[None, clear], [None, None]])
    [(1, 1), (2, 2)]
    """
    n = len(differences)
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    found = [differences[i][j] for i, j in pairs]
    adjusted = holm([1.0 if one is None or np.isnan(one.p_value) else one.p_value for one in found])
    best, worst = [1] * n, [n] * n
    for (i, j), one, p_value in zip(pairs, found, adjusted, strict=True):
        if one is not None and p_value <= 1 - level:
            better, other = (i, j) if one.estimate > 0 else (j, i)
            best[other] += 1
            worst[better] -= 1
    return list(zip(best, worst, strict=True))
