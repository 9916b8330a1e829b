"""How long each shipped suite takes on the twins, with two workers on two cores that have nothing else to do.

No suite is run: of each different run a few steps, one validation and the test are timed, and its other steps and
epochs take as long. Two runs are timed at any moment, one thread each, since two workers slow one another. The start
of workers and the report at the end are no part of it. `python -m benchmarks.suite_times SUITE ...` times some alone.
"""

import argparse
import heapq
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.__main__ import RESULTS, save, write_table
from benchmarks.common import Claim, Outcome, claim, dated, outcome, with_earlier
from harness.addresses import sqlite_url
from harness.config.sections import RunConfig
from harness.method_parts.schedule import Progress
from harness.run import run as run_module
from harness.suites.cells import Cell, expand
from harness.suites.suite_files import load_suite, suite_names
from harness.train.checkpoint import State
from harness.train.loop import Training

STEPS = 3  # of each run; the first is no measure of the others, where there are others
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


def run(names: Sequence[str] = ()) -> Outcome:
    """Time each different run of some suites, or of all, once; two workers take those of each suite in turn."""
    suites = {name: expand(load_suite(name), synthetic=True).cells for name in names or suite_names()}
    configs = {_key(cell): _config(cell) for cells in suites.values() for cell in cells}
    facts: dict[str, dict[str, float]] = {}
    with _place() as folder, ProcessPoolExecutor(CORES, get_context("spawn")) as pool:
        timed = {key: pool.submit(_timed, folder, config) for key, config in configs.items()}
        for name, cells in suites.items():
            seconds = [
                timed[_key(cell)].result().of_all(cell.config.train.epochs, len(cell.tests)) for cell in cells
            ]
            minutes = _of_workers(seconds) / 60
            facts[name] = {"runs": len(cells), "minutes": minutes, "longest_run_seconds": max(seconds)}
            print(f"{name}: {len(cells)} runs, {minutes:.1f} min", flush=True)
    title = f"Each suite on the twins with {CORES} workers"
    claims = [one for found in facts.items() for one in _judged(*found)]
    return outcome(title, "python -m benchmarks suite_times", claims, suites=facts)


def main() -> None:
    """Time some suites alone: the others keep what was measured of them."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="+", choices=suite_names(), metavar="SUITE")
    result = dated(run(parser.parse_args().names))
    save("suite_times", with_earlier(RESULTS / "suite_times.json", result, _judged, key="suites"))
    write_table()


def _judged(name: str, found: dict[str, float]) -> list[Claim]:
    return [claim(f"{name}, {found['runs']} runs", found["minutes"], unit="min", at_most=MOST_MINUTES)]


def _config(cell: Cell) -> RunConfig:
    """Return the run of a cell with a seed that all have, for seeds take the same time."""
    return cell.config.model_copy(update={"seed": 1})


def _key(cell: Cell) -> str:
    return _config(cell).model_dump_json()


def _of_workers(seconds: list[float]) -> float:
    """Return when the last worker is done, if whoever is free takes the next run."""
    free = [0.0] * CORES
    for each in seconds:
        heapq.heapreplace(free, free[0] + each)
    return max(free)


def _timed(folder: Path, config: RunConfig) -> Times:
    """Time a shortened run on one thread."""
    torch.set_num_threads(1)
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
    """Give a folder for the shortened runs, which no other folder or store ever holds, and for the twins."""
    with tempfile.TemporaryDirectory() as name:
        own = {"MLFLOW_TRACKING_URI": sqlite_url(Path(name) / "mlflow.db")}
        own |= {"HARNESS_DATA": f"{name}/data", "HARNESS_CACHE": f"{name}/cache"}
        with patch.dict(os.environ, own):
            yield Path(name)


if __name__ == "__main__":
    main()
