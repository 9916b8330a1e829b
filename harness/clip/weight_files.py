"""Read weight files without running code: safetensors, plain pickled tensors, OpenAI's archives."""

import hashlib
import io
import pickle
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import open_clip
import torch
from torch import Tensor

from harness.errors import DataError

_WRAPPERS = ("state_dict", "model_state_dict", "model")
_PREFIXES = ("module.", "_orig_mod.", "model.")
_NOT_WEIGHTS = ("input_resolution", "context_length", "vocab_size")
_SCALES = ("logit_scale", "logit_bias")
# What training scripts save beside the tensors. Settings are read as plain mappings, NumPy's numbers not at all: by
# these names no code of the packages runs, and they need not be installed.
_SETTINGS = ("easydict.EasyDict", "yacs.config.CfgNode", "argparse.Namespace")
_NUMBERS = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.dtype")


class WeightFile(NamedTuple):
    """What a file holds: tensors by name, and whether it is one of OpenAI's published archives."""

    state: dict[str, Tensor]
    openai: bool


class _Unread:
    """Replaces a number that is saved beside the tensors, and discards it."""

    def __init__(self, *parts: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        """Take a state and forget it."""


_BESIDE = [*((OrderedDict, name) for name in _SETTINGS), *((_Unread, name) for name in _NUMBERS)]


def read_weights(path: Path) -> WeightFile:
    """Read a weight file of any supported kind; raise `DataError` for what is not safe or not weights."""
    if not path.is_file():
        raise DataError(f"There is no weight file at {path}: check the path given as backbone.weights.")
    openai = _is_script(path)
    try:
        content = _read_script(path) if openai else _read_tensors(path)
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{path} cannot be read as weights ({_first_line(error)}): is it whole?") from error
    return WeightFile(_clean(content, path), openai)


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


def _is_script(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name for name in archive.namelist())


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


def _read_tensors(path: Path) -> Any:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    try:
        with torch.serialization.safe_globals(_BESIDE):  # type: ignore[arg-type]
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise DataError(
            f"{path} contains more than tensors, or is no weight file, and was not unpickled, because that could"
            " run code: save its state dict as safetensors, or with torch.save as plain tensors."
        ) from error


def _clean(content: Any, path: Path) -> dict[str, Tensor]:
    wrapper = next(
        (key for key in _WRAPPERS if isinstance(content, dict) and isinstance(content.get(key), dict)), None
    )
    if wrapper:
        return _clean(content[wrapper], path)
    if not isinstance(content, dict) or not any(isinstance(value, Tensor) for value in content.values()):
        raise DataError(
            f"{path} contains no named tensors (it contains a {type(content).__name__}): give a state dict."
        )
    state = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    for prefix in (prefix for _ in _PREFIXES for prefix in _PREFIXES):
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    return {name: value for name, value in state.items() if name not in _NOT_WEIGHTS}


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
