"""What a cache keeps, row by row: in memory, or in a file that is read by position."""

import os
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.compute.transfer import sent

Row = np.ndarray[Any, np.dtype[Any]]


class RowFile:
    """Copies rows out of a file, without mapping it into memory: what the system keeps of it belongs to no process."""

    def __init__(self, path: Path, row_bytes: int) -> None:
        self._path, self._row_bytes = path, row_bytes
        self._descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._lock = threading.Lock()
        weakref.finalize(self, os.close, self._descriptor)

    def __call__(self, places: Sequence[int], rows: Sequence[Row]) -> None:
        """Write the row at each place of the file into the array beside it."""
        for place, row in zip(places, rows, strict=True):
            n_read = self._read(place * self._row_bytes, row)
            assert n_read == self._row_bytes, f"{self._path} ends early"

    def _read(self, offset: int, row: Row) -> int:
        # A read with a position is safe where forked processes share the descriptor.
        if hasattr(os, "preadv"):
            return os.preadv(self._descriptor, [row.data], offset)
        with self._lock:
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            read = os.read(self._descriptor, self._row_bytes)
        row.data.cast("B")[:] = read
        return len(read)


class MemoryRows:
    """Rows of one tensor [n, ...], taken on its device without waiting for it."""

    def __init__(self, rows: Tensor) -> None:
        self._rows = rows

    def __getitem__(self, places: Tensor) -> Tensor:
        """Return the rows at some places [n, ...]."""
        return self._rows[sent(places, self._rows.device)]


class TensorRows:
    """Rows of one shape and type in such a file, read into this machine's memory.

    Args:
        path: the file.
        like: one of them, for shape and type.
    """

    def __init__(self, path: Path, like: Tensor) -> None:
        self._shape, self._dtype, self._row_bytes = like.shape, like.dtype, like.nbytes
        self._fill = RowFile(path, self._row_bytes)

    def __getitem__(self, places: Tensor) -> Tensor:
        """Return the rows at some places [n, ...]."""
        raw = torch.empty(len(places), self._row_bytes, dtype=torch.uint8)
        # Ascending positions turn the reads of a cold disk into one sweep.
        order = places.argsort(stable=True).tolist()
        self._fill([int(places[index]) for index in order], [raw[index].numpy() for index in order])
        return raw.view(self._dtype).view(len(places), *self._shape)


def write_rows(path: Path, places: Tensor, rows: Tensor) -> None:
    """Write rows [n, ...] at their places of a file that is there."""
    raw = rows.detach().cpu().contiguous().view(len(rows), -1).view(torch.uint8).numpy()
    with path.open("r+b") as file:
        for place, row in zip(places.tolist(), raw, strict=True):
            file.seek(place * row.nbytes)
            file.write(row.data)
