"""How far a run has come, on disk while it runs, so that it is known even when its process is killed."""

import time

from harness.files import write_json
from harness.listener import Listener
from harness.record import HISTORY, LEFT, PROGRESS, Record, RunFolder
from harness.record.time_left import TimeLeft
from harness.train.checkpoint import CHECKPOINT

_EVERY = 1.0


class ProgressFile(Listener):
    """Notes epoch, step, seconds and the finished epochs' metrics in the run's folder, at most once a second.

    Once it can be told, also how many seconds of training are left.

    Args:
        folder: of the run.
        left: how long the epochs take that it is to train; none where it trains nothing.

    Attributes:
        done: finished epochs, finished steps of the next one and the epochs to train.
    """

    def __init__(self, folder: RunFolder, left: TimeLeft) -> None:
        self.folder, self.left, self._share = folder, left, 0.0
        self.done = {"epoch": 0, "step": 0, "epochs": left.epochs}
        # An attempt that goes on from a checkpoint goes on counting.
        before = folder.read() if folder.file(CHECKPOINT).is_file() else None
        self._start = time.monotonic() - (before.seconds if before is not None else 0.0)
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
        self.left.resume(history)
        self._write()

    def on_step(self, epoch: int, step: int, n_steps: int) -> None:
        """Note the step."""
        self.done |= {"epoch": epoch - 1, "step": step}
        self._share = step / n_steps
        self._write()

    def on_epoch(self, epoch: int, row: dict[str, float]) -> None:
        """Note the epoch."""
        self.done |= {"epoch": epoch, "step": 0}
        self.left.add(row)
        self._share = 0.0
        self._write()

    def end(self, record: Record) -> None:
        """Leave only the finished epochs, noted in the record, which has the rest of a run that has ended."""
        self._write_history()
        if self.left.rows:
            self.folder.note(record, HISTORY)
        self.folder.file(PROGRESS).unlink(missing_ok=True)

    def _write(self) -> None:
        if time.monotonic() - self._written >= _EVERY:
            self._written = time.monotonic()
            seconds = self.left.seconds(self._share) if self.left.epochs else None
            known = {} if seconds is None else {LEFT: round(seconds)}
            write_json(self.folder.file(PROGRESS), {**self.done, **known, "seconds": self.seconds})
            self._write_history()

    def _write_history(self) -> None:
        if self.left.rows:
            write_json(self.folder.file(HISTORY), self.left.rows)
