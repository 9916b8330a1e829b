"""Scores in MATLAB's files up to version 7; those of 7.3 are HDF5, for which the harness has no reader."""

import math
import os
import zlib
from pathlib import Path
from typing import IO

from harness.errors import DataError
from harness.scoring.layout import NUMBERS, Fits, chosen_array, written
from harness.scoring.matrix import Matrix

_HDF5 = b"\x89HDF"
_COPIED = 1 << 22
# Where variables of version 5 begin, how a packed one is marked, and the bytes that it has beside its values.
_HEADER, _PACKED, _BESIDE = 128, 15, 2**16


def from_mat(file: Path, fits: Fits, key: str | None, folder: Path) -> Matrix:
    """Open a matrix of a MATLAB file up to version 7, which is read whole and written to `folder` as plain values.

    Raises `DataError` for version 7.3, and for a variable that is no matrix of numbers, does not fit, or is a bomb.
    """
    from scipy.io import loadmat, whosmat

    with file.open("rb") as opened:
        if (head := opened.read(128)).startswith(_HDF5) or b"MATLAB 7.3" in head:
            raise DataError(
                f"{file} is of MATLAB 7.3 (HDF5), which is not read: save('{file.name}', '-v7'), or write .npy."
            )
    known = {name: (shape, kind) for name, shape, kind in whosmat(str(file))}
    name = chosen_array(list(known), key, file)
    shape, kind = known[name]
    if kind in ("cell", "struct", "object", "char", "sparse", "function", "opaque", "unknown"):
        raise DataError(f"{name} of {file} is {kind}: expected a matrix of {NUMBERS}.")
    fits(tuple(shape))
    _refuse_packed(file, list(known).index(name), 8 * math.prod(shape) + _BESIDE)
    return written(loadmat(str(file), variable_names=[name])[name], file, fits, folder)


def _refuse_packed(file: Path, place: int, most: int) -> None:
    """Raise `DataError` where the variable at a place of a MATLAB 5 file unpacks to more than `most` bytes."""
    with file.open("rb") as opened:
        opened.seek(_HEADER)
        for number in range(place + 1):
            head = opened.read(8)
            kind, n = (int.from_bytes(head[i : i + 4], "little") for i in (0, 4))
            if number < place:
                opened.seek(n, os.SEEK_CUR)
            elif kind == _PACKED and _unpacks_to_more(opened, n, most):
                raise DataError(
                    f"{file} unpacks to more than {most:,} bytes, which its matrix does not need: write it as .npy."
                )


def _unpacks_to_more(opened: IO[bytes], n: int, most: int) -> bool:
    """Say whether the next n bytes unpack to more than `most`, without keeping what they unpack to."""
    inflater, left, total = zlib.decompressobj(), n, 0
    while left and (part := opened.read(min(left, 1 << 16))):
        left -= len(part)
        while part and total <= most:
            total += len(inflater.decompress(part, _COPIED))
            part = inflater.unconsumed_tail
    return total > most
