"""Plug-ins: found by file, imported when asked for, and told apart from mistakes."""

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


def test_registering_gives_the_name_of_the_file_and_refuses_a_second_class(kinds):
    one = type("One", (Base,), {"__module__": "plugins_of_test.two_words"})
    two = type("Two", (Base,), {"__module__": "elsewhere.two_words"})
    assert kinds.register(one) is one
    assert one.name == "two_words"
    assert kinds.get("two-words") is one
    with pytest.raises(UsageError, match="defined twice"):
        kinds.register(two)
