"""A run's files, fetched from MLflow for a report about it, and which of them an older run lacks."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import DataError, UsageError
from harness.files import BROKEN, load_arrays, read_json, write_json
from harness.record import QUERIES, RECORD
from harness.reporting.missing import run_command
from harness.results.run_source import Source

FILES = {"queries": QUERIES, "embeddings": "embeddings.npz"}
Missing = tuple[str, tuple[str, ...]]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Here:
    """What there is of a run.

    Attributes:
        queries, embeddings: whether the per-query results and the sample of embeddings are there.
        ranked: whether the top-ranked images are known.
        words: whether the words of captions are known.
        missing: what is not there, in words, with the commands that make it.
    """

    queries: bool
    embeddings: bool
    ranked: bool
    words: bool
    missing: tuple[Missing, ...]


def fetch_run(source: Source, row: dict[str, Any], data: Path, prefix: str = "") -> Here:
    """Write a run's record, epochs, per-query results and sample of embeddings into a folder.

    They are called `run.json`, `history.json`, `queries.npz` and `embeddings.npz`, each behind `prefix`. Arrays that
    cannot be read count as not there.

    Raises `UsageError` when the record is not in MLflow, `DataError` when it is damaged there.
    """
    run_id, store = row["run_id"], source.store
    assert store is not None, "a row comes from a store"
    if not source.fetch(run_id, RECORD, data / f"{prefix}run.json"):
        raise UsageError(
            f"The record of the run {row['run']} is not among its artifacts in MLflow: `harness runs sync` sends what "
            f"is missing, or repeat it: {_again(row)}"
        )
    _must_be_whole(data / f"{prefix}run.json", row)
    keys = [key for key in store.run(run_id).metrics if key.startswith(("train/", "val/"))]
    write_json(data / f"{prefix}history.json", store.history(run_id, keys))
    files = {kind: data / f"{prefix}{name}" for kind, name in FILES.items()}
    found = {
        kind: source.fetch(run_id, FILES[kind], file) and _is_whole(file, FILES[kind], row)
        for kind, file in files.items()
    }
    arrays = set(load_arrays(files["queries"])) if found["queries"] else set()
    ranked, words = {"t2i/top", "i2t/identity"} <= arrays, "t2i/colours" in arrays
    lacking = [
        *["its per-query results"] * (not found["queries"]),
        *["its top-ranked images"] * (found["queries"] and not ranked),
        *["the words of its captions"] * (found["queries"] and not words),
        *["its sample of embeddings"] * (not found["embeddings"]),
    ]
    return Here(found["queries"], found["embeddings"], ranked, words, _missing(row, lacking))


def _must_be_whole(file: Path, row: dict[str, Any]) -> None:
    try:
        read_json(file, dict)
    except DataError as error:
        file.unlink()
        raise DataError(
            f"{RECORD} of the run {row['run']} is damaged among its artifacts in MLflow: repeat it: {_again(row)}"
        ) from error


def _is_whole(file: Path, name: str, row: dict[str, Any]) -> bool:
    """Return whether all arrays of a file can be read; remove one that cannot, so that no notebook fails on it."""
    try:
        load_arrays(file)
    except BROKEN as error:
        log.warning("%s of the run %s cannot be read and is left out: %s", name, row["run"], error)
        file.unlink()
        return False
    return True


def _missing(row: dict[str, Any], lacking: list[str]) -> tuple[Missing, ...]:
    if not lacking:
        return ()
    what = (
        f"The run {row['run']} does not hold {', nor '.join(lacking)}: it was tested before they were recorded, or its "
        "files are broken."
    )
    return ((what, (_again(row),)),)


def _again(row: dict[str, Any]) -> str:
    return f"{run_command(row['method'], row['trained_on'], bool(row['synthetic']))} --force"
