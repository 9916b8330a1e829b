"""How certain the difference of two results is, which of many differ significantly, and what could be detected.

Two results on the same test set share its identities, so their difference is paired per identity; their seeds are
independent. Its interval covers new identities and new seeds, as far as the variance of seeds is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from harness.evaluate.intervals import SeedSummary
from harness.evaluate.variance import (
    Array,
    SeedVariance,
    detectable,
    identity_variance,
    influence,
    seed_variance,
    total_variance,
    two_sided_p,
)


@dataclass(frozen=True)
class Difference(SeedSummary):
    """A difference with its interval, its p-value and the smallest true difference that would likely be found.

    Attributes:
        p_value: of no difference, two-sided, by Student's t; where all identities differ equally, that of so many equal
            signs; 1 where both results are the same everywhere.
        detectable: the true difference whose interval would exclude zero in 80 of 100 such comparisons
            (`variance.detectable`).
        persons_only: a side has one seed and nothing tells what another would change, so that only new identities
            are covered.
    """

    p_value: float
    detectable: float
    persons_only: bool = False

    @property
    def nowhere(self) -> bool:
        """Whether both results are equal on each identity, on average over their seeds."""
        return self.estimate == 0 and self.identity_error == 0


def paired_difference(
    a: Array,
    b: Array,
    sizes: Array,
    seeds: tuple[SeedVariance | None, SeedVariance | None] = (None, None),
    *,
    level: float = 0.95,
) -> Difference:
    """Return a - b of two results on the same identities, by variance components with Student's t.

    The variance is that of the seed-averaged paired differences over identities, plus that of each side's seeds.

    Args:
        a: the values of an identity's queries under each seed, added up [n_seed, n_identity].
        b: the same of the other result [n_seed, n_identity]; its number of seeds may be another.
        sizes: numbers of queries of each identity [n_identity].
        seeds: the variance of one seed of each side, where it is known from more than the side itself
            (`variance.shared`), `SEEDLESS` where no seed changes anything; else the side's own seeds tell it.
        level: share of such intervals that should hold the truth.

    >>> one, two = np.array([[2.0, 1.0, 2.0]]), np.array([[1.0, 0.0, 1.0]])
    >>> found = paired_difference(one, two, np.full(3, 2.0))
    >>> found.estimate, found.persons_only
    (0.5, True)
    """
    moved = influence(a.mean(axis=0) - b.mean(axis=0), sizes)
    estimate = float((a.mean(axis=0) - b.mean(axis=0)).sum() / sizes.sum())
    sides = [
        (len(side), known or seed_variance(side, sizes)) for side, known in zip((a, b), seeds, strict=True)
    ]
    persons = identity_variance(moved)
    total = total_variance(persons, sides, alpha=1 - level)
    error = total.value**0.5
    quantile = float(special.stdtrit(total.freedom, (1 + level) / 2))
    half = quantile * error if error else 0.0
    by_sign = 2.0 ** (1 - len(sizes)) if estimate else 1.0
    p_value = two_sided_p(abs(estimate), persons, sides) if error else by_sign
    return Difference(
        estimate,
        estimate - half,
        estimate + half,
        persons.value**0.5,
        max(total.value - persons.value, 0.0) ** 0.5,
        total.freedom,
        p_value,
        detectable(total, level=level),
        any(known is None for _, known in sides),
    )


def holm(p_values: Any) -> Array:
    """Return p-values adjusted for their number, in the order given; at most one error among all claims (Holm).

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = p.argsort(kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def rank_intervals(
    differences: Sequence[Sequence[Difference | None]], *, level: float = 0.95
) -> list[tuple[int, int]]:
    """Return the best and the worst rank that each of several results may have, simultaneously at the level.

    Which results are significantly better or worse follows from p-values adjusted for the number of pairs (Holm), which
    must not be above 1 - level; a result's rank is between the two groups.

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
