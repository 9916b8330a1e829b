"""What watches one trial of a sweep: it reports each validation and stops a trial that falls behind."""

import time
from collections.abc import Mapping
from typing import Any

from harness.errors import HarnessError
from harness.listener import Listener
from harness.record import Record
from harness.study import Study, Trial

MATERIAL = ("fingerprint", "backbone", "versions")


class Pruned(HarnessError):
    """A trial fell behind the others; its run is recorded as pruned."""

    run_status = "pruned"


class TrialListener(Listener):
    """Passes progress on to a person, and each validation to the study.

    Args:
        inner: whoever watches; epochs are not passed on, a sweep says one line per trial.
        objective: the validation metric that the study maximises.
    """

    def __init__(self, inner: Listener, study: Study, trial: Trial, objective: str) -> None:
        self.inner, self.study, self.trial, self.objective = inner, study, trial, objective
        self.record: Record | None = None
        self._begun = time.perf_counter()

    def on_count(self, done: int, total: int) -> None:
        """Pass it on."""
        self.inner.on_count(done, total)

    def on_note(self, text: str) -> None:
        """Pass it on."""
        self.inner.on_note(text)

    def on_step(self, epoch: int, step: int, n_steps: int) -> None:
        """Pass it on."""
        self.inner.on_step(epoch, step, n_steps)

    def on_start(self, name: str, record: Record) -> None:
        """Keep the record; raise `Changed` when data, weights or versions are not those of earlier trials."""
        self.record = record
        self.study.hold("material", {part: getattr(record, part) for part in MATERIAL})

    def on_resume(self, history: list[dict[str, float]], step: int) -> None:
        """Report what was reached before the interruption, as far as the study does not know it."""
        for row in history:
            if self.objective in row:
                self.trial.report(int(row["epoch"]), row[self.objective])

    def on_epoch(self, epoch: int, row: dict[str, float]) -> None:
        """Report a validation; raise `Pruned` when the trial should end."""
        if self.objective in row and self.trial.report(epoch, row[self.objective]):
            raise Pruned(f"behind the median of the study {self.study.name} after epoch {epoch}")

    def seconds(self) -> float:
        """Return the seconds since the trial began."""
        return round(time.perf_counter() - self._begun, 3)


def told(params: Mapping[str, Any]) -> str:
    """Return a trial's values as text.

    >>> told({"method.lr": 0.00031234, "method.loss": "sdm"})
    'method.lr=0.000312 method.loss=sdm'
    """
    return " ".join(
        f"{key}={value:.3g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in params.items()
    )
