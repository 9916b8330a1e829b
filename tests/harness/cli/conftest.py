"""Fixtures of the command line's tests."""

import pytest

from harness.cli import options


@pytest.fixture
def narrow(monkeypatch):
    """Print as on a terminal of 80 columns."""
    monkeypatch.setattr(options, "_PIPED_WIDTH", 80)
    monkeypatch.setenv("COLUMNS", "80")
