"""The file of a gallery's embeddings: a safetensors file that is read where it lies and written row by row."""

import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from harness.files import replaced
from harness.strict_json import read_json_text

KEY_BYTES = 32
_TYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "U8": np.dtype("u1")}
_TENSORS = ("keys", "embeddings")
_NAMES = {dtype: name for name, dtype in _TYPES.items()}
_LENGTH_BYTES, _MOST_HEADER_BYTES = 8, 2**20
Array = np.ndarray[tuple[int, ...], np.dtype[Any]]


class Index(NamedTuple):
    """What is kept of images: a key of 32 bytes and an embedding each.

    Attributes:
        keys: joined keys, 32 bytes a row.
        rows: float32 or float16 [n_row, dim], in memory only as far as they are read.
    """

    keys: bytes
    rows: Tensor

    def place_of(self) -> dict[bytes, int]:
        """Return the row of each key."""
        starts = range(0, len(self.keys), KEY_BYTES)
        return {self.keys[start : start + KEY_BYTES]: row for row, start in enumerate(starts)}


EMPTY = Index(b"", torch.empty(0, 0))


def read_index(file: Path) -> Index:
    """Open a file of embeddings without reading them; raise `ValueError` or `OSError` when it is no such file."""
    with file.open("rb") as opened:
        size = os.fstat(opened.fileno()).st_size
        length = int.from_bytes(opened.read(_LENGTH_BYTES), "little")
        if length > min(_MOST_HEADER_BYTES, size):
            raise ValueError("it does not begin with a header")
        try:
            header = read_json_text(opened.read(length).decode())
            keys, rows = (_mapped(file, header[name], _LENGTH_BYTES + length, size) for name in _TENSORS)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"its header is damaged ({error})") from error
    if rows.ndim != 2 or rows.dtype == _TYPES["U8"] or keys.shape != (len(rows), KEY_BYTES):
        raise ValueError("it does not have one key and one embedding an image")
    return Index(keys.tobytes(), torch.from_numpy(rows))


def _mapped(file: Path, entry: dict[str, Any], begin: int, size: int) -> Array:
    """Map one tensor of a safetensors file; copy on write, as torch wants memory that could be written."""
    dtype, shape, (first, last) = _TYPES[entry["dtype"]], tuple(entry["shape"]), entry["data_offsets"]
    if not all(type(number) is int and number >= 0 for number in (*shape, first, last)):
        raise ValueError("its header has no whole numbers")
    if last - first != math.prod(shape) * dtype.itemsize or begin + last > size:
        raise ValueError("it is not as long as its header says")
    if not math.prod(shape):
        return np.empty(shape, dtype)
    return np.memmap(file, dtype, "c", begin + first, shape)


def write_index(file: Path, keys: Iterable[bytes], parts: Iterable[Array], shape: tuple[int, int]) -> None:
    """Write keys and embeddings [n_row, dim] = `shape`, given part by part, in place of what was there.

    Takes no more memory than a part and the keys; raises what `harness.files.replaced` raises.
    """
    joined = b"".join(keys)
    dtype = _TYPES["F32"]
    n_bytes = math.prod(shape) * dtype.itemsize
    header = json.dumps(
        {
            "embeddings": {"dtype": _NAMES[dtype], "shape": shape, "data_offsets": (0, n_bytes)},
            "keys": {
                "dtype": "U8",
                "shape": (shape[0], KEY_BYTES),
                "data_offsets": (n_bytes, n_bytes + len(joined)),
            },
        }
    ).encode()
    header += b" " * (-len(header) % _LENGTH_BYTES)
    with replaced(file) as temporary, temporary.open("wb") as opened:
        opened.write(len(header).to_bytes(_LENGTH_BYTES, "little") + header)
        for part in parts:
            opened.write(np.ascontiguousarray(part, dtype).data)
        opened.write(joined)
