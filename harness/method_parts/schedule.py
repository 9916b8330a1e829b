"""The learning rate over training: linear warm-up, then half a cosine, in steps of whole epochs or of batches."""

from dataclasses import dataclass
from math import cos, pi


@dataclass(frozen=True)
class Progress:
    """How far training has come before a step.

    Attributes:
        epoch: epoch under way, counted from 1.
        step: steps of it that are done.
        n_steps: steps of an epoch.
        epochs: epochs of the run.
    """

    epoch: int
    step: int
    n_steps: int
    epochs: int

    @property
    def passed(self) -> float:
        """Epochs that are done, with the part of the one under way."""
        return self.epoch - 1 + self.step / self.n_steps


def learning_rate_factor(epoch: int, *, epochs: int, warmup_epochs: int, warmup_factor: float) -> float:
    """Return what a group's learning rate is multiplied by in `epoch`, counted from 1.

    Warm-up rises from `warmup_factor` in epoch 1 and reaches 1 in epoch `warmup_epochs + 1`; the cosine
    would be 0 one epoch after the last. A run of no more epochs than the warm-up has ends inside it.

    >>> from functools import partial
    >>> rate = partial(learning_rate_factor, epochs=60, warmup_epochs=5, warmup_factor=0.1)
    >>> [round(rate(epoch), 2) for epoch in (1, 2, 6, 31)]
    [0.1, 0.28, 1.0, 0.57]
    """
    assert 1 <= epoch <= epochs
    done = epoch - 1
    if done < warmup_epochs:
        return warmup_factor + (1 - warmup_factor) * done / warmup_epochs
    return 0.5 * (1 + cos(pi * (done - warmup_epochs) / (epochs - warmup_epochs)))


def stepwise_rate(at: Progress, *, start: float, peak: float, end: float, warmup_epochs: int) -> float:
    """Return the learning rate of one step: from `start` evenly up to `peak`, then by half a cosine towards `end`.

    As TBPS-CLIP released it: both ends of the rise are reached, so the first step after it has the peak once more, and
    the cosine would reach `end` one step after the last. A run of no more epochs than the warm-up has ends inside it.

    >>> from functools import partial
    >>> rate = partial(stepwise_rate, start=1e-6, peak=1e-4, end=5e-6, warmup_epochs=1)
    >>> [f"{rate(Progress(epoch, step, 212, 5)):.4e}" for epoch, step in ((1, 0), (1, 211), (2, 0), (5, 211))]
    ['1.0000e-06', '1.0000e-04', '1.0000e-04', '5.0003e-06']
    """
    done = (at.epoch - 1) * at.n_steps + at.step
    rising = warmup_epochs * at.n_steps
    if done < rising:
        return start + (peak - start) * (done / (rising - 1) if rising > 1 else 1.0)
    falling = at.epochs * at.n_steps - rising
    return end + (peak - end) * 0.5 * (1 + cos(pi * (done - rising) / falling))
