"""What all options share: none given once is taken twice, closed sets name the nearest word, hostile text is plain."""

import errno
import json
import math
import os
import shlex
import sqlite3
import sys
from pathlib import Path

import click
import pytest

from harness.cli.main import cli
from harness.cli.options import Choice, _Option, option, plain, print_json, printed_command, run_safely
from harness.errors import UsageError
from harness.paths import ASKED, runs_root
from tests.harness.cli.test_help import commands


@click.command()
@option("--one", "-o", "value")
@option("--many", multiple=True)
@option("--yes/--no", "flag", default=None)
@option("--kind", type=Choice(["first", "second"]))
def example(**given):
    """Return what was given."""
    return given


def call(*arguments):
    return example(list(arguments), standalone_mode=False)


def test_an_option_has_one_value_several_or_its_default():
    assert call() == {"value": None, "many": (), "flag": None, "kind": None}
    assert call("--one", "1", "--many", "a", "--many", "b", "--no") == {
        "value": "1",
        "many": ("a", "b"),
        "flag": False,
        "kind": None,
    }
    assert call("--one", "1", "-o", "1", "--yes", "--yes")["value"] == "1"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--one", "1", "-o", "2"), "--one takes one value, but got 1 and 2"),
        (("--yes", "--no"), "--yes and --no contradict one another"),
    ],
)
def test_another_value_is_refused_where_the_last_would_win(arguments, told):
    with pytest.raises(UsageError, match=told):
        call(*arguments)


def test_a_wrong_word_of_a_closed_set_is_refused_with_the_nearest():
    with pytest.raises(click.BadParameter) as wrong:
        call("--kind", "frist")
    assert "Did you mean 'first'?" in wrong.value.format_message()
    assert call("--kind", "second")["kind"] == "second"


def test_every_option_of_every_command_is_of_this_kind():
    for path in commands():
        command = cli
        for name in path:
            command = command.get_command(click.Context(command), name)
        own = [one for one in command.params if isinstance(one, click.Option) and one.name != "version"]
        assert not [one.opts for one in own if not isinstance(one, _Option)], path
        closed = [one.type for one in command.params if isinstance(one.type, click.Choice)]
        assert all(isinstance(one, Choice) for one in closed), path


def test_a_contradiction_is_one_line_with_exit_code_2(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["harness", "sweep", "-m", "cskt", "-d", "icfg", "-d", "cuhk"])
    assert run_safely(cli, debug=False) == 2
    assert capsys.readouterr().err.splitlines() == [
        "Error: --dataset takes one value, but got icfg and cuhk: leave all but one out."
    ]


def test_hostile_text_neither_steers_the_terminal_nor_turns_its_lines():
    assert plain("a\x1b[31mred\x1b[0m\x07 \u202egnp.\u2066x") == "ared gnp.x"
    assert plain("name\udce4") == "name?"


def ended(error, capsys, monkeypatch):
    """Return the exit code and what is said when a command ends by an error."""

    @click.command()
    def command():
        raise error

    monkeypatch.setattr("sys.argv", ["harness"])
    code = run_safely(command, debug=False)
    return code, capsys.readouterr().err


@pytest.mark.parametrize("kind", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.ENOTDIR, errno.ENAMETOOLONG])
def test_a_place_that_refuses_is_one_line_with_its_mend_and_no_fault_of_the_harness(
    kind, capsys, monkeypatch
):
    code, said = ended(OSError(kind, os.strerror(kind), "/far/away"), capsys, monkeypatch)
    assert code == 2
    assert said.startswith(f"Error: /far/away cannot be used ({os.strerror(kind)}): ")
    assert said.count("\n") == 1
    assert "bug" not in said


def test_a_full_output_is_said_without_a_place(capsys, monkeypatch):
    code, said = ended(OSError(errno.ENOSPC, "No space left on device"), capsys, monkeypatch)
    assert (code, said.count("\n")) == (2, 1)
    assert said.startswith(
        "Error: The output cannot be written (No space left on device): free some space there"
    )


