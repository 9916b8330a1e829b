"""Results whose truth is known: hits and average precisions of persons, captions, seeds and methods, drawn by chance.

Captions of one person share their difficulty, drawn so that outcomes correlate as asked; a caption keeps half of its
luck from seed to seed, and each seed moves the whole result. Of two methods, which are equally good on the whole,
three persons in ten are unlike hard. Persons have between 2 and 12 captions.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
OWN, KEPT = 0.3, 0.5


def draw_methods(
    rng: np.random.Generator,
    share: float,
    correlation: float,
    n_identity: int,
    n_seeds: Sequence[int],
    seed_sds: Sequence[float],
) -> tuple[list[Array], Array]:
    """Draw several equally good methods on the same persons.

    Args:
        share: the true R@1 of each method, between 0 and 1.
        correlation: of one person's outcomes.
        n_identity: how many persons.
        n_seeds: how many seeds each method has.
        seed_sds: the standard deviation of each method's seeds, as a share.

    Returns:
        The hits of each method, added up per person [n_seed, n_identity], and the numbers of captions [n_identity].
    """
    sizes = rng.integers(2, 13, n_identity)
    person = np.repeat(np.arange(n_identity), sizes)
    common = _difficulties(rng, share, correlation, n_identity)
    methods = []
    for count, seed_sd in zip(n_seeds, seed_sds, strict=True):
        other = rng.random(n_identity) < OWN if len(n_seeds) > 1 else np.zeros(n_identity, dtype=bool)
        chance = np.where(other, _difficulties(rng, share, correlation, n_identity), common)[person]
        rows = _hits(rng, chance, rng.normal(0, seed_sd, count), share)
        methods.append(np.stack([np.bincount(person, row, n_identity).astype(np.float64) for row in rows]))
    return methods, sizes.astype(np.float64)


def _difficulties(rng: np.random.Generator, share: float, correlation: float, n_identity: int) -> Array:
    """Draw the chance that a person's caption is answered [n_identity]."""
    weight = (1 - correlation) / correlation
    return rng.beta(share * weight, (1 - share) * weight, n_identity)


def _hits(rng: np.random.Generator, chance: Array, shifts: Array, share: float) -> Iterator[Array]:
    """Yield whether each caption is answered under each seed [n_query]; a seed moves the mean by its shift."""
    n = len(chance)
    luck = rng.random(n)
    for shift in shifts:
        own = np.where(rng.random(n) < KEPT, luck, rng.random(n)) < chance
        turned = rng.random(n) < (shift / (1 - share) if shift > 0 else -shift / share)
        yield np.where(turned, shift > 0, own).astype(np.float64)


def draw_precisions(
    rng: np.random.Generator,
    depth: float,
    between: float,
    within: float,
    n_identity: int,
    *,
    last: bool = False,
) -> tuple[Array, Array]:
    """Draw reciprocal ranks, as average precisions are, or inverse negative penalties, added up per person.

    Args:
        depth: mean of the logarithm of the rank.
        between, within: its standard deviation over persons, and over the captions of one.
        n_identity: how many persons.
        last: of the last right image instead of the first, which is never at rank 1 by chance.

    Returns:
        Sums and numbers of captions [n_identity].
    """
    sizes = rng.integers(2, 13, n_identity)
    person = np.repeat(np.arange(n_identity), sizes)
    log_rank = depth + between * rng.normal(size=n_identity)[person] + within * rng.normal(size=len(person))
    values = np.exp(-np.abs(log_rank)) if last else 1 / np.maximum(np.floor(np.exp(log_rank)), 1)
    return np.bincount(person, values, n_identity).astype(np.float64), sizes.astype(np.float64)


def truth_of(**cell: Any) -> float:
    """Return what `draw_precisions` comes to with very many persons."""
    sums, sizes = draw_precisions(np.random.default_rng(0), n_identity=400_000, **cell)
    return float(sums.sum() / sizes.sum())
