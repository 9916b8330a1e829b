"""Send records to MLflow, in the background while a run trains.

The record on disk is the truth: what did not arrive is sent again by `harness runs sync`.
"""

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.listener import Listener
from harness.record import Record, RunFolder
from harness.secrets import without_secrets
from harness.track.mlflow_opening import tracking_uri
from harness.track.mlflow_store import ARTIFACTS, Store
from harness.track.patience import noted, patience, reason, time_for, too_slow, warn

log = logging.getLogger(__name__)


class Tracker(Listener):
    """Logs one run from a background thread, so that no training step ever waits for the store."""

    def __init__(self, record: Record, folder: RunFolder, runs: Path | None = None) -> None:
        self.record, self.folder, self.runs = record.model_copy(), folder, runs
        self.run_id: str | None = None
        self.error: str | None = None
        self._store: Store | None = None
        self._opened = threading.Event()
        self._rows: deque[dict[str, float]] = deque()
        self._work: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._loop, name="tracking", daemon=True)
        self._thread.start()
        self._work.put(self._open)

    def on_epoch(self, epoch: int, row: dict[str, float]) -> None:
        """Hand over an epoch's metrics; returns at once."""
        self._hand_over([row])

    def on_resume(self, history: list[dict[str, float]], step: int) -> None:
        """Hand over the epochs before an interruption; returns at once."""
        self._hand_over(history)

    def _hand_over(self, rows: list[dict[str, float]]) -> None:
        self._rows.extend(rows)
        self._work.put(self._log_rows)

    def _log_rows(self) -> None:
        """Log all rows handed over by now in one call: epochs that take milliseconds do not cost a call each."""
        rows = [self._rows.popleft() for _ in range(len(self._rows))]
        if rows:
            self._open_store().log(str(self.run_id), rows)

    def finish(self, record: Record) -> dict[str, Any]:
        """Log the end of the run, wait for the store, and return what the record notes of it.

        The wait is at most the patience with a store, and the time that sending the run's files may take, once the
        store is open: to open it has bounds of its own, and the first run makes its tables.
        """
        self._work.put(lambda: self._open_store().close(str(self.run_id), record, self.folder))
        self._work.put(None)
        self._opened.wait()
        self._thread.join(patience() + time_for(self.folder.file(name) for name in ARTIFACTS))
        if self._thread.is_alive():
            self._fail(too_slow(tracking_uri(self.runs)))
        uri = without_secrets(tracking_uri(self.runs))
        return {"synced": self.error is None, "run_id": self.run_id, "uri": uri, "error": self.error}

    def _open(self) -> None:
        """Open the MLflow run, in place of what an earlier, interrupted attempt left."""
        try:
            store = self._open_store()
        finally:
            self._opened.set()
        self.run_id = store.create(self.record, self.folder)

    def _open_store(self) -> Store:
        self._store = self._store or Store(self.runs)
        return self._store

    def _loop(self) -> None:
        while (work := self._work.get()) is not None:
            if self.error is None:
                try:
                    work()
                except Exception as error:
                    self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Send nothing more, and say so."""
        said, place = reason(error), without_secrets(tracking_uri(self.runs))
        self.error = noted(error)
        warn(log, error, "MLflow at %s: %s; `harness runs sync` sends the run later", place, said)
