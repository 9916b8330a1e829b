"""Open a file of scores or embeddings without running what is in it, and without unpacking more than it should hold.

Read are `.npy`, `.npz`, `.pt` and MATLAB's `.mat` up to version 7; MATLAB 7.3 is HDF5, which is not read.
"""

import pickle
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from harness.errors import DataError, brief, listed
from harness.evaluate.rank_counts import Array
from harness.file_kinds import Kind, what_is
from harness.scoring.layout import (
    Fits,
    Layout,
    Shape,
    chosen_array,
    cut_off,
    holds_pickles,
    matrix_at,
    read_header,
    size_text,
    written,
)
from harness.scoring.matlab import from_mat
from harness.scoring.matrix import BFLOAT16, Matrix

SUFFIXES = (".npy", ".npz", ".pt", ".pth", ".mat")
_COPIED = 1 << 22


@contextmanager
def opened_scores(file: Path, expected: tuple[int, int], key: str | None = None) -> Iterator[Matrix]:
    """Open a matrix of scores [n_caption, n_image]; what has to be unpacked is, into a temporary folder, until the end.

    Args:
        file: ends with one of `SUFFIXES`.
        expected: captions and images. A matrix of the shape [n_image, n_caption] is opened as it is: see its `shape`.
        key: name of the array where the file has several.

    Raises `DataError` in one line for what is no such file, holds other numbers of values or is cut off.
    """

    def fits(shape: Shape) -> None:
        if shape not in (expected, expected[::-1]):
            raise DataError(
                f"{file} has the shape {size_text(shape)}: expected {size_text(expected)}, captions x images."
            )

    with tempfile.TemporaryDirectory(prefix="harness-score-") as folder:
        with _told(file):
            matrix = _OPENERS[_suffix(file)](file, fits, key, Path(folder))
        yield matrix


def read_arrays(file: Path, wanted: Mapping[str, int], most_wide: int) -> dict[str, Array]:
    """Return arrays [n, dim] of a file, each as float32 in memory.

    Args:
        file: `.npz`, `.pt` or `.mat` that names its arrays.
        wanted: how many rows each has, by name.
        most_wide: how many values a row may have.

    Raises `DataError` in one line where one is missing, has another number of rows, or is too wide.
    """
    suffix = _suffix(file)
    if suffix == ".npy":
        raise DataError(f"{file} holds one array: save both in one .npz, {_example(wanted)}.")
    found: dict[str, Array] = {}
    with tempfile.TemporaryDirectory(prefix="harness-score-") as folder, _told(file):
        for name, n in wanted.items():
            matrix = _OPENERS[suffix](file, _rows_of(name, n, most_wide, file), name, Path(folder))
            found[name] = np.concatenate([block.astype(np.float32) for _, block in matrix.blocks(0)])
    return found


def has_array(file: Path, name: str) -> bool:
    """Say whether an `.npz` file has an array of a name; of other files that is not known, so they have none."""
    if file.suffix.lower() != ".npz" or not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return f"{name}.npy" in archive.namelist()


def _rows_of(name: str, n: int, most_wide: int, file: Path) -> Fits:
    def fits(shape: Shape) -> None:
        if len(shape) != 2 or shape[0] != n or not 0 < shape[1] <= most_wide:
            raise DataError(
                f"{name} of {file} has the shape {size_text(shape)}: expected {n:,} rows of up to "
                f"{most_wide:,} values."
            )

    return fits


@contextmanager
def _told(file: Path) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except pickle.UnpicklingError as error:
        raise holds_pickles(file) from error
    except Exception as error:  # the readers of four libraries, each with exceptions of its own
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise DataError(f"{file} cannot be read ({reason}): is it whole? Save it again.") from error


def _suffix(file: Path) -> str:
    suffix = file.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(
            f"{file} ends with {brief(file.suffix)}: expected {listed(SUFFIXES)}. numpy.save writes .npy."
        )
    kind = what_is(file)
    if kind not in (None, Kind.ZIP):
        raise DataError(f"{file} holds no scores. {kind.way_out(file)}")
    return suffix


def _from_npy(file: Path, fits: Fits, key: str | None, folder: Path) -> Matrix:
    if key is not None:
        raise DataError(f"{file} holds one array, without a name: leave out --key.")
    with file.open("rb") as opened:
        return matrix_at(file, read_header(opened, file), fits, file.stat().st_size)


