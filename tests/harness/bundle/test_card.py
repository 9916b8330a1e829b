"""A folder for the Hub: what it says, and that it loads as the run does."""

import json
import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import torch
import yaml

from harness.api import load
from harness.bundle.card import write_card
from harness.cli.main import cli
from harness.cli.options import run_safely
from harness.errors import DataError, UsageError
from harness.record import WEIGHTS, RunFolder
from harness.run.run import run
from tests import measured_runs


@pytest.fixture
def known(tmp_path):
    """A finished run of a dataset that is not a twin, with weights that are none."""
    record = measured_runs.finished(
        tmp_path / "runs", elsewhere=["cuhk"], command="harness run --runs /home/ann/r"
    )
    folder = RunFolder(tmp_path / "runs" / record.name)
    folder.file(WEIGHTS).write_bytes(b"weights")
    return folder, record


def head(folder):
    text = (folder / "README.md").read_text()
    return yaml.safe_load(re.match(r"---\n(.*?)\n---\n", text, re.DOTALL).group(1)), text


def test_the_card_says_what_was_reached_and_of_what(known, tmp_path):
    _, record = known
    done = write_card(record.name, tmp_path / "card", tmp_path / "runs")
    said, text = head(tmp_path / "card")
    assert done.without == ["icfg", "cuhk"]
    assert "synthetic twin: drawn figures" in text
    assert "The epoch was chosen on validation; the test split was seen once." in text
    assert "academic use only, granted by mail" in text
    low, high = record.intervals["test/icfg/t2i/R1"]
    assert f"{record.metrics['test/icfg/t2i/R1']:.2f} [{low:.1f}, {high:.1f}]" in text
    (index,) = said["model-index"]
    assert [one["dataset"]["name"] for one in index["results"]] == ["icfg-twin", "cuhk-twin"]
    values = {one["name"]: one["value"] for one in index["results"][0]["metrics"]}
    assert values["R@1 text to image"] == pytest.approx(record.metrics["test/icfg/t2i/R1"], abs=1e-4)
    everything = "".join(file.read_text() for file in (tmp_path / "card").glob("*.[jm]*"))
    assert "/home/ann" not in everything
    assert "laboratory-7" not in everything
    assert RunFolder(tmp_path / "card").faults() == []
    write_card(record.name, tmp_path / "card", tmp_path / "runs")


def test_evaluation_results_are_of_real_datasets_of_the_hub(known, tmp_path):
    folder, record = known
    with pytest.raises(UsageError, match="synthetic twin, which is no dataset of the Hub"):
        write_card(record.name, tmp_path / "card", tmp_path / "runs", {"icfg": "me/ICFG"})
    assert not (tmp_path / "card").exists()
    record.synthetic, record.config["dataset"]["synthetic"] = False, False
    real = RunFolder(tmp_path / "runs" / record.name)
    folder.path.rename(real.path)
    real.write(record)
    done = write_card(record.name, tmp_path / "card", tmp_path / "runs", {"icfg": "me/ICFG"})
    assert done.without == ["cuhk"]
    (entry,) = yaml.safe_load((tmp_path / "card/.eval_results/icfg.yaml").read_text())
    assert entry["dataset"] == {"id": "me/ICFG", "task_id": "text-to-image"}
    assert entry["value"] == pytest.approx(record.metrics["test/icfg/t2i/R1"], abs=1e-4)
    assert entry["date"] == "2026-11-29"
    with pytest.raises(UsageError, match="was not tested on rstp; it was on icfg, cuhk"):
        write_card(record.name, tmp_path / "card", tmp_path / "runs", {"rstp": "me/R"})


def test_what_cannot_be_a_card_is_one_line(known, tmp_path, monkeypatch, capsys):
    folder, record = known
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x.txt").write_text("mine")
    for words, why in {
        ("--out", "mine"): "mine holds something else: choose an empty folder",
        ("--out", "card", "--hub", "icfg"): "give DATASET=OWNER/NAME",
        ("--out", "card", "--hub", "icfg=a/b\n"): "give DATASET=OWNER/NAME",
    }.items():
        monkeypatch.setattr("sys.argv", ["harness", "runs", "card", record.name, "--runs", "runs", *words])
        assert run_safely(cli, debug=False) == 2, words
        assert why in " ".join(capsys.readouterr().err.split()), words
    monkeypatch.setattr(
        "sys.argv", ["harness", "runs", "card", record.name, "--runs", "runs", "--out", "card", "--json"]
    )
    assert run_safely(cli, debug=False) == 0
    assert json.loads(capsys.readouterr().out)["without"] == ["icfg", "cuhk"]
    folder.file(WEIGHTS).unlink()
    with pytest.raises(DataError, match="no weights here"):
        write_card(record.name, tmp_path / "other", tmp_path / "runs")
    record.tags["harness.scored"] = "scores.npy"
    folder.write(record)
    with pytest.raises(UsageError, match=r"was scored from scores\.npy: there is no model to hand on"):
        write_card(record.name, tmp_path / "other", tmp_path / "runs")


def test_it_loads_as_the_run_does(twins, world, tmp_path):
    record = run(world.quick(twins), runs=tmp_path / "runs")
    write_card(record.name, tmp_path / "card", tmp_path / "runs")
    (tmp_path / "runs").rename(tmp_path / "away")
    captions = ["a man in a red coat", "a woman with a bag"]
    found = load(tmp_path / "card").encode_text(captions)
    torch.testing.assert_close(found, load(tmp_path / "away" / record.name).encode_text(captions))


def test_the_program_that_the_page_names_is_that_of_the_hub():
    page = (Path(__file__).resolve().parents[3] / "docs" / "bundle.md").read_text()
    (program,) = re.findall(r"`([\w-]+) upload", page)
    commands = {
        one.name for one in entry_points(group="console_scripts") if one.dist.name == "huggingface_hub"
    }
    assert program in commands
