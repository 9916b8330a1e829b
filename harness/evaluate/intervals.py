"""How certain a retrieval figure is: captions of one identity are correlated, so identities are what is counted.

The gallery is fixed: the intervals cover other identities searched for in this gallery. Values are what each query
contributes, between 0 and 1 (a hit, its average precision); a figure is their sum over the queries divided by the
number of queries. Its interval is Wilson's for a proportion (1927), of as many queries as the variance is worth (Korn
and Graubard 1998), with a Student's t quantile of the degrees of freedom of that variance. It stays between 0 and 1
and holds near both; `python -m benchmarks coverage` measures how often.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from harness.errors import DataError
from harness.evaluate.variance import (
    Array,
    SeedVariance,
    Variance,
    influence,
    seed_variance,
    total_variance,
    variance_of,
)

# Which method made an interval: 1 a percentile bootstrap over identities, 2 the one above.
METHOD = 2


@dataclass(frozen=True)
class Interval:
    """An estimate with the bounds of its confidence interval, in the unit of the values."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class SeedSummary(Interval):
    """A mean over seeds with its interval, and its standard errors from identities and from seeds."""

    identity_error: float
    seed_error: float
    freedom: float


def cluster_sums(values: Any, identities: Any) -> tuple[Array, Array]:
    """Add up the values of each identity: sums [n_identity, n_value] and numbers of queries [n_identity].

    Args:
        values: what each query contributes [n_query] or [n_query, n_value].
        identities: the identity of each query [n_query].

    >>> sums, sizes = cluster_sums([1.0, 0.0, 1.0], [7, 7, 3])
    >>> sums[:, 0].tolist(), sizes.tolist()
    ([1.0, 1.0], [1.0, 2.0])
    """
    rows = np.asarray(values, dtype=np.float64)
    rows = rows[:, None] if rows.ndim == 1 else rows
    if not len(rows) or len(rows) != len(identities):
        raise DataError(
            f"Got {len(rows)} values for {len(identities)} identities; give one each, at least one."
        )
    names, member = np.unique(np.asarray(identities), return_inverse=True)
    sums = np.stack([np.bincount(member, column, len(names)) for column in rows.T], axis=1)
    return sums.astype(np.float64), np.bincount(member).astype(np.float64)


def share_interval(estimate: float, variance: Variance, n_identity: int, *, level: float = 0.95) -> Interval:
    """Return the interval of a share from its variance: Wilson's, for as many queries as the variance is worth.

    Where no two identities differ, or the share is 0 or 1, each counts as one query, and the quantile is the normal
    one: none of ten found still leaves a share of 28 %.

    Args:
        estimate: between 0 and 1.
        variance: of the estimate; NaN gives NaN ends.
        n_identity: how many identities there are.
        level: share of such intervals that should hold the truth.

    >>> found = share_interval(0.0, Variance(0.0, 9), 10)
    >>> found.low, round(found.high, 2)
    (0.0, 0.28)
    """
    if np.isnan(variance.value):
        return Interval(estimate, variance.value, variance.value)
    spread, tail = max(estimate * (1 - estimate), 0.0), (1 + level) / 2
    # Squared quantile by number of queries.
    if variance.value > 0 and spread > 0:
        ratio = float(special.stdtrit(variance.freedom, tail)) ** 2 * variance.value / spread
    else:
        ratio = float(special.ndtri(tail)) ** 2 / n_identity
    centre = (estimate + ratio / 2) / (1 + ratio)
    half = (ratio * spread + ratio**2 / 4) ** 0.5 / (1 + ratio)
    return Interval(estimate, min(max(centre - half, 0.0), estimate), max(min(centre + half, 1.0), estimate))


