"""State of a training run on disk: one file, replaced in one step, read without pickle."""

import hashlib
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from harness.clip.weight_files import read_tensors, refuse_not_finite, refuse_whole_numbers
from harness.errors import DataError, HarnessError
from harness.file_kinds import Kind, what_is
from harness.files import replaced
from harness.methods import Method
from harness.record import RunFolder
from harness.train.tensor_files import check_tensors, write_tensors

CHECKPOINT = "checkpoint.pt"
_SHARE_OF_TIME = 0.02
_SEAL, _HEX, _CHUNK = b"sha256:", 64, 1 << 24


@dataclass
class State:
    """How far training has come.

    Attributes:
        epoch: finished epochs.
        step: finished steps of the current epoch.
        sums: summed loss terms of the current epoch, by name.
        history: one row of metrics per finished epoch.
        best: validation score and epoch of the best epoch so far.
        watch: what an observer of the test split keeps; training never reads it.
        seconds: time spent training in finished epochs.
        epoch_seconds: time spent training in the current epoch.
        pictures: SHA-256 of the pictures of each split that it has come so far on.
    """

    epoch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, float] = field(default_factory=dict)
    watch: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    epoch_seconds: float = 0.0
    pictures: dict[str, str] = field(default_factory=dict)


class Checkpoint:
    """Writes the state of a run at epoch ends and sometimes in between, in about 2 % of the time."""

    def __init__(self, path: Path, every_seconds: float) -> None:
        self.path, self.every_seconds = path, every_seconds
        self._written, self._cost = time.monotonic(), 0.0

    def due(self, epoch_ended: bool) -> bool:
        """Return whether it is time to write: at an epoch's end when cheap, else after `every_seconds`."""
        passed = time.monotonic() - self._written
        return passed >= self.every_seconds or (epoch_ended and passed * _SHARE_OF_TIME >= self._cost)

    def written_elsewhere(self) -> None:
        """Note that another process writes now, so that this one does not find it due at each step."""
        self._written = time.monotonic()

    def write(self, state: State, method: Method, optimiser: Any, scaler: Any) -> None:
        """Write everything that a later process needs to resume exactly from here."""
        start = time.monotonic()
        content = {
            "state": dict(vars(state)),
            "parameters": {name: p.detach() for name, p in method.trainable()},
            "optimiser": optimiser.state_dict(),
            "scaler": scaler.state_dict() if scaler is not None else None,
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None,
        }
        with replaced(self.path) as temporary, temporary.open("wb") as file:
            summed: Any = _Summed(file)
            torch.save(content, summed)
            file.write(summed.seal())
        self._written = time.monotonic()
        self._cost = self._written - start

    def restore(
        self, method: Method, optimiser: Any, scaler: Any, pictures: Mapping[str, str] | None = None
    ) -> State | None:
        """Load the state into method and optimiser; None when there is no checkpoint.

        Raises `HarnessError` where it was trained on other pictures than `pictures`, the SHA-256 by split.
        """
        if not self.path.is_file():
            return None
        content = _read(self.path)
        if content["state"].get("pictures", {}) != dict(pictures or {}):
            raise HarnessError(f"The checkpoint {self.path} is of other pictures: remove it to start over.")
        _load_parameters(method, content["parameters"], self.path)
        optimiser.load_state_dict(content["optimiser"])
        if scaler is not None and content["scaler"]:
            scaler.load_state_dict(content["scaler"])
        torch.set_rng_state(content["rng"])
        if content["cuda_rng"] is not None and torch.cuda.is_available():
            torch.cuda.set_rng_state(content["cuda_rng"])
        return State(**content["state"])


