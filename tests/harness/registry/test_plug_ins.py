"""Plug-ins by name: known without importing one, told from their files, and read when a class is asked for."""

import pytest

from harness.errors import HarnessError, UsageError
from harness.methods import METHODS
from harness.registry.plug_ins import Plugins, plugin_class, plugins

MINE = """'''Mine.

More.'''
import nothing

class Other:
    question = "no"

@register
class Mine(Report, Base):
    question: str = "a" "b"
    takes = ("run",)
    made = call()
    bare: int
"""


def test_names_are_those_of_the_registry_and_a_slip_gets_the_nearest():
    found = plugins("methods")
    assert set(METHODS.names()) == set(found.names())
    assert found.known("zero-shot") == "zero_shot"
    with pytest.raises(UsageError, match=r"Unknown method 'cskd'\. Did you mean 'cskt'"):
        found.known("cskd")
    assert plugin_class("methods", "zero-shot") is METHODS.get("zero_shot")
    with pytest.raises(UsageError, match="Did you mean 'cskt'"):
        plugin_class("methods", "cskd")


def test_a_file_says_what_its_registered_class_has_as_plain_values(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "broken.py").write_text("class Bad(:")
    found = Plugins("report", "harness.reports", [str(tmp_path)])
    said = found.said("mine")
    assert (said.title, said.bases) == ("Mine.", ["Report", "Base"])
    assert said.values == {"question": "ab", "takes": ("run",)}
    assert found.said("none") is None
    with pytest.raises(HarnessError, match="'broken' cannot be read"):
        found.said("broken")
