"""Optuna's own tests of a storage, on the storages as the harness opens them."""

import pytest

optuna_cases = pytest.importorskip(
    "optuna.testing.pytest_storages", reason="Optuna ships no tests of storages"
)

from harness.queue.optuna_storage import open_storage  # noqa: E402
from harness.queue.storage_place import DATABASE  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*is an experimental feature")]


class TestSqlite(optuna_cases.StorageTestCase):
    """SQLite: laid out under a lock, patient with a busy file."""

    @pytest.fixture
    def storage(self, tmp_path, empty_storage):
        """Return a storage of this test's own."""
        (tmp_path / DATABASE).write_bytes(empty_storage.read_bytes())
        return open_storage(f"sqlite:///{tmp_path / DATABASE}")


class TestPostgres(optuna_cases.StorageTestCase):
    """A server: connections that are tried before use, in one time zone."""

    @pytest.fixture
    def storage(self, database):
        """Return a storage in an empty database."""
        return open_storage(database)
