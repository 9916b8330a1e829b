"""What `harness runs export --format` refuses, and what it writes."""

import json

import pytest

from harness.cli.main import cli
from harness.cli.options import run_safely
from tests import measured_runs


@pytest.fixture
def name(tmp_path):
    return measured_runs.finished(tmp_path / "runs").name


@pytest.fixture
def call(tmp_path, capsys, monkeypatch):
    """Call `harness runs` in this test's folder; return exit code, standard output and error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_RUNS", str(tmp_path / "runs"))

    def call(*words):
        monkeypatch.setattr("sys.argv", ["harness", "runs", *words])
        return run_safely(cli, debug=False), *capsys.readouterr()

    return call


def test_files_are_named(call, name, tmp_path):
    code, out, _ = call("export", name, "--format", "csv", "--out", "tables")
    assert (code, out.splitlines()) == (0, ["wrote tables/results.csv", "wrote tables/queries.csv"])
    code, out, _ = call("export", name, "--format", "every-eval-ever", "--out", "records", "--json")
    assert code == 0
    said = json.loads(out)
    assert said["runs"] == [name]
    assert [(tmp_path / file).is_file() for file in said["files"]] == [True]


def test_mistakes_with_other_formats_are_one_line(call, name, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    for words, why in {
        (
            "--out",
            "full",
            "--format",
            "csv",
        ): "full is not empty: choose another folder, or write into it with --force",
        ("--out", "full/mine.txt", "--format", "csv"): "full/mine.txt is a file: name the folder to write to",
        ("--out", "full"): "full is a folder: name the zip file to write",
        ("--out", "x", "--format", "csv", "--by", "me"): "give it with --format every-eval-ever",
        ("--out", "x", "--format", "xml"): "'xml'",
    }.items():
        code, _, err = call("export", name, *words)
        assert code == 2, words
        assert why in " ".join(err.split()), words
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"
