"""How an array lies in a file, and what is refused before any of its values are read."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from harness.errors import DataError, brief, listed
from harness.evaluate.rank_counts import Array
from harness.scoring.matrix import BFLOAT16, Matrix

NUMBERS = "float16, float32, float64 or whole numbers"
_KNOWN = ("similarity", "similarities", "sims", "sim", "scores", "score", "sims_matrix")
_KINDS = "fiu"
Shape = tuple[int, ...]
# Raises `DataError` for a shape that is not the expected one.
Fits = Callable[[Shape], None]


@dataclass(frozen=True)
class Layout:
    """How an array lies in a file: where its values begin, their type, its shape, its order, and its bytes' end."""

    offset: int
    dtype: str
    shape: Shape
    fortran: bool
    end: int


def written(values: Array, file: Path, fits: Fits, folder: Path) -> Matrix:
    """Write values that are in memory to a temporary file, so that all are read from there."""
    place = folder / f"{len(list(folder.iterdir()))}.values"
    fortran = bool(values.flags.f_contiguous and not values.flags.c_contiguous)
    layout = Layout(0, values.dtype.str, values.shape, fortran, values.nbytes)
    matrix_at(file, layout, fits, values.nbytes)
    (values.T if fortran else np.ascontiguousarray(values)).tofile(place)
    return matrix_at(place, layout, fits, values.nbytes)


def read_header(opened: IO[bytes], file: Path) -> Layout:
    """Read the header of an array in NumPy's format; raise `DataError` for one of objects, which are pickles."""
    version = np.lib.format.read_magic(opened)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise DataError(f"{file} is of version {version} of NumPy's format: expected 1.0 or 2.0.")
    shape, fortran, dtype = read(opened)
    if dtype.hasobject:
        raise holds_pickles(file)
    size = math.prod(shape) * dtype.itemsize
    return Layout(opened.tell(), dtype.str, shape, fortran, opened.tell() + size)


def matrix_at(file: Path, layout: Layout, fits: Fits, size: int) -> Matrix:
    """Return the matrix that lies so in a file of `size` bytes; raise `DataError` where it cannot be, or is cut off."""
    if layout.dtype != BFLOAT16 and np.dtype(layout.dtype).kind not in _KINDS:
        raise DataError(f"{file} holds {np.dtype(layout.dtype).name}: expected {NUMBERS}.")
    fits(layout.shape)
    if size < layout.end:
        raise cut_off(file, size, layout.end)
    n_row, n_column = layout.shape
    return Matrix(file, layout.offset, layout.dtype, (n_row, n_column), by_image=layout.fortran)


def size_text(shape: Shape) -> str:
    """Return a shape as messages have it."""
    return " x ".join(f"{n:,}" for n in shape) or "of a single number"


def chosen_array(names: list[str], key: str | None, file: Path) -> str:
    """Return the array that is meant: the one that is named, the only one, or the only one of a usual name."""
    if key is not None:
        if key not in names:
            raise DataError(f"{file} has no {brief(key)}: it has {listed([brief(one) for one in names], 6)}.")
        return key
    usual = names if len(names) == 1 else [name for name in names if name in _KNOWN]
    if len(usual) != 1:
        found = listed([brief(name) for name in names], 6) or "nothing"
        raise DataError(
            f"{file} has {found}: expected one array. --key NAME says which one holds the scores."
        )
    return usual[0]


def cut_off(file: Path, found: int, expected: int) -> DataError:
    """Return the error for a file that ends before its values do."""
    return DataError(
        f"{file} is cut off: expected {expected:,} bytes by its header, found {found:,}. Save or copy it again."
    )


def holds_pickles(file: Path) -> DataError:
    """Return the error for a file of objects, which are not opened."""
    return DataError(
        f"{file} holds pickled objects, which were not opened because that could run code: expected plain numbers, as "
        "numpy.save('scores.npy', array) or torch.save(tensor, 'scores.pt') writes."
    )
