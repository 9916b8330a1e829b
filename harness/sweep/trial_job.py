"""One trial of a sweep, taken off the queue: its runs, what is kept of them, and how it ends in the study."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from statistics import fmean
from typing import Any

from harness.config.sections import RunConfig
from harness.errors import DataError, Interrupted, UsageError
from harness.queue.jobs import Changed, TakenAway
from harness.queue.optuna_storage import GONE
from harness.queue.parent_run import STUDY_KEY, StudyTracker
from harness.queue.work_loop import Job, when_free
from harness.queue.work_setup import WorkSetup
from harness.record import Record, RunFolder, trials_folder
from harness.run.run import discard_working_files, run
from harness.sweep.space import most_epochs, with_values
from harness.sweep.study import RunningTrial, Study
from harness.sweep.trial import TIE
from harness.sweep.trial_listener import Pruned, TrialListener, costs

_TRIAL_RUN = "mlflow_run"


class TrialJob(Job):
    """One trial, taken.

    Args:
        config: the config around which the study searches.
        broken: called with an error that ended the trial; may raise to stop the study.
    """

    def __init__(
        self,
        study: Study,
        trial: RunningTrial,
        config: RunConfig,
        setup: WorkSetup,
        tracker: StudyTracker,
        *,
        broken: Callable[[Exception], None],
    ) -> None:
        self.study, self.trial, self.config, self.search = study, trial, config, study.search
        self.setup, self.tracker, self.broken = setup, tracker, broken
        self.listener = TrialListener(setup.listener, study, trial, most_epochs(config, study.axes))
        self.tracked: str | None = None

    def alive(self) -> AbstractContextManager[None]:
        """Send heartbeats."""
        return self.study.queue.alive(self.trial.job)

    def do(self) -> None:
        """Run the trial and report its end to the study; what another worker took over is left to it."""
        try:
            self._do()
        except TakenAway as gone:
            self.listener.on_note(str(gone))

    def _do(self) -> None:
        records: list[Record] = []
        try:
            self._begin()
            self._runs(records)
            values = self._values(records)
        except Pruned:
            self._keep(records, "pruned")
            self.trial.prune()
        except TakenAway:
            raise
        except (Interrupted, KeyboardInterrupt, DataError, Changed, *GONE):
            if self.tracked is not None:
                self.tracker.end_trial(self.tracked, "interrupted", {})
            self.trial.put_back()
            raise
        except Exception as error:
            self._keep(records, "failed")
            self.trial.fail(error)
            self.broken(error)
        else:
            self._keep(records, "finished", values)
            self.trial.weigh({str(c): values[c.cost] - c.at_most for c in self.search.constraints})
            self.trial.finish([values[name] for name in self.search.objectives])

    def _runs(self, records: list[Record]) -> None:
        """Run all seeds of the trial, one after another."""
        name, seeds = self.study.name, self.search.seeds
        kind = "trial" if seeds == 1 else "trial_seed"
        marks = {"harness.kind": kind, "harness.study": name, "harness.trial": str(self.trial.number)}
        marks[STUDY_KEY] = self.tracker.key
        config = with_values(self.config, self.trial.params)
        for seed in range(config.seed, config.seed + seeds):
            one = config.model_copy(update={"seed": seed})
            records.append(when_free(partial(self._run, one, marks)))
            self.listener.on_seed(records[-1].selection[self.search.objective], len(records) == seeds)

    def _run(self, config: RunConfig, marks: dict[str, str]) -> Record:
        place: dict[str, Any] = {
            "runs": self.setup.root,
            "device": self.setup.device,
            "study": self.study.name,
        }
        return run(config, listener=self.listener, tags=marks, **place)

    def _values(self, records: list[Record]) -> dict[str, float]:
        """Return objectives and costs, averaged over seeds; what a run does not measure cannot be an objective."""
        shared = set.intersection(*({*record.selection, *costs(record)} for record in records))
        named = {*self.search.objectives, *(c.cost for c in self.search.constraints)}
        if missing := sorted(named - shared):
            raise UsageError(f"A run does not measure {', '.join(missing)}, so it cannot be searched by it.")
        wanted = named | ({TIE} & shared)
        return {name: fmean({**r.selection, **costs(r)}[name] for r in records) for name in sorted(wanted)}

    def _begin(self) -> None:
        """Open the trial's own MLflow run when several seeds are to be its children."""
        if self.search.seeds > 1:
            known = self.trial.job.user_attrs.get(_TRIAL_RUN)
            self.tracked = self.tracker.begin_trial(self.trial.number, known, self.trial.params)
            self.study.queue.note(self.trial.job, _TRIAL_RUN, self.tracked)

    def _keep(self, records: list[Record], status: str, values: dict[str, float] | None = None) -> None:
        """Note beside a trial what is known of its runs, nest them, and free what only training needed."""
        own = {record.name for record in self.listener.records}
        found = [record for record in records if record.name not in own]
        begun = {record.name: record for record in [*self.listener.records, *records]}
        self.trial.note(
            seconds=self.listener.seconds() + sum(known.seconds for known in found),
            runs=list(begun),
            metrics=values or {},
            epochs=self.listener.n_epochs + sum(known.selection.get("epochs", 0) for known in found),
            planned=self.search.seeds * self.trial.params.get("train.epochs", self.config.train.epochs),
        )
        for name, record in begun.items():
            folder = RunFolder(trials_folder(self.setup.root, self.study.name) / name)
            discard_working_files(folder)
            self.tracker.send(record, folder)
        self.tracker.adopt(begun.values(), self.tracked)
        if self.tracked is not None:
            self.tracker.end_trial(self.tracked, status, values or {})
