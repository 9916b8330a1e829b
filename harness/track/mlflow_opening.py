"""Open MLflow's store: its address, its first tables, its errors as one message."""

import logging
import os
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import quote

from harness.addresses import sqlite_file, sqlite_url
from harness.errors import HarnessError, UsageError
from harness.files import held, replaced
from harness.paths import runs_root
from harness.places import writing
from harness.secrets import without_secrets
from harness.track.patience import Client, bounded, patience, reason

STORE = "mlflow.db"
EXPERIMENT = "text-based-person-retrieval"
NOTHING_TRACKED = (
    "No finished run is tracked yet: `harness run --method zero_shot --dataset icfg --synthetic`."
)
# The results that a command can name, newest first.
_NAMES = """
SELECT runs.name, tags.value FROM runs
JOIN experiments ON experiments.experiment_id = runs.experiment_id AND experiments.name = ?
JOIN tags ON tags.run_uuid = runs.run_uuid AND tags.key = 'harness.kind' AND tags.value IN ('run', 'group')
WHERE runs.status = 'FINISHED' AND runs.lifecycle_stage = 'active' ORDER BY runs.start_time DESC
"""
# A first database takes seconds, and a minute on a slow disk.
_LAYING_OUT = 60.0


def tracking_uri(runs: Path | None = None) -> str:
    """Return where runs are tracked: `MLFLOW_TRACKING_URI`, else an SQLite file beside the records."""
    default = sqlite_url((runs or runs_root().path).resolve() / STORE)
    return os.environ.get("MLFLOW_TRACKING_URI") or default


def experiment_name(given: str | None) -> str:
    """Return the name of the experiment that is meant."""
    return given or os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT


def finished_names(runs: Path, experiment: str | None = None) -> dict[str, list[str]] | None:
    """Return the names of finished runs and groups of seeds by `run` and `group`, newest first, without MLflow.

    None where that cannot be told: a store that is not beside the records, or does not answer.
    """
    if os.environ.get("MLFLOW_TRACKING_URI"):
        return None
    file = runs.resolve() / STORE
    if not file.exists():
        return {"run": [], "group": []}
    try:
        with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True, timeout=0.2)) as database:
            found = database.execute(_NAMES, (experiment_name(experiment),)).fetchall()
    except sqlite3.Error:
        return None
    return {kind: [str(name) for name, its in found if its == kind] for kind in ("run", "group")}


def store_file(uri: str) -> Path | None:
    """Return the file of a store in SQLite; None for any other store."""
    return sqlite_file(uri) if uri.startswith("sqlite:") else None


def _lay_out(uri: str, runs: Path) -> None:
    """Make a new SQLite store under another name and rename it: one whose creation was killed would never open."""
    path = store_file(uri)
    if path is not None and not _is_begun(path):
        bounded(uri, partial(_make, path, runs), _LAYING_OUT)
    elif path is not None:
        must_hold_tables(path)


def _is_begun(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _make(path: Path, runs: Path) -> None:
    from mlflow import MlflowClient

    with _one_at_a_time(runs):
        if not _is_begun(path):
            with replaced(path) as temporary:
                MlflowClient(tracking_uri=sqlite_url(temporary)).search_experiments(max_results=1)


def _experiments(uri: str) -> list[str]:
    """Return the names of a store's experiments."""
    with _quiet():
        return [str(found.name) for found in Client(uri).search_experiments()]


def experiment_id(client: Client, uri: str, runs: Path, given: str | None, make: bool) -> str:
    """Return the id of the experiment that is meant; another process may make it between question and answer.

    Raises `LookupError` where there is none and none is to be made, and `UsageError` where it was deleted: MLflow
    takes nothing for it, and lets no other have its name.
    """
    from mlflow.exceptions import MlflowException

    from harness.track.views import EXPERIMENT_TAGS

    name = experiment_name(given)
    found = client.get_experiment_by_name(name)
    if found is None and not make:
        raise LookupError(name)
    if found is None:
        place = None if store_file(uri) is None else (runs / "mlartifacts" / name).as_uri()
        try:
            return str(client.create_experiment(name, place, dict(EXPERIMENT_TAGS)))
        except MlflowException:
            if (found := client.get_experiment_by_name(name)) is None:
                raise
    if found.lifecycle_stage != "active":
        restore = f"MLFLOW_TRACKING_URI={shlex.quote(without_secrets(uri))} mlflow experiments restore -x"
        raise UsageError(
            f"The experiment {name!r} was deleted in MLflow: restore it with `{restore} {found.experiment_id}`, or "
            "name another by MLFLOW_EXPERIMENT_NAME."
        )
    return str(found.experiment_id)


def must_hold_tables(path: Path) -> None:
    """Raise `sqlite3.Error` for a file that holds no store or cannot be read: MLflow would try again for minutes.

    MLflow also makes its tables where there are none, which is not for who only reads.
    """
    address = f"file:{quote(str(path))}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=patience())) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiments'").fetchone():
            raise sqlite3.DatabaseError("the file holds no tables of MLflow")


@contextmanager
def opening(uri: str) -> Iterator[None]:
    """Turn any error of MLflow and its database about a store that cannot be opened into one message."""
    try:
        yield
    except HarnessError:
        raise
    except Exception as error:
        raise UsageError(
            f"The MLflow store {without_secrets(uri)} cannot be opened ({type(error).__name__}: {reason(error)}): "
            "repair it, "
            "or name another by MLFLOW_TRACKING_URI or --runs."
        ) from error


@contextmanager
def _one_at_a_time(runs: Path) -> Iterator[None]:
    """Let one process at a time create the store: MLflow's own schema creation is not safe against a second one."""
    with writing(runs):
        runs.mkdir(parents=True, exist_ok=True)
    with held(runs / ".mlflow.lock"):
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep schema migrations from filling the terminal."""
    names = ("alembic", "alembic.runtime.migration", "mlflow.utils.uvicorn", "mlflow.store.db.utils")
    levels = {name: logging.getLogger(name).level for name in names}
    for name, level in levels.items():
        logging.getLogger(name).setLevel(max(level, logging.ERROR))
    try:
        yield
    finally:
        for name, level in levels.items():
            # A client that was made in between may want less of it.
            if logging.getLogger(name).level <= logging.ERROR:
                logging.getLogger(name).setLevel(level)
