"""Fixtures of the command line's tests."""

import pytest


@pytest.fixture
def narrow(monkeypatch):
    """Print as on a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
