"""State of a training run on disk: one file, replaced in one step, read without pickle."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from harness.clip.weight_files import read_tensors, refuse_not_finite
from harness.errors import HarnessError
from harness.file_kinds import Kind, what_is
from harness.files import replaced
from harness.methods import Method

CHECKPOINT = "checkpoint.pt"
_SHARE_OF_TIME = 0.02


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
        with replaced(self.path) as temporary:
            torch.save(content, temporary)
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


def save_weights(method: Method, path: Path, metadata: dict[str, str] | None = None) -> None:
    """Save what the method trained, and nothing of the frozen backbone, as safetensors."""
    tensors = {name: p.detach().cpu().contiguous() for name, p in method.trainable()}
    with replaced(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)


def load_weights(method: Method, path: Path) -> None:
    """Load what `save_weights` saved.

    Raises `DataError` for a file that cannot be read or holds values that are not finite, and `HarnessError` for one
    that does not fit the method.
    """
    tensors = read_tensors(path)
    refuse_not_finite(tensors, path)
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
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        kind = what_is(path)
        why = f"({error})" if kind in (None, Kind.ZIP) else f"({kind.what})"
        raise HarnessError(f"The checkpoint {path} cannot be read {why}: remove it to start over.") from error
    return content
