"""Plug-ins: found by file, imported when asked for, and told apart from mistakes."""

import logging
from abc import ABC, abstractmethod
from importlib.metadata import EntryPoint
from typing import ClassVar

import pytest

from harness.errors import HarnessError, UsageError
from harness.registry import Registry


class Base:
    name = ""


@pytest.fixture
def kinds(tmp_path, monkeypatch):
    """A registry of plug-ins in a package made for the test."""
    folder = tmp_path / "plugins_of_test"
    folder.mkdir()
    (folder / "good.py").write_text("class Good: ...\n")
    (folder / "broken.py").write_text("import not_there_at_all\n")
    (folder / "silent.py").write_text("x = 1\n")
    (folder / "_helper.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    return Registry[Base]("thing", "plugins_of_test", [str(folder)])


def test_listing_names_files_and_imports_none(kinds):
    assert kinds.names() == ["broken", "good", "silent"]


def test_an_unknown_name_gets_the_nearest(kinds):
    with pytest.raises(UsageError, match="Did you mean 'good'"):
        kinds.get("goood")


def test_a_file_that_cannot_be_imported_is_named_with_the_cause(kinds):
    with pytest.raises(HarnessError, match=r"'broken' cannot be imported.*not_there_at_all"):
        kinds.get("broken")


def test_a_file_without_a_registered_class_says_what_to_do(kinds):
    with pytest.raises(HarnessError, match="@register"):
        kinds.get("silent")


def test_what_needs_a_library_that_is_not_installed_is_left_out_and_says_how_to_get_it(kinds, tmp_path):
    folder = tmp_path / "plugins_of_test"
    (folder / "needy.py").write_text('NEEDS = "not_there_at_all"\nclass Needy: ...\n')
    (folder / "served.py").write_text('NEEDS = "json"\nclass Served: ...\n')
    (tmp_path / "not_there_at_all").mkdir()  # as a folder in the current one, which is no library
    assert kinds.names() == ["broken", "good", "served", "silent"]
    assert kinds.waiting() == {"needy": "not_there_at_all"}
    with pytest.raises(
        UsageError, match=r"needs the library not_there_at_all, .*: pip install not_there_at_all$"
    ):
        kinds.get("needy")
    assert kinds.find("needy") is None


def test_registering_gives_the_name_of_the_file_and_refuses_a_second_class(kinds):
    one = type("One", (Base,), {"__module__": "plugins_of_test.two_words"})
    two = type("Two", (Base,), {"__module__": "elsewhere.two_words"})
    assert kinds.register(one) is one
    assert one.name == "two_words"
    assert kinds.get("two-words") is one
    with pytest.raises(UsageError, match="defined twice"):
        kinds.register(two)


class Contract(ABC):
    name: ClassVar[str]
    title: ClassVar[str]
    size: ClassVar[int] = 1

    @classmethod
    @abstractmethod
    def gather(cls):
        """Gather."""


ABSTRACT = """
from tests.harness.test_registry import Contract
class {name}(Contract):
    {body}
"""
FAULTY = {
    "syntax": ("class Bad(:\n", "SyntaxError: invalid syntax"),
    "raises": ("x = not_there\n", "NameError: name 'not_there' is not defined"),
    "leaves": ("raise SystemExit('no licence')\n", "SystemExit: no licence"),
    "lacks": (
        ABSTRACT.format(name="Thing", body="gather = classmethod(lambda cls: 1)"),
        "its class lacks title",
    ),
    "abstract": (ABSTRACT.format(name="Thing", body="title = 'x'"), "its class lacks gather"),
    "gone": (None, "ModuleNotFoundError: No module named 'party_of_test.gone'"),
}


@pytest.fixture
def parties(tmp_path, monkeypatch):
    """Return a registry with plug-ins of third parties: a whole one, and one with each fault."""
    folder = tmp_path / "party_of_test"
    folder.mkdir()
    body = "title = 'x'; gather = classmethod(lambda cls: 1)"
    (folder / "whole.py").write_text(ABSTRACT.format(name="Thing", body=body))
    for name, (text, _) in FAULTY.items():
        if text is not None:
            (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = Registry[Contract]("thing", "plugins_of_test", [], Contract)
    registry._entries = {
        name: EntryPoint(name, f"party_of_test.{name}:Thing", "plugins_of_test")
        for name in ("whole", *FAULTY)
    }
    return registry


@pytest.mark.parametrize("name", FAULTY)
def test_a_faulty_plug_in_of_a_third_party_is_one_line_that_names_it_and_where_it_is(parties, name):
    with pytest.raises(HarnessError) as told:
        parties.get(name)
    text = str(told.value)
    assert f"The thing {name!r} of party_of_test.{name}:Thing cannot be " in text
    assert FAULTY[name][1] in text
    assert "\n" not in text


def test_a_listing_skips_and_names_each_faulty_plug_in_once_and_goes_on(parties, caplog):
    with caplog.at_level(logging.WARNING):
        assert [cls.name for cls in parties.usable()] == ["whole"]
        assert [cls.name for cls in parties.usable()] == ["whole"]
    assert sorted(record.args[0].args[0].split("'")[1] for record in caplog.records) == sorted(FAULTY)
    assert all(record.getMessage().startswith("skipped: The thing ") for record in caplog.records)
    assert parties.names() == sorted(["whole", *FAULTY])
    assert parties.find("syntax") is parties.find("unknown") is None
    assert parties.find("whole").title == "x"
