"""Run a suite: each of its runs is a job on a queue, done once, by this process or any number of workers.

A run that fails is kept with its traceback and does not stop the rest; `retry` queues it again. A run that is there
already, whoever made it, is found and not repeated.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from harness.config.sections import RunConfig
from harness.errors import DataError, Interrupted, UsageError
from harness.files import locked
from harness.inference.transfer import evaluate_run
from harness.presets.resolve import build_stored
from harness.queue.jobs import SPEC, Changed, TakenAway, part_note
from harness.queue.local_workers import run_workers
from harness.queue.optuna_storage import GONE, lost, shown
from harness.queue.parent_run import StudyTracker
from harness.queue.queue import FrozenTrial, Queue, TrialState
from harness.queue.work_loop import Job, Work, until, when_free
from harness.queue.work_setup import WorkSetup
from harness.queue.worker_lock import Presence
from harness.record import Record, RunFolder, readable
from harness.record.time_left import duration
from harness.run.estimate import expected_seconds, finished_runs
from harness.run.run import run
from harness.suites.cell_jobs import (
    CELL,
    RUN,
    SECONDS,
    CellState,
    cell_key,
    fill,
    marks_of,
    queue_name,
    queued,
    remember_suite,
    shard_of,
    stored_key,
)
from harness.suites.cells import Expansion, started_from
from harness.suites.changed_data import changed_cells
from harness.suites.schema import KIND
from harness.track.tags import joined_marks


def run_suite(
    expansion: Expansion,
    setup: WorkSetup,
    *,
    shard: str | None = None,
    retry: bool = False,
    timeout: float | None = None,
    budgets: Mapping[str, int] | None = None,
) -> "SuiteRun":
    """Run the cells of a suite that are not done yet; return the suite with the state of each.

    Args:
        expansion: the whole suite.
        setup: where and how it is run; the cells' data root counts before the setup's.
        shard: `i/n`: only the i-th of n parts.
        retry: queue failed cells again.
        timeout: seconds after which no further cell starts.
        budgets: number of trials of each study that a row takes its configuration from, noted on its runs.

    Raises `Interrupted` when a person stops it; the same call resumes it.
    """
    name = queue_name(expansion.suite.name, expansion.synthetic)
    part = shard_of(expansion.cells, shard)
    roots = (cell.config.dataset.root for cell in expansion.cells)
    setup = replace(setup, data_root=next(filter(None, roots), setup.data_root), shard=shard)
    with locked(setup.folder(name)), lost(shown(setup.url)):
        queue = setup.open_queue(name)
        remember_suite(queue, expansion, budgets or {})
        keys = [cell_key(cell) for cell in part]
        if shard:
            queue.remember(part_note(shard), keys)
        queue.resume()
        changed = changed_cells(queue, part, setup)
        for cell in part:
            if unlike := changed.get(cell_key(cell)):
                setup.listener.on_note(f"{cell.name} is run again: {unlike}.")
        with queue.exclusive():
            fill(queue, part, setup.root, retry, changed)
        work = SuiteRun(queue, setup, part=keys)
        work.run(timeout)
    return work


def open_suite(queue: Queue, setup: WorkSetup) -> "SuiteRun":
    """Return the suite that a queue in the storage is, or the part of it that is worked on, for a worker.

    Raises `UsageError` for a part that nobody began.
    """
    if setup.shard is None:
        return SuiteRun(queue, setup, leads=False)
    if (part := queue.notes.get(part_note(setup.shard))) is None:
        raise UsageError(
            f"Nobody began the part {setup.shard} of {queue.name}: start it by `harness suite run --shard "
            f"{setup.shard}`, or leave --shard out."
        )
    return SuiteRun(queue, setup, part=part, leads=False)


class SuiteRun(Work):
    """One process's work on a suite, or on a part of its cells."""

    def __init__(
        self, queue: Queue, setup: WorkSetup, part: Sequence[str] | None = None, leads: bool = True
    ) -> None:
        self.queue, self.setup, self.listener = queue, setup, setup.listener
        self.folder = setup.folder(queue.name)
        spec = queue.notes[SPEC]
        self.suite, self.synthetic, self.wanted = spec["suite"], spec["synthetic"], set(spec["cells"])
        self.budgets, self.rows = dict(spec.get("budgets", {})), list(spec.get("rows", []))
        self.part = list(spec["cells"] if part is None else part)
        tags = {"harness.synthetic": str(self.synthetic).lower(), "harness.suite": self.suite}
        self.tracker = StudyTracker(queue, setup.root, KIND, tags, {"cells": len(self.wanted)}, leads)
        self.reported = {state.key for state in self.states() if state.state in ("done", "failed")}

    def run(self, timeout: float | None) -> None:
        """Run the missing cells; log the state of the suite to MLflow however it ends."""
        status = "failed"
        try:
            run_workers(self, until(timeout))
            self._send()
            status = "failed" if any(state.state == "failed" for state in self.states()) else "finished"
        except (Interrupted, KeyboardInterrupt) as stop:
            status = "interrupted"
            raise Interrupted(f"{self.counts()['done']} of {len(self.part)} cells are done") from stop
        finally:
            numbers = {f"cells/{state}": float(n) for state, n in self.counts().items()}
            self.tracker.log(0, numbers)
            self.tracker.close(status, {}, [])

    def _send(self) -> None:
        """Send the runs that did not arrive in MLflow, those of an earlier call too."""
        cells = {stored_key(job.user_attrs[CELL]): job.user_attrs[CELL] for job in self.queue.jobs().values()}
        runs = {state.run: cells[state.key] for state in self.states() if state.run is not None}
        for folder, record in readable(RunFolder(self.setup.root / name) for name in runs):
            if not record.tracking.get("synced"):
                self.take_in(runs[folder.path.name], record, folder)

    def marks(self, cell: Mapping[str, Any]) -> dict[str, str]:
        """Return the tags that say which cell of the suite a run is."""
        marks = marks_of(self.suite, cell["row"], self.rows)
        if study := cell.get("study"):
            marks |= {"harness.study": study, "harness.budget": str(self.budgets.get(study, "unknown"))}
        return marks

    def take_in(self, cell: Mapping[str, Any], record: Record, folder: RunFolder) -> None:
        """Let MLflow have a cell's run, as a child of the suite where it is of no other."""
        self.tracker.send(record, folder)
        if record.tags == self.marks(cell):
            self.tracker.adopt([record])

    def states(self) -> list[CellState]:
        """Return the state of each cell of this part, in the suite's order."""
        found = {state.key: state for state in queued(self.queue)}
        return [found[key] for key in self.part if key in found]

    def by_name(self) -> dict[str, CellState]:
        """Return the state of each cell of the whole suite, by its name."""
        return {state.name: state for state in queued(self.queue) if state.key in self.wanted}

    def counts(self) -> dict[str, int]:
        """Return how many cells are in each state."""
        states = [state.state for state in self.states()]
        return {state: states.count(state) for state in ("done", "failed", "running", "waiting")}

    def take(self, worker: Presence) -> "CellJob | None":
        """Take the next cell, if one waits; one that starts from another waits until that has ended."""
        part = set(self.part)
        ended = {name for name, state in self.by_name().items() if state.state in ("done", "failed")}

        def fits(job: FrozenTrial) -> bool:
            cell = job.user_attrs[CELL]
            return stored_key(cell) in part and (cell.get("source") in ended or cell.get("source") is None)

        job = self.queue.take(worker, fits=fits)
        if job is None:
            return None
        done = sum(state.state in ("done", "failed") for state in self.states())
        self.listener.on_stage(
            f"{job.user_attrs[CELL]['name']} ({done + 1} of {len(self.part)}{self._time_left()})"
        )
        return CellJob(self, job)

    def _time_left(self) -> str:
        """Return how long the cells left should take, after runs like them; empty while one has none, and for helpers.

        A helper does not know how many others there are.
        """
        if not self.tracker.leads:
            return ""
        finished = finished_runs(self.setup.root, tell=lambda file, why: None)
        wanted = [job.user_attrs[CELL] for job in self.queue.jobs().values() if not job.state.is_finished()]
        cells = [cell["config"] for cell in wanted if stored_key(cell) in self.part]
        took = [expected_seconds(build_stored(config), finished)[0] for config in cells]
        known = [seconds for seconds in took if seconds is not None]
        if not known or len(known) < len(took):
            return ""
        return f", about {duration(sum(known) / max(self.setup.workers, 1))} left"

    def under_way(self) -> bool:
        """Whether a cell of this part is under way: those of others end without it."""
        return self.counts()["running"] > 0

    def left(self) -> int:
        """Return how many cells have not ended."""
        counts = self.counts()
        return counts["running"] + counts["waiting"]

    def progress(self) -> list[str]:
        """Return how each cell ended that ended since the last call."""
        ended = [state for state in self.states() if state.state in ("done", "failed")]
        new = [state for state in ended if state.key not in self.reported]
        self.reported |= {state.key for state in new}
        left = self._time_left() if new else ""
        return [f"{one.name}, {len(ended)} of {len(self.part)} done{left}: {_ending(one)}" for one in new]


