"""How long each shipped suite takes on the twins: the processor's seconds of its runs, half of which two cores need.

No suite is run: of each different run a few steps, one validation and the test are timed on one thread, and its other
steps and epochs take as long. The start of workers and the report at the end are no part of it.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.common import Outcome, claim, outcome
from harness.addresses import sqlite_url
from harness.config.sections import RunConfig
from harness.method_parts.schedule import Progress
from harness.run import run as run_module
from harness.suites.cells import Cell, expand
from harness.suites.suite_files import load_suite, suite_names
from harness.train.checkpoint import State
from harness.train.loop import Training

STEPS = 4  # of each run; the first is no measure of the others, where there are others
CORES, MOST_MINUTES = 2, 30


@dataclass
class Times:
    """The processor's seconds of a shortened run, and of a step, a validation and the test within it."""

    whole: float = 0.0
    step: float = 0.0
    validation: float = 0.0
    test: float = 0.0
    steps: int = 0
    taken: int = 0

    def of_all(self, epochs: int, tests: int) -> float:
        """Return the seconds of the whole run, with further tests."""
        more = (self.steps * epochs - self.taken) * self.step + (epochs - 1) * self.validation
        return self.whole + more + tests * self.test


@dataclass
class Watch:
    """Shortens a run's training, and times its parts."""

    times: Times = field(default_factory=Times)

    def train(self, training: Training) -> State:
        """Take a few steps and validate; what would be chosen are the weights as they are."""
        epochs, parts = training.config.train.epochs, training.config.train.accumulation
        n_steps = -(-len(training.batches) // parts)
        seconds: list[float] = []
        training.method.begin_training()
        with training.switches.steps():
            batches = training.batches.epoch(1)
            for step in range(min(STEPS, n_steps)):
                began = time.process_time()
                training._prepare_step(Progress(1, step, n_steps, epochs))
                training._step(tuple(islice(batches, parts)))
                seconds.append(time.process_time() - began)
        began = time.process_time()
        if training.validate:
            training.validate()
        self.times.validation = time.process_time() - began
        self.times.steps, self.times.taken = n_steps, len(seconds)
        self.times.step = statistics.mean(seconds[1:] or seconds)
        return training.state

    def test(self, *given: Any) -> Any:
        """Take the test."""
        began = time.process_time()
        metrics = TAKE_TEST(*given)
        self.times.test = time.process_time() - began
        return metrics


TAKE_TEST = run_module.take_test


def run() -> Outcome:
    """Time each different run once, and add up those of each suite."""
    torch.set_num_threads(1)
    known: dict[str, Times] = {}
    claims, facts = [], {}
    with _place() as folder:
        for name in suite_names():
            cells = expand(load_suite(name), synthetic=True).cells
            seconds = [_seconds(cell, known, folder) for cell in cells]
            facts[name] = {"runs": len(cells), "processor_seconds": sum(seconds), "longest": max(seconds)}
            minutes = sum(seconds) / 60 / CORES
            claims.append(claim(f"{name}, {len(cells)} runs", minutes, unit="min", at_most=MOST_MINUTES))
            print(f"{name}: {len(cells)} runs, {minutes:.1f} min on two cores", flush=True)
    title = "Each suite on the twins: half of its runs' processor time, which two idle cores take"
    return outcome(title, "python -m benchmarks suite_times", claims, suites=facts)


def _seconds(cell: Cell, known: dict[str, Times], folder: Path) -> float:
    config = cell.config.model_copy(update={"seed": 1})
    key = config.model_dump_json()
    if key not in known:
        known[key] = _timed(config, folder)
    return known[key].of_all(config.train.epochs, len(cell.tests))


def _timed(config: RunConfig, folder: Path) -> Times:
    watch = Watch()
    off = config.train.model_copy(update={"prefetch": False})  # a thread that runs ahead would be counted
    began = time.process_time()
    with (
        patch.object(Training, "run", lambda training: watch.train(training)),
        patch.object(run_module, "take_test", watch.test),
    ):
        run_module.run(config.model_copy(update={"train": off}), runs=folder, device="cpu", force=True)
    watch.times.whole = time.process_time() - began
    return watch.times


@contextmanager
def _place() -> Iterator[Path]:
    """Give a folder for the shortened runs, which no other folder or store ever holds."""
    with tempfile.TemporaryDirectory() as name:
        uri = {"MLFLOW_TRACKING_URI": sqlite_url(Path(name) / "mlflow.db")}
        with patch.dict(os.environ, uri):
            yield Path(name)
