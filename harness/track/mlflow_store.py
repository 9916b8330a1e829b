"""One MLflow store and experiment, read and written by run id; only this package touches MLflow's client."""

import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.addresses import must_answer
from harness.config.values import flatten
from harness.errors import unknown
from harness.paths import runs_root
from harness.places import is_there
from harness.record import EMBEDDINGS, HOLDOUT, QUERIES, RECORD, WEIGHTS, Record, RunFolder, now, twin_name
from harness.record.marks import read_marks, write_marks
from harness.secrets import without_secrets
from harness.track.mlflow_opening import (
    _experiments,
    _lay_out,
    _quiet,
    experiment_id,
    must_hold_tables,
    opening,
    store_file,
    tracking_uri,
)
from harness.track.notes import origin
from harness.track.own_runs import earlier, kept_tags, marks
from harness.track.patience import Client, is_connection
from harness.track.run_pictures import send_page
from harness.track.run_row import PARENT, RunRow
from harness.track.tags import milliseconds, results, tags
from harness.track.views import EXPERIMENT_TAGS

STATES = {
    "finished": "FINISHED",
    "failed": "FAILED",
    "pruned": "KILLED",
    "interrupted": "KILLED",
    "running": "RUNNING",
}
ARTIFACTS = (RECORD, QUERIES, EMBEDDINGS, WEIGHTS, HOLDOUT)
FINISHED = "tags.`harness.kind` = '{kind}' and attributes.status = 'FINISHED'"
BATCH = {"metrics": 1000, "params": 100, "tags": 100}
log = logging.getLogger(__name__)


def sendable(text: str) -> str:
    """Return a text as a store takes it: half a sign, as of a file's name that is not UTF-8, is written out."""
    return text.encode("utf-8", "backslashreplace").decode()


