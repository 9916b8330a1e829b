"""Workers: take jobs off a queue until none is left, in this process or in several of this machine.

What the jobs are is the business of a `Work`; sweeps and suites are two.
"""

import os
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from harness.errors import HarnessError, Interrupted
from harness.files import Busy
from harness.listener import Listener
from harness.queue.jobs import OVER
from harness.queue.optuna_storage import lost
from harness.queue.queue import Queue
from harness.queue.work_setup import WorkSetup
from harness.queue.worker_lock import Presence

T = TypeVar("T")
IDLE = 1.0
AGAIN = 30.0
BUSY_WAIT = 2.0


class Work(ABC):
    """What the jobs of a queue are.

    Attributes:
        queue: the jobs.
        folder: where this machine keeps what belongs to the study: locks and logs of workers, results.
        setup: where and how this process works on them.
        helps: whether this process came to help, so that what it lacks is no fault of the jobs.
    """

    queue: Queue
    folder: Path
    setup: WorkSetup
    helps: bool = False

    @abstractmethod
    def take(self, worker: Presence) -> "Job | None":
        """Take the next job; None when none waits."""

    @abstractmethod
    def left(self) -> int:
        """Return how many jobs have not ended."""

    def under_way(self) -> bool:
        """Whether a job is under way, of which this process may have to take over what a dead worker leaves."""
        return bool(self.queue.running())

    @abstractmethod
    def progress(self) -> list[str]:
        """Return a line for each job that ended since the last call, whoever did it."""


class Job(ABC):
    """A job that was taken: a context that shows it alive, and a call that does it and ends it."""

    @abstractmethod
    def alive(self) -> AbstractContextManager[None]:
        """Return the context in which others see that the job is running."""

    @abstractmethod
    def do(self) -> None:
        """Do the job and end it in the queue; raises only what must stop the worker."""


def do_jobs(work: Work, deadline: float | None, listener: Listener) -> None:
    """Do jobs until none waits and none is under way elsewhere, or until the deadline (of `time.monotonic`).

    A worker with nothing to do waits for the others, because it may have to resume the job of one that dies. One that
    is interrupted, at whatever moment, leaves no job of its own running.
    Raises `HarnessError` when the study was stopped, or its storage is lost.
    """
    with Presence(work.folder) as worker, lost(work.queue.place):
        try:
            while deadline is None or time.monotonic() < deadline:
                if not _one_job(work, worker, listener):
                    return
        except (Interrupted, KeyboardInterrupt):
            work.queue.leave(worker)
            raise


def _one_job(work: Work, worker: Presence, listener: Listener) -> bool:
    """Do the next job, or wait for those of others; False when nothing is left to do."""
    check(work.queue)
    if work.queue.notes.get(OVER):
        return False
    for number in work.queue.recover():
        listener.on_note(f"a worker died during job {number}: the job is queued again.")
    job = work.take(worker)
    if job is not None:
        with job.alive():
            job.do()
    elif not work.under_way():
        return False
    else:
        time.sleep(IDLE)
    for line in work.progress():
        listener.on_stage(line)
    return True


def check(queue: Queue) -> None:
    """Raise `HarnessError` when a worker stopped the study, with its reason."""
    reason = queue.stopped
    if reason is not None:
        raise HarnessError(reason)


def follow(process: int) -> None:
    """Interrupt this process, in order, once the one that started it is gone.

    One that comes while a library calls back may be swallowed there, so it is repeated while the process lives.
    """

    def watch() -> None:
        while os.getppid() == process:
            time.sleep(IDLE)
        while True:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(AGAIN)

    threading.Thread(target=watch, name="follow", daemon=True).start()


def until(seconds: float | None) -> float | None:
    """Return the deadline that is some seconds from now."""
    return None if seconds is None else time.monotonic() + seconds


def when_free(work: Callable[[], T]) -> T:
    """Do work in a run's folder once no other process is in it: two jobs may be the same run."""
    while True:
        try:
            return work()
        except Busy:
            time.sleep(BUSY_WAIT)
