"""Kept answers: made once, made anew when a file that they follow from changes, never a wrong one."""

import os

import pytest

from harness.cli import kept as module
from harness.cli.kept import FOLDER, code, database, kept
from harness.errors import UsageError
from harness.paths import cache_root


@pytest.fixture
def asked(tmp_path):
    """Ask for an answer that follows from one file; return it and how often it was made."""
    file, made = tmp_path / "file.txt", []
    file.write_text("one")

    def ask(*what):
        def make():
            made.append(what)
            return {"text": file.read_text(), "size": (1, 2)}

        return kept(what, [file, tmp_path / "gone"], make), len(made)

    return file, ask


def test_an_answer_is_made_once_for_each_question(asked):
    _, ask = asked
    assert ask("a") == ({"text": "one", "size": [1, 2]}, 1)
    assert ask("a") == ({"text": "one", "size": [1, 2]}, 1)
    assert ask("b")[1] == 2


def test_it_is_made_anew_when_a_file_changes_comes_or_goes(asked):
    file, ask = asked
    ask("a")
    file.write_text("two")
    os.utime(file, ns=(1, 1))
    assert ask("a") == ({"text": "two", "size": [1, 2]}, 2)
    (file.parent / "gone").write_text("")
    assert ask("a")[1] == 3


def test_a_damaged_answer_is_made_anew(asked):
    _, ask = asked
    ask("a")
    (answer,) = (cache_root().path / FOLDER).iterdir()
    answer.write_text(answer.read_text().replace("one", "all"))
    assert ask("a") == ({"text": "one", "size": [1, 2]}, 2)
    answer.write_text("{")
    assert ask("a")[1] == 3


def test_an_error_is_not_kept_and_a_cache_that_refuses_is_no_error(asked, monkeypatch):
    _, ask = asked

    def refuse():
        raise UsageError("no")

    for _ in range(2):
        with pytest.raises(UsageError, match="no"):
            kept(["bad"], [], refuse)
    monkeypatch.setattr(module, "write_json", lambda *given: (_ for _ in ()).throw(OSError(28, "full")))
    assert ask("c") == ({"text": "one", "size": [1, 2]}, 1)


def test_only_the_newest_stay(asked, monkeypatch):
    _, ask = asked
    monkeypatch.setattr(module, "_MOST", 2)
    for name in "abc":
        ask(name)
    assert len(list((cache_root().path / FOLDER).iterdir())) == 2


def test_what_decides_is_looked_at(tmp_path):
    names = {file.name for file in code()}
    assert {"kept.py", "cost.py"} <= names
    assert any("open_clip" in str(file) for file in code())
    assert [file.name for file in database(tmp_path / "optuna.db")] == [
        "optuna.db",
        "optuna.db-wal",
        "optuna.db-journal",
    ]
