"""What the files of the pictures tell besides the annotation, found without decoding any."""

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from harness.data.verify.fault import Fault, first
from harness.datasets import Sample
from harness.errors import listed, many
from harness.images.file_hashes import MISSING

# Files without a picture are alike and no copies.
_NO_PICTURE = (MISSING, sha256(b"").hexdigest())


def renamed_faults(samples: Sequence[Sample], files: Sequence[str | Path]) -> Iterator[Fault]:
    """Yield a note on the pictures that are found under another extension than the annotation has."""
    other = [
        sample.image
        for sample, file in zip(samples, files, strict=True)
        if os.path.splitext(file)[1] != os.path.splitext(sample.image)[1]
    ]
    if other:
        what = f"{many(len(other), 'image file')} with another extension than the annotation says."
        yield Fault("note", what, "Nothing to do: they are found.", len(other), first(other))


def copied_faults(samples: Sequence[Sample], hashes: Sequence[str]) -> Iterator[Fault]:
    """Yield a warning on pictures whose copies are in other splits, and on those that show several persons.

    Args:
        samples: one for each image of a split; an image that is in several splits by its name is none of these copies.
        hashes: the SHA-256 of the file of each.
    """
    copies: dict[str, dict[str, Sample]] = defaultdict(dict)
    for sample, found in zip(samples, hashes, strict=True):
        if found not in _NO_PICTURE:
            copies[found].setdefault(sample.image, sample)
    several = [list(group.values()) for group in copies.values() if len(group) > 1]
    across = [group for group in several if len({sample.split for sample in group}) > 1]
    if across:
        n, are = len(across), "is" if len(across) == 1 else "are"
        what = f"{many(n, 'picture')} {are} in more than one split, under other names."
        mend = "Results are better than they should be: leave each out of all splits but one."
        shown = [
            " = ".join(f"{one.label} in {one.split}" for one in _of_each_split(group)) for group in across
        ]
        yield Fault("warning", what, mend, n, first(shown))
    within = [group for group in several if len({sample.split for sample in group}) == 1]
    if shared := [group for group in within if len({sample.identity for sample in group}) > 1]:
        n, show = len(shared), "shows" if len(shared) == 1 else "show"
        what = f"{many(n, 'picture')} {show} several persons, under other names."
        mend = "Only one of the persons counts as right: leave the copies of the others out."
        yield Fault(
            "warning", what, mend, n, first([listed([one.label for one in group], 3) for group in shared])
        )


def _of_each_split(group: Sequence[Sample]) -> list[Sample]:
    """Return the first of some samples of each split."""
    return list({sample.split: sample for sample in reversed(group)}.values())[::-1]
