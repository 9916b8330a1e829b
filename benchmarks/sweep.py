"""What a sweep adds to each trial, against calling the training function on the same configurations.

Both sides train the linear probe for one epoch on a small twin, one after the other in one process, with an SQLite
storage: the time of a trial in the sweep is that from one trial's beginning to the next's. Without MLflow's own time,
and with MLflow on both sides.
"""

import logging
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.common import Outcome, claim, outcome
from harness.config.fields import Range
from harness.config.sections import RunConfig
from harness.datasets import DATASETS
from harness.listener import Listener
from harness.presets.resolve import resolve
from harness.queue.work_setup import WorkSetup
from harness.run.run import run as train
from harness.sweep.settings import Search
from harness.sweep.space import Axis, with_values
from harness.sweep.sweep import sweep
from harness.track import mlflow_store
from harness.twins.writer import write_twin

TRIALS, IDENTITIES = 15, 30
RATE = Axis(key="method.lr", over=Range(low=1e-5, high=1e-1, log=True))
QUICK = ("backbone.pretrained=null", "train.epochs=1", "train.batch_size=16")


class Clock(Listener):
    """Notes when each trial begins."""

    def __init__(self) -> None:
        self.begun: list[float] = []

    def on_stage(self, text: str) -> None:
        """Note the time of a trial's first words."""
        if text.startswith("trial") and "done" not in text:
            self.begun.append(time.perf_counter())


def run() -> Outcome:
    """Measure both sides without MLflow and with it."""
    with tempfile.TemporaryDirectory() as text:
        root = Path(text)
        write_twin(DATASETS.get("icfg"), root, identities=IDENTITIES, workers=1)
        config = resolve("linear_probe", "icfg", synthetic=True, overrides=(*QUICK, f"dataset.root={root}"))
        train(config, runs=root / "warm", study="warm")
        with no_store():
            direct, searched = both_sides(config, root / "plain")
        direct_tracked, searched_tracked = both_sides(config, root / "tracked")
    claims = [
        claim("training function called directly, median of a trial", direct, unit="s"),
        claim("added by the sweep, median of a trial", 1000 * (searched - direct), unit="ms", at_most=250),
        claim("both in MLflow, directly, median of a trial", direct_tracked, unit="s"),
        claim("both in MLflow, added by the sweep", 1000 * (searched_tracked - direct_tracked), unit="ms"),
    ]
    return outcome("Sweep, overhead of a trial", "python -m benchmarks sweep", claims, trials=TRIALS)


def both_sides(config: RunConfig, root: Path) -> tuple[float, float]:
    """Return the median seconds of a trial, called directly and in a sweep that tries the same points."""
    rates = RATE.points(TRIALS)
    direct = []
    for rate in rates:
        one = with_values(config, {RATE.key: rate})
        begun = time.perf_counter()
        train(one, runs=root / "direct", study="direct")
        direct.append(time.perf_counter() - begun)
    clock = Clock()
    search = Search(
        trials=TRIALS, pruner="none", test_seeds=0, points=tuple({RATE.key: rate} for rate in rates)
    )
    sweep(config, [RATE], search, WorkSetup(root / "sweep", listener=clock))
    searched = [after - before for before, after in zip(clock.begun, clock.begun[1:], strict=False)]
    return statistics.median(direct), statistics.median(searched)


@contextmanager
def no_store() -> Iterator[None]:
    """Let no run and no study reach MLflow."""

    def refuse(self: object, *arguments: object) -> None:
        raise ConnectionError("no store in this measurement")

    kept, level = mlflow_store.Store.__init__, logging.getLogger("harness").level
    mlflow_store.Store.__init__ = refuse  # type: ignore[assignment, method-assign]
    logging.getLogger("harness").setLevel(logging.ERROR)
    try:
        yield
    finally:
        mlflow_store.Store.__init__ = kept  # type: ignore[method-assign]
        logging.getLogger("harness").setLevel(level)
