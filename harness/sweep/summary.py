"""What a study found: its best trial, its summary, and the preset that reuses the best configuration."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any, get_args

from pydantic import BaseModel

from harness.config.sections import RunConfig
from harness.evaluate.intervals import mean_interval
from harness.record import Record
from harness.sweep.settings import Search
from harness.sweep.space import Axis, with_values
from harness.sweep.trial import State, Trial, best_of, front_of
from harness.track.tags import with_ends


class Summary(BaseModel):
    """A study's trials, its best configuration, and where both went.

    `mean` and `interval` (95 %, Student's t) are of the finished trials' values. `importance` says how much of the
    spread each key explains. `pruned_share` is the share of pruned trials, `epochs_saved` the share of
    all planned epochs, and `seconds_saved` the time, that this saved. `front` holds the trials that none beats in all
    objectives. `tests` are the records of the best configuration, retrained with fresh seeds; `test` combines them.
    """

    study: str
    objectives: tuple[str, ...]
    synthetic: bool
    space: list[str]
    sampler: str
    pruner: str
    seeds: int
    budget: int
    trials: list[Trial]
    counts: dict[str, int]
    mean: float | None = None
    interval: tuple[float, float] | None = None
    best: Trial | None = None
    front: list[int] = []
    importance: dict[str, float] = {}
    pruned_share: float = 0.0
    epochs_saved: float = 0.0
    seconds_saved: float = 0.0
    config: dict[str, Any] | None = None
    preset: str | None = None
    command: str | None = None
    storage: str = ""
    tests: list[Record] = []
    test: dict[str, Any] | None = None

    @property
    def objective(self) -> str:
        """The objective that decides which trial is the best."""
        return self.objectives[0]

    def numbers(self) -> dict[str, float]:
        """Return the study's numbers as flat metrics."""
        flat = {f"trials/{state}": float(number) for state, number in self.counts.items()}
        flat |= {"pruned_share": self.pruned_share, "epochs_saved": self.epochs_saved}
        flat |= {f"importance/{key}": share for key, share in self.importance.items()}
        if self.best is not None and self.best.value is not None:
            flat[f"best/{self.objective}"] = self.best.value
        if self.mean is not None:
            flat[f"mean/{self.objective}"] = self.mean
        if self.interval is not None:
            flat |= with_ends({}, {f"mean/{self.objective}": self.interval})
        return flat | self._tested()

    def marks(self) -> dict[str, str]:
        """Return the best configuration and where it was tested as tags."""
        marks = {"harness.budget": str(self.budget)}
        if self.best is not None:
            marks |= {f"harness.best.{key}": str(value) for key, value in self.best.params.items()}
        if self.tests:
            marks["harness.tested_run"] = " ".join(record.name for record in self.tests)
        return marks

    def _tested(self) -> dict[str, float]:
        """Return what the best configuration reached on the test split, with the ends of its intervals."""
        if self.test is not None:
            found = self.test["metrics"].items()
            means = {name: one["mean"] for name, one in found}
            return with_ends(means, {name: (one["low"], one["high"]) for name, one in found})
        flat: dict[str, float] = {}
        for record in self.tests:
            flat |= with_ends(record.metrics, record.intervals)
        return flat


def summarise(
    study: str, config: RunConfig, axes: Sequence[Axis], search: Search, trials: list[Trial]
) -> Summary:
    """Return what a study found so far."""
    values = [trial.value for trial in trials if trial.state == "finished" and trial.value is not None]
    best = best_of(trials)
    saved = [trial.planned - trial.epochs for trial in trials if trial.state == "pruned"]
    return Summary(
        study=study,
        objectives=search.objectives,
        synthetic=config.dataset.synthetic,
        space=[str(axis) for axis in axes],
        sampler=search.sampler,
        pruner=search.pruner,
        seeds=search.seeds,
        budget=len(trials),
        trials=trials,
        counts={state: sum(trial.state == state for trial in trials) for state in get_args(State)},
        mean=fmean(values) if values else None,
        interval=_interval(values),
        best=best,
        front=front_of(trials, search.directions),
        pruned_share=len(saved) / max(len(trials), 1),
        epochs_saved=sum(saved) / max(sum(trial.planned for trial in trials), 1),
        seconds_saved=sum(
            t.seconds / t.epochs * (t.planned - t.epochs) for t in trials if t.state == "pruned" and t.epochs
        ),
        config=with_values(config, best.params).model_dump(mode="json") if best else None,
    )


def _interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % interval of the mean; None of fewer than two values."""
    return mean_interval(values) if len(values) > 1 else None
