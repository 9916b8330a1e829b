"""The image store: every image decoded and resized once, then read by row from one raw file.

The file is in `cache_root()/images`, named by a hash of the images' contents in order, the size and the
interpolation: a changed image makes another store, so none is ever stale, and deleting any of them is safe.
Reading copies rows into the caller's buffer. Memory is that buffer; the rest is the system's page cache,
which belongs to no process and is freed when needed.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from harness.compute.row_file import RowFile
from harness.config.pixels import Interpolation
from harness.errors import and_more
from harness.images.decoding import ImageError, Mark, Pixels, decode
from harness.images.file_hashes import MISSING, Progress, content_hashes
from harness.images.store_build import Plan, build, make_folder
from harness.paths import cache_root

# Raise when the same file would be decoded to other pixels than before, or be marked otherwise.
_FORMAT = 3
_NAMED = 5
_INDEX = "contents.sqlite"

# Writes the pixels at each position into the row beside it.
Fill = Callable[[Sequence[int], Sequence[Pixels]], None]


def disk_bytes(n: int, size: tuple[int, int]) -> int:
    """Return the bytes that a store of `n` images takes on disk.

    >>> disk_bytes(54_522, (384, 128)) / 1e9
    8.039596032
    """
    return n * 3 * size[0] * size[1]


class Images:
    """Decoded images of one size, read by position.

    Attributes:
        files: the image file at each position.
        size: height and width in pixels.
        marks: what is odd about the file at each position, as a `Mark`.
        bad: positions of unreadable images, ascending; they read as black and belong in no batch.
        bad_files: the files at those positions.
    """

    def __init__(self, files: Sequence[Path], size: tuple[int, int], marks: bytes, fill: Fill) -> None:
        self.files, self.size, self.marks = list(files), size, marks
        self.bad = self.marked(Mark.UNREADABLE)
        self.bad_files = [self.files[place] for place in self.bad]
        self._fill = fill

    def __len__(self) -> int:
        return len(self.files)

    def marked(self, mark: Mark) -> list[int]:
        """Return the positions of the files with a mark, ascending."""
        return [place for place, found in enumerate(self.marks) if found & mark]

    def read(self, indices: Tensor | Sequence[int], out: Tensor | None = None) -> Tensor:
        """Return the pixels at the given positions, uint8 [n, 3, height, width].

        `out` (uint8, on the CPU, at least n rows) is written to if given, so one buffer serves all batches.
        """
        places = indices.tolist() if isinstance(indices, Tensor) else list(indices)
        shape = (len(places), 3, *self.size)
        pixels = torch.empty(shape, dtype=torch.uint8) if out is None else out[: len(places)]
        assert (pixels.shape, pixels.dtype) == (shape, torch.uint8), (pixels.shape, pixels.dtype)
        assert all(0 <= place < len(self) for place in places), "a position outside the images"
        # Ascending positions turn the reads of a cold disk into one sweep.
        order = sorted(range(len(places)), key=places.__getitem__)
        rows = pixels.numpy()
        self._fill([places[i] for i in order], [rows[i] for i in order])
        return pixels

    def subset(self, positions: Sequence[int]) -> "Images":
        """Return a view of the images at some positions, in that order, over the same store."""
        chosen = list(positions)

        def fill(places: Sequence[int], rows: Sequence[Pixels]) -> None:
            self._fill([chosen[place] for place in places], rows)

        marks = bytes(self.marks[position] for position in chosen)
        return Images([self.files[position] for position in chosen], self.size, marks, fill)


def open_images(
    files: Sequence[Path],
    size: tuple[int, int],
    *,
    interpolation: Interpolation = "bilinear",
    store: Literal["disk", "off"] = "disk",
    on_bad_image: Literal["fail", "skip"] = "fail",
    folder: Path | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    hashes: Sequence[str] | None = None,
    places: Sequence[str] = (),
) -> Images:
    """Open images for reading; builds their store if there is none yet.

    Args:
        files: image files in the order of their positions.
        size: height and width in pixels.
        interpolation: how images are resized.
        store: `disk` keeps decoded images; `off` decodes at each reading, after checking all files once.
        on_bad_image: `fail` raises for unreadable images, `skip` lists them in `Images.bad`.
        folder: where stores are; by default `cache_root()/images`.
        workers: processes that build, threads that decode; by default one for each core.
        progress: called with the number of images done and their total while building.
        hashes: the files' SHA-256 where they are known already.
        places: where someone wrote of each file, for the error.

    Raises `ImageError` that names unreadable files, and `DataError` when the disk is too small or fails.
    """
    folder = folder or _stores()
    make_folder(folder)
    workers = workers or n_cores()
    row_bytes = disk_bytes(1, size) if store == "disk" else 0
    known = hashes or content_hashes(files, folder / _INDEX)
    path = folder / _file_name(known, size, interpolation, row_bytes)
    names = ["" if sha256 == MISSING else str(file) for file, sha256 in zip(files, known, strict=True)]
    plan = Plan(path, names, size, interpolation, row_bytes)
    if not plan.is_built():
        build(plan, workers, progress)
    elif _marked_wrongly(plan):
        build(plan, workers, progress, anew=True)
    marks = plan.read_marks()
    bad = [place for place, mark in enumerate(marks) if mark & Mark.UNREADABLE]
    if bad and on_bad_image == "fail":
        named = [places[place] for place in bad] if places else ()
        raise unreadable([files[place] for place in bad], len(files), on_bad_image, places=named)
    fill = RowFile(path, row_bytes) if store == "disk" else _DecodedRows(plan, set(bad), workers)
    return Images(files, size, marks, fill)


def _marked_wrongly(plan: Plan) -> bool:
    """Whether a file of a store can be read that could not when the store was built."""
    return any(
        mark & Mark.UNREADABLE and file and _decodes(plan, file)
        for file, mark in zip(plan.files, plan.read_marks(), strict=True)
    )


def _decodes(plan: Plan, file: str) -> bool:
    try:
        decode(file, plan.size, plan.interpolation)
    except ImageError:
        return False
    return True


def contents_index() -> Path:
    """Return where the SHA-256 of image files are remembered."""
    return _stores() / _INDEX


def _stores() -> Path:
    return cache_root().path / "images"


def _file_name(hashes: Sequence[str], size: tuple[int, int], interpolation: str, row_bytes: int) -> str:
    kind = f"{size[0]}x{size[1]}-{interpolation}" if row_bytes else "checked"
    digest = hashlib.sha256("\n".join([str(_FORMAT), kind, *hashes]).encode()).hexdigest()
    return f"{kind}-{digest[:40]}.images"


def n_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def unreadable(
    bad: Sequence[Path], n: int, on_bad_image: str, way: str | None = None, places: Sequence[str] = ()
) -> ImageError:
    """Return the error that names unreadable files among `n`, and what can be done, first of all the `way` given.

    `places` says where someone wrote of each; "" where that is not known.
    """
    before = [f"{place}: " if place else "" for place in places] or [""] * len(bad)
    named = [f"  {place}{_fault(file)}" for place, file in zip(before[:_NAMED], bad[:_NAMED], strict=True)]
    named += [f" {and_more(len(bad), _NAMED)}"] * (len(bad) > _NAMED)
    lines = "\n".join(named)
    skip = (
        "; `--on-bad-image skip` leaves these images out" if on_bad_image == "fail" and len(bad) < n else ""
    )
    return ImageError(
        f"{len(bad)} of {n} images cannot be read:\n{lines}\n{f'{way}.{chr(10)}' if way else ''}"
        f"`harness data verify` lists faults with their fixes{skip}."
    )


def _fault(file: Path) -> str:
    try:
        decode(file, (1, 1))
    except ImageError as error:
        return str(error)
    return f"{file} could not be read a moment ago; it can now: start again"


class _DecodedRows:
    """Decodes files at each reading, with several threads."""

    def __init__(self, plan: Plan, bad: set[int], workers: int) -> None:
        self._plan, self._bad = plan, bad
        self._pool = ThreadPoolExecutor(workers, "decode")

    def __call__(self, places: Sequence[int], rows: Sequence[Pixels]) -> None:
        list(self._pool.map(self._decode, places, rows))

    def _decode(self, place: int, row: Pixels) -> None:
        plan = self._plan
        row[:] = 0 if place in self._bad else decode(plan.files[place], plan.size, plan.interpolation)
