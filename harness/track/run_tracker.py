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

from harness.addresses import without_password
from harness.analysis.compression.measures import RESULT
from harness.config.sections import flatten
from harness.files import read_json, write_text
from harness.listener import Listener
from harness.record import Record, RunFolder
from harness.track.mlflow_store import Store, milliseconds, tags, tracking_uri, with_ends

RUN_ID = "mlflow_run_id"
log = logging.getLogger(__name__)


class Tracker(Listener):
    """Logs one run from a background thread, so that no training step ever waits for the store."""

    def __init__(self, record: Record, folder: RunFolder, runs: Path | None = None) -> None:
        self.record, self.folder, self.runs = record.model_copy(), folder, runs
        self.run_id: str | None = None
        self.error: str | None = None
        self._store: Store | None = None
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
        """Log the end of the run, wait for the store, and return what the record notes of it."""
        self._work.put(lambda: self._open_store().close(str(self.run_id), record, self.folder))
        self._work.put(None)
        self._thread.join()
        uri = without_password(tracking_uri(self.runs))
        return {"synced": self.error is None, "run_id": self.run_id, "uri": uri, "error": self.error}

    def _open(self) -> None:
        """Open the MLflow run, in place of the one that an earlier, cut-off attempt left behind."""
        store, note = self._open_store(), self.folder.file(RUN_ID)
        if note.is_file():
            store.remove(note.read_text(encoding="utf-8").strip())
        self.run_id = store.create(self.record)
        write_text(note, self.run_id)

    def _open_store(self) -> Store:
        self._store = self._store or Store(self.runs)
        return self._store

    def _loop(self) -> None:
        while (work := self._work.get()) is not None:
            if self.error is None:
                try:
                    work()
                except Exception as error:
                    self.error = f"{type(error).__name__}: {error}"
                    log.warning(
                        "MLflow at %s: %s; `harness runs sync` sends the run later",
                        without_password(tracking_uri(self.runs)),
                        error,
                    )


def publish(record: Record, folder: RunFolder, store: Store) -> dict[str, Any]:
    """Send a whole record anew with its results on other datasets, in place of what arrived of it before."""
    if record.tracking.get("run_id") and record.tracking.get("uri") == store.place:
        store.remove(record.tracking["run_id"])
    run_id = store.create(record)
    store.log(run_id, folder.history())
    store.close(run_id, record, folder)
    for file in sorted(folder.file("transfer").glob("*.json")):
        _log_result(store, run_id, folder, read_json(file))
    if folder.file(RESULT).is_file():
        _log_file(store, run_id, folder, RESULT)
    return {"synced": True, "run_id": run_id, "uri": store.place, "error": None}


def log_transfer(record: Record, folder: RunFolder, result: dict[str, Any]) -> bool:
    """Add a result on another dataset to the run's MLflow run; False when the store did not take it."""
    run_id = record.tracking.get("run_id")
    if not record.tracking.get("synced") or run_id is None:
        return False
    try:
        _log_result(Store(folder.path.parent), run_id, folder, result)
    except Exception as error:
        log.warning("MLflow did not take the result on %s: %s", result["dataset"], error)
        return False
    return True


def log_result_file(record: Record, folder: RunFolder, name: str) -> bool:
    """Add a file of a finished run's folder to its MLflow run; False when the store did not take it."""
    run_id = record.tracking.get("run_id")
    if not record.tracking.get("synced") or run_id is None:
        return False
    try:
        _log_file(Store(folder.path.parent), run_id, folder, name)
    except Exception as error:
        log.warning("MLflow did not take %s of %s: %s", name, record.name, error)
        return False
    return True


def _log_file(store: Store, run_id: str, folder: RunFolder, name: str) -> None:
    store.client.log_artifact(run_id, str(folder.file(name)))
    store.client.set_tag(run_id, f"harness.file.{name}", "sent")


def _log_result(store: Store, run_id: str, folder: RunFolder, result: dict[str, Any]) -> None:
    dataset = result["dataset"]
    store.log(run_id, [with_ends(result["metrics"], result["intervals"])])
    store.client.log_artifact(run_id, str(folder.file(f"transfer/{dataset}.npz")), "transfer")
    store.client.set_tag(run_id, f"harness.transfer.{dataset}", result["fingerprint"])
    store.client.set_tag(run_id, f"harness.transfer_protocol.{dataset}", str(result["protocol"]))


def publish_group(group: dict[str, Any], records: list[Record], runs: Path) -> str | None:
    """Log several seeds as one parent run with mean, interval, deviation and single values; return its id.

    The seeds' runs become its children; an earlier parent of the same group is replaced.
    """
    try:
        store = Store(runs)
        for old in store.finished_runs("group"):
            if old.data.tags.get("harness.identity") == group["identity"]:
                store.remove(old.info.run_id)
        child = {key: value for key, value in tags(records[0]).items() if key != "harness.seed"}
        marks = child | {
            "harness.kind": "group",
            "harness.identity": group["identity"],
            "harness.seeds": str(group["seeds"]),
        }
        run = store.client.create_run(
            store.experiment_id, milliseconds(records[0].started), marks, group["name"]
        )
        run_id = str(run.info.run_id)
        store.log_params(
            run_id, {key: value for key, value in flatten(records[0].config).items() if key != "seed"}
        )
        store.log(run_id, [group_metrics(group)])
        store.client.log_dict(run_id, group, "group.json")
        store.client.set_terminated(run_id, "FINISHED")
        store.adopt(run_id, [str(r.tracking["run_id"]) for r in records if r.tracking.get("synced")])
    except Exception as error:
        log.warning(
            "MLflow did not take the group %s (%s); `harness runs sync` sends it later", group["name"], error
        )
        return None
    return run_id


def group_metrics(group: dict[str, Any]) -> dict[str, float]:
    """Return a group's numbers as flat metrics: the mean under the metric's own name, then low, high, sd and n."""
    flat: dict[str, float] = {"n_seeds": float(len(group["seeds"]))}
    for name, metric in group["metrics"].items():
        flat[name] = metric["mean"]
        flat |= {f"{name}/{part}": metric[part] for part in ("low", "high", "sd")}
    return flat