class _Summed:
    """A file to write to that adds up what is written; PyTorch reads a file with a seal behind its archive."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.total = file, hashlib.sha256()

    def write(self, data: Any) -> int:
        self.total.update(data)
        return self.file.write(data)

    def flush(self) -> None:
        self.file.flush()

    def seal(self) -> bytes:
        return _SEAL + self.total.hexdigest().encode()


def _check(path: Path) -> None:
    """Raise `ValueError` where a checkpoint is not as it was sealed; one without a seal is taken as it is."""
    with path.open("rb") as file:
        left = max(os.fstat(file.fileno()).st_size - len(_SEAL) - _HEX, 0)
        total = hashlib.sha256()
        while left and (data := file.read(min(left, _CHUNK))):
            total.update(data)
            left -= len(data)
        seal = file.read()
    if seal.startswith(_SEAL) and seal != _SEAL + total.hexdigest().encode():
        raise ValueError("its checksum is of other content")


class BestWeights:
    """The weights of the best epoch so far, in a file named after the epoch that carries the note of it.

    A checkpoint refers to an epoch's file, which stays until a later checkpoint refers to another one. So weights and
    state belong together at whatever moment the process dies.
    """

    def __init__(self, folder: RunFolder, name: str) -> None:
        self.folder, self.name = folder, name
        self._referred: Path | None = None

    def keep(self, method: Method, note: Mapping[str, float]) -> None:
        """Save the method's weights with the note of their epoch, beside those that the checkpoint refers to."""
        file = self._file(note)
        save_weights(method, file, note)
        self._clear({file, self._referred})

    def settle(self, note: Mapping[str, float]) -> None:
        """Hear that the checkpoint refers to the epoch of this note, or to none; the others' weights are removed."""
        self._referred = self._existing(note) if note else None
        self._clear({self._referred})

    def whole(self, note: Mapping[str, float]) -> Path | None:
        """Return the file of the epoch of a note, None for no note.

        Raises `DataError` where the file is missing, damaged, or of another training.
        """
        if not note:
            return None
        file = self._existing(note)
        again = "repeat the run with --force, which starts over."
        if not file.is_file():
            raise DataError(f"The weights of epoch {note['epoch']:.0f} are missing at {file}: {again}")
        if file != self._file(note):  # Of an earlier version, which noted nothing.
            return file
        try:
            found = check_tensors(file)
        except DataError as error:
            raise DataError(f"{str(error).rstrip('.')}: {again}") from error
        if found != dict(note):
            raise DataError(f"{file} is damaged: it is not of epoch {note['epoch']:.0f}: {again}")
        return file

    def _file(self, note: Mapping[str, float]) -> Path:
        return self.folder.file(f"{self.name}-{note['epoch']:.0f}.safetensors")

    def _existing(self, note: Mapping[str, float]) -> Path:
        former = self.folder.file(f"{self.name}.safetensors")
        return former if former.is_file() and not self._file(note).is_file() else self._file(note)

    def _clear(self, keep: set[Path | None]) -> None:
        for file in self._all():
            if file not in keep:
                file.unlink(missing_ok=True)

    def _all(self) -> Iterator[Path]:
        for file in list(self.folder.path.glob(f"{self.name}*.safetensors")):
            if re.fullmatch(rf"{self.name}(-\d+)?\.safetensors", file.name):
                yield file


def save_weights(method: Method, path: Path, note: Mapping[str, Any] | None = None) -> None:
    """Save what the method trained, and nothing of the frozen backbone, as safetensors with a note."""
    write_tensors(path, dict(method.trainable()), note)


def load_weights(method: Method, path: Path) -> None:
    """Load what `save_weights` saved.

    Raises `DataError` for a file that cannot be read or holds values that are not finite, and `HarnessError` for one
    that does not fit the method.
    """
    tensors = read_tensors(path)
    refuse_not_finite(tensors, path)
    refuse_whole_numbers(tensors, tensors, path)
    _load_parameters(method, tensors, path)


def _load_parameters(method: Method, tensors: dict[str, Tensor], path: Path) -> None:
    """Copy tensors into the method's trained parameters, which must be the same by name and shape."""
    own = dict(method.trainable())
    wrong = sorted(own.keys() ^ tensors.keys()) or [n for n, p in own.items() if p.shape != tensors[n].shape]
    if wrong:
        names = ", ".join(wrong[:3])
        raise HarnessError(
            f"{path} does not fit the method ({len(wrong)} parameters differ, such as {names}): repeat with --force."
        )
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(tensors[name])


def _read(path: Path) -> dict[str, Any]:
    try:
        _check(path)
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        kind = what_is(path)
        why = f"({error})" if kind in (None, Kind.ZIP) else f"({kind.what})"
        raise DataError(f"The checkpoint {path} cannot be read {why}: remove it to start over.") from error
    return content
