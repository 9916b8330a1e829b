"""Read weight files without running code: safetensors, plain pickled tensors, OpenAI's archives."""

import hashlib
import io
import pickle
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import open_clip
import torch
from torch import Tensor

from harness.clip.unwrapping import flattened, unwrapped
from harness.errors import DataError, many
from harness.file_kinds import Kind, what_is

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_SCALES = ("logit_scale", "logit_bias")
# What training scripts save beside the tensors. Settings are read as plain mappings, NumPy's numbers not at all: by
# these names no code of the packages runs, and they need not be installed.
_SETTINGS = ("easydict.EasyDict", "yacs.config.CfgNode", "argparse.Namespace")
_NUMBERS = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.dtype")


class WeightFile(NamedTuple):
    """What a file holds: tensors by name, whether they are OpenAI's by keys or hash, and what is to be said of it."""

    state: dict[str, Tensor]
    openai: bool
    notes: tuple[str, ...] = ()


class _Unread:
    """Replaces a number that is saved beside the tensors, and discards it."""

    def __init__(self, *parts: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        """Take a state and forget it."""


_BESIDE = [*((OrderedDict, name) for name in _SETTINGS), *((_Unread, name) for name in _NUMBERS)]


def read_weights(path: Path) -> WeightFile:
    """Read a weight file of any supported kind; raise `DataError` for what is not safe or not weights."""
    found = unwrapped(read_tensors(path))
    return WeightFile(found.state, found.openai or _is_script(path), found.notes)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return all tensors of a file by dotted names, as they are; raise `DataError` as `read_weights` does."""
    try:
        _refuse_other_kinds(path)
        content = _read_script(path) if _is_script(path) else _read_content(path)
        tensors = flattened(content) if isinstance(content, dict) else {}
        _refuse_unheld(tensors)
    except DataError:
        raise
    except (Exception, RecursionError) as error:
        raise DataError(f"{path} cannot be read as weights ({_first_line(error)}): is it whole?") from error
    if not tensors:
        raise DataError(
            f"{path} contains no named tensors (it contains a {type(content).__name__}): give a state dict."
        )
    return tensors


def _refuse_unheld(tensors: Mapping[str, Tensor]) -> None:
    """Raise `ValueError` for a tensor that is no array of values which the file holds, one for each place.

    One value can stand for a tensor of any size: whoever works with it would fill the memory.
    """
    for name, tensor in tensors.items():
        plain = tensor.layout == torch.strided and not tensor.is_quantized and tensor.device.type == "cpu"
        if not plain:
            raise ValueError(f"its tensor {name[:100]} is sparse, quantised or without values")
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise ValueError(f"its tensor {name[:100]} has {tensor.numel():,} values and holds fewer")


def refuse_not_finite(state: Mapping[str, Tensor], source: object) -> None:
    """Raise `DataError` that names the source and the first tensor with a value that is not finite.

    Complex numbers, and those of 8 bits, which nothing can be reckoned with, are refused likewise.
    """
    for name, tensor in state.items():
        if tensor.is_complex() or (tensor.is_floating_point() and tensor.dtype not in _FLOATS):
            raise _other_type(name, tensor, source)
        if not _is_finite(tensor):
            bad = int((~tensor.isfinite()).sum())
            raise DataError(
                f"{source} cannot be used: its tensor {name} holds {many(bad, 'value')} of {tensor.numel():,} that "
                f"{'is' if bad == 1 else 'are'} not finite (not a number, or infinite). The file is damaged, or the "
                "training that wrote it diverged: take another file."
            )


def refuse_whole_numbers(state: Mapping[str, Tensor], floats: Container[str], source: object) -> None:
    """Raise `DataError` for a tensor of whole numbers or truth values where the model has one of `floats` by its name.

    They would be taken for weights in silence: what was rounded or compared to zero loads as well.
    """
    for name, tensor in state.items():
        if name in floats and not tensor.is_floating_point():
            raise _other_type(name, tensor, source)


def _other_type(name: str, tensor: Tensor, source: object) -> DataError:
    return DataError(
        f"{source} cannot be used: its tensor {name} is of the type {str(tensor.dtype).removeprefix('torch.')}, which "
        "holds no weights: save it as float16 or float32."
    )


def _is_finite(tensor: Tensor) -> bool:
    """Say in one pass whether all values are finite: the smallest and the largest are NaN where any value is."""
    if not tensor.is_floating_point() or not tensor.numel():
        return True
    return all(bool(end.isfinite()) for end in tensor.aminmax())


def refuse_empty(state: Mapping[str, Tensor], source: object) -> None:
    """Raise `DataError` where all values of all tensors are zero."""
    if state and not any(bool(tensor.any()) for tensor in state.values()):
        raise DataError(
            f"{source} cannot be used: all values of its {many(len(state), 'tensor')} are zero, so nothing was ever "
            "stored in it: take another file."
        )


def published_archives() -> dict[str, str]:
    """Return SHA-256 and file name of OpenAI's published archives, as open_clip lists them."""
    found = {}
    for name in open_clip.list_pretrained_models_by_tag("openai"):
        *_, sha256, file = open_clip.get_pretrained_url(name, "openai").split("/")
        found[sha256] = file
    return found


def state_hash(state: dict[str, Tensor]) -> str:
    """Return the SHA-256 of named tensors in float32: equal weights, equal hash, whatever the container."""
    total = hashlib.sha256()
    for name in sorted(set(state) - set(_SCALES)):
        tensor = state[name].detach()
        tensor = tensor.float() if tensor.is_floating_point() else tensor
        total.update(f"{name}{tuple(tensor.shape)}".encode())
        total.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def _refuse_other_kinds(path: Path) -> None:
    """Raise `DataError` with the way out for a file that its first bytes show to be no weights."""
    kind = what_is(path)
    if kind is Kind.MISSING:
        raise DataError(f"There is no weight file at {path}: check the path given as backbone.weights.")
    stored = kind is Kind.ZIP and any(name.endswith("data.pkl") for name in _members(path))
    if kind is not None and not stored:
        raise DataError(f"{path} holds no weights. {kind.way_out(path)}")
    if stored and (n := _unpacked_bytes(path)) > path.stat().st_size:
        raise DataError(
            f"{path} cannot be used: {n:,} bytes are packed into it, and weights are stored unpacked. Save them again "
            "with torch.save, or as safetensors."
        )


def _is_script(path: Path) -> bool:
    return any("/code/" in name for name in _members(path))


def _members(path: Path) -> list[str]:
    """Return what a zip archive holds; nothing where the file is none, or is cut off."""
    if not zipfile.is_zipfile(path):
        return []
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def _unpacked_bytes(path: Path) -> int:
    with zipfile.ZipFile(path) as archive:
        return sum(member.file_size for member in archive.infolist())


def _is_safetensors(path: Path) -> bool:
    """Say whether a file begins as safetensors do: the length of a JSON header, then the header."""
    with path.open("rb") as file:
        length, start = int.from_bytes(file.read(8), "little"), file.read(1)
    return start == b"{" and length <= path.stat().st_size


def _read_script(path: Path) -> dict[str, Tensor]:
    data = path.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 not in published_archives():
        raise DataError(
            f"{path} is a TorchScript archive, which carries code, and its SHA-256 {sha256} is none of"
            " OpenAI's published ones: fetch the file again, or save its state dict as safetensors."
        )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.load")
        script: Any = torch.jit.load(io.BytesIO(data), map_location="cpu")
    state: dict[str, Tensor] = script.state_dict()
    return state


def _read_content(path: Path) -> Any:
    if _is_safetensors(path):
        from safetensors.torch import load_file

        return load_file(path)
    try:
        with torch.serialization.safe_globals(_BESIDE), path.open("rb") as file:  # type: ignore[arg-type]
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise DataError(
            f"{path} contains more than tensors, or is no weight file, and was not unpickled, because that could"
            " run code: save its state dict as safetensors, or with torch.save as plain tensors."
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
