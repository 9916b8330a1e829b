"""How far a run has come, on disk while it runs, so that it is known even when its process is killed."""

import time

from harness.files import write_json
from harness.listener import Listener
from harness.record import HISTORY, PROGRESS, Record, RunFolder
from harness.train.checkpoint import CHECKPOINT

_EVERY = 1.0


class ProgressFile(Listener):
    """Notes epoch, step, seconds and the finished epochs' metrics in the run's folder, at most once a second.

    Args:
        folder: of the run.
        epochs: how many it is to train; 0 where it trains nothing.

    Attributes:
        done: finished epochs, finished steps of the next one and the epochs to train.
    """

    def __init__(self, folder: RunFolder, epochs: int) -> None:
        self.folder, self.done = folder, {"epoch": 0, "step": 0, "epochs": epochs}
        # An attempt that goes on from a checkpoint goes on counting.
        before = folder.read() if folder.file(CHECKPOINT).is_file() else None
        self._start = time.monotonic() - (before.seconds if before is not None else 0.0)
        self._history: list[dict[str, float]] = []
        self._written = 0.0

    @property
    def seconds(self) -> float:
        """Seconds spent on the run so far, those of the attempts that it goes on from included."""
        return time.monotonic() - self._start

    def on_stage(self, text: str) -> None:
        """Note the time."""
        self._write()

    def on_count(self, done: int, total: int) -> None:
        """Note the time."""
        self._write()

    def on_resume(self, history: list[dict[str, float]], step: int) -> None:
        """Note where training resumes."""
        self.done |= {"epoch": len(history), "step": step}
        self._history = list(history)
        self._write()

    def on_step(self, epoch: int, step: int, n_steps: int) -> None:
        """Note the step."""
        self.done |= {"epoch": epoch - 1, "step": step}
        self._write()

    def on_epoch(self, epoch: int, row: dict[str, float]) -> None:
        """Note the epoch."""
        self.done |= {"epoch": epoch, "step": 0}
        self._history.append(row)
        self._write()

    def end(self, record: Record) -> None:
        """Leave only the finished epochs, noted in the record, which has the rest of a run that has ended."""
        self._write_history()
        if self._history:
            self.folder.note(record, HISTORY)
        self.folder.file(PROGRESS).unlink(missing_ok=True)

    def _write(self) -> None:
        if time.monotonic() - self._written >= _EVERY:
            self._written = time.monotonic()
            write_json(self.folder.file(PROGRESS), {**self.done, "seconds": self.seconds})
            self._write_history()

    def _write_history(self) -> None:
        if self._history:
            write_json(self.folder.file(HISTORY), self._history)
