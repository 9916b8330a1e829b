"""Who trains, validates and tests where a file names no splits: drawn by person, the same at each start."""

from collections.abc import Iterable, Sequence
from hashlib import sha256

from harness.datasets import SPLITS, Sample, count
from harness.errors import DataError
from harness.own.own_files import OwnFiles


def draw_splits(persons: Iterable[str], shares: Sequence[float], seed: int) -> dict[str, str]:
    """Return the split of each person; no person is in two.

    The choice depends on the persons' names, the shares and the seed alone. Each split with a share has a person; a
    person who joins moves few of the others. Raises `DataError` for fewer persons than splits.

    >>> sorted(draw_splits("abcdefghij", (0.8, 0.1, 0.1), seed=0).values())
    ['test', 'train', 'train', 'train', 'train', 'train', 'train', 'train', 'train', 'val']
    """
    ordered = sorted(persons, key=lambda name: sha256(f"{seed}:{name}".encode()).digest())
    wanted = [split for split, share in zip(SPLITS, shares, strict=True) if share]
    if len(ordered) < len(wanted):
        raise DataError(
            f"Splits cannot be drawn for {len(ordered)} persons: it takes at least {len(wanted)}, one for each of "
            f"{', '.join(wanted)}."
        )
    _, val, test = (max(1, round(share * len(ordered))) if share else 0 for share in shares)
    n_test = min(test, len(ordered) - len(wanted) + 1)
    n_val = min(val, len(ordered) - n_test - ("train" in wanted))
    n_val = n_val if "train" in wanted else len(ordered) - n_test
    return {
        name: "test" if place < n_test else "val" if place < n_test + n_val else "train"
        for place, name in enumerate(ordered)
    }


def drawn_words(samples: Sequence[Sample], own: OwnFiles) -> str:
    """Say how splits were drawn."""
    found = count(samples)
    said = ", ".join(f"{found[split].identities:,} {split}" for split in SPLITS if split in found)
    return f"{own.file.name} names no splits: drawn by person, shares {own.shares}, seed {own.seed}: {said}"
