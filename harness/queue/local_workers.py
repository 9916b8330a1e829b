"""Several worker processes of this machine: started with a share of it each, watched, replaced, stopped in order."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from harness.errors import HarnessError, Interrupted, UsageError
from harness.queue.jobs import OVER
from harness.queue.optuna_storage import lost
from harness.queue.storage_place import VARIABLE
from harness.queue.work_loop import AGAIN, Work, check, do_jobs

_LOOK = 0.5
_MOST_DEATHS = 5
_STOP_WAIT = 120.0
_ENDED, INTERRUPTED = 0, 130


def run_workers(work: Work, deadline: float | None) -> None:
    """Do a study's jobs in this process (1 worker), in several of this machine, or watch others do them (0).

    After the deadline (of `time.monotonic`), no worker on any machine takes another job.
    """
    workers, listener = work.setup.workers, work.setup.listener
    if workers == 1:
        do_jobs(work, deadline, listener)
    else:
        if workers == 0:
            listener.on_note(f"waiting for others: harness worker {work.queue.name} --storage ...")
        LocalWorkers(work, deadline).run()
    if deadline is not None and work.left() and time.monotonic() >= deadline:
        work.queue.remember(OVER, True)
        listener.on_note("Time is up: no further job starts.")


class LocalWorkers:
    """Several worker processes of this machine, with threads and GPUs divided among them.

    Args:
        work: what they do; its setup says how many there are, and 0 watches over the workers of other machines.
        deadline: of `time.monotonic`, when watching others ends.
    """

    def __init__(self, work: Work, deadline: float | None) -> None:
        self.work, self.deadline = work, deadline
        self.n, self.listener = work.setup.workers, work.setup.listener
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self.deaths = 0

    def run(self) -> None:
        """Start the workers, watch them until the last has ended, and replace one that is killed.

        Raises `Interrupted` when a person stops it, after each worker has left its job in order; `HarnessError` with
        a worker's own words when one fails.
        """
        try:
            for index in range(self.n):
                self._log(index).unlink(missing_ok=True)
                self._start(index)
            with lost(self.work.queue.place):
                self._watch()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Let each worker write its checkpoint and end; kill those that do not within two minutes.

        By SIGTERM, which ends one that is still starting as well: in the background of a script, Ctrl-C is ignored
        until a worker listens to it. It is repeated, because one that comes while a library calls back may be
        swallowed there.
        """
        until = time.monotonic() + _STOP_WAIT
        while self._living() and time.monotonic() < until:
            for process in self._living():
                process.terminate()
            self._wait(min(until, time.monotonic() + AGAIN))
        for process in self._living():
            process.kill()
            process.wait()
        self.processes.clear()
        self.work.queue.recover()

    def _living(self) -> list[subprocess.Popen[bytes]]:
        return [process for process in self.processes.values() if process.poll() is None]

    def _wait(self, until: float) -> None:
        for process in self._living():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, until - time.monotonic()))

    def _unfinished(self) -> bool:
        """Whether there is something to watch: own workers, or without any the jobs that others do."""
        if self.n:
            return bool(self.processes)
        over = self.deadline is not None and time.monotonic() >= self.deadline
        return not over and self.work.left() > 0

    def _watch(self) -> None:
        while self._unfinished():
            check(self.work.queue)
            if not self.n:
                self.work.queue.recover()
            for index, process in list(self.processes.items()):
                code = process.poll()
                if code is not None:
                    del self.processes[index]
                    self._ended(index, code)
            self._report()
            time.sleep(_LOOK)
        self._report()
        check(self.work.queue)

    def _report(self) -> None:
        for line in self.work.progress():
            self.listener.on_stage(line)
            self.deaths = 0

    def _ended(self, index: int, code: int) -> None:
        """Continue after a worker that is done, replace one that was killed, pass on what stopped another."""
        if code == _ENDED:
            return
        check(self.work.queue)
        if code == INTERRUPTED:
            raise Interrupted(f"worker {index + 1} was asked to stop")
        if code > 0:
            kind = UsageError if code == UsageError.exit_code else HarnessError
            raise kind(f"Worker {index + 1} stopped: {self._last_words(index)}")
        self.deaths += 1
        name = signal.Signals(-code).name
        if self.deaths >= _MOST_DEATHS:
            raise HarnessError(
                f"{self.deaths} workers died one after another without ending a job, the last by {name} (out of "
                f"memory?): use fewer --workers. See their log: {self._log(index)}"
            )
        self.listener.on_note(
            f"worker {index + 1} was killed by {name}: its job is queued again, and another worker takes its place."
        )
        self.work.queue.recover()
        self._start(index)

    def _start(self, index: int) -> None:
        self._log(index).parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "harness", "worker", self.work.queue.name, *_options_of(self.work)]
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
        errors = [line for line in lines if line.startswith("Error: ")]
        return (errors or lines or ["no message"])[-1].removeprefix("Error: ")


def _options_of(work: Work) -> list[str]:
    """Return the options of `harness worker` that make it work as this process would."""
    setup = work.setup
    options = {"--runs": str(setup.root), "--device": setup.device, "--heartbeat": str(work.queue.heartbeat)}
    if setup.data_root:
        options["--data-root"] = setup.data_root
    if setup.shard:
        options["--shard"] = setup.shard
    return [text for option in options.items() for text in option]


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
