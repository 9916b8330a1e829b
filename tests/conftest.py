"""Fixtures of several test folders."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(autouse=True)
def _own_places(tmp_path_factory, monkeypatch):
    """Keep every test away from the user's own data, caches and runs."""
    home = tmp_path_factory.mktemp("places")
    for variable in ("HARNESS_DATA", "HARNESS_CACHE", "HARNESS_RUNS"):
        monkeypatch.setenv(variable, str(home / variable.lower()))


@pytest.fixture(scope="session")
def real_format() -> ModuleType:
    """Return the maker of small datasets in the real on-disk formats (`tests/real_format.py`)."""
    spec = importlib.util.spec_from_file_location("real_format", Path(__file__).parent / "real_format.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
