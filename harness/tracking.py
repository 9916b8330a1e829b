"""Send records to MLflow, in the background while a run trains; the only file that knows MLflow.

The record on disk is the truth: what did not arrive is sent again by `harness runs sync`.
"""

import fcntl
import logging
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.config import flatten
from harness.errors import unknown
from harness.files import write_text
from harness.listener import Listener
from harness.paths import runs_root
from harness.record import HOLDOUT, QUERIES, RECORD, WEIGHTS, Record, RunFolder, now

EXPERIMENT = "text-based-person-retrieval"
PARENT = "mlflow.parentRunId"
STATES = {
    "finished": "FINISHED",
    "failed": "FAILED",
    "pruned": "KILLED",
    "interrupted": "KILLED",
    "running": "RUNNING",
}
ARTIFACTS = (RECORD, QUERIES, WEIGHTS, HOLDOUT)
RUN_ID = "mlflow_run_id"
BATCH = {"metrics": 1000, "params": 100}
log = logging.getLogger(__name__)


def tracking_uri(runs: Path | None = None) -> str:
    """Return where runs are tracked: `MLFLOW_TRACKING_URI`, else an SQLite file beside the records."""
    default = f"sqlite:///{(runs or runs_root().path).resolve() / 'mlflow.db'}"
    return os.environ.get("MLFLOW_TRACKING_URI") or default


class Store:
    """One MLflow store and experiment; made once, safe when several processes start at the same time."""

    def __init__(self, runs: Path | None = None, experiment: str | None = None) -> None:
        self.runs = (runs or runs_root().path).resolve()
        self.uri = tracking_uri(self.runs)
        with _quiet(), _one_at_a_time(self.runs):
            from mlflow import MlflowClient

            self.client = MlflowClient(tracking_uri=self.uri)
            self.experiment_id = self._experiment(
                experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
            )

    def _experiment(self, name: str) -> str:
        found = self.client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        local = self.uri.startswith("sqlite")
        place = (self.runs / "mlartifacts" / name).as_uri() if local else None
        return str(self.client.create_experiment(name, artifact_location=place))

    def create(self, record: Record) -> str:
        """Open an MLflow run for a record: its name, tags, parameters and dataset; return its id."""
        run = self.client.create_run(
            self.experiment_id, _milliseconds(record.started), tags(record), record.name
        )
        run_id = str(run.info.run_id)
        self._params(run_id, flatten(record.config))
        self._dataset(run_id, record)
        return run_id

    def open(self, name: str, marks: dict[str, str], values: dict[str, Any]) -> str:
        """Open an MLflow run that stands for several, as a study does, with tags and parameters; return its id."""
        run_id = str(self.client.create_run(self.experiment_id, tags=marks, run_name=name).info.run_id)
        self._params(run_id, values)
        return run_id

    def log(self, run_id: str, rows: Iterable[dict[str, float]]) -> None:
        """Log epochs' metrics in as few calls as may be; the step is the epoch."""
        from mlflow.entities import Metric

        stamp = int(time.time() * 1000)
        metrics = [
            Metric(key, float(value), stamp, int(row.get("epoch", 0)))
            for row in rows
            for key, value in row.items()
            if key != "epoch"
        ]
        for part in _parts(metrics, BATCH["metrics"]):
            self.client.log_batch(run_id, metrics=part)

    def close(self, run_id: str, record: Record, folder: RunFolder) -> None:
        """Log results and artifacts and end the run in the record's state."""
        self.log(run_id, [results(record)])
        for key, value in tags(record).items():
            self.client.set_tag(run_id, key, value)
        for name in ARTIFACTS:
            if folder.file(name).is_file():
                self.client.log_artifact(run_id, str(folder.file(name)))
        self.client.log_dict(run_id, record.config, "config.yaml")
        self.client.set_terminated(run_id, STATES[record.status], _milliseconds(record.finished or now()))

    def adopt(self, parent: str, children: Iterable[str]) -> None:
        """Nest runs under a parent run."""
        for child in children:
            self.client.set_tag(child, PARENT, parent)

    def remove(self, run_id: str) -> None:
        """Delete a partly logged run, if it is there."""
        from mlflow.exceptions import MlflowException

        try:
            self.client.delete_run(run_id)
        except MlflowException:
            log.debug("run %s was not there", run_id)

    @classmethod
    def existing(cls, runs: Path | None = None, experiment: str | None = None) -> "Store | None":
        """Return the store to read from, or None while there is none; raise `UsageError` for an unknown experiment."""
        place = (runs or runs_root().path).resolve()
        uri = tracking_uri(place)
        if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).is_file():
            return None
        if experiment is not None:
            with _quiet():
                from mlflow import MlflowClient

                names = [str(found.name) for found in MlflowClient(tracking_uri=uri).search_experiments()]
            if experiment not in names:
                raise unknown("experiment", experiment, names)
        return cls(runs, experiment)

    def finished_runs(self, kind: str = "run") -> list[Any]:
        """Return all finished MLflow runs of a kind that the harness logged, newest first."""
        return self.search(f"tags.`harness.kind` = '{kind}' and attributes.status = 'FINISHED'")

    def unfinished_runs(self) -> list[Any]:
        """Return the MLflow runs that failed, were cut off or still go on, newest first."""
        return self.search("tags.`harness.kind` = 'run' and attributes.status != 'FINISHED'")

    def search(self, text: str) -> list[Any]:
        """Return all MLflow runs that fit a filter, newest first."""
        found: list[Any] = []
        token = None
        while True:
            page = self.client.search_runs([self.experiment_id], text, max_results=1000, page_token=token)
            found += page
            token = page.token
            if not token:
                return found

    def artifact(self, run_id: str, name: str, folder: Path) -> Path | None:
        """Fetch one artifact of a run into a folder of its own there; None when the run has none of that name."""
        place = folder / run_id
        place.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        try:
            return Path(self.client.download_artifacts(run_id, name, str(place)))
        except Exception as error:
            log.debug("run %s has no %s: %s", run_id, name, error)
            return None

    def publish_folder(self, name: str, marks: dict[str, str], folder: Path) -> str:
        """Log a folder's files as the artifacts of a run of their own; return its id."""
        run_id = str(self.client.create_run(self.experiment_id, tags=marks, run_name=name).info.run_id)
        self.client.log_artifacts(run_id, str(folder))
        self.client.set_terminated(run_id, "FINISHED")
        return run_id

    def _params(self, run_id: str, values: dict[str, Any]) -> None:
        from mlflow.entities import Param

        params = [Param(key, str(value)) for key, value in values.items()]
        for part in _parts(params, BATCH["params"]):
            self.client.log_batch(run_id, params=part)

    def _dataset(self, run_id: str, record: Record) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        name = record.config["dataset"]["name"] + ("-twin" if record.synthetic else "")
        entry = Dataset(
            name, record.fingerprint[:32], "harness", str(record.config["dataset"]), profile=str(record.data)
        )
        self.client.log_inputs(
            run_id, [DatasetInput(entry, [InputTag("mlflow.data.context", "train, val, test")])]
        )


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
        uri = tracking_uri(self.runs)
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
                        tracking_uri(self.runs),
                        error,
                    )


