"""`harness runs export`, `verify` and `import`, as a person calls them."""

import json

import pytest

from harness.bundle.zips import unpack, write_zip
from harness.cli.main import cli
from harness.cli.options import run_safely
from harness.record import RECORD
from tests import measured_runs


@pytest.fixture
def call(tmp_path, capsys, monkeypatch):
    """Call `harness runs` in this test's folder; return exit code, standard output and error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_RUNS", str(tmp_path / "runs"))

    def call(*words):
        monkeypatch.setattr("sys.argv", ["harness", "runs", *words])
        code = run_safely(cli, debug=False)
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def name(tmp_path):
    return measured_runs.finished(tmp_path / "runs").name


def test_a_run_goes_to_others_and_is_checked_there(call, name, tmp_path):
    code, out, err = call("export", name, "--out", "b.zip")
    assert (code, err) == (0, "")
    assert "1 run in b.zip, " in out
    assert "next: harness runs verify b.zip" in out.replace("python -m ", "")
    code, out, _ = call("verify", "b.zip")
    assert code == 0
    assert "b.zip: everything that can be computed anew agrees" in out
    code, out, _ = call("import", "b.zip", "--runs", "theirs")
    assert code == 0
    assert f"imported {name}" in out
    assert "runs list --runs theirs" in out
    code, out, _ = call("show", name, "--runs", "theirs")
    assert code == 0
    assert "not made here: it came in a bundle, which was verified" in out
    code, out, _ = call("import", "b.zip", "--runs", "theirs", "--json")
    assert code == 0
    said = json.loads(out)
    assert said["put"] == []
    assert said["twice"][0]["queries"] == 1.0


def test_what_differs_is_named_and_the_exit_code_says_so(call, name, tmp_path):
    call("export", name, "--out", "b.zip")
    unpack(tmp_path / "b.zip", tmp_path / "open")
    file = tmp_path / "open" / "runs" / name / RECORD
    file.write_text(file.read_text().replace('"seconds": 60.0', '"seconds": 6.0'))
    files = [one for one in (tmp_path / "open").rglob("*") if one.is_file()]
    write_zip(tmp_path / "b.zip", {str(one.relative_to(tmp_path / "open")): one for one in files})
    code, out, _ = call("verify", "b.zip")
    assert code == 1
    assert "DIFFERS: bundle: each file is as listed" in out
    assert "b.zip: not as it says" in out
    code, out, _ = call("verify", "b.zip", "--json")
    assert code == 1
    assert json.loads(out)["agrees"] is False
    code, _, err = call("import", "b.zip", "--runs", "theirs")
    assert code == 2
    assert "is not imported, for it does not verify" in err
    assert not (tmp_path / "theirs").exists()


def test_mistakes_are_one_line(call, name, tmp_path):
    (tmp_path / "b.zip").write_text("mine")
    for words, why in {
        (
            "export",
            name,
            "--out",
            "b.zip",
        ): "b.zip is there already: choose another name, or replace it with --force",
        ("export", "nobody", "--out", "c.zip"): "No run 'nobody' in",
        ("export", "--out", "c.zip"): "Missing argument 'RUN...'",
        ("export", name): "Missing option '--out'",
        ("verify", "none.zip"): "There is no file none.zip",
        ("verify", "b.zip"): "b.zip cannot be read as a bundle",
        ("import", "b.zip"): "b.zip cannot be read as a bundle",
    }.items():
        code, _, err = call(*words)
        assert code == 2, words
        assert why in " ".join(err.split()), words
        assert "Traceback" not in err
    assert (tmp_path / "b.zip").read_text() == "mine"
    assert call("export", name, "--out", "b.zip", "--force")[0] == 0
