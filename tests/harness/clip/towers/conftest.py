"""Small CLIPs of all kinds."""

import pytest

from tests import tower_kinds


@pytest.fixture(autouse=True)
def _known_kinds(monkeypatch):
    tower_kinds.register(monkeypatch)
