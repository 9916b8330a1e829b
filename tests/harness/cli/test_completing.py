"""TAB offers names by what files say, as click asks for them; what a shell would read otherwise is never offered."""

import os
import shutil
import sqlite3
import subprocess
import sys

import pytest
from click.shell_completion import get_completion_class

from harness.cli.main import cli

HOSTILE = ("a b", "a$(touch x)", "a'b", 'a"b', "a;b", "a\nb", "a`b`", "a*")


def complete(line, incomplete="", shell="bash"):
    asked = get_completion_class(shell)(cli, {}, "harness", "_HARNESS_COMPLETE")
    return [item.value for item in asked.get_completions(line.split(), incomplete)]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_names_of_plug_ins_suites_and_presets_are_offered(shell):
    assert complete("run --method", "csk", shell) == ["cskt"]
    assert complete("run -m cskt --dataset", "ic", shell) == ["icfg"]
    assert complete("report", "lead", shell) == ["leaderboard"]
    assert complete("methods info", "irr", shell) == ["irra"]
    assert complete("suite show", "main", shell) == ["main_results"]
    assert complete("run -m lora --preset", "q", shell) == ["qkv", "qv"]
    assert complete("run -m cskt --preset", "q", shell) == []


def test_keys_and_choices_of_set_are_those_of_the_method():
    assert complete("run -m lora --set", "method.ran") == ["method.rank="]
    assert complete("run -m cskt --set", "method.ran") == []
    assert complete("run -m cskt --set", "eval.rule=") == [
        *("eval.rule=", "eval.rule=last", "eval.rule=oracle", "eval.rule=val")
    ]
    assert complete("sweep -m cskt --set", "train.tf32=t") == ["train.tf32=true"]


def test_suites_methods_and_imports_take_the_same_keys_and_presets():
    assert complete("suite plan main_results --set", "eval.rule=v") == ["eval.rule=val"]
    assert complete("methods info lora --set", "method.ran") == ["method.rank="]
    assert complete("methods info cskt --set", "method.ran") == []
    assert complete("methods test lora --preset", "q") == ["qkv", "qv"]
    assert complete("methods test", "csk") == ["cskt"]
    assert complete("methods test lora --set", "method.ran") == ["method.rank="]
    assert complete("import tbps_clip file.pth --preset", "simpl") == ["simplified"]
    assert complete("import lora file.pth --set", "method.ran") == ["method.rank="]


def test_a_report_offers_what_it_is_about_and_no_more_of_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_RUNS", str(tmp_path))
    for name in ("cskt-icfg-1", "irra-icfg-1", *HOSTILE):
        (tmp_path / name).mkdir()
        (tmp_path / name / "record.json").write_text("{}")
    both = ["cskt-icfg-1", "irra-icfg-1"]
    assert complete("report run") == complete("report compare cskt-icfg-1") == complete("compare") == both
    assert complete("compare cskt-icfg-1", "ir") == ["irra-icfg-1"]
    assert complete("report run cskt-icfg-1") == complete("report leaderboard") == []
    assert complete("report dataset", "ic") == complete("compare a b --dataset", "ic") == ["icfg"]
    with sqlite3.connect(tmp_path / "optuna.db") as file:
        file.execute("CREATE TABLE studies (study_name TEXT)")
        file.execute("INSERT INTO studies VALUES ('mine')")
    assert complete("report sweep") == ["mine"]
    assert complete("report nothing") == []


def test_runs_and_studies_are_offered_and_hostile_names_are_not(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_RUNS", str(tmp_path))
    monkeypatch.delenv("HARNESS_STORAGE", raising=False)
    for name in ("cskt-icfg-1", *HOSTILE):
        (tmp_path / name).mkdir()
        (tmp_path / name / "record.json").write_text("{}")
    assert complete("runs show") == ["cskt-icfg-1"]
    assert complete("evaluate", "cs") == ["cskt-icfg-1"]
    assert complete("runs show --runs /nowhere") == []
    assert complete("sweep show") == []
    with sqlite3.connect(tmp_path / "optuna.db") as file:
        file.execute("CREATE TABLE studies (study_name TEXT)")
        file.executemany("INSERT INTO studies VALUES (?)", [(name,) for name in ("mine", *HOSTILE)])
    assert complete("sweep show") == complete("worker") == ["mine"]
    (tmp_path / "optuna.db").write_bytes(b"no database")
    assert complete("sweep show") == []


# Each asks for what TAB would offer, as its own completion does.
SHELLS = {
    "bash": """
eval "$(harness completion bash)"
ask() { COMP_WORDS=(harness "$@"); COMP_CWORD=$#; COMPREPLY=(); _harness_completion harness; echo "${COMPREPLY[@]}"; }
""",
    "zsh": """
autoload -Uz compinit && compinit -D -u
eval "$(harness completion zsh)"
compadd() { echo "$completions"; }
ask() { words=(harness "$@"); CURRENT=$#words; _harness_completion; }
""",
    "fish": """
harness completion fish | source
function ask; complete --do-complete "harness $argv" | string join " "; end
""",
}
ASKED = """
ask run --method csk
ask runs show c
ask report compare cskt-icfg-1 ir
ask methods test lora --preset q
"""


@pytest.mark.slow
@pytest.mark.parametrize("shell", SHELLS)
def test_a_real_shell_offers_them_and_runs_nothing(shell, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "harness").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m harness "$@"\n')
    (tmp_path / "harness").chmod(0o755)
    for name in ("cskt-icfg-1", "irra-icfg-1", "c$(touch made)", "c d"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "record.json").write_text("{}")
    places = {"HARNESS_RUNS": str(tmp_path / "runs"), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    home = {"HOME": str(tmp_path / "runs"), "XDG_CONFIG_HOME": str(tmp_path / "runs")}
    plain = {"bash": "--norc", "zsh": "-f", "fish": "--no-config"}[shell]
    done = subprocess.run(
        [shell, plain, "-c", SHELLS[shell] + ASKED],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **places, **home},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["cskt", "cskt-icfg-1", "irra-icfg-1", "qkv qv"], done.stderr
    assert {file.name for file in tmp_path.iterdir()} == {"harness", "runs"}
