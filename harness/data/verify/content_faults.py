"""What the files of the pictures tell besides the annotation, found without decoding any."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.data.verify.fault import Fault, first
from harness.datasets import Sample
from harness.errors import many


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
