"""Random draws that are the same on every machine."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Draws:
    """Draws that follow from a text alone.

    All come from `random.Random.random`, the only one whose numbers Python promises to keep for a seed, by exact
    arithmetic.

    >>> Draws("a").whole(1, 6) == Draws("a").whole(1, 6)
    True
    """

    def __init__(self, seed: str) -> None:
        self._next = Random(seed).random

    def chance(self, share: float) -> bool:
        """Say yes in this share of cases."""
        return self._next() < share

    def between(self, low: float, high: float) -> float:
        """Return a number from `low` up to `high`."""
        return low + (high - low) * self._next()

    def whole(self, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`, both included."""
        return low + int(self._next() * (high - low + 1))

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        return options[int(self._next() * len(options))]

    def shuffled(self, options: Sequence[T]) -> list[T]:
        """Return the options in another order."""
        left = list(options)
        return [left.pop(int(self._next() * len(left))) for _ in options]

    def weighted(self, weights: Mapping[str, float]) -> str:
        """Return one of the names, each as often as its weight says."""
        place = self._next() * sum(weights.values())
        name = ""
        for name, weight in weights.items():
            place -= weight
            if place < 0 < weight:
                return name
        return name
