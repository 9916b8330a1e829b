"""Fixtures of the engine's tests: study storages that are quick to make and to write, and a sweep on one."""

import shutil
import sqlite3
from contextlib import suppress

import optuna
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from harness.presets.resolve import resolve
from harness.queue.storage_place import DATABASE
from harness.queue.work_setup import WorkSetup
from harness.sweep import sweep as sweep_module
from harness.sweep import trial_job
from harness.sweep.settings import Search
from harness.sweep.sweep import sweep
from tests.suite_runs import TABLE
from tests.sweep_runs import RATE


@pytest.fixture(autouse=True)
def _quick_storage():
    """Let SQLite not wait for the disk: these tests are not about a power cut."""

    def relax(connection, record):
        # A file that is no database says so to whoever opens it for real, not here, where it would be tried again.
        if type(connection).__module__.startswith("sqlite3"):
            with suppress(sqlite3.DatabaseError):
                connection.execute("PRAGMA synchronous=OFF")

    event.listen(Engine, "connect", relax)
    yield
    event.remove(Engine, "connect", relax)


@pytest.fixture(scope="session")
def empty_storage(tmp_path_factory):
    """Return a storage whose tables are there already: making them takes longer than many trials."""
    file = tmp_path_factory.mktemp("storage") / DATABASE
    optuna.storages.RDBStorage(f"sqlite:///{file}")
    return file


@pytest.fixture
def config():
    """Return the config that sweeps begin at."""
    return resolve("linear_probe", "icfg", synthetic=True)


@pytest.fixture
def search_with(untracked, monkeypatch, tmp_path, config, empty_storage):
    """Return a sweep in this test's folder that uses a stand-in for the run."""
    shutil.copy(empty_storage, tmp_path)

    def call(runs, trials=6, axes=(RATE,), config=config, **options):
        monkeypatch.setattr(sweep_module, "run", runs)
        monkeypatch.setattr(trial_job, "run", runs)
        study = options.pop("study", None)
        keep = {key: options.pop(key) for key in ("storage", "listener") if key in options}
        search = Search(trials=trials, **{"test_seeds": 0, **options})
        return sweep(config, list(axes), search, WorkSetup(tmp_path, **keep), study)

    return call


@pytest.fixture
def table(tmp_path, empty_storage):
    """Return the file of a small suite, beside a storage that is laid out."""
    file = tmp_path / "small.yaml"
    (tmp_path / "runs").mkdir()
    shutil.copy(empty_storage, tmp_path / "runs")
    file.write_text(TABLE)
    return file
