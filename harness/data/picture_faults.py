"""What is odd about the pictures of a run, counted for each of its splits from the marks of the image store."""

from collections.abc import Iterator, Mapping, Sequence

from harness.datasets import Sample
from harness.images.decoding import Mark

Splits = Mapping[str, tuple[str, ...]]

# Of each mark the pictures' state, and what that means for a run.
_SAID = {
    Mark.UNREADABLE: ("that cannot be read", "they are left out"),
    Mark.CUT: ("that are cut off", "what is there of each is used"),
    Mark.SINGLE_COLOUR: ("of one single colour", "they show nobody"),
    Mark.TURNED: ("that their EXIF turns", "they are used as they are stored, unturned"),
}


def left_out(samples: Sequence[Sample], marks: Sequence[int], splits: Splits) -> dict[str, int]:
    """Return how many pictures of each split of a run cannot be read, 0 for a split that it has not.

    Args:
        samples: all samples of the dataset.
        marks: what is odd about the picture of each [n_sample].
        splits: which of the file's splits each split of the run is made of.
    """
    return {"train": 0, "val": 0, "test": 0} | _counts(samples, marks, splits, Mark.UNREADABLE)


def picture_faults(samples: Sequence[Sample], marks: Sequence[int], splits: Splits) -> Iterator[str]:
    """Yield a line for each kind of oddity: how many pictures of each split have it, and what is done about them."""
    totals = {name: sum(sample.split in own for sample in samples) for name, own in splits.items()}
    for mark, (state, done) in _SAID.items():
        found = {name: n for name, n in _counts(samples, marks, splits, mark).items() if n}
        if found:
            counts = ", ".join(f"{n:,} of {totals[name]:,} in {name}" for name, n in found.items())
            yield f"pictures {state}: {counts}; {done}"


def _counts(samples: Sequence[Sample], marks: Sequence[int], splits: Splits, mark: Mark) -> dict[str, int]:
    marked = [sample.split for sample, found in zip(samples, marks, strict=True) if found & mark]
    return {name: sum(split in own for split in marked) for name, own in splits.items()}