def publish(record: Record, folder: RunFolder, store: Store) -> dict[str, Any]:
    """Send a whole record anew, in place of what arrived of it before."""
    if record.tracking.get("run_id") and record.tracking.get("uri") == store.uri:
        store.remove(record.tracking["run_id"])
    run_id = store.create(record)
    store.log(run_id, folder.history())
    store.close(run_id, record, folder)
    return {"synced": True, "run_id": run_id, "uri": store.uri, "error": None}


def log_transfer(record: Record, folder: RunFolder, result: dict[str, Any]) -> bool:
    """Add a result on another dataset to the run's MLflow run; False when the store did not take it."""
    run_id = record.tracking.get("run_id")
    if not record.tracking.get("synced") or run_id is None:
        return False
    try:
        store = Store(folder.path.parent)
        store.log(run_id, [transfer_metrics(result)])
        store.client.log_artifact(run_id, str(folder.file(f"transfer/{result['dataset']}.npz")), "transfer")
        store.client.set_tag(run_id, f"harness.transfer.{result['dataset']}", result["fingerprint"])
        store.client.set_tag(
            run_id, f"harness.transfer_protocol.{result['dataset']}", str(result["protocol"])
        )
    except Exception as error:
        log.warning("MLflow did not take the result on %s: %s", result["dataset"], error)
        return False
    return True


def transfer_metrics(result: dict[str, Any]) -> dict[str, float]:
    """Return a result on another dataset as flat metrics with interval ends."""
    flat: dict[str, float] = dict(result["metrics"])
    for name, (low, high) in result["intervals"].items():
        flat[f"{name}/low"], flat[f"{name}/high"] = low, high
    return flat


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
            store.experiment_id, _milliseconds(records[0].started), marks, group["name"]
        )
        run_id = str(run.info.run_id)
        store._params(
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


def tags(record: Record) -> dict[str, str]:
    """Return the tags by which runs are found and told apart."""
    config = record.config
    values = {
        "harness.kind": "run",
        "harness.identity": record.identity,
        "harness.method": config["method"]["name"],
        "harness.dataset": config["dataset"]["name"],
        "harness.synthetic": str(record.synthetic).lower(),
        "harness.rule": config["eval"]["rule"],
        "harness.seed": str(config["seed"]),
        "harness.status": record.status,
        "harness.fingerprint": record.fingerprint,
        "harness.backbone": str(record.backbone.get("name")),
        "harness.weights": str(record.backbone.get("sha256") or "random"),
        "harness.device": str(record.environment.get("device_name") or "unknown"),
    }
    values |= {f"harness.version.{part}": str(number) for part, number in record.versions.items()}
    if record.error:
        values["harness.error"] = record.error["message"][:500]
    return values | record.tags


def results(record: Record) -> dict[str, float]:
    """Return a record's final numbers as flat metrics: results, interval ends, accounting and counts."""
    flat: dict[str, float] = dict(record.metrics)
    for name, (low, high) in record.intervals.items():
        flat[f"{name}/low"], flat[f"{name}/high"] = low, high
    for group in ("accounting", "data", "statistics"):
        numbers = flatten(getattr(record, group)).items()
        flat |= {f"{group}/{key}": float(value) for key, value in numbers if isinstance(value, int | float)}
    return flat


def _parts(items: list[Any], size: int) -> Iterator[list[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _milliseconds(stamp: str) -> int:
    return int(datetime.fromisoformat(stamp).timestamp() * 1000)


@contextmanager
def _one_at_a_time(runs: Path) -> Iterator[None]:
    """Let one process at a time create the store: MLflow's own schema creation is not safe against a second one."""
    runs.mkdir(parents=True, exist_ok=True)
    with (runs / ".mlflow.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep schema migrations from filling the terminal."""
    names = ("alembic", "alembic.runtime.migration", "mlflow.store.db.utils", "mlflow.utils.uvicorn")
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
