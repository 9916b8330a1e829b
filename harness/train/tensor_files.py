"""Tensors in a safetensors file that says what it is and carries its checksum; equal contents make an equal file.

The library writes the entries of a file's metadata in an order that changes from process to process, and copies all
tensors before it writes the first. So the file is written here, in one pass, by the format's specification
(https://github.com/huggingface/safetensors#format), and read by the library as any other.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.errors import DataError
from harness.files import replaced
from harness.strict_json import read_json_text

_KINDS = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_METADATA, _NOTE = "__metadata__", "harness"
# The library reads no longer head.
_ALIGNED, _CHUNK, _MOST_HEAD_BYTES = 8, 1 << 24, 100_000_000
_NO_SUM = "0" * 64


def write_tensors(path: Path, tensors: Mapping[str, Tensor], note: Mapping[str, Any] | None = None) -> None:
    """Write named tensors with a note about them, plain JSON values, atomically."""
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0]))
    entries = _entries(ordered)
    total = hashlib.sha256(_text(entries) + _text(note or {}))
    with replaced(path) as temporary, temporary.open("r+b") as file:
        file.write(_head(entries, note or {}, _NO_SUM))
        for _, tensor in ordered:
            data = memoryview(_bytes_of(tensor))
            file.write(data)
            total.update(data)
        file.seek(0)
        file.write(_head(entries, note or {}, total.hexdigest()))


def check_tensors(path: Path) -> dict[str, Any] | None:
    """Return the note of a file whose content is as it was written; None for a file of another writer.

    Raises `DataError` naming a file that is damaged or cannot be read.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > min(path.stat().st_size, _MOST_HEAD_BYTES):
                return None
            head = read_json_text(file.read(length).decode())
            noted = head.pop(_METADATA, {}).get(_NOTE)
            if noted is None:
                return None
            noted = read_json_text(noted, finite=False)
            note: dict[str, Any] = noted["note"]
            sha256 = noted["sha256"]
            total = hashlib.sha256(_text(head) + _text(note))
            while data := file.read(_CHUNK):
                total.update(data)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).") from error
    except (ValueError, AttributeError, TypeError, KeyError):
        return None
    if total.hexdigest() != sha256:
        raise DataError(f"{path} is damaged: its checksum is of other content.")
    return note


def _entries(ordered: list[tuple[str, Tensor]]) -> dict[str, Any]:
    """Return the header's entry of each tensor: its kind, its shape and where its bytes begin and end."""
    entries, start = {}, 0
    for name, tensor in ordered:
        end = start + tensor.numel() * tensor.element_size()
        entries[name] = {
            "dtype": _KINDS[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
        start = end
    return entries


def _head(entries: Mapping[str, Any], note: Mapping[str, Any], sha256: str) -> bytes:
    noted = _text({"note": note, "sha256": sha256}).decode()
    text = json.dumps({_METADATA: {_NOTE: noted}, **entries}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNED)
    return len(text).to_bytes(8, "little") + text


def _text(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _bytes_of(tensor: Tensor) -> Any:
    """Return the bytes of a tensor in memory, on the CPU and in a row."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy()
