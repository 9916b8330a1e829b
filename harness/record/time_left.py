"""How long a training still takes, after the epochs and validations of it that were measured."""

from collections.abc import Mapping, Sequence
from statistics import median

VALIDATION_SECONDS = "validation_seconds"
# The latest epochs tell how long the next ones take: a machine may have become busier.
_LATEST = 9


class TimeLeft:
    """Keeps the measured times of a run's epochs, and tells how long the others take.

    Args:
        epochs: how many are trained; 0 where nothing is.
        every: each so many-th epoch is validated, and the last.
    """

    def __init__(self, epochs: int, every: int = 1) -> None:
        self.epochs, self.every = epochs, every
        self.rows: list[Mapping[str, float]] = []

    def resume(self, history: Sequence[Mapping[str, float]]) -> None:
        """Take the epochs of the attempts before this one."""
        self.rows = list(history)

    def add(self, row: Mapping[str, float]) -> None:
        """Take a finished epoch."""
        self.rows.append(row)

    def seconds(self, share: float = 0.0) -> float | None:
        """Return the seconds until the last epoch is validated; None until an epoch of each kind left was measured.

        Args:
            share: how much of the present epoch's steps is done, 0 to 1.

        >>> left = TimeLeft(4, every=2)
        >>> left.add({"epoch": 1.0, "seconds": 10.0})
        >>> left.seconds() is None
        True
        >>> left.add({"epoch": 2.0, "seconds": 12.0, "val/t2i/R1": 50.0, "validation_seconds": 3.0})
        >>> left.seconds(), left.seconds(0.5)
        (25.0, 19.5)
        """
        to_do = range(len(self.rows) + 1, self.epochs + 1)
        if not to_do:
            return 0.0
        steps = [row["seconds"] for row in self.rows if "seconds" in row][-_LATEST:]
        if not steps:
            return None
        found = (len(to_do) - share) * median(steps)
        for validated in {self._is_validated(epoch) for epoch in to_do}:
            if (rest := self._validation(validated)) is None:
                return None
            found += rest * sum(self._is_validated(epoch) == validated for epoch in to_do)
        return found

    def _is_validated(self, epoch: int) -> bool:
        return epoch % self.every == 0 or epoch == self.epochs

    def _validation(self, validated: bool) -> float | None:
        """Return the time between the last step of an epoch and its end; None where none was measured."""
        alike = [row for row in self.rows if self._is_validated(int(row.get("epoch", 0))) == validated]
        known = [
            row.get(VALIDATION_SECONDS, 0.0)
            for row in alike
            # An earlier version did not note how long it validated.
            if VALIDATION_SECONDS in row or not any(name.startswith("val/") for name in row)
        ]
        return median(known[-_LATEST:]) if known else None


def duration(seconds: float) -> str:
    """Return a time in the unit a person would use.

    >>> duration(42), duration(600), duration(9000)
    ('42 s', '10 min', '2.5 h')
    """
    return (
        f"{seconds:.0f} s"
        if seconds < 200
        else f"{seconds / 60:.0f} min"
        if seconds < 6000
        else f"{seconds / 3600:.1f} h"
    )
