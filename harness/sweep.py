"""Search hyper-parameters: each trial is one run, chosen on validation; no test data until the search is over."""

import time
from collections.abc import Sequence
from pathlib import Path

from harness.config import RunConfig, flatten
from harness.errors import DataError, HarnessError
from harness.files import locked
from harness.listener import Listener
from harness.paths import runs_root
from harness.record import Record, RunFolder, all_trials, trials_folder
from harness.run import discard_working_files, run
from harness.space import Axis, start, with_values
from harness.study import Changed, Study, Trial
from harness.study_results import SUMMARY, TIE, Summary, best_of, summarise, write_results
from harness.study_tracking import StudyTracker
from harness.sweep_settings import Search, check_search, default_name, settings_of, study_name
from harness.train import Interrupted
from harness.trial import Pruned, TrialListener, told

FRESH_SEED = 1000
EQUAL_FAILURES = 3
DATABASE = "optuna.db"


def sweep(
    config: RunConfig,
    axes: Sequence[Axis],
    search: Search,
    *,
    study: str | None = None,
    runs: str | Path | None = None,
    storage: str | None = None,
    device: str = "auto",
    listener: Listener | None = None,
) -> Summary:
    """Search the space that `axes` span around a config, then test the best configuration once; return the summary.

    The same call goes on with the study, up to the total number of trials. A trial that fails is kept with its
    traceback; after three equal failures in a row the sweep stops, and those trials are tried again next time.

    Args:
        study: name of the study; by default made from config, space and objective.
        storage: SQLAlchemy URL; by default an SQLite file beside the runs.

    Raises `UsageError` for what cannot be searched, `Interrupted` when a person stops it.
    """
    check_search(config, axes, search)
    points = start(config, axes) if search.points is None else list(search.points)
    settings = settings_of(config, axes, search)
    name = study_name(study) if study else default_name(config, settings)
    root = runs_root(runs).path
    url = storage or f"sqlite:///{(root / DATABASE).resolve()}"
    with locked(root / "studies" / name):
        warmup = getattr(config.method, "warmup_epochs", 0) if search.pruning else None
        opened = Study(
            name, url, settings=settings, axes=axes, seed=config.seed, points=points, prune_after=warmup
        )
        return Sweep(config, axes, search, opened, root, device, listener or Listener()).run()


