"""The demo: its steps are commands that run as they are printed."""

import shlex

import pytest

from harness.cli.commands import demo
from harness.cli.main import cli
from harness.cli.options import run_safely


@pytest.fixture
def call(capsys, monkeypatch):
    """Call `harness` with arguments; return exit code, standard output and error."""

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["harness", *arguments])
        code = run_safely(cli, debug=False)
        return code, *capsys.readouterr()

    return call


def commands(out):
    return [shlex.split(line)[2:] for line in out.splitlines() if line.startswith("$ ")]


@pytest.mark.slow
def test_every_step_runs_again_as_it_is_printed(call, twins, tmp_path, monkeypatch):
    fewer = demo.STEPS.read_text().replace(", full_finetune", "")
    (tmp_path / "demo.yaml").write_text(fewer)
    monkeypatch.setattr(demo, "STEPS", tmp_path / "demo.yaml")
    monkeypatch.chdir(tmp_path)
    code, out, err = call("demo", "--runs", "my runs", "--data-root", str(twins))
    assert code == 0, err
    assert "epoch 5/5" in err
    given = commands(out)
    assert [words[0] for words in given] == ["run", "report", "search"]
    assert "zero_shot" in out
    assert (tmp_path / "demo-out" / "parameter_efficiency" / "parameter_efficiency.html").is_file()
    assert (tmp_path / "demo-out" / "search.html").is_file()
    assert "say nothing about CLIP on photographs" in " ".join(out.split())
    for words in given:
        code, out, err = call(*words)
        assert code == 0, err
        assert "epoch " not in err, "nothing is trained again"
    code, out, err = call("-q", "demo", "--runs", "my runs", "--data-root", str(twins))
    assert (code, commands(out)) == (0, given)
    assert "epoch " not in err


def test_the_first_step_that_fails_is_the_last(call, tmp_path):
    (tmp_path / "synthetic").touch()
    code, out, err = call("demo", "--data-root", str(tmp_path), "--runs", str(tmp_path / "runs"))
    assert code == 2
    assert [words[0] for words in commands(out)] == ["run"]
    assert "synthetic" in err
    assert "Traceback" not in err
