"""Contrastive training of the tiny CLIP that may die at any moment and resumes exactly."""

import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harness.clip.model import Clip
from harness.clip.weight_files import read_tensors
from harness.errors import DataError, Interrupted, TrainingError
from harness.listener import Listener
from harness.pretrain.held_out import embed
from harness.pretrain.pairs import batch, shares_of
from harness.pretrain.recipe import PretrainConfig
from harness.train.stop_signals import StopSignals
from harness.train.tensor_files import check_tensors, write_tensors

_MAX_SCALE, _FIRST_SCALE = math.log(100), math.log(1 / 0.07)
_LAST, _CURVE = 20, 100
_MODEL, _SCALE, _OPTIMISER = "model.", "scale", "optimiser."


@dataclass
class State:
    """How far training has come.

    Attributes:
        step: finished steps.
        last: losses of the last steps.
        sums, counts: summed losses, and of how many steps, of each hundredth of the training.
        seconds: time spent training.
    """

    step: int = 0
    last: list[float] = field(default_factory=list)
    sums: list[float] = field(default_factory=lambda: [0.0] * _CURVE)
    counts: list[int] = field(default_factory=lambda: [0] * _CURVE)
    seconds: float = 0.0

    def add(self, loss: float, steps: int) -> None:
        """Note the loss of one more step of so many."""
        place = self.step * _CURVE // steps
        self.sums[place] += loss
        self.counts[place] += 1
        self.last = [*self.last, loss][-_LAST:]
        self.step += 1

    @property
    def loss(self) -> float:
        """The mean loss of the last steps."""
        return sum(self.last) / len(self.last)

    @property
    def curve(self) -> list[float]:
        """The mean loss of each hundredth of the training, those without a step left out."""
        return [total / n for total, n in zip(self.sums, self.counts, strict=True) if n]


class Training:
    """Trains all of a model, from its checkpoint if there is one.

    Args:
        clip: the model, with the random weights of the recipe's seed.
        config: the recipe.
        file: the checkpoint.
        listener: hears of progress.
        every_seconds: time between checkpoints.
    """

    def __init__(
        self, clip: Clip, config: PretrainConfig, file: Path, listener: Listener, every_seconds: float
    ) -> None:
        self.clip, self.config, self.file, self.listener = clip, config, file, listener
        self.every_seconds, self.shares = every_seconds, shares_of(config.mix)
        self.scale = nn.Parameter(torch.tensor(_FIRST_SCALE))
        self.optimiser = _optimiser(clip, self.scale, config)
        self.state, self.stop = State(), StopSignals()

    def run(self) -> State:
        """Train to the last step.

        Raises `Interrupted` on a signal, `TrainingError` for a loss that is not finite, `DataError` for a checkpoint
        that is damaged or of another recipe.
        """
        self._restore()
        if self.state.step:
            self.listener.on_stage(f"resuming after step {self.state.step:,} of {self.config.steps:,}")
        self.listener.on_stage(f"pretraining {self.config.model} on {self.config.mix}")
        self.clip.train().requires_grad_(True)
        with self.stop.heeded():
            self._steps()
        self.clip.eval().requires_grad_(False)
        return self.state

    def _steps(self) -> None:
        start, written = time.perf_counter(), time.monotonic()
        before, steps = self.state.seconds, self.config.steps
        while self.state.step < steps:
            loss = self._step()
            if not math.isfinite(loss):
                raise TrainingError(
                    f"The loss of step {self.state.step + 1} is {loss}: take a lower --lr, or more --warmup-steps."
                )
            self.state.add(loss, steps)
            self.state.seconds = before + time.perf_counter() - start
            self.listener.on_count(self.state.step, steps)
            if self.stop.asked or self.state.step == steps or time.monotonic() - written > self.every_seconds:
                self._save()
                written = time.monotonic()
            if self.stop.asked and self.state.step < steps:
                raise Interrupted(f"stopped by a signal after step {self.state.step} of {steps}")

    def _step(self) -> float:
        """Take one step, and return its loss."""
        size, factor = self.config.batch_size, _lr_factor(self.state.step, self.config)
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.lr * factor
        images, captions = batch(self.shares, self.config.seed, self.state.step * size, size)
        loss = self._loss(images, captions)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.clip.parameters(), 1.0)
        self.optimiser.step()
        self.scale.data.clamp_(max=_MAX_SCALE)
        return loss.item()

    def _loss(self, images: Tensor, captions: list[str]) -> Tensor:
        image, text = embed(self.clip, images, captions)
        scores = self.scale.exp() * image @ text.T
        labels = torch.arange(len(scores))
        return (
            nn.functional.cross_entropy(scores, labels) + nn.functional.cross_entropy(scores.T, labels)
        ) / 2

    def _save(self) -> None:
        """Write all that a later process needs to resume exactly from here."""
        tensors = {f"{_MODEL}{name}": value for name, value in self.clip.named_parameters()}
        tensors[_SCALE] = self.scale
        for place, values in self.optimiser.state_dict()["state"].items():
            tensors |= {f"{_OPTIMISER}{place}.{name}": value for name, value in values.items()}
        write_tensors(self.file, tensors, {"config": self.config.model_dump(), "state": asdict(self.state)})

    def _restore(self) -> None:
        if not self.file.is_file():
            return
        tensors, note = _read(self.file)
        if difference := self.config.differences(note["config"]):
            raise DataError(f"The checkpoint {self.file} is of another recipe ({difference}): {AGAIN}")
        with torch.no_grad():
            for name, parameter in self.clip.named_parameters():
                parameter.copy_(tensors[f"{_MODEL}{name}"])
            self.scale.copy_(tensors[_SCALE])
        self.optimiser.load_state_dict(
            {**self.optimiser.state_dict(), "state": _optimiser_state(tensors)},
        )
        self.state = State(**note["state"])


AGAIN = "give --force to start over, or another --out."


def _read(file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return a checkpoint's tensors and note; raise `DataError` where it is not as it was written."""
    try:
        note = check_tensors(file)
        if note is None:
            raise DataError(f"{file} is no checkpoint.")
        return read_tensors(file), note
    except DataError as error:
        raise DataError(f"{str(error).rstrip('.')}: {AGAIN}") from error


def _optimiser_state(tensors: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith(_OPTIMISER):
            place, key = name.removeprefix(_OPTIMISER).split(".")
            state.setdefault(int(place), {})[key] = value
    return state


def _optimiser(clip: Clip, scale: nn.Parameter, config: PretrainConfig) -> torch.optim.Optimizer:
    matrices = [parameter for parameter in clip.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in clip.parameters() if parameter.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": [*others, scale], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.lr, betas=(0.9, 0.98), eps=1e-6)


def _lr_factor(step: int, config: PretrainConfig) -> float:
    warm = min(1.0, (step + 1) / max(config.warmup_steps, 1))
    return warm * (1 + math.cos(math.pi * min(1.0, step / config.steps))) / 2
