"""Search hyper-parameters: each trial is judged on validation; no test data until the search is over."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from harness.config.sections import RunConfig
from harness.config.values import flatten
from harness.data.reading import read_dataset
from harness.errors import HarnessError, Interrupted, UsageError
from harness.files import locked
from harness.paths import runs_root
from harness.queue.jobs import BEAT, SPEC, is_cut_off
from harness.queue.local_workers import run_workers
from harness.queue.optuna_storage import lost, shown
from harness.queue.parent_run import StudyTracker
from harness.queue.queue import Queue
from harness.queue.work_loop import Work, until
from harness.queue.work_setup import WorkSetup
from harness.queue.worker_lock import Presence
from harness.record import Record, RunFolder, all_trials, readable
from harness.record.time_left import duration
from harness.run.run import run
from harness.run.several_seeds import FRESH_SEED, run_seeds
from harness.sweep.ended_trials import KIND
from harness.sweep.settings import Search, check_search, default_name, settings_of, study_name
from harness.sweep.space import Axis, with_values
from harness.sweep.stored_sweep import (
    SETTINGS,
    begun_before,
    find_points,
    held_settings,
    read_spec,
    study_on,
    summary_of,
)
from harness.sweep.study_folder import SUMMARY, keep_tests, write_results
from harness.sweep.summary import Summary
from harness.sweep.trial import best_of, params_text
from harness.sweep.trial_job import TrialJob
from harness.track.tags import joined_marks

_EQUAL_FAILURES = 3


def sweep(
    config: RunConfig,
    axes: Sequence[Axis],
    search: Search,
    setup: WorkSetup,
    study: str | None = None,
) -> Summary:
    """Search the space that `axes` span around a config, then test the best configuration; return the summary.

    The same call resumes the study, up to the total number of trials. A trial that fails is kept with its traceback;
    after three equal failures in a row the sweep stops, and those trials are tried again next time.

    Args:
        config: what all trials share; its data root counts before the setup's.
        axes: the search space.
        search: how points are drawn, judged and tested.
        setup: where and how the trials run.
        study: name of the study; by default made from config, space and objectives.

    Raises `UsageError` for what cannot be searched, `Interrupted` when a person stops it.
    """
    config = config.on_data(config.dataset.root or setup.data_root)
    setup = replace(setup, data_root=config.dataset.root)
    settings, name = settings_of(config, axes, search), called(config, axes, search, setup, study)
    with locked(setup.folder(name)), lost(shown(setup.url)):
        queue = setup.open_queue(name, search.directions)
        kind = queue.notes.get("kind", KIND)
        if kind != KIND or ("kind" not in queue.notes and queue.jobs()):
            raise UsageError(
                f"{name!r} in {queue.place} is not a study of `harness sweep`: choose another --study or --storage."
            )
        if (before := held_settings(queue)) is not None:
            queue.remember(SETTINGS, before)
        queue.hold(SETTINGS, settings)
        if queue.notes.get("pictures"):
            seen = read_dataset(config.dataset, setup.listener).pictures
            queue.hold("pictures", {split: sha256 for split, sha256 in seen.items() if split != "test"})
        return Sweep(config, axes, search, queue, setup).run()


def called(
    config: RunConfig, axes: Sequence[Axis], search: Search, setup: WorkSetup, study: str | None = None
) -> str:
    """Return what the study of `sweep` with these arguments is called; raise `UsageError` like it."""
    check_search(config, axes, search)
    settings = settings_of(config, axes, search)
    return study_name(study) if study else begun_before(default_name(config, settings), settings, setup)


def open_sweep(queue: Queue, setup: WorkSetup) -> "Sweep":
    """Return the sweep that a study in the storage is, for a worker."""
    config, axes, search = read_spec(queue)
    return Sweep(config.on_data(setup.data_root), axes, search, queue, setup, leads=False)


class Sweep(Work):
    """One process's work on a study: the process that started it, or a worker."""

    def __init__(
        self,
        config: RunConfig,
        axes: Sequence[Axis],
        search: Search,
        queue: Queue,
        setup: WorkSetup,
        leads: bool = True,
    ) -> None:
        self.leads = leads
        self.config, self.axes, self.search, self.queue = config, list(axes), search, queue
        self.setup, self.root, self.listener = setup, setup.root, setup.listener
        self.folder = setup.folder(queue.name)
        self.study = study_on(queue, config, axes, search)
        self.tracker = StudyTracker(queue, self.root, "study", self._tags(), self._params(), leads)
        self.reported = {row.number for row in self.study.trials()}
        self.records: list[Record] = []
        self.tested: dict[str, Any] | None = None

    def run(self) -> Summary:
        """Try points up to the total, then test the best; write and track the summary however it ends."""
        status = "failed"
        try:
            self._prepare()
            run_workers(self, until(self.search.timeout))
            if self.search.test_seeds or not self.left():
                self._test()
            status = "finished"
        except (Interrupted, KeyboardInterrupt) as stop:
            status = "interrupted"
            done = f"{self.study.n_done} of {self.search.trials} trials of {self.study.name} are done"
            raise Interrupted(done) from stop
        finally:
            summary = self._close(status)
        return summary

    def take(self, worker: Presence) -> "TrialJob | None":
        """Take the next trial, if one waits."""
        trial = self.study.take(worker)
        if trial is None:
            return None
        place = f"trial {trial.number} ({self.study.n_done + 1} of {self.search.trials}{self._time_left()})"
        self.listener.on_stage(f"{place}: {params_text(trial.params)}")
        return TrialJob(self.study, trial, self.config, self.setup, self.tracker, broken=self.keep_failing)

    def left(self) -> int:
        """Return how many of the trials wanted have not ended."""
        wanted = list(self.queue.jobs().values())[: self.search.trials]
        return sum(not job.state.is_finished() or is_cut_off(job) for job in wanted)

    def _time_left(self) -> str:
        """Return how long the trials left should take, after those that ended; empty before one did, and for helpers.

        A helper does not know how many others there are.
        """
        took = [trial.seconds for trial in self.study.trials() if trial.seconds]
        if not (took and self.leads and self.left()):
            return ""
        return f", about {duration(fmean(took) * self.left() / max(self.setup.workers, 1))} left"

    def progress(self) -> list[str]:
        """Return how each trial ended that ended since the last call, and the best so far; track both."""
        rows = self.study.trials()
        new = [row for row in rows if row.number not in self.reported]
        self.reported |= {row.number for row in new}
        best = best_of(rows)
        so_far = "" if best is None else f" (best {best.value:.2f}, trial {best.number})"
        lines, time_left = [], self._time_left()
        for row in new:
            value = "" if row.value is None else f" at {row.value:.2f}"
            lines.append(
                f"trial {row.number}, {len(rows)} of {self.search.trials} done{time_left}: {row.state}{value}{so_far}"
            )
            if (
                self.leads
                and row.state == "finished"
                and row.value is not None
                and best
                and best.value is not None
            ):
                name = self.search.objective
                self.tracker.log(row.number, {f"trial/{name}": row.value, f"best/{name}": best.value})
        return lines

    def keep_failing(self, error: Exception) -> None:
        """Raise when the same failure came three times in a row; those trials will be tried again."""
        last = self.study.last_ended(_EQUAL_FAILURES)
        words = {f"{row.error['type']}: {row.error['message']}" if row.error else "" for row in last}
        if len(last) < _EQUAL_FAILURES or len(words) > 1 or "" in words:
            return
        reason = (
            f"The study {self.study.name} stopped: {_EQUAL_FAILURES} trials in a row failed with the same error. "
            f"{words.pop()} {self.folder / SUMMARY} has the tracebacks; once this is fixed, the same command tries "
            "them again."
        )
        self.queue.stop(reason, [row.number for row in last])
        raise HarnessError(reason) from error

    def _prepare(self) -> None:
        """Note for all workers what to do, and queue the trials."""
        plain = self.config.model_dump(mode="json")
        axes = [axis.model_dump(mode="json") for axis in self.axes]
        spec = {
            "config": plain,
            "axes": axes,
            "search": self.search.model_dump(mode="json", exclude={"points"}),
        }
        self.queue.remember(SPEC, spec)
        self.queue.remember("kind", KIND)
        self.queue.remember(BEAT, self.queue.heartbeat)
        self.queue.resume()
        self.study.prepare(find_points(self.config, self.axes, self.search))

    def _test(self) -> None:
        """Retrain the best configuration with fresh seeds, and test it; raise when there is none."""
        best = best_of(self.study.trials())
        if best is None:
            raise HarnessError(self._nothing())
        if not self.search.test_seeds:
            return
        marks = {"harness.study": self.study.name, "harness.budget": str(self.study.n_done)}
        config = with_values(self.config, {**best.params, "seed": self.config.seed + FRESH_SEED})
        n = self.search.test_seeds
        seeds = f"seed {config.seed}" if n == 1 else f"seeds {config.seed} to {config.seed + n - 1}"
        self.listener.on_stage(f"testing the best configuration, retrained with {seeds}")
        common: dict[str, Any] = {
            "runs": self.root,
            "device": self.setup.device,
            "listener": self.listener,
            "tags": marks,
        }
        if n == 1:
            self.records = [run(config, **common)]
        else:
            self.tested = run_seeds(config, n, **common)
            folders = [RunFolder(self.root / name) for name in self.tested["runs"]]
            self.records = [record for _, record in readable(folders)]
        for record in self.records:
            folder = RunFolder(self.root / record.name)
            self.tracker.mark(record, folder, joined_marks(record.tags, marks))
        if n == 1:
            self.tracker.adopt(self.records)

    def _nothing(self) -> str:
        rows = self.study.trials()
        if any(row.state == "finished" for row in rows):
            limits = ", ".join(str(constraint) for constraint in self.search.constraints)
            return f"No trial of the study {self.study.name} keeps within {limits}: relax this, or search elsewhere."
        return f"No trial of the study {self.study.name} finished: see {self.folder / SUMMARY}."

    def _close(self, status: str) -> Summary:
        """Write the summary and the best configuration, put both on the study's MLflow run, and end it."""
        summary = summary_of(self.study, self.config, importance=status == "finished")
        summary.tests, summary.test = self.records, self.tested
        if not self.records:
            keep_tests(summary, self.folder)
        files = write_results(self.folder, summary, runs=None if self.root == runs_root().path else self.root)
        trials = list(readable(all_trials(self.root, self.study.name)))
        if not self.queue.running():
            for folder, record in trials:
                self.tracker.send(record, folder)
            self.tracker.bury()
        if self.search.seeds == 1:
            self.tracker.adopt([record for _, record in trials])
        self.tracker.log(self.study.n_done, summary.numbers())
        self.tracker.close(status, summary.marks(), files)
        return summary

    def _tags(self) -> dict[str, str]:
        config = self.config
        return {
            "harness.method": config.method.name,
            "harness.dataset": config.dataset.name,
            "harness.synthetic": str(config.dataset.synthetic).lower(),
            "harness.seed": str(config.seed),
            "harness.objective": self.search.objective,
            "harness.sampler": self.search.sampler,
            "harness.pruner": self.search.pruner,
        }

    def _params(self) -> dict[str, str]:
        """Return what all trials share, and the space, as MLflow parameters."""
        searched = {axis.key: f"search: {axis}" for axis in self.axes}
        return {**flatten(self.config.model_dump(mode="json")), **searched}
