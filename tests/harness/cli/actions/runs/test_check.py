"""`harness check`, as a person or a CI job calls it: lines, exit codes, filling in, and what it must not touch."""

import json
import os

import pytest

from harness.cli.main import cli
from harness.cli.options import run_safely
from tests import measured_runs

FILE = """\
results:
  - name: probe
    method: linear_probe
    dataset: icfg
    synthetic: true
    expect: [t2i/R1, t2i/mAP]
"""


@pytest.fixture
def call(tmp_path, capsys, monkeypatch):
    """Call `harness check` in a folder with a file of expectations and one run; return code, output and error."""
    measured_runs.finished(tmp_path / "runs")
    (tmp_path / "expected.yaml").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("COLUMNS", "80")

    def check(*words):
        monkeypatch.setattr("sys.argv", ["harness", "-q", "check", *words])
        return run_safely(cli, debug=False), *capsys.readouterr()

    return check


def test_figures_are_filled_in_hold_and_are_told_when_they_do_not(call, tmp_path):
    code, out, _ = call("expected.yaml")
    assert code == 1
    assert "not filled in yet: probe; `harness check expected.yaml --write` does it" in out
    code, out, err = call("expected.yaml", "--write", "--within", "0.5")
    assert (code, err) == (0, "")
    assert "wrote 2 figures of 1 result into expected.yaml" in out
    code, out, _ = call("expected.yaml")
    assert code == 0
    assert "2 of 2 figures as expected" in out
    file = tmp_path / "expected.yaml"
    text = file.read_text()
    value = text.partition("value: ")[2].partition(",")[0]
    file.write_text(text.replace(value, "1.0", 1))
    code, out, _ = call("expected.yaml")
    assert code == 1
    assert f"0.50 to 1.50  {float(value) - 1.5:.2f} above" in out
    assert max(map(len, out.splitlines())) <= 80
    code, out, _ = call("expected.yaml", "--json")
    assert code == 1
    assert [one["holds"] for one in json.loads(out)["figures"]] == [False, True]
    code, out, _ = call("expected.yaml", "--write")
    assert "has all its figures" in out
    assert call("expected.yaml", "--write", "--force", "--json")[0] == 0
    assert file.read_text() == text


def test_what_is_not_there_is_said_with_its_command_and_nothing_is_written(call, tmp_path):
    file = tmp_path / "expected.yaml"
    file.write_text(FILE.replace("    expect", "    seeds: [7]\n    expect"))
    code, out, _ = call("expected.yaml")
    assert code == 1
    assert "next: harness run -m linear_probe -d icfg --synthetic --seed 7" in out.replace("python -m ", "")
    before = file.read_text()
    code, _, err = call("expected.yaml", "--write")
    assert code == 2
    assert "expected.yaml is left as it is: probe: no finished run with these settings and seed 7 in" in err
    assert "next: " in err
    assert file.read_text() == before


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("nothing.yaml",), "nothing.yaml"),
        (("expected.yaml", "--only", "prob"), "Unknown result 'prob'. Did you mean 'probe'?"),
        (("expected.yaml", "--force"), "give it with --write"),
        (
            ("expected.yaml", "--within", "0.1"),
            "--within is about what --write fills in: give it with --write",
        ),
        (("expected.yaml", "--write", "--within", "nan"), "is not in the range 0<=x<=100"),
    ],
)
def test_a_mistake_is_one_line_and_code_2(call, words, why):
    code, _, err = call(*words)
    assert code == 2
    assert why in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_rerun_leaves_nothing_behind_in_runs_or_store(call, twins, tmp_path, monkeypatch):
    settings = {
        "backbone.name": "tiny-2x64-2x64",
        "backbone.pretrained": None,
        "backbone.image_size": [48, 16],
    }
    lines = "".join(f"      {key}: {json.dumps(value)}\n" for key, value in settings.items())
    text = FILE.replace("    expect", f"    set:\n{lines}      train.epochs: 1\n    expect")
    (tmp_path / "expected.yaml").write_text(text.replace("[t2i/R1, t2i/mAP]", "{t2i/R1: {between: [0, 99]}}"))
    store = f"sqlite:///{tmp_path}/server.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setenv("HARNESS_DATA", str(twins))
    before = sorted(tmp_path.rglob("*"))
    code, out, err = call("expected.yaml", "--rerun")
    assert code == 0, err
    assert "1 of 1 figure as expected" in out
    assert sorted(tmp_path.rglob("*")) == before
    assert os.environ["MLFLOW_TRACKING_URI"] == store
