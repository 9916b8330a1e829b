"""`harness pretrain`: figures by kind, what is finished shown again, what cannot be told before it begins."""

import json

import pytest
from click.testing import CliRunner

from harness.cli.commands.pretrain import pretrain as command
from harness.cli.main import cli
from harness.cli.options import run_safely
from harness.files import read_json
from harness.pretrain.pairs import KINDS
from harness.pretrain.pretrain import RECORD, WEIGHTS

SMALL = ("--steps", "2", "--batch-size", "4", "--held-out", "4", "--mix", "web", "--model", "tiny-1x32-1x32")


def called(*words):
    return CliRunner().invoke(command, [*SMALL, *words], obj={"quiet": False})


def test_it_prints_figures_by_kind_and_where_the_weights_are_and_shows_them_again(tmp_path):
    result = called("--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert all(kind in result.stdout for kind in (*KINDS, "all"))
    assert str(tmp_path / WEIGHTS) in result.stdout
    assert "pretraining tiny-1x32-1x32 on web" in result.stderr
    again = called("--out", str(tmp_path), "--json")
    assert "pretraining" not in again.stderr
    assert json.loads(again.stdout) == read_json(tmp_path / RECORD)


@pytest.mark.parametrize(
    "words", [("--mix", "person"), ("--model", "tiny-9x999-9x999"), ("--model", "RN50"), ("--steps", "0")]
)
def test_what_it_cannot_do_is_told_before_it_begins(tmp_path, words, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["harness", "pretrain", "--out", str(tmp_path / "out"), *words])
    assert run_safely(cli, debug=False) == 2
    said = capsys.readouterr().err
    assert words[1] in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


def test_other_settings_end_with_the_code_of_a_mistake(tmp_path, capsys, monkeypatch):
    called("--out", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["harness", "pretrain", *SMALL, "--seed", "3", "--out", str(tmp_path)])
    assert run_safely(cli, debug=False) == 2
    assert capsys.readouterr().err.strip().splitlines()[-1].startswith("Error: ")
