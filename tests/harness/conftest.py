"""Fixtures of the engine's tests: study storages that are quick to make and to write."""

import optuna
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from harness.storage import DATABASE


@pytest.fixture(autouse=True)
def _quick_storage():
    """Let SQLite not wait for the disk: these tests are not about a power cut."""

    def relax(connection, record):
        if type(connection).__module__.startswith("sqlite3"):
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
