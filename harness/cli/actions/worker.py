"""What `harness worker` does: find out what a study's jobs are, and do them."""

import signal
from collections.abc import Callable
from pathlib import Path

from harness.errors import UsageError
from harness.listener import Listener
from harness.paths import runs_root
from harness.queue.jobs import BEAT
from harness.queue.optuna_storage import HEARTBEAT, storage_url
from harness.queue.queue import Queue
from harness.queue.work_loop import Work, until, work_off
from harness.queue.work_loop import follow as follow_process
from harness.suites.cell_jobs import KIND as SUITE
from harness.suites.run_suite import open_suite
from harness.sweep.stored_sweep import KIND as SWEEP
from harness.sweep.sweep import open_sweep

KINDS: dict[str, Callable[..., Work]] = {SWEEP: open_sweep, SUITE: open_suite}


def help_with(
    study: str,
    *,
    runs: str | Path | None = None,
    storage: str | None = None,
    device: str = "auto",
    data_root: str | None = None,
    heartbeat: int | None = None,
    timeout: float | None = None,
    follow: int | None = None,
    listener: Listener | None = None,
) -> None:
    """Do jobs of a study until none is left.

    Args:
        heartbeat: seconds between two signs of life; by default those of the study.
        follow: the process that began this one; when it goes, this one ends in order.
        timeout: seconds after which no further job begins.

    Raises `UsageError` for a study that the storage does not hold, or that was not made by the harness.
    """
    if follow is not None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        follow_process(follow)
    root = runs_root(runs).path
    url, folder = storage_url(storage, root), root / "studies" / study
    queue = Queue(study, url, directions=None, folder=folder, heartbeat=heartbeat or HEARTBEAT)
    known = queue.notes.get(BEAT)
    if heartbeat is None and known not in (None, queue.heartbeat):
        queue = Queue(study, url, directions=None, folder=folder, heartbeat=int(known))
    kind = str(queue.notes.get("kind"))
    if kind not in KINDS:
        raise UsageError(
            f"The study {study!r} in {queue.place} was not made by `harness sweep` or `harness suite`."
        )
    heard = listener or Listener()
    work = KINDS[kind](queue, root, device, data_root, heard)
    work.helps = follow is None
    work_off(work, until(timeout), heard)
