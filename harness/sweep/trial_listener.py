"""Follows one trial of a sweep: reports each validation to the study and stops a trial that falls behind."""

import time

from harness.errors import HarnessError, many
from harness.listener import Listener
from harness.record import Record
from harness.record.time_left import VALIDATION_SECONDS
from harness.sweep.settings import COSTS
from harness.sweep.study import RunningTrial, Study


class Pruned(HarnessError):
    """A trial fell behind the others; its run is recorded as pruned."""

    run_status = "pruned"


class TrialListener(Listener):
    """Passes progress on to another listener, and each validation to the study.

    Args:
        inner: the listener of the sweep; epochs are not passed on, a sweep prints one line per trial.
        epochs: of the longest run of the search; several seeds of a trial count on from one another.
    """

    def __init__(self, inner: Listener, study: Study, trial: RunningTrial, epochs: int) -> None:
        self.inner, self.study, self.trial, self.epochs = inner, study, trial, epochs
        self.objective = study.search.objective
        self.records: list[Record] = []
        self.n_ended, self.n_epochs = 0, 0
        self._begun, self._before = time.perf_counter(), 0.0

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
        """Keep the record; raise `Changed` when data, pictures, weights or versions are not those of earlier trials."""
        self.inner.on_start(name, record)
        self.records.append(record)
        backbone = {key: value for key, value in record.backbone.items() if key != "seed"}
        shared = {"fingerprint": record.fingerprint, "backbone": backbone, "versions": record.versions}
        self.study.queue.hold("material", shared)
        self.study.queue.hold("pictures", record.pictures)
        if record.further:
            self.study.queue.hold("further data", record.further)

    def on_resume(self, history: list[dict[str, float]], step: int) -> None:
        """Pass it on, and report what was reached before the interruption, as far as the study does not know it."""
        self.inner.on_resume(history, step)
        self.n_epochs += len(history)
        self._before += sum(row.get("seconds", 0.0) + row.get(VALIDATION_SECONDS, 0.0) for row in history)
        for row in history:
            if self.objective in row:
                self._report(int(row["epoch"]), row[self.objective])

    def on_epoch(self, epoch: int, row: dict[str, float]) -> None:
        """Report a validation; raise `Pruned` when the trial should end."""
        self.n_epochs += 1
        if self.objective in row and self._report(epoch, row[self.objective]):
            raise Pruned(f"behind the others of the study {self.study.name} after epoch {epoch}")

    def on_seed(self, value: float, last: bool) -> None:
        """Take a seed's value at its end; raise `Pruned` when the trial is behind the best one over its seeds."""
        self.n_ended += 1
        by_seed = self.study.search.pruner == "wilcoxon"
        if by_seed and self.trial.report(self.n_ended - 1, value) and not last:
            raise Pruned(f"behind the best of the study {self.study.name} after {many(self.n_ended, 'seed')}")

    def seconds(self) -> float:
        """Return the seconds since the trial began, and those of the epochs before it was interrupted."""
        return round(self._before + time.perf_counter() - self._begun, 3)

    def _report(self, epoch: int, value: float) -> bool:
        if self.study.search.pruner == "wilcoxon":
            return False
        return self.trial.report(self.n_ended * self.epochs + epoch, value)


def costs(record: Record) -> dict[str, float]:
    """Return what a run cost: trainable parameters, peak memory of training in bytes, seconds of a step."""
    known = record.accounting
    values = {
        "trainable_parameters": known.get("parameters", {}).get("trainable"),
        "peak_memory": known.get("train_peak_bytes"),
        "step_seconds": known.get("step_seconds"),
    }
    return {name: float(values[name]) for name in COSTS if values[name] is not None}