def test_other_errors_of_the_system_are_still_called_faults(capsys, monkeypatch):
    code, said = ended(ConnectionRefusedError(errno.ECONNREFUSED, "refused"), capsys, monkeypatch)
    assert (code, "a bug in the harness" in said) == (1, True)


def test_an_option_before_a_command_that_would_not_see_it_is_refused(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("sys.argv", ["harness", "sweep", "--runs", str(tmp_path), "list"])
    assert run_safely(cli, debug=False) == 2
    assert capsys.readouterr().err.strip() == (
        "Error: --runs must stand after the command: `harness sweep list ...`."
    )
    monkeypatch.setattr("sys.argv", ["harness", "sweep", "list", "--runs", str(tmp_path)])
    assert run_safely(cli, debug=False) == 0


@pytest.mark.parametrize(
    ("called", "on_path", "shown"),
    [
        ("{bin}/harness", True, "harness"),
        ("{bin}/harness", False, "{bin}/harness"),
        ("{other}/harness", True, "{other}/harness"),
        ("/x/harness/__main__.py", False, "{python} -m harness"),
        ("/x/pytest", True, "harness"),
    ],
)
def test_a_printed_command_runs_from_a_shell_that_need_not_know_the_harness(
    tmp_path, monkeypatch, called, on_path, shown
):
    places = {"bin": f"{tmp_path}/my bin", "other": f"{tmp_path}/other"}
    for place in places.values():
        os.mkdir(place)
        (tmp_path / place / "harness").write_text("#!/bin/sh\n")
        (tmp_path / place / "harness").chmod(0o755)
    monkeypatch.setenv("PATH", places["bin"] if on_path else "/nowhere")
    monkeypatch.setattr("sys.argv", [called.format(**places)])
    words = shlex.split(printed_command("runs", "show", "a b", runs="my runs"))
    program = [part.format(**places, python=sys.executable) for part in shown.split(" ")]
    assert words == [*program, "runs", "show", "a b", "--runs", "my runs"]
    assert shlex.split(printed_command("runs", "list"))[-2:] == ["runs", "list"]


def test_json_has_null_for_numbers_that_it_does_not_have(capsys):
    print_json(
        {"freedom": math.inf, "p": [math.nan, 0.5], "nested": {"low": -math.inf, "n": 3}, "path": Path("x")}
    )
    printed = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert printed == {"freedom": None, "p": [None, 0.5], "nested": {"low": None, "n": 3}, "path": "x"}


@pytest.mark.parametrize(
    "error",
    [
        sqlite3.OperationalError("unable to open database file"),
        RuntimeError("[enforce fail at inline_container.cc:672] . PytorchStreamWriter failed writing file"),
    ],
)
def test_a_library_s_own_words_for_a_place_that_refuses_are_asked_of_the_places(
    error, tmp_path, capsys, monkeypatch
):
    (tmp_path / "runs").symlink_to("runs")
    monkeypatch.setenv("HARNESS_RUNS", str(tmp_path / "runs"))
    runs_root()
    code, said = ended(error, capsys, monkeypatch)
    assert (code, said.count("\n")) == (2, 1)
    assert said.startswith(
        f"Error: {tmp_path}/runs cannot be written to (Too many levels of symbolic links): remove"
    )
    ASKED.clear()
    code, said = ended(error, capsys, monkeypatch)
    assert (code, "a bug in the harness" in said) == (1, True)


def test_a_link_that_leads_to_itself_is_named(tmp_path, capsys, monkeypatch):
    code, said = ended(RuntimeError(f"Symlink loop from '{tmp_path}/a'"), capsys, monkeypatch)
    assert code == 2
    assert said.startswith(
        f"Error: {tmp_path}/a cannot be used (Too many levels of symbolic links): remove the link"
    )
