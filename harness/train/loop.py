"""The training loop: plain PyTorch on Accelerate, knowing no method's name and no test data."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from itertools import islice
from typing import Any

import torch

from harness.compute.devices import Accelerator, autocast
from harness.compute.fused import fused
from harness.config.sections import RunConfig
from harness.errors import Interrupted
from harness.listener import Listener
from harness.method_parts.batch import Batch, Losses
from harness.method_parts.schedule import Progress
from harness.methods import Method
from harness.record import RunFolder
from harness.record.time_left import VALIDATION_SECONDS
from harness.train.batches import Batches
from harness.train.checkpoint import CHECKPOINT, BestWeights, Checkpoint, State
from harness.train.cost import StepMemory, held_tensors
from harness.train.gradient_cache import GradientCache
from harness.train.loss_trace import LossTrace
from harness.train.share import derived_seed
from harness.train.stop_signals import StopSignals
from harness.train.switches import Switches

SELECTED = "selected"
_SCORE = ("t2i/R1", "t2i/mAP")

Validate = Callable[[], dict[str, float]]


class Watch:
    """Observes each epoch and keeps values in the training's state, which are stored and never read there."""

    def __call__(self, epoch: int, kept: dict[str, Any]) -> dict[str, Any]:
        """Return what is to be kept after an epoch, of what was kept before."""
        return kept

    def on_resume(self, kept: dict[str, Any]) -> None:
        """Training is about to go on from a checkpoint in which this is kept."""

    def on_saved(self, kept: dict[str, Any]) -> None:
        """What is kept is on disk, so that nothing earlier will be asked for again."""


