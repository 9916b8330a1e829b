"""Losses collected on the device and checked from time to time."""

import torch
from torch import Tensor

from harness.errors import TrainingError
from harness.method_parts.batch import Losses
from harness.methods import Method

_LOOK_EVERY = 25


class LossTrace:
    """Collects losses on the device and reads them from time to time, so that the device need not wait each step."""

    def __init__(self, max_loss: float, device: torch.device) -> None:
        self.max_loss, self.patience = max_loss, 1 if device.type == "cpu" else _LOOK_EVERY
        self._rows: list[tuple[int, Tensor]] = []
        self._names: list[str] = []

    @property
    def full(self) -> bool:
        """Whether it is time to look."""
        return len(self._rows) >= self.patience

    def add(self, step: int, total: Tensor, losses: Losses) -> None:
        """Keep one part's losses."""
        self._names = ["loss", *losses.terms]
        self._rows.append(
            (step, torch.stack([total.detach(), *(t.detach().float() for t in losses.terms.values())]))
        )

    def collect(self, epoch: int, method: Method) -> dict[str, float]:
        """Return the sums since the last look, with the number of `parts`; raise on a bad loss."""
        if not self._rows:
            return {}
        values = torch.stack([row for _, row in self._rows]).double().cpu()
        steps = [step for step, _ in self._rows]
        self._rows = []
        bad = (~(values.abs() <= self.max_loss)).any(dim=1).nonzero()
        if len(bad):
            row = int(bad[0])
            raise TrainingError(self._complaint(epoch, steps[row], values[row], method))
        sums = dict(zip(self._names, values.sum(dim=0).tolist(), strict=True))
        return {**sums, "parts": float(len(values))}

    def _complaint(self, epoch: int, step: int, row: Tensor, method: Method) -> str:
        terms = [
            f"{n}={v:g}"
            for n, v in zip(self._names[1:], row[1:].tolist(), strict=True)
            if not abs(v) <= self.max_loss
        ]
        broken = [name for name, p in method.trainable() if not torch.isfinite(p).all()]
        where = f"; not finite by now: {', '.join(broken[:3])}" if broken else ""
        return (
            f"The loss is {row[0]:g} in epoch {epoch}, step {step} (from {', '.join(terms) or 'the sum'}{where}). "
            "Lower method.lr, raise method.eps or lengthen the warm-up; train.max_loss sets the bound."
        )
