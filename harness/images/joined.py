"""Images of several stores as one."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from harness.images.decoding import Pixels
from harness.images.store import Images


def joined(parts: Sequence[Images]) -> Images:
    """Return a view of images of one size, those of each part after those before it; each part reads its own."""
    sizes = {part.size for part in parts}
    assert len(sizes) == 1, sizes
    starts = [0, *accumulate(len(part) for part in parts)]

    def fill(places: Sequence[int], rows: Sequence[Pixels]) -> None:
        for number, part in enumerate(parts):
            mine = [i for i, place in enumerate(places) if bisect_right(starts, place) - 1 == number]
            pixels = part.read([places[i] - starts[number] for i in mine]).numpy() if mine else ()
            for i, read in zip(mine, pixels, strict=True):
                rows[i][:] = read

    files = [file for part in parts for file in part.files]
    return Images(files, sizes.pop(), b"".join(part.marks for part in parts), fill)