class CellJob(Job):
    """One cell, taken: its run, its tests on other datasets, and how it ends."""

    def __init__(self, suite: SuiteRun, job: FrozenTrial) -> None:
        self.suite, self.job, self.cell = suite, job, job.user_attrs[CELL]

    def alive(self) -> AbstractContextManager[None]:
        """Send heartbeats."""
        return self.suite.queue.alive(self.job)

    def do(self) -> None:
        """Run the cell; a failure is kept, and the next cell starts; what another worker took over is left to it."""
        try:
            self._do()
        except TakenAway as gone:
            self.suite.listener.on_note(str(gone))

    def _do(self) -> None:
        begun = time.perf_counter()
        try:
            record = when_free(self._run)
        except (Interrupted, KeyboardInterrupt, Changed, *GONE):
            self.suite.queue.put_back(self.job)
            raise
        except Exception as error:
            if isinstance(error, DataError) and self.suite.helps:
                self.suite.queue.put_back(self.job)
                raise
            self.suite.queue.note(self.job, SECONDS, time.perf_counter() - begun)
            self.suite.queue.fail(self.job, error)
        else:
            self.suite.queue.note(self.job, RUN, record.name)
            self.suite.queue.note(self.job, SECONDS, time.perf_counter() - begun)
            score = record.metrics[f"test/{record.config['dataset']['name']}/t2i/R1"]
            self.suite.queue.end(self.job, TrialState.COMPLETE, [score])

    def _run(self) -> Record:
        """Train and test, then test on the other datasets; note on the run which suite it belongs to."""
        work = self.suite
        config = self._config()
        marks = work.marks(self.cell)
        root, device = work.setup.root, work.setup.device
        common: dict[str, Any] = {"runs": root, "device": device, "listener": work.listener}
        record = run(config, tags=marks, **common)
        if self.cell["tests"]:
            evaluate_run(record.name, list(self.cell["tests"]), data_root=config.dataset.root, **common)
        folder = RunFolder(root / record.name)
        record = folder.read() or record
        work.tracker.mark(record, folder, joined_marks(record.tags, marks))
        work.take_in(self.cell, record, folder)
        return record

    def _config(self) -> RunConfig:
        config = build_stored(self.cell["config"])
        if source := self.cell.get("source"):
            config = started_from(config, self._source(source))
        data_root = self.suite.setup.data_root
        return config if data_root is None else config.on_data(data_root)

    def _source(self, name: str) -> str:
        """Return the run of the cell that this one starts from; raise `UsageError` when that failed."""
        state = self.suite.by_name()[name]
        if state.state != "done" or state.run is None:
            raise UsageError(
                f"It starts from {name}, which failed: fix that, then run both by "
                "`harness suite retry` with the options of `suite run`."
            )
        return state.run


def _ending(state: CellState) -> str:
    if state.error is not None:
        first = state.error["message"].splitlines() or [""]
        return f"failed: {state.error['type']}: {first[0]}"
    return f"{state.run} in {state.seconds or 0:.0f} s"
