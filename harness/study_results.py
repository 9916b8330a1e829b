"""What a study found: its best trial, its summary, and the preset that reuses the best configuration."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel

from harness.config import RunConfig, flatten
from harness.files import write_json, write_text
from harness.record import Record
from harness.resolve import build, merge, resolve
from harness.space import Axis, nest, with_values

TIE = "val/t2i/mAP"
BEST = "best.yaml"
SUMMARY = "study.json"
NOT_EXPORTED = ("seed", "method.name", "dataset.name", "dataset.synthetic", "dataset.root")


State = Literal["finished", "pruned", "failed"]


class TrialRow(BaseModel):
    """What is known of an ended trial; `value` of a pruned one is the last that it reached."""

    number: int
    state: State
    value: float | None
    params: dict[str, Any]
    metrics: dict[str, float] = {}
    run: str | None = None
    seconds: float = 0.0
    error: dict[str, str] | None = None


class Summary(BaseModel):
    """A study's trials, its best configuration, and where both went.

    `mean` is over finished trials; `test` is the record of the best configuration's one tested run.
    """

    study: str
    objective: str
    synthetic: bool
    space: list[str]
    trials: list[TrialRow]
    counts: dict[str, int]
    mean: float | None = None
    best: TrialRow | None = None
    config: dict[str, Any] | None = None
    preset: str | None = None
    command: str | None = None
    storage: str = ""
    test: Record | None = None

    def numbers(self) -> dict[str, float]:
        """Return the study's numbers as flat metrics."""
        flat = {f"trials/{state}": float(number) for state, number in self.counts.items()}
        if self.best is not None and self.best.value is not None and self.mean is not None:
            flat |= {f"best/{self.objective}": self.best.value, f"mean/{self.objective}": self.mean}
        return flat

    def marks(self) -> dict[str, str]:
        """Return the best configuration and where it was tested as tags."""
        marks = {"harness.budget": str(len(self.trials))}
        if self.best is not None:
            marks |= {f"harness.best.{key}": str(value) for key, value in self.best.params.items()}
        if self.test is not None:
            marks["harness.tested_run"] = self.test.name
        return marks


def summarise(
    study: str, objective: str, config: RunConfig, axes: Sequence[Axis], trials: list[TrialRow]
) -> Summary:
    """Return what a study found so far."""
    values = [trial.value for trial in trials if trial.state == "finished" and trial.value is not None]
    best = best_of(trials)
    return Summary(
        study=study,
        objective=objective,
        synthetic=config.dataset.synthetic,
        space=[str(axis) for axis in axes],
        trials=trials,
        counts={state: sum(trial.state == state for trial in trials) for state in get_args(State)},
        mean=fmean(values) if values else None,
        best=best,
        config=with_values(config, best.params).model_dump(mode="json") if best else None,
    )


def write_results(folder: Path, summary: Summary, runs: Path | None = None) -> list[Path]:
    """Write the summary, and the best configuration as a preset with the command that uses it; return the files."""
    files = [folder / SUMMARY]
    if summary.best is not None and summary.config is not None:
        config = build(summary.config)
        preset = folder / BEST
        write_preset(preset, config, summary)
        summary.preset, summary.command = str(preset), reuse_command(config, preset, runs)
        files.append(preset)
    write_json(files[0], summary.model_dump(mode="json", exclude={"test": {"sources", "environment"}}))
    return files


def best_of(trials: Sequence[TrialRow]) -> TrialRow | None:
    """Return the finished trial with the highest value, ties by mAP, then the earliest."""
    return max((trial for trial in trials if trial.state == "finished"), key=_rank, default=None)


def preset_values(config: RunConfig) -> dict[str, Any]:
    """Return what a preset must hold so that a run of the same method and dataset gets this config, seed apart."""
    plain = resolve(config.method.name, config.dataset.name, synthetic=config.dataset.synthetic)
    before, after = (flatten(one.model_dump(mode="json")) for one in (plain, config))
    values: dict[str, Any] = {}
    for key, value in after.items():
        if key not in NOT_EXPORTED and value != before.get(key):
            merge(values, nest(key, value))
    return values


def write_preset(file: Path, config: RunConfig, summary: Summary) -> None:
    """Write the best configuration as a preset that says where it comes from."""
    best = summary.best
    assert best is not None
    head = (
        f"# Study {summary.study}: trial {best.number} of {len(summary.trials)} has the best {summary.objective}, "
        f"{best.value:.2f}.\n# Chosen on validation{' of the synthetic twin' if summary.synthetic else ''}; "
        "test data played no part.\n"
    )
    write_text(file, head + yaml.safe_dump(preset_values(config), sort_keys=False))


def reuse_command(config: RunConfig, preset: Path, runs: Path | None = None) -> str:
    """Return the command that runs the best configuration again."""
    parts = ["harness", "run", "--method", config.method.name, "--dataset", config.dataset.name]
    parts += ["--synthetic"] * config.dataset.synthetic
    parts += ["--preset", str(preset)]
    for flag, value in (("--data-root", config.dataset.root), ("--runs", runs)):
        parts += [flag, str(value)] if value else []
    return shlex.join(parts)


def _rank(trial: TrialRow) -> tuple[float, float, int]:
    assert trial.value is not None, "a finished trial has a value"
    return trial.value, trial.metrics.get(TIE, 0.0), -trial.number
