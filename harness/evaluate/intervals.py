"""How certain a retrieval figure is: captions of one identity are correlated, so identities are resampled.

The gallery is fixed: the intervals cover other identities searched for in this gallery. Values are what each query
contributes (a hit, its average precision); a figure is their sum over the queries divided by the number of queries.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from harness.errors import DataError

Array = NDArray[np.float64]
_DRAWN_AT_ONCE = 5_000_000


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


def bootstrap_intervals(
    values: Any, identities: Any, *, replicates: int = 10_000, level: float = 0.95, seed: int = 0
) -> list[Interval]:
    """Return means over the queries with percentile intervals from a bootstrap over identities, at the cost of one.

    Args:
        values: what each query contributes [n_query, n_value]; all columns share the draws.
        identities: the identity of each query [n_query].
        replicates: how many sets of identities are drawn.
        level: share of such intervals that should hold the truth.
        seed: of the draws; equal seeds draw equal identities, whatever the values.

    The bounds are NaN when there is only one identity.

    >>> [round(interval.estimate, 2) for interval in bootstrap_intervals([[1, 0], [0, 0], [1, 0]], [5, 5, 6])]
    [0.67, 0.0]
    """
    sums, sizes = cluster_sums(values, identities)
    estimates = sums.sum(axis=0) / sizes.sum()
    bounds = np.full((2, len(estimates)), np.nan)
    if len(sizes) > 1:
        drawn = resampled_ratios(sums, sizes, replicates=replicates, seed=seed)
        bounds = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return [Interval(*map(float, three)) for three in zip(estimates, *bounds, strict=True)]


def share_bounds(interval: Interval, n_identity: int, *, level: float = 0.95) -> tuple[float, float]:
    """Return the ends of the interval of a share, also where it is 0 or 1 and no draw of identities can differ.

    There the exact binomial bound for that many identities replaces an end that would claim certainty: zero of ten
    identities found still leaves a share of 31 %.

    >>> low, high = share_bounds(Interval(0.0, 0.0, 0.0), 10)
    >>> low, round(high, 2)
    (0.0, 0.31)
    """
    reach = ((1 - level) / 2) ** (1 / n_identity)
    low, high = max(interval.low, 0.0), min(interval.high, 1.0)
    if interval.estimate == 0.0:
        high = max(high, 1 - reach)
    if interval.estimate == 1.0:
        low = min(low, reach)
    return low, high


def resampled_ratios(sums: Array, sizes: Array, *, replicates: int = 10_000, seed: int = 0) -> Array:
    """Return the figures of resampled sets of identities, each a sum by the number of queries [replicates, n_value].

    >>> resampled_ratios(np.ones((3, 1)), np.full(3, 2.0), replicates=2).tolist()
    [[0.5], [0.5]]
    """
    rng = np.random.default_rng(seed)
    table = np.column_stack([sums, sizes])
    step = max(1, _DRAWN_AT_ONCE // len(sizes))
    counts = [min(step, replicates - start) for start in range(0, replicates, step)]
    totals: Array = np.concatenate([_draw(rng, count, len(sizes)) @ table for count in counts])
    ratios: Array = totals[:, :-1] / totals[:, -1:]
    return ratios


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
    half = stats.t.ppf((1 + level) / 2, len(rows) - 1) * rows.std(ddof=1) / np.sqrt(len(rows))
    return float(rows.mean() - half), float(rows.mean() + half)


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


def seed_summary(per_query: Any, identities: Any, *, level: float = 0.95) -> SeedSummary:
    """Return the mean over seeds with an interval that covers new identities and new seeds.

    The variance is that of the seed-averaged values over identities plus that of the seeds' means, with a t
    quantile of Satterthwaite's degrees of freedom. With one seed the interval covers identities only.

    Args:
        per_query: what each query contributes under each seed [n_seed, n_query].
        identities: the identity of each query [n_query].
        level: share of such intervals that should hold the truth.

    >>> seed_summary([[1, 0, 1, 0], [1, 0, 1, 0]], [1, 1, 2, 2])
    SeedSummary(estimate=0.5, low=0.5, high=0.5, identity_error=0.0, seed_error=0.0, freedom=inf)
    """
    sums, sizes = cluster_sums(np.asarray(per_query, dtype=np.float64).T, identities)
    return summarise_sums(sums.T, sizes, level=level)


def summarise_sums(sums: Array, sizes: Array, *, level: float = 0.95) -> SeedSummary:
    """Return what `seed_summary` does, from the sums over each identity's queries.

    Args:
        sums: the values of an identity's queries under each seed, added up [n_seed, n_identity].
        sizes: numbers of queries [n_identity].
        level: share of such intervals that should hold the truth.
    """
    mean = sums.mean(axis=0)
    by_identity, seeds = ratio_variance(mean, sizes), seed_variance(sums, sizes)
    total = by_identity + seeds.variance
    freedom = satterthwaite(total, [(by_identity, len(sizes) - 1), *seeds.parts])
    half = float(stats.t.ppf((1 + level) / 2, freedom) * total**0.5) if total else 0.0
    estimate = float(mean.sum() / sizes.sum())
    errors = (by_identity**0.5, seeds.variance**0.5)
    return SeedSummary(estimate, estimate - half, estimate + half, *errors, freedom)


def ratio_variance(sums: Array, sizes: Array) -> float:
    """Return the variance of sum / size over identities, linearised; NaN for one identity.

    Args:
        sums: the values of an identity's queries, added up [n_identity].
        sizes: numbers of queries [n_identity].
    """
    if len(sizes) < 2:
        return float("nan")
    residuals = sums - sizes * sums.sum() / sizes.sum()
    return float((residuals**2).sum() / sizes.sum() ** 2 * len(sizes) / (len(sizes) - 1))


@dataclass(frozen=True)
class SeedVariance:
    """The variance that the choice of seeds gives to their mean, and what it was estimated from.

    Attributes:
        variance: never below 0.
        parts: the estimates in it with their degrees of freedom, for `satterthwaite`.
    """

    variance: float
    parts: tuple[tuple[float, int], ...]


def seed_variance(sums: Array, sizes: Array) -> SeedVariance:
    """Return what seeds add to the variance of their mean beyond that of identities; 0 for one seed: it is unknown.

    Seeds answer an identity's queries differently by chance, which makes their means differ too. The variance over
    identities already includes that part; counted twice it would make intervals too wide, so it is subtracted here
    (the interaction of the two-way random-effects model).

    Args:
        sums: the values of an identity's queries under each seed, added up [n_seed, n_identity].
        sizes: numbers of queries [n_identity].
    """
    n_seed, n_identity = sums.shape
    if n_seed < 2 or n_identity < 2:
        return SeedVariance(0.0, ())
    means = sums.sum(axis=1) / sizes.sum()
    between = float(means.var(ddof=1)) / n_seed
    rest = sums - sums.mean(axis=0) - sizes * (means - means.mean())[:, None]
    freedom = (n_seed - 1) * (n_identity - 1)
    within = float((rest**2).sum() * n_identity / sizes.sum() ** 2) / freedom / n_seed
    parts = ((between, n_seed - 1), (within, freedom))
    return SeedVariance(max(between - within, 0.0), parts)


def satterthwaite(total: float, parts: Sequence[tuple[float, int]]) -> float:
    """Return the degrees of freedom of a variance made of estimates with their own; infinite where all are 0.

    Never fewer than those of its least certain estimate, which a difference of estimates would give.

    >>> satterthwaite(1.0, [(1.0, 10), (0.0, 2)])
    10.0
    """
    known = [(variance, max(freedom, 1)) for variance, freedom in parts if variance]
    if not known:
        return float("inf")
    return float(max(total**2 / sum(v**2 / f for v, f in known), min(f for _, f in known)))


def _draw(rng: np.random.Generator, count: int, n_identity: int) -> Array:
    """Draw sets of identities with replacement: how often each is in a set [count, n_identity]."""
    drawn = rng.integers(n_identity, size=(count, n_identity))
    drawn += np.arange(count)[:, None] * n_identity
    return (
        np.bincount(drawn.ravel(), minlength=count * n_identity).reshape(count, n_identity).astype(np.float64)
    )
