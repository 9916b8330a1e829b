"""How long a leaderboard takes in a store that holds thousands of other runs.

The store is SQLite: 2,000 runs with 60 epochs of 12 metrics each, of which 50 are those of the report, with per-query
results of ICFG-PEDES's size. Some are logged as the harness logs them; the others are copies made in the database,
which a reader cannot tell from them.
"""

import sqlite3
import tempfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from benchmarks.common import Outcome, claim, outcome, wall_seconds
from harness.presets.resolve import resolve
from harness.record import Record, RunFolder, now
from harness.reporting.make import make_report
from harness.track.mlflow_store import Store
from harness.track.publish import publish

RUNS, MATCHING, SEEDS, EPOCHS, CURVES, BOUND = 2_000, 50, 5, 60, 12, 20.0
N_IDENTITY, N_QUERY = 1_000, 19_848
COPIED = ("params", "tags", "metrics", "latest_metrics")


def run() -> Outcome:
    """Fill a store, then time the report with its intervals and its executed notebook."""
    with tempfile.TemporaryDirectory() as folder:
        store = fill(Path(folder))
        options: dict[str, Any] = {"runs": folder, "datasets": ["icfg"], "out": Path(folder) / "out"}
        counts = {"runs": len(store.finished_runs())}
        made = make_report("leaderboard", **options)
        counts |= {"results": made.n_results}
        seconds = wall_seconds(lambda: make_report("leaderboard", **options))
        reading = wall_seconds(lambda: Store(Path(folder)).finished_runs())
        size = (Path(folder) / "mlflow.db").stat().st_size / 1e6
    claims = [
        claim(f"leaderboard of {MATCHING} runs among {RUNS:,}", seconds, unit="s", at_most=BOUND),
        claim("for comparison: asking MLflow for all runs", reading, unit="s"),
        claim("size of the store", size, unit="MB"),
    ]
    return outcome("A leaderboard in a large store", "python -m benchmarks many_runs", claims, **counts)


def fill(root: Path) -> Store:
    """Return a store with all runs."""
    store, rng = Store(root), np.random.default_rng(0)
    methods = [("linear_probe", "icfg", 0.001 * i) for i in range(1, MATCHING // SEEDS + 1)]
    for method, dataset, rate in methods:
        for seed in range(1, SEEDS + 1):
            log(store, record(method, dataset, rate, seed), rng)
    other = log(store, record("linear_probe", "cuhk", 0.5, 1), rng)
    copy(root / "mlflow.db", other, RUNS - MATCHING - 1)
    return store


def record(method: str, dataset: str, rate: float, seed: int) -> Record:
    """Return a finished record of a real configuration."""
    config = resolve(method, dataset, overrides=[f"method.lr={rate}", f"seed={seed}"])
    return Record(
        identity=uuid4().hex,
        status="finished",
        config=config.model_dump(mode="json"),
        versions={"method": 1, "dataset": 1, "protocol": 1},
        fingerprint=f"data-of-{dataset}",
        backbone={"name": config.backbone.name, "sha256": "ab" * 32},
        synthetic=False,
        started=now(),
        finished=now(),
        environment={"device_name": "simulated"},
        data={"train_pairs": 30_000},
        accounting={"parameters": {"trainable": 500_000, "total": 150_000_000, "inference_extra": 0}},
    )


def log(store: Store, made: Record, rng: np.random.Generator) -> str:
    """Log a run with epochs and per-query results; return its id."""
    skill = rng.uniform(0.4, 0.6)
    rank = np.where(rng.random(N_QUERY) < skill, 1, rng.integers(2, 200, N_QUERY)).astype(np.int32)
    identity = np.sort(rng.integers(0, N_IDENTITY, N_QUERY))
    identity[:N_IDENTITY] = np.arange(N_IDENTITY)
    arrays = {"rank": rank, "AP": (1 / rank).astype(np.float32), "INP": (1 / rank).astype(np.float32)}
    queries = {f"{way}/{name}": values for way in ("t2i", "i2t") for name, values in arrays.items()}
    fixed = np.random.default_rng(1).integers(0, N_IDENTITY, N_QUERY)
    queries |= {f"{way}/identity": fixed for way in ("t2i", "i2t")}
    scores = {
        "R1": (rank == 1).mean(),
        "R5": (rank <= 5).mean(),
        "R10": (rank <= 10).mean(),
        "mAP": (1 / rank).mean(),
    }
    dataset = made.config["dataset"]["name"]
    made.metrics = {f"test/{dataset}/t2i/{name}": 100 * float(value) for name, value in scores.items()}
    made.intervals = {name: (value - 1, value + 1) for name, value in made.metrics.items()}
    folder = RunFolder(store.runs / made.name)
    folder.path.mkdir()
    folder.write(made)
    folder.write_queries(queries)
    run_id = str(publish(made, folder, store)["run_id"])
    curves = [{"epoch": e} | {f"val/curve{i}": 1.0 * e for i in range(CURVES)} for e in range(1, EPOCHS + 1)]
    store.log(run_id, curves)
    return run_id


def copy(database: Path, run_id: str, times: int) -> None:
    """Copy a run's rows in the database, with everything but its artifacts."""
    with sqlite3.connect(database) as connection:
        columns = {table: _columns(connection, table) for table in ("runs", *COPIED)}
        for _ in range(times):
            new = uuid4().hex
            for table, names in columns.items():
                rest = ", ".join(f'"{name}"' for name in names if name != "run_uuid")
                connection.execute(
                    f'INSERT INTO {table} ("run_uuid", {rest}) SELECT ?, {rest} FROM {table} WHERE run_uuid = ?',
                    (new, run_id),
                )


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
