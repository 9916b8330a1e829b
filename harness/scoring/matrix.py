"""Scores of captions and images in a file, of which a block is read at a time.

Blocks are read, not mapped: pages of a mapped file stay with the process until the system needs them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path

import numpy as np

from harness.errors import DataError
from harness.evaluate.rank_counts import Array

BFLOAT16 = "bfloat16"
_BLOCK_BYTES = 24_000_000
# Whole numbers of more bytes than these, and float64, are compared as float64.
_AS_FLOAT32 = ("float16", "float32", "int8", "uint8", "int16", "uint16")


@dataclass(frozen=True)
class Matrix:
    """Scores [n_caption, n_image] as they lie in a file.

    Attributes:
        file: holds the values one after another, from `offset` on.
        dtype: NumPy's name of their type with its byte order, or `bfloat16`.
        shape: captions and images.
        by_image: whether the values of one image follow one another, not those of one caption.
        negative: whether values are distances: scores are their negatives.
    """

    file: Path
    offset: int
    dtype: str
    shape: tuple[int, int]
    by_image: bool = False
    negative: bool = False

    @property
    def swapped(self) -> "Matrix":
        """The same values with captions and images exchanged."""
        return replace(self, shape=self.shape[::-1], by_image=not self.by_image)

    @property
    def type_name(self) -> str:
        """The type of the values, without byte order."""
        return self.dtype if self.dtype == BFLOAT16 else str(np.dtype(self.dtype).name)

    @property
    def n_bytes(self) -> int:
        """How many bytes the values take."""
        return self.shape[0] * self.shape[1] * self._item

    def blocks(self, axis: int) -> Iterator[tuple[int, Array]]:
        """Yield the scores of some captions after another (axis 0) or of images (1), with the place of the first.

        Each block is [n_some, n_other] and the caller's to overwrite. Raises `DataError` where the file has ended.
        """
        n_asked, n_other = self.shape[axis], self.shape[1 - axis]
        size = 4 if self.type_name in (*_AS_FLOAT32, BFLOAT16) else 8
        step = max(1, _BLOCK_BYTES // (size * n_other))
        with self.file.open("rb", buffering=0) as opened:
            for start in range(0, n_asked, step):
                stop = min(start + step, n_asked)
                raw = self._raw(opened, axis, start, stop)
                block = self._numbers(raw)
                yield start, np.negative(block, out=block) if self.negative else block

    @property
    def _item(self) -> int:
        return 2 if self.dtype == BFLOAT16 else np.dtype(self.dtype).itemsize

    def _raw(self, opened: FileIO, axis: int, start: int, stop: int) -> Array:
        """Read values as they are stored [stop - start, n_other]."""
        stored = np.dtype(np.uint16) if self.dtype == BFLOAT16 else np.dtype(self.dtype)
        n_other = self.shape[1 - axis]
        if (axis == 1) == self.by_image:
            return self._read(opened, start * n_other, (stop - start, n_other), stored)
        lines = np.empty((n_other, stop - start), stored)
        for line in range(n_other):
            self._read_into(opened, line * self.shape[axis] + start, lines[line])
        return lines.T

    def _read(
        self, opened: FileIO, place: int, shape: tuple[int, int], stored: "np.dtype[np.generic]"
    ) -> Array:
        values = np.empty(shape, stored)
        self._read_into(opened, place, values)
        return values

    def _read_into(self, opened: FileIO, place: int, values: Array) -> None:
        room = values.view(np.uint8).reshape(-1)
        opened.seek(self.offset + place * self._item)
        while len(room):
            if not (n := opened.readinto(room.data)):
                raise DataError(f"{self.file} ended while it was read: was it written to? Save it again.")
            room = room[n:]

    def _numbers(self, raw: Array) -> Array:
        """Return stored values as float32, or as float64 where that would lose differences."""
        if self.dtype == BFLOAT16:
            wide = np.ascontiguousarray(raw).astype(np.uint32)
            return (wide << np.uint32(16)).view(np.float32)
        kind = np.float32 if self.type_name in _AS_FLOAT32 else np.float64
        return np.array(raw, dtype=kind, order="C")
