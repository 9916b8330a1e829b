"""`harness data back-translate`: what it writes, what it tells, and what it refuses."""

import json
import shlex
import shutil
import sys

import pytest

from harness.cli.commands.data_translate import translated
from harness.cli.main import cli
from harness.cli.options import run_safely
from harness.data.annotations import dataset_fingerprint, read_annotations
from harness.data.back_translations import FILE, read_translations
from harness.datasets import DATASETS
from harness.paths import data_root

ICFG = DATASETS.get("icfg")
UPPER = shlex.join(
    [
        sys.executable,
        "-c",
        "import sys; lines = sys.stdin.buffer.read().decode().splitlines(); "
        "sys.stdout.buffer.write(''.join(l.upper() + chr(10) for l in lines).encode())",
    ]
)


@pytest.fixture
def tree(real_format, tmp_path):
    return real_format.write_icfg(tmp_path)


@pytest.fixture
def harness(monkeypatch, capsys):
    """Call the command line as the terminal does; return exit code, output and error output."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["harness", *map(str, arguments)])
        code = run_safely(cli, debug=False)
        return code, *capsys.readouterr()

    return call


def test_the_command_line_writes_beside_the_annotation(harness, tree):
    train = [s for s in read_annotations(ICFG, tree) if s.split == "train"]
    code, out, _ = harness("data", "back-translate", "icfg", "--data-root", tree, "--command", UPPER)
    assert code == 0
    assert (
        f"{len({c for s in train for c in s.captions})} captions translated, 0 were translated before" in out
    )
    assert "Runs on this dataset read it." in out
    samples = read_annotations(ICFG, tree)
    assert all(
        s.captions_bt == tuple(" ".join(c.split()).upper() for c in s.captions) for s in samples if s in train
    )
    assert {s.split for s in samples if s.captions_bt} == {"train"}


def test_another_split_joins_the_same_file_and_json_says_what_was_done(harness, tree):
    options = ("data", "back-translate", "icfg", "--data-root", tree, "--command", "cat", "--json")
    first, second = json.loads(harness(*options)[1]), json.loads(harness(*options, "--split", "test")[1])
    assert (first["split"], second["split"]) == ("train", "test")
    assert first["file"] == second["file"] == first["read"] == str(tree / "ICFG-PEDES" / FILE)
    assert len(read_translations(tree / "ICFG-PEDES" / FILE)) == first["captions"] + second["made"]
    assert first["unchanged"] == first["made"] == first["captions"] > 0
    assert json.loads(harness(*options)[1])["known"] == first["captions"]


@pytest.mark.parametrize("spelled", ["relative", "dotted", "linked"])
def test_the_file_that_runs_read_is_known_in_any_spelling(harness, tree, tmp_path, monkeypatch, spelled):
    monkeypatch.chdir(tree / "ICFG-PEDES")
    (tmp_path / "link").symlink_to(tree / "ICFG-PEDES")
    out = {"relative": FILE, "dotted": tree / "ICFG-PEDES" / ".." / "ICFG-PEDES" / FILE}
    out = out.get(spelled, tmp_path / "link" / FILE)
    options = ("data", "back-translate", "icfg", "--data-root", "..", "--command", "cat", "--out", out)
    assert "Runs on this dataset read it." in harness(*options)[1]
    said = json.loads(harness(*options, "--json")[1])
    assert said["file"] == said["read"] == str(tree / "ICFG-PEDES" / FILE)


def test_another_file_is_told_with_its_whole_path(harness, tree, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ("data", "back-translate", "icfg", "--data-root", tree, "--command", "cat", "--out", "bt.json")
    assert json.loads(harness(*options, "--json")[1])["file"] == str(tmp_path / "bt.json")


def test_another_file_is_not_what_runs_read(harness, tree, tmp_path):
    out = tmp_path / "elsewhere" / "bt.json"
    code, said, _ = harness(
        "data", "back-translate", "icfg", "--data-root", tree, "--command", "cat", "--out", out
    )
    assert code == 0
    assert "not this file" in said
    assert read_translations(out)
    assert not any(sample.captions_bt for sample in read_annotations(ICFG, tree))


def test_a_dataset_that_has_captions_bt_is_refused(harness, real_format, tmp_path):
    entries = real_format.icfg_entries()
    for entry in entries:
        entry["captions_bt"] = ["again"] * len(entry["captions"])
    tree = real_format.write_icfg(tmp_path, entries)
    options = ("data", "back-translate", "icfg", "--data-root", tree, "--command", "cat")
    code, _, error = harness(*options)
    assert code == 2
    assert "has captions_bt" in error
    assert harness(*options, "--out", tmp_path / "bt.json")[0] == 0


def test_a_failing_command_ends_as_one_message(harness, tree):
    code, out, error = harness("data", "back-translate", "icfg", "--data-root", tree, "--command", "sed 1d")
    assert (code, out) == (2, "")
    assert "It must write one line for each, in the same order." in error
    assert "Traceback" not in error


def test_the_twin_is_translated_and_keeps_its_fingerprint_without_a_file(harness, twins, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(twins / "synthetic" / "ICFG-PEDES", root / "synthetic" / "ICFG-PEDES")
    before = dataset_fingerprint(read_annotations(ICFG, root / "synthetic"))
    options = ("data", "back-translate", "icfg", "--synthetic", "--data-root", root, "--command", UPPER)
    assert harness(*options)[0] == 0
    assert any(sample.captions_bt for sample in read_annotations(ICFG, root / "synthetic"))
    assert dataset_fingerprint(read_annotations(ICFG, root / "synthetic")) != before
    (root / "synthetic" / "ICFG-PEDES" / FILE).unlink()
    assert (
        dataset_fingerprint(read_annotations(ICFG, root / "synthetic"))
        == before
        == dataset_fingerprint(read_annotations(ICFG, twins / "synthetic"))
    )


def test_a_missing_command_is_told_by_the_command_line(harness, tree):
    code, _, error = harness("data", "back-translate", "icfg", "--data-root", tree)
    assert code == 2
    assert "--command" in error


def test_the_function_counts_each_caption_once_and_names_what_is_read(tree):
    given = {"commands": ["cat"], "split": "train", "batch_size": 2, "out": None, "quiet": True}
    done = translated("icfg", data_root(str(tree)), False, **given)
    train = {c for s in read_annotations(ICFG, tree) if s.split == "train" for c in s.captions}
    assert (done["captions"], done["made"], done["known"], done["empty"]) == (len(train), len(train), 0, 0)
    assert (done["dataset"], done["synthetic"], done["read"]) == ("icfg", False, done["file"])
    again = translated("icfg", data_root(str(tree)), False, **given)
    assert (again["made"], again["known"]) == (0, len(train))
