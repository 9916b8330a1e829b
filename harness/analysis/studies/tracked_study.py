"""A study as a report holds it: what was searched and how, every trial, the best one and its tests."""

from html import escape
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from harness.files import read_json, write_json
from harness.pages.escaping import visible
from harness.record import REAL, TWIN
from harness.sweep.space import Axis
from harness.sweep.trial import Trial


class TrackedStudy(BaseModel):
    """A study, as much as MLflow knows of it.

    Attributes:
        status: `finished`, `failed`, `interrupted` or `running`.
        n_named: how many studies of this name are tracked; this is the newest.
        wanted: how many trials were asked for; None where that is not known.
        running: how many trials are under way.
        best_number: of the best trial within the limits; None while there is none.
        minimised: the objectives of which less is better.
        defaults: the searched keys as the method sets them by itself; empty of one that is not installed.
        importance: each key's share in the variance of values; empty where it is not known.
        front: the trials that none beats in all objectives.
        preset: the best configuration as the text of a preset.
        command: what runs the best configuration again on the machine that searched.
        anew: what the best configuration reached on validation when retrained with fresh seeds, by run.
        test: what it reached on the test set then: mean and ends of the interval, by metric.
        notes: what is incomplete or wrong, in sentences.
    """

    name: str
    status: str
    n_named: int = 1
    started: str = ""
    ended: str | None = None
    method: str = ""
    dataset: str = ""
    synthetic: bool = False
    seed: str = ""
    objectives: tuple[str, ...]
    constraints: tuple[str, ...] = ()
    sampler: str = ""
    pruner: str = ""
    seeds: int | None = None
    wanted: int | None = None
    running: int = 0
    axes: list[Axis] = []
    trials: list[Trial] = []
    best_number: int | None = None
    minimised: tuple[str, ...] = ()
    defaults: dict[str, Any] = {}
    importance: dict[str, float] = {}
    front: list[int] = []
    preset: str | None = None
    command: str | None = None
    anew: dict[str, float] = {}
    test: dict[str, tuple[float, float | None, float | None]] = {}
    notes: list[str] = []

    @property
    def objective(self) -> str:
        """The objective that decides which trial is the best."""
        return self.objectives[0]

    @property
    def best(self) -> Trial | None:
        """The best trial within the limits; None while there is none."""
        return next((trial for trial in self.trials if trial.number == self.best_number), None)

    @property
    def finished(self) -> list[Trial]:
        """The trials that ran to their end."""
        return [trial for trial in self.trials if trial.state == "finished"]

    @property
    def title(self) -> str:
        """The name and the world, so that nobody takes a synthetic figure for a real one."""
        return f"{self.name} · {TWIN if self.synthetic else REAL}"

    def _repr_html_(self) -> str:
        lines = "".join(f"<p>{escape(visible(note))}</p>" for note in self.notes)
        return f"<div class='panel'><h3>{escape(visible(self.title))}</h3>{lines}</div>"


def write_study(path: Path, study: TrackedStudy) -> None:
    """Write a study as JSON that `load_study` reads back."""
    write_json(path, study.model_dump(mode="json"))


def load_study(path: str | Path) -> TrackedStudy:
    """Return the study that `write_study` wrote."""
    return TrackedStudy.model_validate(read_json(Path(path)))