def share_intervals(values: Any, identities: Any, *, level: float = 0.95) -> list[SeedSummary]:
    """Return the means over the queries of one run, with their intervals over identities.

    Args:
        values: what each query contributes, between 0 and 1 [n_query, n_value].
        identities: the identity of each query [n_query].
        level: share of such intervals that should hold the truth.

    The ends are NaN when there is only one identity.

    >>> [round(one.estimate, 2) for one in share_intervals([[1, 0], [0, 0], [1, 0]], [5, 5, 6])]
    [0.67, 0.0]
    """
    sums, sizes = cluster_sums(values, identities)
    return [summarise_sums(column[None], sizes, level=level) for column in sums.T]


def seed_summary(per_query: Any, identities: Any, *, level: float = 0.95) -> SeedSummary:
    """Return the mean over seeds with an interval that covers new identities and new seeds.

    With one seed the interval covers identities only.

    Args:
        per_query: what each query contributes under each seed, between 0 and 1 [n_seed, n_query].
        identities: the identity of each query [n_query].
        level: share of such intervals that should hold the truth.

    >>> found = seed_summary([[1, 0, 1, 0], [1, 0, 1, 0]], [1, 1, 2, 2])
    >>> found.estimate, found.identity_error, found.seed_error
    (0.5, 0.0, 0.0)
    """
    sums, sizes = cluster_sums(np.asarray(per_query, dtype=np.float64).T, identities)
    return summarise_sums(sums.T, sizes, level=level)


def summarise_sums(
    sums: Array, sizes: Array, seeds: SeedVariance | None = None, *, level: float = 0.95
) -> SeedSummary:
    """Return what `seed_summary` does, from the sums over each identity's queries.

    Args:
        sums: the values of an identity's queries under each seed, added up [n_seed, n_identity].
        sizes: numbers of queries [n_identity].
        seeds: the variance of one seed, where other results help to know it (`variance.shared`); else these seeds' own.
        level: share of such intervals that should hold the truth.
    """
    mean = sums.mean(axis=0)
    persons = variance_of(influence(mean, sizes))
    side = (len(sums), seeds or seed_variance(sums, sizes))
    total = total_variance(persons, [side], alpha=1 - level)
    found = share_interval(float(mean.sum() / sizes.sum()), total, len(sizes), level=level)
    by_seed = max(total.value - persons.value, 0.0)
    return SeedSummary(found.estimate, found.low, found.high, persons.value**0.5, by_seed**0.5, total.freedom)


def intra_identity_correlation(values: Any, identities: Any) -> float:
    """Return the intra-class correlation of one identity's queries: ANOVA estimator for unequal numbers of queries.

    About 0 when the queries of one identity differ as much as those of two; 1 when they are equal. Also 0 where it is
    not defined: no two values differ, or no identity (or only one) has several queries. The variance of a mean grows
    with it by about 1 + (queries per identity - 1) x correlation.

    >>> intra_identity_correlation([1, 1, 0, 0], [3, 3, 4, 4])
    1.0
    """
    rows = np.asarray(values, dtype=np.float64)
    sums, sizes = cluster_sums(rows, identities)
    n_query, n_identity = sizes.sum(), len(sizes)
    if n_identity < 2 or n_query == n_identity:
        return 0.0
    means = sums[:, 0] / sizes
    between = (sizes * (means - rows.mean()) ** 2).sum() / (n_identity - 1)
    within = ((rows - rows.mean()) ** 2).sum() - between * (n_identity - 1)
    within = max(within, 0.0) / (n_query - n_identity)
    size = (n_query - (sizes**2).sum() / n_query) / (n_identity - 1)
    spread = between + (size - 1) * within
    return float((between - within) / spread) if spread > 1e-15 else 0.0


def mean_interval(values: Any, *, level: float = 0.95) -> tuple[float, float]:
    """Return the interval of the mean of independent values by Student's t; at least two values.

    >>> [round(end, 2) for end in mean_interval([1.0, 2.0, 3.0])]
    [-0.48, 4.48]
    """
    rows = np.asarray(values, dtype=np.float64)
    half = special.stdtrit(len(rows) - 1, (1 + level) / 2) * rows.std(ddof=1) / np.sqrt(len(rows))
    return float(rows.mean() - half), float(rows.mean() + half)
