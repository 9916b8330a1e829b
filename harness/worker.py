"""Workers: take jobs off a queue until none is left, in this process or in several of this machine.

What the jobs are is the business of a `Work`; sweeps and suites are two.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from harness.errors import HarnessError, Interrupted, UsageError
from harness.files import Busy
from harness.listener import Listener
from harness.queue import OVER, Presence, Queue
from harness.storage import VARIABLE, lost

T = TypeVar("T")
IDLE = 1.0
BUSY_WAIT = 2.0
LOOK = 0.5
MOST_DEATHS = 5
STOP_WAIT = 120.0
ENDED, INTERRUPTED = 0, 130


class Work(ABC):
    """What the jobs of a queue are.

    Attributes:
        queue: the jobs.
        folder: where this machine keeps what belongs to the study: locks and logs of workers, results.
        helps: whether this process came to help, so that what it lacks is no fault of the jobs.
    """

    queue: Queue
    folder: Path
    helps: bool = False

    @abstractmethod
    def take(self, worker: Presence) -> "Job | None":
        """Take the next job; None when none waits."""

    @abstractmethod
    def left(self) -> int:
        """Return how many jobs have not ended."""

    @abstractmethod
    def news(self) -> list[str]:
        """Return a line for each job that ended since the last call, whoever did it."""


def work_with(
    work: Work, workers: int, deadline: float | None, listener: Listener, options: Sequence[str]
) -> None:
    """Do a study's jobs in this process (1 worker), in several of this machine, or watch others do them (0).

    Args:
        options: of `harness worker`, so that the processes work as this one would.

    When the time is over, no worker on any machine takes another job.
    """
    if workers == 1:
        work_off(work, deadline, listener)
    else:
        if workers == 0:
            listener.on_note(f"waiting for others: harness worker {work.queue.name} --storage ...")
        Crew(work, workers, options, listener, deadline).run()
    if deadline is not None and work.left() and time.monotonic() >= deadline:
        work.queue.remember(OVER, True)
        listener.on_note("The time is over: no further job begins.")


class Job(ABC):
    """A job that was taken: a context that shows it alive, and a call that does it and ends it."""

    @abstractmethod
    def alive(self) -> AbstractContextManager[None]:
        """Return the context in which others see that the job goes on."""

    @abstractmethod
    def do(self) -> None:
        """Do the job and end it in the queue; raises only what must stop the worker."""


def work_off(work: Work, deadline: float | None, listener: Listener) -> None:
    """Do jobs until none waits and none is under way elsewhere, or until the deadline (of `time.monotonic`).

    A worker with nothing to do waits for the others, because it may have to take up what one of them leaves behind.
    Raises `HarnessError` when the study was stopped, or its storage is lost.
    """
    with Presence(work.folder) as worker, lost(work.queue.place):
        while deadline is None or time.monotonic() < deadline:
            check(work.queue)
            if work.queue.notes.get(OVER):
                return
            for number in work.queue.recover():
                listener.on_note(f"a worker died at job {number}: it is taken up again.")
            job = work.take(worker)
            if job is not None:
                with job.alive():
                    job.do()
            elif not work.queue.running():
                return
            else:
                time.sleep(IDLE)
            for line in work.news():
                listener.on_stage(line)


def check(queue: Queue) -> None:
    """Raise `HarnessError` when a worker stopped the study, with its reason."""
    reason = queue.stopped
    if reason is not None:
        raise HarnessError(reason)


class Crew:
    """Several worker processes of this machine, with threads and GPUs divided among them.

    Args:
        work: what they do.
        n: how many there are; none watches over the workers of other machines.
        arguments: further options of `harness worker`.
        listener: whoever watches.
        deadline: of `time.monotonic`, when watching others ends.
    """

    def __init__(
        self, work: Work, n: int, arguments: Sequence[str], listener: Listener, deadline: float | None = None
    ) -> None:
        self.work, self.n, self.arguments, self.listener = work, n, list(arguments), listener
        self.deadline = deadline
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self.deaths = 0

    def run(self) -> None:
        """Start the workers, watch them until the last has ended, and replace one that is killed.

        Raises `Interrupted` when a person stops it, after each worker has left its job in order; `HarnessError` with
        a worker's own words when one fails.
        """
        try:
            for index in range(self.n):
                self._start(index)
            with lost(self.work.queue.place):
                self._watch()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Let each worker write its checkpoint and end; kill those that do not within two minutes."""
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        until = time.monotonic() + STOP_WAIT
        for process in self.processes.values():
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()
        self.work.queue.recover()

    def _goes_on(self) -> bool:
        """Whether there is something to watch: own workers, or without any the jobs that others do."""
        if self.n:
            return bool(self.processes)
        over = self.deadline is not None and time.monotonic() >= self.deadline
        return not over and self.work.left() > 0

    def _watch(self) -> None:
        while self._goes_on():
            check(self.work.queue)
            if not self.n:
                self.work.queue.recover()
            for index, process in list(self.processes.items()):
                code = process.poll()
                if code is not None:
                    del self.processes[index]
                    self._ended(index, code)
            self._tell()
            time.sleep(LOOK)
        self._tell()
        check(self.work.queue)

    def _tell(self) -> None:
        for line in self.work.news():
            self.listener.on_stage(line)
            self.deaths = 0

    def _ended(self, index: int, code: int) -> None:
        """Go on after a worker that is done, replace one that was killed, pass on what stopped another."""
        if code == ENDED:
            return
        check(self.work.queue)
        if code == INTERRUPTED:
            raise Interrupted(f"worker {index + 1} was asked to stop")
        if code > 0:
            kind = UsageError if code == UsageError.exit_code else HarnessError
            raise kind(f"Worker {index + 1} stopped: {self._last_words(index)}")
        self.deaths += 1
        name = signal.Signals(-code).name
        if self.deaths >= MOST_DEATHS:
            raise HarnessError(
                f"{self.deaths} workers died one after another without ending a job, the last by {name} (out of "
                f"memory?): use fewer --workers. Their words: {self._log(index)}"
            )
        self.listener.on_note(
            f"worker {index + 1} was killed by {name}: its job is taken up again, and another takes its place."
        )
        self.work.queue.recover()
        self._start(index)

    def _start(self, index: int) -> None:
        self._log(index).parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "harness", "worker", self.work.queue.name, *self.arguments]
        if self.deadline is not None:
            command += ["--timeout", str(max(self.deadline - time.monotonic(), 0.001))]
        with self._log(index).open("ab") as log:
            self.processes[index] = subprocess.Popen(
                [*command, "--follow", str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=share(index, self.n) | {VARIABLE: self.work.queue.url},
                start_new_session=True,
            )

    def _log(self, index: int) -> Path:
        return self.work.folder / "workers" / f"worker-{index + 1}.log"

    def _last_words(self, index: int) -> str:
        lines = self._log(index).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        told = [line for line in lines if line.startswith("Error: ")]
        return (told or lines or ["it said nothing"])[-1].removeprefix("Error: ")


def share(index: int, n: int) -> dict[str, str]:
    """Return the environment of one of `n` workers: its share of the cores, and one of the GPUs in turn."""
    cores = max(1, len(os.sched_getaffinity(0)) // n)
    environment = dict(os.environ) | {"OMP_NUM_THREADS": str(cores), "MKL_NUM_THREADS": str(cores)}
    gpus = visible_gpus()
    if gpus:
        environment["CUDA_VISIBLE_DEVICES"] = gpus[index % len(gpus)]
    return environment


def visible_gpus() -> list[str]:
    """Return the names of the GPUs that this process may use, without touching one."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name for name in given.split(",") if name.strip() and name.strip() != "-1"]
    import torch

    return [str(index) for index in range(torch.cuda.device_count())]


def follow(process: int) -> None:
    """Interrupt this process, in order, once the one that started it is gone."""

    def watch() -> None:
        while os.getppid() == process:
            time.sleep(IDLE)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=watch, name="follow", daemon=True).start()


def until(seconds: float | None) -> float | None:
    """Return the deadline that lies some seconds from now."""
    return None if seconds is None else time.monotonic() + seconds


def when_free(work: Callable[[], T]) -> T:
    """Do work in a run's folder once no other process is in it: two jobs may be the same run."""
    while True:
        try:
            return work()
        except Busy:
            time.sleep(BUSY_WAIT)
