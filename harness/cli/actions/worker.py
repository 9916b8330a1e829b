"""What `harness worker` does: find out what a study's jobs are, and do them."""

import signal
import time
from collections.abc import Mapping
from dataclasses import fields
from math import inf
from typing import Any

from harness.errors import UsageError
from harness.listener import Listener
from harness.queue.jobs import BEAT, SPEC, part_note
from harness.queue.optuna_storage import may_exist, study_names
from harness.queue.queue import Queue
from harness.queue.work_loop import IDLE, Work, do_jobs, until
from harness.queue.work_loop import follow as follow_process
from harness.queue.work_setup import WorkSetup
from harness.suites.schema import KIND as SUITE
from harness.sweep.ended_trials import KIND as SWEEP


def setup_from(options: Mapping[str, Any], listener: Listener) -> WorkSetup:
    """Return where and how to work, as the options of a command say."""
    named = {field.name: options[field.name] for field in fields(WorkSetup) if field.name in options}
    return WorkSetup(**named, listener=listener)


def wait_for(study: str, setup: WorkSetup, seconds: float, since: float = inf) -> None:
    """Wait until a study has jobs that have not ended; after so many seconds return all the same.

    Who begins a study, or resumes it, may come later than those who help. Where a job has ended `since` this time (of
    `time.time`), it was begun, and may be over.
    """
    end = time.monotonic() + seconds
    if seconds and not _begun(study, setup, since):
        setup.listener.on_note(f"waiting up to {seconds:.0f} s for {study} to begin.")
    while time.monotonic() < end and not _begun(study, setup, since):
        time.sleep(IDLE)


def _begun(study: str, setup: WorkSetup, since: float) -> bool:
    if not may_exist(setup.url) or study not in study_names(setup.url):
        return False
    queue = setup.open_queue(study, directions=None)
    ends = [job.datetime_complete for job in queue.jobs().values()]
    noted = {SPEC} if setup.shard is None else {SPEC, part_note(setup.shard)}
    return noted <= queue.notes.keys() and any(end is None or end.timestamp() >= since for end in ends)


def help_with(
    study: str, setup: WorkSetup, *, timeout: float | None = None, follow: int | None = None
) -> None:
    """Do jobs of a study until none is left.

    Args:
        study: its name in the storage.
        setup: where and how this process works.
        timeout: seconds after which no further job starts.
        follow: the process that started this one; when that ends, this one stops in order.

    Raises `UsageError` for a study that the storage does not hold, or that was not made by the harness.
    """
    if follow is not None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        follow_process(follow)
    queue = setup.open_queue(study, directions=None)
    known = queue.notes.get(BEAT)
    if setup.heartbeat is None and known not in (None, queue.heartbeat):
        queue = setup.open_queue(study, directions=None, heartbeat=int(known))
    work = _opened(queue, setup)
    work.helps = follow is None
    do_jobs(work, until(timeout), setup.listener)


def _opened(queue: Queue, setup: WorkSetup) -> Work:
    """Return the work of a queue; what does it is imported once it is known to be there."""
    kind = queue.notes.get("kind")
    if kind == SWEEP:
        from harness.sweep.sweep import open_sweep

        return open_sweep(queue, setup)
    if kind == SUITE:
        from harness.suites.run_suite import open_suite

        return open_suite(queue, setup)
    raise UsageError(
        f"The study {queue.name!r} in {queue.place} was not made by `harness sweep` or `harness suite`."
    )
