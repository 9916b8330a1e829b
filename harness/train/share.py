"""A process's share of a global batch, and the random streams of its draws."""

import hashlib
from typing import Any, NamedTuple

from torch import Generator, Tensor


def derived_seed(*parts: Any) -> int:
    """Return a seed that depends on all parts, so that no two uses of one seed share a random stream.

    >>> derived_seed("order", 1, 2) == derived_seed("order", 1, 2) != derived_seed("order", 12)
    True
    """
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def derived_generator(*parts: Any) -> Generator:
    """Return a generator that depends on all parts, seeded with `derived_seed`."""
    return Generator().manual_seed(derived_seed(*parts))


class Share(NamedTuple):
    """A process's share of a global batch.

    Attributes:
        pairs: position of each pair of the share among the captions of the split [n_local].
        owners: position of the image of each pair [n_local].
        places: position of each pair in the global batch [n_local].
        n: pairs of the global batch.
        at: seed, epoch and step.
    """

    pairs: Tensor
    owners: Tensor
    places: Tensor
    n: int
    at: tuple[int, int, int]

    def generator(self, use: str, view: int) -> Generator:
        """Return the generator of one use in one view; the first view draws as it did before there were others."""
        return derived_generator(use, *self.at, *([view] if view else []))
