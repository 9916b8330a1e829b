"""What tracking costs a run: nothing in the training thread, and well under a second of the store's time."""

import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.common import Outcome, claim, outcome
from harness.config.values import content_hash
from harness.record import Record, RunFolder, now
from harness.track.mlflow_store import Store
from harness.track.run_tracker import Tracker

EPOCHS, METRICS, REPEATS = 60, 12, 5


def run() -> Outcome:
    """Log a run of 60 epochs and 12 metrics to an SQLite store that is there already."""
    with tempfile.TemporaryDirectory() as text:
        root = Path(text)
        Store(root)
        times = [one_run(root, number) for number in range(REPEATS)]
    caller, total = (statistics.median(values) for values in zip(*times, strict=True))
    claims = [
        claim("seconds the training thread waits, whole run", caller, unit="s", at_most=0.01),
        claim("seconds until all is in the store, whole run", total, unit="s", at_most=1),
    ]
    return outcome(
        "Tracking in MLflow", "python -m benchmarks tracking", claims, epochs=EPOCHS, metrics=METRICS
    )


def one_run(root: Path, number: int) -> tuple[float, float]:
    """Return the seconds that the epochs' hand-over took, and those until the store had everything."""
    config = {
        "method": {"name": "m"},
        "dataset": {"name": "d"},
        "backbone": {},
        "eval": {"rule": "val"},
        "seed": number,
    }
    record = Record(
        identity=content_hash(number),
        config=config,
        versions={},
        fingerprint="0" * 64,
        backbone={},
        synthetic=True,
    )
    record.started = now()
    folder = RunFolder(root / record.name)
    folder.path.mkdir()
    start = time.perf_counter()
    tracker = Tracker(record, folder, root)
    for epoch in range(1, EPOCHS + 1):
        tracker.on_epoch(epoch, {"epoch": epoch, **{f"metric_{i}": float(i) for i in range(METRICS)}})
    caller = time.perf_counter() - start
    record.status = "finished"
    tracker.finish(record)
    return caller, time.perf_counter() - start
