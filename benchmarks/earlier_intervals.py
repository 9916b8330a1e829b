"""The intervals of version 0.1.0, to compare: percentile bootstrap; Satterthwaite's t with each result's own seeds."""

import numpy as np
from scipy import stats

from harness.evaluate.variance import Array, identity_variance, influence, seed_variance

REPLICATES = 1_000


def of_one_run(sums: Array, sizes: Array, rng: np.random.Generator) -> tuple[float, float]:
    """Return the percentile interval of a bootstrap over identities."""
    n = len(sizes)
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=REPLICATES) @ np.stack([sums, sizes], axis=1)
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975])
    return float(low), float(high)


def of_seeds(*sides: Array, sizes: Array) -> tuple[float, float, float]:
    """Return the ends of the interval of a mean over seeds, or of the difference of two, and the p-value of 0."""
    mean = sides[0].mean(axis=0) - (sides[1].mean(axis=0) if len(sides) > 1 else 0)
    persons = identity_variance(influence(mean, sizes))
    value, parts = persons.value, [(persons.value, persons.freedom)]
    for side in sides:
        one, n = seed_variance(side, sizes), len(side)
        if one is not None:
            value += one.value / n
            parts += [(one.between / n, n - 1), (one.within / n, (n - 1) * (len(sizes) - 1))]
    freedom = max(value**2 / sum(v**2 / f for v, f in parts if v), min(f for v, f in parts if v))
    estimate, half = mean.sum() / sizes.sum(), stats.t.ppf(0.975, freedom) * value**0.5
    p_value = 2 * stats.t.sf(abs(estimate) / value**0.5, freedom)
    return float(estimate - half), float(estimate + half), float(p_value)