def _from_npz(file: Path, fits: Fits, key: str | None, folder: Path) -> Matrix:
    """Open an array where it lies if the archive stores it, else unpack as many bytes as its header promises."""
    with zipfile.ZipFile(file) as archive:
        names = {name.removesuffix(".npy"): name for name in archive.namelist()}
        member = archive.getinfo(names[chosen_array(list(names), key, file)])
        with archive.open(member) as opened:
            layout = read_header(opened, file)
            matrix_at(file, layout, fits, layout.end)  # its shape, before anything is unpacked
            if member.file_size < layout.end:
                raise cut_off(file, member.file_size, layout.end)
            unpacked = folder / f"{len(list(folder.iterdir()))}.values"
            _copy(opened, unpacked, layout.end - layout.offset, file)
    return matrix_at(unpacked, _moved(layout), fits, unpacked.stat().st_size)


def _from_pt(file: Path, fits: Fits, key: str | None, folder: Path) -> Matrix:
    """Read the tensors' places alone, then the values from there; what older versions of PyTorch wrote is loaded."""
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    zipped = zipfile.is_zipfile(file)
    if zipped and (n := _unpacked_bytes(file)) > file.stat().st_size:
        raise DataError(
            f"{file} packs {n:,} bytes, and torch.save packs none: save it again with torch.save."
        )
    with FakeTensorMode():
        tensor = _tensor(torch.load(file, weights_only=True, map_location="cpu"), key, file)
    if tensor.dtype == torch.bfloat16:
        dtype = BFLOAT16
    else:
        dtype = str(np.dtype(str(tensor.dtype).removeprefix("torch.").replace("bool", "bool_")))
    offset = getattr(tensor.untyped_storage(), "_checkpoint_offset", None)
    strides = tensor.stride()
    dense = tensor.dim() == 2 and sorted(strides) == sorted((1, tensor.shape[strides[0] == 1 or -1]))
    if offset is None or not dense:
        return _from_loaded(file, fits, key, folder)
    start = int(offset) + tensor.storage_offset() * tensor.element_size()
    end = start + tensor.numel() * tensor.element_size()
    layout = Layout(start, dtype, tuple(tensor.shape), strides[0] == 1 and strides[1] != 1, end)
    return matrix_at(file, layout, fits, file.stat().st_size)


def _from_loaded(file: Path, fits: Fits, key: str | None, folder: Path) -> Matrix:
    import torch

    tensor = _tensor(torch.load(file, weights_only=True, map_location="cpu"), key, file)
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise DataError(
            f"{file} promises {tensor.numel():,} values and holds fewer: save it again, .contiguous()."
        )
    values = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
    return written(values.numpy(), file, fits, folder)


_OPENERS = {".npy": _from_npy, ".npz": _from_npz, ".pt": _from_pt, ".pth": _from_pt, ".mat": from_mat}


def _tensor(content: Any, key: str | None, file: Path) -> Any:
    import torch

    if isinstance(content, dict):
        tensors = {str(name): value for name, value in content.items() if isinstance(value, torch.Tensor)}
        content = tensors[chosen_array(list(tensors), key, file)]
    if not isinstance(content, torch.Tensor):
        raise DataError(f"{file} holds a {type(content).__name__}: expected a tensor, or a dict of tensors.")
    if content.layout != torch.strided or content.is_quantized:
        raise DataError(f"{file} holds a sparse or quantised tensor: save it .to_dense(), as float32.")
    return content.detach()


def _unpacked_bytes(file: Path) -> int:
    with zipfile.ZipFile(file) as archive:
        return sum(member.file_size for member in archive.infolist())


def _copy(opened: IO[bytes], to: Path, n: int, file: Path) -> None:
    with to.open("wb") as unpacked:
        left = n
        while left and (part := opened.read(min(left, _COPIED))):
            unpacked.write(part)
            left -= len(part)
    if left:
        raise cut_off(file, n - left, n)


def _example(wanted: Mapping[str, int]) -> str:
    return f"numpy.savez('e.npz', {', '.join(f'{name}={name}' for name in wanted)})"


def _moved(layout: Layout) -> Layout:
    return Layout(0, layout.dtype, layout.shape, layout.fortran, layout.end - layout.offset)
