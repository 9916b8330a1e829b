"""Where and how a process works on a queue: the one object that sweeps, suites and workers share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from harness.listener import Listener
from harness.paths import runs_root
from harness.queue.optuna_storage import HEARTBEAT
from harness.queue.queue import Queue
from harness.queue.storage_place import storage_url


@dataclass(frozen=True)
class WorkSetup:
    """Where and how jobs are done.

    Attributes:
        runs: folder of the runs; by default `HARNESS_RUNS`, else `./runs`.
        storage: SQLAlchemy URL of the studies; by default `HARNESS_STORAGE`, else an SQLite file beside the runs.
        device: what runs train on: `auto`, `cpu` or `cuda`.
        data_root: folder of the datasets; None: as each config says, or the default place.
        workers: 1 works in this process, more in as many processes of this machine, 0 leaves it to other machines.
        heartbeat: seconds between two heartbeats of a job; None: the study's, or 30.
        shard: the part of a suite that is worked on, as `i/n`; None: all of it.
        listener: what follows the progress.
    """

    runs: str | Path | None = None
    storage: str | None = None
    device: str = "auto"
    data_root: str | None = None
    workers: int = 1
    heartbeat: int | None = None
    shard: str | None = None
    listener: Listener = field(default_factory=Listener)

    @property
    def root(self) -> Path:
        """The folder of the runs."""
        return runs_root(self.runs).path

    @property
    def url(self) -> str:
        """The URL of the storage."""
        return storage_url(self.storage, self.root)

    def folder(self, study: str) -> Path:
        """Return where this machine keeps what belongs to a study: locks and logs of workers, results."""
        return self.root / "studies" / study

    def open_queue(
        self,
        study: str,
        directions: Sequence[Literal["minimize", "maximize"]] | None = ("maximize",),
        heartbeat: int | None = None,
    ) -> Queue:
        """Return the queue of a study, made where `directions` are given; the heartbeat given here comes first."""
        beat = heartbeat or self.heartbeat or HEARTBEAT
        return Queue(study, self.url, directions=directions, folder=self.folder(study), heartbeat=beat)
