"""How sure the difference of two results is, which of many results are told apart, and what could be told at all.

Two results on the same test set share its persons, so their difference is taken person by person; their seeds are
their own. A difference speaks of new persons and new seeds; with one seed each it speaks of persons alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from harness.evaluate.intervals import Array, SeedSummary, holm, ratio_variance, satterthwaite, seed_variance

POWER = 0.8


@dataclass(frozen=True)
class Difference(SeedSummary):
    """A difference with its interval, its p-value and the smallest true difference that would likely be seen.

    Attributes:
        p_value: of no difference, two-sided, by Student's t; where all persons differ alike, of so many equal signs;
            1 where both results are the same everywhere.
        detectable: the true difference whose interval would miss zero in 80 of 100 such comparisons.
    """

    p_value: float
    detectable: float


def paired_difference(a: Array, b: Array, sizes: Array, *, level: float = 0.95) -> Difference:
    """Return a - b of two results on the same persons, by variance components with Satterthwaite's t.

    The variance is that of the seed-averaged paired differences over persons, plus that of each side's seeds.

    Args:
        a: the values of a person's queries under each seed, added up [n_seed, n_identity].
        b: the same of the other result [n_seed, n_identity]; its number of seeds may be another.
        sizes: numbers of queries of each person [n_identity].
        level: share of such intervals that should hold the truth.

    >>> one, two = np.array([[2.0, 1.0, 2.0]]), np.array([[1.0, 0.0, 1.0]])
    >>> paired_difference(one, two, np.full(3, 2.0)).estimate
    0.5
    """
    gap = a.mean(axis=0) - b.mean(axis=0)
    estimate, by_identity = float(gap.sum() / sizes.sum()), ratio_variance(gap, sizes)
    sides = (seed_variance(a, sizes), seed_variance(b, sizes))
    by_seed = sum(side.variance for side in sides)
    total = by_identity + by_seed
    freedom = satterthwaite(total, [(by_identity, len(sizes) - 1), *sides[0].parts, *sides[1].parts])
    error = total**0.5
    quantile = float(stats.t.ppf((1 + level) / 2, freedom))
    half = quantile * error if error else 0.0
    alike = 2.0 ** (1 - len(sizes)) if estimate else 1.0
    p_value = float(2 * stats.t.sf(abs(estimate) / error, freedom)) if error else alike
    detectable = (quantile + float(stats.t.ppf(POWER, freedom))) * error if error else 0.0
    ends = (estimate - half, estimate + half)
    return Difference(estimate, *ends, by_identity**0.5, by_seed**0.5, freedom, p_value, detectable)


def rank_intervals(
    differences: Sequence[Sequence[Difference | None]], *, level: float = 0.95
) -> list[tuple[int, int]]:
    """Return the best and the worst rank that each of several results may have, all together at the level.

    A result is surely worse than those that it is told apart from below, by p-values adjusted for the number of
    pairs (Holm), and surely better than those above which it stands: its rank lies between.

    Args:
        differences: entry [i][j] is result i less result j, for j > i; other entries are not read. None stands for
            a pair that cannot be compared, which tells nothing apart.
        level: one less the chance that any of the ranks lies outside.

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
