"""How much a figure varies: with the identities that are searched for, and with the seed of the training.

Both are estimates, and each says on how many degrees of freedom it stands. Seeds are few, so results of one panel
share what is known of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import exp, log

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]
_LEAST_FREEDOM = 3.0
_ROUNDING = 1e-15
_POWER = 0.8
# How far up the confidence limit of a seed variance is taken where degrees of freedom follow from it, for a probability
# of error of 5 %; by which power of a smaller one it goes further up; and how many degrees of freedom of the pool an
# estimate above it is weighed against. All three were chosen by simulation.
LIMIT, _FURTHER, _WEIGHT = 0.75, 0.6, 3
ALPHA = 0.05
# Where p-values below 5 % are looked for.
_ALPHAS = (0.03, 0.02, 0.01, 0.005, 0.002, 1e-3, 5e-4, 2e-4, 1e-4, 1e-5, 1e-6, 1e-8, 1e-10, 1e-12)


@dataclass(frozen=True)
class Variance:
    """The estimate of a variance, and how many degrees of freedom it has."""

    value: float
    freedom: float


@dataclass(frozen=True)
class SeedVariance:
    """What another seed would change in the figure of one seed.

    Attributes:
        between: variance of the figures of seeds; the luck of their queries is in it.
        within: that luck alone. The variance over identities includes it already.
        freedom: degrees of freedom of `between`; 0 where no seed changes anything.
        pooled: the estimate is of several results' seeds, and so depends on those of others.
    """

    between: float
    within: float
    freedom: int
    pooled: bool = False

    @property
    def value(self) -> float:
        """The variance without the luck of queries; never below 0."""
        return max(self.between - self.within, 0.0)

    @property
    def limit(self) -> float:
        """The upper confidence limit of `value` at 75 %: an estimate of few seeds is often far too small."""
        return self.limit_at(ALPHA)

    def limit_at(self, alpha: float) -> float:
        """Return the limit that a probability of error asks for, at 1 - 0.25 (alpha / 0.05) ** 0.6 or the median."""
        if not self.freedom:
            return 0.0
        return max(self.between * self.freedom / _least(self.freedom, alpha) - self.within, 0.0)


@cache
def _least(freedom: int, alpha: float) -> float:
    """Return how small chi squared may well come out."""
    tail = min((1 - LIMIT) * (alpha / ALPHA) ** _FURTHER, 0.5)
    return float(2 * special.gammaincinv(freedom / 2, tail))


SEEDLESS = SeedVariance(0.0, 0.0, 0)
Side = tuple[int, SeedVariance | None]


def influence(sums: Array, sizes: Array) -> Array:
    """Return by how much each identity moves sum / size, to first order [n_identity]; they add up to 0.

    Args:
        sums: the values of an identity's queries, added up [n_identity].
        sizes: numbers of queries [n_identity].

    >>> influence(np.array([2.0, 0.0]), np.array([2.0, 2.0])).tolist()
    [0.25, -0.25]
    """
    moved: Array = (sums - sizes * sums.sum() / sizes.sum()) / sizes.sum()
    moved[np.abs(moved) < _ROUNDING] = 0.0
    return moved


def identity_variance(moved: Array) -> Variance:
    """Return the variance of a figure over identities, with n - 1 degrees of freedom; NaN for one identity.

    The influences are squared, added up and multiplied by n / (n - 1), for n identities.

    Args:
        moved: the `influence` of each identity [n_identity].

    >>> identity_variance(np.array([0.25, -0.25]))
    Variance(value=0.25, freedom=1.0)
    """
    n = len(moved)
    if n < 2:
        return Variance(float("nan"), 1.0)
    return Variance(float((moved**2).sum() * n / (n - 1)), n - 1.0)


def freedom_by_kurtosis(moved: Array) -> float:
    """Return the degrees of freedom of an identity variance: 2n / (2 + excess kurtosis of the influence).

    Near 0 and 100 % a few identities make up most of the variance, and the estimate is worth no more than they are. The
    kurtosis is the bias-corrected one (G2). At least 3, and at most one fewer than identities, which it also is for
    three or fewer and where none differ.

    >>> freedom_by_kurtosis(np.array([0.9] + [-0.1] * 9))
    3.0
    >>> freedom_by_kurtosis(np.array([0.5, -0.5] * 5))
    9.0
    """
    n = len(moved)
    most = max(n - 1.0, 1.0)
    if n <= _LEAST_FREEDOM or not moved.any():
        return most
    kurtosis = n * float((moved**4).sum()) / float((moved**2).sum()) ** 2 - 3
    excess = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * kurtosis + 6)
    return min(max(2 * n / max(2 + excess, 1e-9), _LEAST_FREEDOM), most)


def variance_of(moved: Array) -> Variance:
    """Return the variance of a figure over identities, with its degrees of freedom by kurtosis.

    For figures that may come near an end of their range; a difference of two paired results needs no such care.
    """
    return Variance(identity_variance(moved).value, freedom_by_kurtosis(moved))


def half_width(moved: Array, *, level: float = 0.95) -> float:
    """Return half the width of the interval of a figure over identities, by Student's t; NaN for one identity.

    >>> round(half_width(np.array([0.25, -0.25])), 2)
    6.35
    """
    found = variance_of(moved)
    return float(special.stdtrit(found.freedom, (1 + level) / 2) * found.value**0.5)


def detectable(total: Variance, *, level: float = 0.95) -> float:
    """Return the true difference whose interval would exclude zero in 80 of 100 comparisons of such a variance.

    The sum of the t quantiles at 97.5 and 80 % times the standard error: with 1, 2 or 3 degrees of freedom it is seen
    in 73, 77 or 78 of 100.

    >>> round(detectable(Variance(1.0, 1000)), 2)
    2.8
    """
    if not total.value:
        return 0.0
    return float(special.stdtrit(total.freedom, [(1 + level) / 2, _POWER]).sum() * total.value**0.5)


def seed_variance(sums: Array, sizes: Array) -> SeedVariance | None:
    """Return what the seeds of one result say of another seed; None of one seed: it says nothing.

    Seeds that answer alike for every identity change nothing (`SEEDLESS`), and say nothing of other results' seeds.

    Seeds answer an identity's queries differently by chance, which makes their means differ too. The variance over
    identities includes that part already; counted twice it would make intervals too wide, so it is known apart (the
    interaction of the two-way random-effects model).

    From each sum its mean over seeds is taken away, and its size times how far its seed is above the mean of all; the
    luck is the sum of squares of what is left by (n_seed - 1)(n_identity - 1), times n_identity by the square of the
    number of queries.

    Args:
        sums: the values of an identity's queries under each seed, added up [n_seed, n_identity].
        sizes: numbers of queries [n_identity].
    """
    n_seed, n_identity = sums.shape
    if n_seed < 2 or n_identity < 2:
        return None
    if (sums == sums[0]).all():
        return SEEDLESS
    means = sums.sum(axis=1) / sizes.sum()
    rest = sums - sums.mean(axis=0) - sizes * (means - means.mean())[:, None]
    freedom = (n_seed - 1) * (n_identity - 1)
    within = float((rest**2).sum() * n_identity / sizes.sum() ** 2) / freedom
    return SeedVariance(float(means.var(ddof=1)), within, n_seed - 1)


def shared(found: Sequence[SeedVariance | None]) -> list[SeedVariance | None]:
    """Return the seed variance of each of several results on one test set, from what is known of all.

    All have the pooled variance, with all degrees of freedom: a result of one seed too, and one whose own came out
    small by chance. One whose own is larger has a mean of both, weighted by its own degrees of freedom and by 3 for
    the pool (the moderated variance of Smyth 2004, upwards only), with as many degrees of freedom as both weights, but
    no more than the pool: the more seeds it has, the more it keeps its own.

    Args:
        found: of each result; None where its seeds say nothing, `SEEDLESS` where it has none.

    None remains where no result says anything.

    >>> small, large = SeedVariance(1.0, 0.0, 3), SeedVariance(5.0, 0.0, 1)
    >>> [(one.between, one.freedom) for one in shared([small, large, None]) if one]
    [(2.0, 4), (2.75, 4), (2.0, 4)]
    """
    known = [one for one in found if one is not None and one.freedom]
    if not known:
        return list(found)
    pool = _mean([(one.freedom, one) for one in known])
    return [pool if one is None else _moderated(one, pool) if one.freedom else one for one in found]


def _moderated(own: SeedVariance, pool: SeedVariance) -> SeedVariance:
    if own.between <= pool.between:
        return pool
    found = _mean([(own.freedom, own), (_WEIGHT, pool)])
    return replace(found, freedom=min(found.freedom, pool.freedom))


def _mean(parts: Sequence[tuple[int, SeedVariance]]) -> SeedVariance:
    total = sum(weight for weight, _ in parts)
    between = sum(weight * one.between for weight, one in parts) / total
    within = sum(weight * one.within for weight, one in parts) / total
    return SeedVariance(between, within, total, pooled=True)


def total_variance(persons: Variance, sides: Sequence[Side], *, alpha: float = ALPHA) -> Variance:
    """Return the variance over identities and seeds, with the degrees of freedom of Welch and Satterthwaite.

    These depend on how much of the variance the seeds make up, which few seeds tell badly: it is taken at the upper
    limit of their variance, so that an estimate near 0 does not pass for certainty. Estimates of one pool count as one.
    Never fewer than those of the least certain part.

    Args:
        persons: the variance over identities of the seeds' mean, or of the difference of two.
        sides: the number of seeds of each result in it, and what one seed's variance is; None where it is unknown.
        alpha: the probability of error that a quantile is taken for; the smaller, the higher the limit.

    >>> total_variance(Variance(1.0, 99), [(2, SeedVariance(2.0, 0.0, 4)), (1, None)]).value
    2.0
    """
    known = [(n, one) for n, one in sides if one is not None and one.freedom]
    value = persons.value + sum(one.value / n for n, one in known)
    limits = [one.limit_at(alpha) / n for n, one in known]
    limit = persons.value + sum(limits)
    # How far each estimate may be off, by its degrees of freedom: those of one pool are off together.
    off = [(most / one.freedom**0.5, one.pooled) for most, (_, one) in zip(limits, known, strict=True)]
    squares = persons.value**2 / persons.freedom + sum(one for one, pooled in off if pooled) ** 2
    squares += sum(one**2 for one, pooled in off if not pooled)
    freedom = limit**2 / squares if squares else float("inf")
    return Variance(value, max(freedom, min([persons.freedom, *(one.freedom for _, one in known)])))


def two_sided_p(distance: float, persons: Variance, sides: Sequence[Side]) -> float:
    """Return the p-value of a distance from what it would be without any difference, by Student's t.

    The degrees of freedom depend on the probability of error (`total_variance`), so below 5 % it is the p-value whose
    own degrees of freedom give it: small ones are no smaller than few seeds allow. It is looked for between the
    probabilities of `_ALPHAS`, where the logarithm of what each gives is interpolated. From 5 % on it is that of 5 %.

    Args:
        distance: the absolute difference.
        persons: the variance over identities of the difference.
        sides: as `total_variance` takes them; the variance must not be 0.

    >>> few, many = SeedVariance(0.5, 0.1, 2), SeedVariance(0.5, 0.1, 99)
    >>> [f"{two_sided_p(4.0, Variance(0.5, 99), [(1, one)]):.2g}" for one in (few, many)]
    ['0.027', '3.8e-05']
    """
    above = ALPHA
    found = _student_p(distance, total_variance(persons, sides))
    if not found < ALPHA:
        return found
    too_high = log(max(found, 1e-300) / ALPHA)
    for alpha in _ALPHAS:
        found = _student_p(distance, total_variance(persons, sides, alpha=alpha))
        too_low = log(max(found, 1e-300) / alpha)
        if too_low >= 0:
            return exp(log(above) + (log(alpha) - log(above)) * too_high / (too_high - too_low))
        above, too_high = alpha, too_low
    return found


def _student_p(distance: float, total: Variance) -> float:
    return float(2 * special.stdtr(total.freedom, -distance / total.value**0.5))
