"""Do results put pairs in a given order? Kendall's tau over the pairs, with an interval over identities and seeds."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from harness.evaluate.per_identity import Persons
from harness.evaluate.variance import Array, SeedVariance

DRAWS, _AT_ONCE, _LEVEL = 4_000, 200, 0.95


class Agreement(NamedTuple):
    """Kendall's tau over pairs, between -1 (all the other way round) and 1, and its 95 % interval."""

    tau: float
    low: float
    high: float


def agreement(
    pairs: Sequence[tuple[int, int]],
    results: Sequence[Persons],
    seeds: Sequence[SeedVariance | None],
    metric: str = "R1",
) -> Agreement:
    """Return how far results put pairs in the given order.

    Tau is the number of pairs in that order less the number of those the other way round, divided by all; results that
    are equal count as neither (Kendall 1938). The interval holds the middle 95 % of its values under resampling: the
    identities with replacement, the same ones for all results, and for each result the luck of its seeds.

    Args:
        pairs: at least one; places in `results`, first of the one that is to be better.
        results: per identity, all of the same queries.
        seeds: the variance of one seed of each result, as a share; None where nothing tells it, so that the interval
            does not cover it.
        metric: one of `METRICS`.
    """
    means = np.array([one.of(metric).sum() / len(one.sums) / one.sizes.sum() for one in results])
    tau = float(_taus(means[None], pairs)[0])
    drawn = np.concatenate(
        [_taus(part, pairs) for part in _resampled(results, seeds, metric, np.random.default_rng(0))]
    )
    low, high = np.quantile(drawn, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Agreement(tau, float(low), float(high))


def _taus(means: Array, pairs: Sequence[tuple[int, int]]) -> Array:
    """Return tau of each row of means [n_draw, n_result]."""
    better, worse = np.array(pairs).T
    found: Array = np.sign(means[:, better] - means[:, worse]).mean(axis=1)
    return found


def _resampled(
    results: Sequence[Persons],
    seeds: Sequence[SeedVariance | None],
    metric: str,
    random: np.random.Generator,
) -> list[Array]:
    """Return means of resampled identities and seeds [n_draw, n_result], a part at a time."""
    sums = np.stack([one.of(metric).mean(axis=0) for one in results], axis=1)
    sizes = results[0].sizes
    spread = [
        (one.value / len(result.sums), one.freedom) if one is not None and one.freedom else (0.0, 1)
        for one, result in zip(seeds, results, strict=True)
    ]
    variance, freedom = (np.array(part, dtype=np.float64) for part in zip(*spread, strict=True))
    parts = []
    for _ in range(DRAWS // _AT_ONCE):
        times = random.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), _AT_ONCE)
        luck = random.standard_normal((_AT_ONCE, len(results))) * np.sqrt(variance)
        luck *= np.sqrt(freedom / random.chisquare(freedom, (_AT_ONCE, len(results))))
        parts.append(times @ sums / (times @ sizes)[:, None] + luck)
    return parts
