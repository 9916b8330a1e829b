"""`harness runs export`, `verify` and `import`, as a person calls them."""

import json

from harness.bundle.put_beside import Imported
from harness.bundle.zips import unpack, write_zip
from harness.cli.actions.runs import bundle
from harness.record import RECORD


def test_a_run_goes_to_others_and_is_checked_there(call_runs, measured_run, tmp_path):
    code, out, err = call_runs("export", measured_run, "--out", "b.zip")
    assert (code, err) == (0, "")
    assert "1 run in b.zip, " in out
    assert "next: harness runs verify b.zip" in out.replace("python -m ", "")
    code, out, _ = call_runs("verify", "b.zip")
    assert code == 0
    assert "b.zip: everything that can be computed anew agrees" in out
    code, out, _ = call_runs("import", "b.zip", "--runs", "theirs")
    assert code == 0
    assert f"imported 1 run: {measured_run}" in out
    assert "runs list --runs theirs" in out
    code, out, _ = call_runs("show", measured_run, "--runs", "theirs")
    assert code == 0
    assert "not made here: it came in a bundle, which was verified" in out
    code, out, _ = call_runs("import", "b.zip", "--runs", "theirs", "--json")
    assert code == 0
    said = json.loads(out)
    assert said["put"] == []
    assert said["twice"][0]["queries"] == 1.0


def test_what_differs_is_named_and_the_exit_code_says_so(call_runs, measured_run, tmp_path):
    call_runs("export", measured_run, "--out", "b.zip")
    unpack(tmp_path / "b.zip", tmp_path / "open")
    file = tmp_path / "open" / "runs" / measured_run / RECORD
    file.write_text(file.read_text().replace('"seconds": 60.0', '"seconds": 6.0'))
    files = [one for one in (tmp_path / "open").rglob("*") if one.is_file()]
    write_zip(tmp_path / "b.zip", {str(one.relative_to(tmp_path / "open")): one for one in files})
    code, out, _ = call_runs("verify", "b.zip")
    assert code == 1
    assert "DIFFERS: bundle: each file is as listed" in out
    assert "b.zip: not as it says" in out
    code, out, _ = call_runs("verify", "b.zip", "--json")
    assert code == 1
    assert json.loads(out)["agrees"] is False
    code, _, err = call_runs("import", "b.zip", "--runs", "theirs")
    assert code == 2
    assert "is not imported, for it does not verify" in err
    assert not (tmp_path / "theirs").exists()


def test_mistakes_are_one_line(call_runs, measured_run, tmp_path):
    (tmp_path / "b.zip").write_text("mine")
    for words, why in {
        (
            "export",
            measured_run,
            "--out",
            "b.zip",
        ): "b.zip is there already: choose another name, or replace it with --force",
        ("export", "nobody", "--out", "c.zip"): "No run 'nobody' in",
        ("export", "--out", "c.zip"): "Missing argument 'RUN...'",
        ("export", measured_run): "Missing option '--out'",
        ("verify", "none.zip"): "There is no file none.zip",
        ("verify", "b.zip"): "b.zip cannot be read as a bundle",
        ("import", "b.zip"): "b.zip cannot be read as a bundle",
    }.items():
        code, _, err = call_runs(*words)
        assert code == 2, words
        assert why in " ".join(err.split()), words
        assert "Traceback" not in err
    assert (tmp_path / "b.zip").read_text() == "mine"
    assert call_runs("export", measured_run, "--out", "b.zip", "--force")[0] == 0


def test_many_runs_and_a_store_that_is_away_are_told_in_lines_of_80_columns(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    names = [f"adapter_only-icfg-twin-{number:012x}" for number in range(79)]
    why = "The MLflow store http://127.0.0.1:5000 did not answer within 10 s: start it, or name another."
    monkeypatch.setattr(bundle, "import_bundle", lambda file, root: Imported(names, [], why))
    bundle.import_("b.zip", "theirs", as_json=False)
    out, err = capsys.readouterr()
    assert max(map(len, [*out.splitlines(), *err.splitlines()])) <= 80
    assert " ".join(out.split()) == f"imported 79 runs: {', '.join(names[:3])} and 76 more"
    assert " ".join(err.split()).endswith(f"runs sync --runs theirs sends them. {why}")