class Training:
    """Trains one method and keeps, on disk, the state to resume from and the epoch that validation chose.

    Args:
        method: the adapted backbone, already on the device.
        batches: global batches of each epoch, as shares of this process.
        validate: returns validation metrics (`t2i/R1`, ...); None without a validation split.
        watch: called after each epoch.
        pictures: SHA-256 of the pictures of each split; a checkpoint of others is refused.

    Attributes:
        state: how far training has come.
        step_seconds: time of each step that this process took.
        step_peak_bytes: peak memory of its second step, by when the optimiser has its state; None before, and where
            compiled towers keep what they do to themselves.
    """

    def __init__(
        self,
        method: Method,
        batches: Batches,
        config: RunConfig,
        engine: Accelerator,
        folder: RunFolder,
        *,
        validate: Validate | None = None,
        watch: Watch | None = None,
        listener: Listener | None = None,
        pictures: Mapping[str, str] | None = None,
    ) -> None:
        self.method, self.batches, self.config, self.engine, self.folder = (
            method,
            batches,
            config,
            engine,
            folder,
        )
        self.validate, self.watch, self.listener = validate, watch, listener or Listener()
        self.model, self.optimiser = engine.prepare(method, fused(method.optimiser(), config.train.fused))
        self.rates = [group["lr"] for group in self.optimiser.param_groups]
        self.checkpoint = Checkpoint(folder.file(CHECKPOINT), config.train.checkpoint_seconds)
        self.selected = BestWeights(folder, SELECTED)
        self.state = State(pictures=dict(pictures or {}))
        self.losses = LossTrace(config.train.max_loss, engine.device)
        self.step_seconds: list[float] = []
        self.step_peak_bytes: int | None = None
        self.stop = StopSignals()
        self.switches = Switches(method, config.train, engine.device)
        self.cache = self._gradient_cache() if config.train.part_size else None

    def run(self) -> State:
        """Train to the last epoch, or until patience runs out, from the checkpoint if there is one.

        Raises `TrainingError` on a loss that is not a number or explodes, `Interrupted` on a signal.
        """
        restored = self.checkpoint.restore(
            self.method, self.optimiser, self.engine.scaler, self.state.pictures
        )
        if restored:
            self.state = restored
            self.selected.whole(restored.best)
            if self.watch:
                self.watch.on_resume(restored.watch)
            self._settle()
            self.listener.on_resume(restored.history, restored.step)
        with self.stop.heeded():
            while self.state.epoch < self.config.train.epochs and not self._patience_ended():
                self._epoch(self.state.epoch + 1)
            if self._asked_to_stop():  # after the last step: in the last validation, say
                self._save()
                raise Interrupted(f"stopped by a signal after epoch {self.state.epoch}")
        return self.state

    def _epoch(self, epoch: int) -> None:
        self.method.begin_training()
        self._epoch_began = time.perf_counter() - self.state.epoch_seconds
        with self.switches.steps():
            self._steps(epoch)
        self._finish(epoch, self._epoch_seconds())

    def _epoch_seconds(self) -> float:
        """Return the time spent in the current epoch, that before an interruption included."""
        return time.perf_counter() - self._epoch_began

    def _steps(self, epoch: int) -> None:
        parts = self.config.train.accumulation
        groups = _groups(self.batches.epoch(epoch, start_step=self.state.step * parts), parts)
        n_steps = -(-len(self.batches) // parts)
        clock = time.perf_counter()
        for group in groups:
            self._prepare_step(Progress(epoch, self.state.step, n_steps, self.config.train.epochs))
            self._measured_step(group) if self._is_measured() else self._step(group)
            self.state.step += 1
            if self.losses.full:
                self._look(epoch)
            self.step_seconds.append(-clock + (clock := time.perf_counter()))
            self.listener.on_step(epoch, self.state.step, n_steps)
            self._pause_if_asked(epoch, last=self.state.step == n_steps)
        self._look(epoch)

    def _is_measured(self) -> bool:
        return len(self.step_seconds) == 1 and not self.config.train.compile

    def _measured_step(self, parts: tuple[Batch, ...]) -> None:
        """Take a step as any other, and note its peak memory."""
        batches = [list(vars(batch).values()) for batch in parts]
        with StepMemory(held_tensors(self.method, self.optimiser, batches)) as memory:
            self._step(parts)
        self.step_peak_bytes = memory.peak

    def _step(self, parts: tuple[Batch, ...]) -> None:
        for index, batch in enumerate(parts):
            last = index == len(parts) - 1
            with nullcontext() if last else self.engine.no_sync(self.model):
                losses = self._forward_backward(batch, self.engine.num_processes / len(parts))
            self.losses.add(self.state.step + 1, losses.total, losses)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)

    def _forward_backward(self, batch: Batch, factor: float) -> Losses:
        """Add the gradient of a batch, times a factor, to the parameters; return its losses."""
        if self.cache and batch.n_local > self.cache.part_size:
            return self.cache.step(batch, lambda total: self.engine.backward(total * factor))
        losses: Losses = self.model(batch)
        self.engine.backward(losses.total * factor)
        return losses

    def _gradient_cache(self) -> GradientCache:
        return GradientCache(
            self.method,
            self.model,
            self.config.train.part_size,
            autocast=lambda: autocast(self.engine),
            no_sync=lambda: self.engine.no_sync(self.model),
        )

    def _look(self, epoch: int) -> None:
        """Add up the losses since the last look; a bad one stops the run, naming step and term."""
        for name, value in self.losses.collect(epoch, self.method).items():
            self.state.sums[name] = self.state.sums.get(name, 0.0) + value

    def _pause_if_asked(self, epoch: int, last: bool) -> None:
        # Several processes ask one another only as often as they look at the losses, for that waits for the device.
        asks = last or self.engine.num_processes == 1 or self.state.step % self.losses.patience == 0
        if asks and self._asked_to_stop():
            self._look(epoch)
            self._save()
            raise Interrupted(f"stopped by a signal in epoch {epoch} after step {self.state.step}")
        if self.checkpoint.due(epoch_ended=False):
            self._look(epoch)
            self._save()

    def _asked_to_stop(self) -> bool:
        """Return whether any process was asked to stop; all get the same answer, so that they stop at one step."""
        if self.engine.num_processes == 1:
            return self.stop.asked
        asked = torch.tensor(float(self.stop.asked), device=self.engine.device)
        return bool(self.engine.reduce(asked, reduction="sum").item())

    def _finish(self, epoch: int, seconds: float) -> None:
        sums = self.state.sums
        n_parts = sums.pop("parts", 1.0)
        row = {"epoch": float(epoch), "lr": self.optimiser.param_groups[0]["lr"], "seconds": seconds}
        row |= {f"train/{name}": value / n_parts for name, value in sums.items()}
        began = time.perf_counter()
        validates = epoch % self.config.eval.every == 0 or epoch == self.config.train.epochs
        if self.validate and validates:
            metrics = self.validate()
            row |= {f"val/{name}": value for name, value in metrics.items()}
            self._select(epoch, metrics)
        state = self.state
        state.epoch, state.step, state.sums, state.seconds = epoch, 0, {}, state.seconds + seconds
        state.epoch_seconds = 0.0
        state.history.append(row)
        if self.watch:
            state.watch = self.watch(epoch, state.watch)
        if validates or self.watch:
            row[VALIDATION_SECONDS] = time.perf_counter() - began
        if self.checkpoint.due(epoch_ended=True):
            self._save()
        self.listener.on_epoch(epoch, row)

    def _select(self, epoch: int, metrics: dict[str, float]) -> None:
        """Keep the weights of the best epoch on validation: highest R@1, then mAP, then the earliest."""
        best = self.state.best
        score = [metrics[name] for name in _SCORE]
        if not best or score > [best[name] for name in _SCORE]:
            self.state.best = {"epoch": float(epoch), **dict(zip(_SCORE, score, strict=True))}
            if self.engine.is_main_process:
                self.selected.keep(self.method, self.state.best)

    def _patience_ended(self) -> bool:
        patience, best = self.config.train.patience, self.state.best
        if not patience or not best:
            return False
        later = [
            row for row in self.state.history if row["epoch"] > best["epoch"] and f"val/{_SCORE[0]}" in row
        ]
        return len(later) >= patience

    def _prepare_step(self, at: Progress) -> None:
        if self.engine.num_processes > 1:
            # One checkpoint serves all processes, so what each draws, such as dropout, begins anew with every step.
            torch.manual_seed(
                derived_seed("process", self.config.seed, at.epoch, at.step, self.engine.process_index)
            )
        self.method.on_step_start(at)
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = self.method.learning_rate(rate, at)

    def _save(self) -> None:
        if self.state.step:
            self.state.epoch_seconds = self._epoch_seconds()
        if self.engine.is_main_process:
            self.checkpoint.write(self.state, self.method, self.optimiser, self.engine.scaler)
            self._settle()
        else:
            self.checkpoint.written_elsewhere()

    def _settle(self) -> None:
        """Let go of the weights that no checkpoint refers to any more."""
        if self.engine.is_main_process:
            self.selected.settle(self.state.best)
        if self.watch:
            self.watch.on_saved(self.state.watch)


def _groups(items: Iterator[Batch], size: int) -> Iterator[tuple[Batch, ...]]:
    while group := tuple(islice(items, size)):
        yield group
