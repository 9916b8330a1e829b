"""A run's own files, fetched from MLflow for a report about it, and what of them an older run lacks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.files import read_json, write_json
from harness.gaps import run_command
from harness.record import QUERIES, RECORD
from harness.source import Source

FILES = {"queries": QUERIES, "embeddings": "embeddings.npz"}
Missing = tuple[str, tuple[str, ...]]


@dataclass(frozen=True)
class Here:
    """What there is of a run.

    Attributes:
        queries, embeddings: whether the per-query results and the sample of embeddings are there.
        ranked: whether it is known which images came first.
        words: whether it is known what captions speak of.
        missing: what is not there, in words, with the commands that make it.
    """

    queries: bool
    embeddings: bool
    ranked: bool
    words: bool
    missing: tuple[Missing, ...]


def fetch_run(source: Source, row: dict[str, Any], data: Path, prefix: str = "") -> Here:
    """Write a run's record, epochs, per-query results and sample of embeddings into a folder.

    They are called `run.json`, `history.json`, `queries.npz` and `embeddings.npz`, each behind `prefix`.
    """
    run_id, store = row["run_id"], source.store
    assert store is not None, "a row comes from a store"
    source.fetch(run_id, RECORD, data / f"{prefix}run.json")
    keys = [key for key in store.client.get_run(run_id).data.metrics if key.startswith(("train/", "val/"))]
    write_json(data / f"{prefix}history.json", store.history(run_id, keys))
    found = {kind: source.fetch(run_id, name, data / f"{prefix}{name}") for kind, name in FILES.items()}
    arrays = set(load_arrays(data / f"{prefix}{FILES['queries']}")) if found["queries"] else set()
    record = read_json(data / f"{prefix}run.json")
    ranked, words = {"t2i/top", "i2t/identity"} <= arrays, "t2i/colours" in arrays
    lacking = [
        *["its per-query results"] * (not found["queries"]),
        *["which images it put first"] * (found["queries"] and not ranked),
        *["what its captions speak of"] * (found["queries"] and not words),
        *["its sample of embeddings"] * (not found["embeddings"]),
    ]
    return Here(found["queries"], found["embeddings"], ranked, words, _told(row, record, lacking))


def load_arrays(path: str | Path) -> dict[str, Any]:
    """Return the arrays of an `.npz` file, read without pickles."""
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _told(row: dict[str, Any], record: dict[str, Any], lacking: list[str]) -> tuple[Missing, ...]:
    if not lacking:
        return ()
    what = (
        f"The run {row['run']} does not hold {', nor '.join(lacking)}: it was tested before they were kept."
    )
    again = run_command(row["method"], row["trained_on"], bool(record["synthetic"]))
    return ((what, (f"{again} --force",)),)
