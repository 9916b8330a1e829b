"""A method's description is counted once, and again when what it follows from changes."""

import os

import pytest

from harness.cli.actions import methods as actions
from harness.cli.listings import methods as listings
from harness.registry.plug_ins import Plugins


@pytest.fixture
def counted(monkeypatch, tmp_path):
    """Let descriptions be counted, and the method's file be one that can change."""
    made = []
    monkeypatch.setattr(actions, "describe", lambda *asked: made.append(asked) or {"asked": list(asked[:3])})
    file = tmp_path / "cskt.py"
    file.write_text("cskt")
    monkeypatch.setattr(Plugins, "file", lambda self, name: file if name == "cskt" else None)
    return made, file


def test_it_is_counted_once_for_each_question(counted):
    made, file = counted
    for _ in range(2):
        assert listings.description("cskt", "tiny", None, ()) == {"asked": ["cskt", "tiny", None]}
    assert len(made) == 1
    listings.description("cskt", "tiny", "96x32", ())
    listings.description("cskt", "tiny", None, ("reduction=2",))
    assert len(made) == 3
    os.utime(file, ns=(1, 1))
    listings.description("cskt", "tiny", None, ())
    assert len(made) == 4


def test_a_method_without_a_file_is_counted_each_time(counted):
    made, _ = counted
    for _ in range(2):
        listings.description("elsewhere", "tiny", None, ())
    assert len(made) == 2