class Store:
    """One MLflow store and experiment; made once, safe when several processes start at the same time."""

    def __init__(self, runs: Path | None = None, experiment: str | None = None, *, make: bool = True) -> None:
        self.runs = (runs or runs_root().path).resolve()
        self.uri = tracking_uri(self.runs)
        self.place = without_secrets(self.uri)
        with _quiet():
            if make:
                _lay_out(self.uri, self.runs)
            self.client = Client(self.uri)
            self.experiment_id = experiment_id(self.client, self.uri, self.runs, experiment, make)

    def create(self, record: Record, folder: RunFolder) -> str:
        """Open an MLflow run for a record, in place of what an earlier attempt left of it; return its id.

        It has the record's name, tags, parameters and dataset.
        """
        before = earlier(self, record, folder)
        removed = read_marks(folder).removed
        kept = {name: value for name, value in kept_tags(before).items() if name not in removed}
        if PARENT in kept and not self.is_there(kept[PARENT]):
            del kept[PARENT]
        given = kept | tags(record) | origin(record) | marks(record.key, folder.path)
        given = {key: sendable(value) for key, value in given.items()}
        run = self.client.create_run(self.experiment_id, milliseconds(record.started), given, record.name)
        run_id = str(run.info.run_id)
        self.log_params(run_id, flatten(record.config))
        self._dataset(run_id, record)
        # Only now, for what cannot be sent must not be lost.
        for row in before:
            self.remove(row.id)
        return run_id

    def open(
        self, name: str, marks: dict[str, str], values: dict[str, Any], started: str | None = None
    ) -> str:
        """Open an MLflow run of several runs, as a study's is, with tags and parameters; return its id."""
        since = None if started is None else milliseconds(started)
        run_id = str(self.client.create_run(self.experiment_id, since, marks, name).info.run_id)
        self.log_params(run_id, values)
        return run_id

    def resume(self, run_id: str) -> None:
        """Mark a run that had ended as running."""
        self.client.update_run(run_id, status="RUNNING")

    def end(self, run_id: str, status: str, ended: str | None = None) -> None:
        """End a run in a record's state, now or at an ISO 8601 time."""
        self.client.set_terminated(run_id, STATES[status], None if ended is None else milliseconds(ended))

    def log_file(self, run_id: str, file: Path, folder: str | None = None) -> None:
        """Add a file to a run's artifacts, within a folder of them where one is named."""
        self.client.log_artifact(run_id, str(file), folder)

    def log_json(self, run_id: str, content: Mapping[str, Any], name: str) -> None:
        """Add values to a run's artifacts as a JSON or YAML file of that name."""
        self.client.log_dict(run_id, dict(content), name)

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
        page, said = send_page(self, run_id, record, folder), read_marks(folder)
        self.set_tags(run_id, tags(record) | said.tags | page)
        if said.removed:
            self.remove_tags(self.run(run_id), said.removed)
            write_marks(folder, said.model_copy(update={"removed": []}))
        for name in ARTIFACTS:
            if folder.file(name).is_file():
                self.log_file(run_id, folder.file(name))
        self.log_json(run_id, record.config, "config.yaml")
        self.end(run_id, record.status, record.finished or now())

    def set_tags(self, run_id: str, values: Mapping[str, str]) -> None:
        """Set a run's tags in as few calls as may be."""
        from mlflow.entities import RunTag

        tags = [RunTag(key, sendable(value)) for key, value in values.items()]
        for part in _parts(tags, BATCH["tags"]):
            self.client.log_batch(run_id, tags=part)

    def remove_tags(self, row: RunRow, names: Iterable[str]) -> None:
        """Take tags off a run, those of the names that it has."""
        for name in row.tags.keys() & set(names):
            self.client.delete_tag(row.id, name)

    def describe(self, views: Mapping[str, str]) -> None:
        """Bring the experiment's saved views up to date; its description stays as it was written."""
        known = self.client.get_experiment(self.experiment_id).tags
        wanted = {key: known.get(key, value) for key, value in EXPERIMENT_TAGS.items()} | dict(views)
        for key, value in wanted.items():
            if known.get(key) != value:
                self.client.set_experiment_tag(self.experiment_id, key, value)

    def adopt(self, parent: str, children: Iterable[str]) -> None:
        """Nest runs under a parent run; one that was archived or deleted, or is in another store, is left out."""
        from mlflow.exceptions import MlflowException

        for child in children:
            try:
                self.client.set_tag(child, PARENT, parent)
            except MlflowException as error:
                if is_connection(error):
                    raise
                log.debug("run %s is not there to be nested", child)

    def is_there(self, run_id: str) -> bool:
        """Return whether the store has a run that is not deleted."""
        from mlflow.exceptions import MlflowException

        try:
            return bool(self.client.get_run(run_id).info.lifecycle_stage == "active")
        except MlflowException as error:
            if is_connection(error):
                raise
            return False

    def remove(self, run_id: str) -> None:
        """Delete a partly logged run, if it is there."""
        from mlflow.exceptions import MlflowException

        try:
            self.client.delete_run(run_id)
        except MlflowException:
            log.debug("run %s was not there", run_id)

    @classmethod
    def existing(cls, runs: Path | None = None, experiment: str | None = None) -> "Store | None":
        """Return the store to read from, or None while there is none; nothing is made or written for that.

        Raises `UsageError` for an unknown or deleted experiment and for a store that does not answer or open.
        """
        place = (runs or runs_root().path).resolve()
        uri = tracking_uri(place)
        if (file := store_file(uri)) is not None and not is_there(file):
            return None
        if uri.startswith(("http://", "https://")):
            must_answer(uri)
        with opening(uri), _quiet():
            if file is not None:
                must_hold_tables(file)
            try:
                return cls(runs, experiment, make=False)
            except LookupError:
                if experiment is not None:
                    raise unknown("experiment", experiment, _experiments(uri)) from None
        return None

    def finished_runs(self, kind: str = "run", where: str = "") -> list[RunRow]:
        """Return the finished runs of a kind that the harness logged, newest first; those that fit `where`."""
        more = f" and {where}" if where else ""
        return self.search(FINISHED.format(kind=kind) + more)

    def newest(self, n: int = 200) -> list[RunRow]:
        """Return the newest finished runs, newest first, in one call."""
        found = self.client.search_runs([self.experiment_id], FINISHED.format(kind="run"), max_results=n)
        return [RunRow.from_mlflow(run) for run in found]

    def unfinished_runs(self) -> list[RunRow]:
        """Return the runs that failed, were interrupted or still run, newest first."""
        return self.search("tags.`harness.kind` = 'run' and attributes.status != 'FINISHED'")

    def search(self, text: str) -> list[RunRow]:
        """Return all runs that fit a filter in MLflow's language, newest first."""
        found: list[RunRow] = []
        token = None
        while True:
            page = self.client.search_runs([self.experiment_id], text, max_results=1000, page_token=token)
            found += map(RunRow.from_mlflow, page)
            token = page.token
            if not token:
                return found

    def run(self, run_id: str) -> RunRow:
        """Return one run by its id."""
        return RunRow.from_mlflow(self.client.get_run(run_id))

    def history(self, run_id: str, keys: Iterable[str]) -> list[dict[str, float]]:
        """Return the epochs of a run, each with `epoch` and those of the metrics that were logged for it."""
        rows: dict[int, dict[str, float]] = {}
        for key in keys:
            for metric in self.client.get_metric_history(run_id, key):
                rows.setdefault(metric.step, {"epoch": metric.step})[key] = metric.value
        return [rows[epoch] for epoch in sorted(rows)]

    def artifact(self, run_id: str, name: str, folder: Path) -> Path | None:
        """Fetch one artifact of a run into a subfolder for it; None when the run has none of that name."""
        place = folder / run_id
        place.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        try:
            return Path(self.client.download_artifacts(run_id, name, str(place)))
        except Exception as error:
            log.debug("run %s has no %s: %s", run_id, name, error)
            return None

    def publish_folder(self, name: str, marks: dict[str, str], folder: Path) -> str:
        """Log a folder's files as the artifacts of a new run; return its id."""
        run_id = str(self.client.create_run(self.experiment_id, tags=marks, run_name=name).info.run_id)
        self.client.log_artifacts(run_id, str(folder))
        self.end(run_id, "finished")
        return run_id

    def log_params(self, run_id: str, values: dict[str, Any]) -> None:
        """Log parameters as text."""
        from mlflow.entities import Param

        params = [Param(key, sendable(str(value))) for key, value in values.items()]
        for part in _parts(params, BATCH["params"]):
            self.client.log_batch(run_id, params=part)

    def _dataset(self, run_id: str, record: Record) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        name = twin_name(record.config["dataset"]["name"], record.synthetic)
        entry = Dataset(
            name, record.fingerprint[:32], "harness", str(record.config["dataset"]), profile=str(record.data)
        )
        self.client.log_inputs(
            run_id, [DatasetInput(entry, [InputTag("mlflow.data.context", "train, val, test")])]
        )


def _parts(items: list[Any], size: int) -> Iterator[list[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))