class Sweep:
    """One command's work on a study."""

    def __init__(
        self,
        config: RunConfig,
        axes: Sequence[Axis],
        search: Search,
        study: Study,
        root: Path,
        device: str,
        listener: Listener,
    ) -> None:
        self.config, self.axes, self.search, self.study = config, axes, search, study
        self.root, self.device, self.listener = root, device, listener
        self.folder = root / "studies" / study.name
        self.failures: list[tuple[int, str]] = []
        self.tested: Record | None = None
        self.tracker = StudyTracker(study.name, self.folder, root, self._tags(), self._params())

    def run(self) -> Summary:
        """Try points up to the total, then test the best; write and track the summary however it ends."""
        status = "failed"
        try:
            self._search()
            if self.search.test:
                self.tested = self._test()
            status = "finished"
        except (Interrupted, KeyboardInterrupt) as stop:
            status = "interrupted"
            done = f"{self.study.n_done} of {self.search.trials} trials of {self.study.name} are done"
            raise Interrupted(done) from stop
        finally:
            summary = self._close(status)
        return summary

    def _search(self) -> None:
        begun = time.monotonic()
        while (n_done := self.study.n_done) < self.search.trials:
            if self.search.timeout is not None and time.monotonic() - begun >= self.search.timeout:
                self.listener.on_note(f"{self.search.timeout:g} s are over: no further trial begins.")
                return
            self._trial(n_done)

    def _trial(self, n_done: int) -> None:
        """Run the trial after `n_done` others and tell the study how it ended."""
        trial = self.study.ask(n_done)
        place = f"trial {trial.number} ({n_done + 1} of {self.search.trials})"
        self.listener.on_stage(f"{place}: {told(trial.params)}")
        heard = TrialListener(self.listener, self.study, trial, self.search.objective)
        try:
            heard.record = self._run(trial, heard)
        except Pruned:
            self._keep(trial, heard)
            trial.prune()
            self.failures.clear()
        except (Interrupted, KeyboardInterrupt, DataError, Changed):
            trial.cut_off()
            raise
        except Exception as error:
            self._keep(trial, heard)
            trial.fail(error)
            self._stop_if_equal(trial, error)
        else:
            self._keep(trial, heard)
            trial.finish(heard.record.selection[self.search.objective])
            self.failures.clear()
        self._say(place)

    def _run(self, trial: Trial, heard: TrialListener) -> Record:
        name = self.study.name
        marks = {"harness.kind": "trial", "harness.study": name, "harness.trial": str(trial.number)}
        config = with_values(self.config, trial.params)
        return run(config, runs=self.root, device=self.device, listener=heard, tags=marks, study=name)

    def _keep(self, trial: Trial, heard: TrialListener) -> None:
        """Note beside a trial what is known of its run, nest the run, and free what only training needed."""
        record = heard.record
        if record is None:
            trial.note(seconds=heard.seconds())
        else:
            metrics = {name: record.selection[name] for name in (TIE,) if name in record.selection}
            trial.note(seconds=heard.seconds(), run=record.name, metrics=metrics)
            discard_working_files(RunFolder(trials_folder(self.root, self.study.name) / record.name))
            self.tracker.adopt([record])

    def _stop_if_equal(self, trial: Trial, error: Exception) -> None:
        """Raise when the same failure came three times in a row; those trials will be tried again."""
        told_error = f"{type(error).__name__}: {error}"
        self.failures.append((trial.number, told_error))
        last = self.failures[-EQUAL_FAILURES:]
        if len(last) == EQUAL_FAILURES and len({text for _, text in last}) == 1:
            self.study.repeat([number for number, _ in last])
            raise HarnessError(
                f"The study {self.study.name} stopped: {EQUAL_FAILURES} trials in a row failed alike. {told_error} "
                f"{self.folder / SUMMARY} holds the tracebacks; once mended, the same command tries them again."
            ) from error

    def _say(self, place: str) -> None:
        """Say how the last trial ended, and the best so far; track both."""
        rows = self.study.rows()
        last, best = rows[-1], best_of(rows)
        value = "" if last.value is None else f" at {last.value:.2f}"
        so_far = "" if best is None else f" (best {best.value:.2f}, trial {best.number})"
        self.listener.on_stage(f"{place}: {last.state}{value}{so_far}")
        if last.state == "finished" and best is not None:
            values = {
                f"trial/{self.search.objective}": last.value,
                f"best/{self.search.objective}": best.value,
            }
            self.tracker.log(last.number, {key: value for key, value in values.items() if value is not None})

    def _test(self) -> Record:
        """Run the best configuration once more with a fresh seed, and test it."""
        best = best_of(self.study.rows())
        if best is None:
            raise HarnessError(
                f"No trial of the study {self.study.name} finished: see {self.folder / SUMMARY}."
            )
        marks = {"harness.study": self.study.name, "harness.budget": str(self.study.n_done)}
        config = with_values(self.config, {**best.params, "seed": self.config.seed + FRESH_SEED})
        self.listener.on_stage(f"testing the best configuration, trained anew with seed {config.seed}")
        record = run(config, runs=self.root, device=self.device, listener=self.listener, tags=marks)
        if not marks.items() <= record.tags.items():
            self.tracker.mark(record, RunFolder(self.root / record.name), marks)
        self.tracker.adopt([record])
        return record

    def _close(self, status: str) -> Summary:
        """Write the summary and the best configuration, put both on the study's MLflow run, and end it."""
        summary = summarise(self.study.name, self.search.objective, self.config, self.axes, self.study.rows())
        summary.storage, summary.test = self.study.place, self.tested
        files = write_results(self.folder, summary, runs=None if self.root == runs_root().path else self.root)
        records = [folder.read() for folder in all_trials(self.root, self.study.name)]
        self.tracker.adopt(record for record in records if record is not None)
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
        }

    def _params(self) -> dict[str, str]:
        """Return what all trials share, and the space, as MLflow parameters."""
        searched = {axis.key: f"search: {axis}" for axis in self.axes}
        return {**flatten(self.config.model_dump(mode="json")), **searched}
