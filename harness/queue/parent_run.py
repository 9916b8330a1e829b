"""Show a study in MLflow: the study is a parent run with a summary, trials are its children, seeds theirs.

Everything goes by run id, so nothing waits for a trial that is under way; what MLflow does not take is a warning
and is sent when the study is resumed by the same command.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.queue.jobs import SPEC
from harness.queue.queue import Queue
from harness.record import Record, RunFolder, trials_folder
from harness.track.mlflow_store import Store
from harness.track.own_runs import FOLDER, KEY, is_here, lives, new_key
from harness.track.patience import is_connection, reason, warn
from harness.track.publish import may_be_sent, resend
from harness.track.run_row import PARENT, RunRow
from harness.track.tags import SEARCH

_PLACE, _KEY = "tracking", "tracking_key"
_TRIALS = ("trial", "trial_seed")
STUDY_KEY = "harness.study_key"
log = logging.getLogger(__name__)


class StudyTracker:
    """The parent run of one study or suite, shared by all processes that work on it.

    Args:
        queue: the study, which remembers its MLflow run for all workers.
        runs: folder of the runs, for the default store.
        kind: what the run is: `study` or `suite`.
        tags: what the study is found by.
        params: what all trials share, and the search space.
        leads: whether this process starts and ends the study; a helper leaves the state of its run alone.
    """

    def __init__(
        self,
        queue: Queue,
        runs: Path,
        kind: str,
        tags: Mapping[str, str],
        params: Mapping[str, Any],
        leads: bool = True,
    ) -> None:
        self.queue, self.runs, self.kind, self.leads = queue, runs, kind, leads
        self.tags = {"harness.kind": kind, f"harness.{kind}": queue.name, **tags}
        self.params = dict(params)
        self.run_id: str | None = None
        self._store: Store | None = None
        self._reached = True
        self._said: set[str] = set()
        self._adopted: set[str] = set()
        self._described = False
        self._tell(self._begin)

    def adopt(self, records: Iterable[Record], parent: str | None = None) -> None:
        """Make runs that reached MLflow children of the study, or of one of its trials."""
        ids = {str(record.tracking["run_id"]) for record in records if record.tracking.get("synced")}
        new = ids - self._adopted
        self._tell(lambda store: store.adopt(parent or str(self.run_id), new))
        self._adopted |= new

    def send(self, record: Record, folder: RunFolder) -> None:
        """Send a run of the study that did not arrive in MLflow, as one does not that ended while it was away."""
        if not record.tracking.get("synced") and may_be_sent(record, folder):
            self._tell(partial(resend, record, folder))

    def begin_trial(self, number: int, known: str | None, values: Mapping[str, Any]) -> str | None:
        """Open the MLflow run of a trial of several seeds, or resume a known one; return its id."""
        opened: list[str] = []

        def begin(store: Store) -> None:
            if known is not None and store.is_there(known):
                store.resume(known)
                opened.append(known)
                return
            marks = {
                **self.tags,
                "harness.kind": "trial",
                "harness.trial": str(number),
                STUDY_KEY: self.key,
            }
            name = f"{self.queue.name}-trial-{number}"
            opened.append(self._open(store, f"{self.key}-{number}", name, marks, {**self.params, **values}))
            store.adopt(str(self.run_id), opened)

        self._tell(begin)
        return opened[0] if opened else None

    def end_trial(self, run_id: str, status: str, values: Mapping[str, float]) -> None:
        """Log a trial's numbers and end its run in a record's state."""

        def end(store: Store) -> None:
            store.log(run_id, [dict(values)])
            store.set_tags(run_id, {"harness.status": status})
            store.end(run_id, status)

        self._tell(end)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Log numbers of the study at a trial's number; the first time also what it searches and how."""
        self._tell(self._describe)
        self._tell(lambda store: store.log(str(self.run_id), [{**values, "epoch": float(step)}]))

    def close(self, status: str, tags: Mapping[str, str], files: Iterable[Path]) -> None:
        """Note results and files and end the study's run in a record's state."""

        def end(store: Store) -> None:
            store.set_tags(str(self.run_id), {**tags, "harness.status": status})
            for file in files:
                store.log_file(str(self.run_id), file)
            store.end(str(self.run_id), status)

        self._tell(end)

    def bury(self) -> None:
        """End the runs that killed workers left open; only when no worker is left on the study.

        A store that several people share has other studies of that name: their runs are left alone.
        """

        def end(store: Store) -> None:
            trials = {row.id for row in store.search(f"tags.`{PARENT}` = '{self.run_id}'")}
            name = self.queue.name
            for left in store.search(f"tags.`harness.study` = '{name}' and attributes.status = 'RUNNING'"):
                nested = left.parent in {self.run_id, *trials}
                own = left.tags.get(STUDY_KEY) == self.key or self._is_of_a_trial(left)
                if left.tag("kind") in _TRIALS and (nested or own):
                    if not nested:
                        store.adopt(str(self.run_id), [left.id])
                    store.set_tags(left.id, {"harness.status": "interrupted"})
                    store.end(left.id, "interrupted")

        self._tell(end)

    def _is_of_a_trial(self, row: RunRow) -> bool:
        """Whether a run was sent from a folder of this study's trials."""
        place = Path(row.tags.get(FOLDER, ""))
        within = place.is_relative_to(trials_folder(self.runs, self.queue.name).resolve())
        return within and (is_here(row) or lives(row))

    def mark(self, record: Record, folder: RunFolder, tags: Mapping[str, str]) -> None:
        """Put tags on a run that was there already, in its record and in MLflow; `runs sync` sends what is left."""
        if tags.items() <= record.tags.items():
            return
        record.tags = {**record.tags, **tags}
        folder.write(record)
        if not record.tracking.get("synced"):
            return
        run_id, sent = str(record.tracking["run_id"]), []

        def send(store: Store) -> None:
            if store.is_there(run_id):
                store.set_tags(run_id, tags)
                sent.append(run_id)

        self._tell(send)
        if not sent:
            record.tracking = {**record.tracking, "synced": False, "error": "its tags changed since"}
            folder.write(record)

    def _begin(self, store: Store) -> None:
        """Find the study's run if this store has it, else open one."""
        known = dict(self.queue.notes.get(_PLACE) or {})
        self.run_id = known.get(store.place)
        if self.run_id is None or not store.is_there(self.run_id):
            self.run_id = self._open(store, self.key, self.queue.name, self.tags, self.params)
            self.queue.remember(_PLACE, {**known, store.place: self.run_id})
        if self.leads:
            store.resume(self.run_id)

    @property
    def key(self) -> str:
        """The study's own key, by which its runs are found: by name others share a store may have the same."""
        if (key := self.queue.notes.get(_KEY)) is None:
            key = new_key()
            self.queue.remember(_KEY, key)
        return str(key)

    @staticmethod
    def _open(store: Store, key: str, name: str, tags: Mapping[str, str], values: Mapping[str, Any]) -> str:
        """Return the run with that key: the one that a killed process made, resumed, or a new one."""
        made = store.search(f"tags.`{KEY}` = '{key}'")
        for double in made[1:]:
            store.remove(double.id)
        if made:
            store.resume(made[0].id)
            return made[0].id
        return store.open(name, {**tags, KEY: key}, dict(values))

    def _describe(self, store: Store) -> None:
        """Log a study's space and search as they are in the storage; a suite has neither."""
        if self.kind == "study" and not self._described:
            store.log_json(str(self.run_id), self.queue.notes.get(SPEC) or {}, SEARCH)
            self._described = True

    def _tell(self, work: Callable[[Store], object]) -> None:
        """Do work on the store; do nothing more once it is away, and go on where it does not take one thing."""
        if not self._reached:
            return
        try:
            self._store = self._store or Store(self.runs)
            work(self._store)
        except Exception as error:
            away = isinstance(error, HarnessError) or is_connection(error)
            self._reached = self.run_id is not None and not away
            if (said := reason(error)) not in self._said:
                self._said.add(said)
                text = "MLflow did not take the study %s (%s); the same command sends it later"
                warn(log, error, text, self.queue.name, said)
