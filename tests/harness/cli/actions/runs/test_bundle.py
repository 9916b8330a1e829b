"""What `harness runs export --format` refuses, and what it writes."""

import json


def test_files_are_named(call_runs, measured_run, tmp_path):
    code, out, _ = call_runs("export", measured_run, "--format", "csv", "--out", "tables")
    assert (code, out.splitlines()) == (0, ["wrote tables/results.csv", "wrote tables/queries.csv"])
    code, out, _ = call_runs(
        "export", measured_run, "--format", "every-eval-ever", "--out", "records", "--json"
    )
    assert code == 0
    said = json.loads(out)
    assert said["runs"] == [measured_run]
    assert [(tmp_path / file).is_file() for file in said["files"]] == [True]


def test_mistakes_with_other_formats_are_one_line(call_runs, measured_run, tmp_path):
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
        code, _, err = call_runs("export", measured_run, *words)
        assert code == 2, words
        assert why in " ".join(err.split()), words
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"
