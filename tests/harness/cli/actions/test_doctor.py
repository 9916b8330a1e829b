"""What is looked over: versions, devices, folders, store, weights and data, and no check that breaks stops the rest."""

import json

import pytest
from click.testing import CliRunner

from harness.cli.actions import doctor
from harness.cli.actions.doctor import examine
from harness.cli.main import cli
from harness.datasets import DATASETS
from harness.run.provenance import PACKAGES

pytestmark = pytest.mark.usefixtures("untracked")


def found(root=None):
    return {finding.what: finding for finding in examine(root)}


def test_everything_is_named_once_in_one_of_three_states():
    findings = examine()
    names = [finding.what for finding in findings]
    assert len(set(names)) == len(names)
    assert {*PACKAGES, "devices", "tiny CLIP", "data folder", "cache folder", "runs folder"} <= set(names)
    assert {f"data {name}" for name in DATASETS.names()} <= set(names)
    assert {finding.state for finding in findings} <= {"ok", "missing", "broken"}
    assert all(finding.detail for finding in findings)


def test_data_are_found_where_they_are_and_missing_ones_say_the_way(tmp_path):
    folder = DATASETS.get("icfg").folder
    (tmp_path / folder).mkdir()
    (tmp_path / "synthetic" / folder).mkdir(parents=True)
    findings = found(str(tmp_path))
    assert findings["data icfg"].state == "ok"
    assert findings["data icfg"].detail == f"{tmp_path / folder}, {tmp_path / 'synthetic' / folder}"
    assert findings["data cuhk"].state == "missing"
    assert "harness data info cuhk" in findings["data cuhk"].detail


def test_a_package_that_is_not_installed_is_broken_with_the_command(monkeypatch):
    monkeypatch.setattr(doctor, "installed", lambda package: None if package == "optuna" else "1.2")
    findings = found()
    assert (findings["optuna"].state, findings["torch"].detail) == ("broken", "1.2")
    assert "pip install optuna" in findings["optuna"].detail


def test_weights_that_are_not_here_are_missing_and_not_broken(monkeypatch):
    monkeypatch.setattr(doctor, "find_cached", lambda name, tag: None)
    assert [f.state for f in examine() if f.what.startswith("ViT")] == ["missing"]
    monkeypatch.setattr(doctor, "find_cached", lambda name, tag: "/weights/file")
    assert [(f.state, f.detail) for f in examine() if f.what.startswith("ViT")] == [("ok", "/weights/file")]


def test_a_check_that_raises_is_a_finding_and_keeps_what_it_found_before(monkeypatch):
    def load(config):
        raise OSError("no disk")

    monkeypatch.setattr(doctor, "load_clip", load)
    findings = found()
    assert (findings["weights"].state, findings["weights"].detail) == ("broken", "OSError: no disk")
    assert "data icfg" in findings


def test_a_store_that_does_not_answer_is_broken_and_none_yet_is_fine(monkeypatch, tmp_path):
    monkeypatch.setenv("HARNESS_RUNS", str(tmp_path / "none"))
    assert found()["MLflow store"].state == "ok"
    assert not (tmp_path / "none").exists()
    (tmp_path / "none").mkdir()
    assert found()["store"].state == "broken"


@pytest.mark.parametrize("whole", [True, False])
def test_the_command_ends_with_1_only_where_something_is_broken(monkeypatch, whole):
    monkeypatch.setattr(doctor, "installed", lambda package: "1.2" if whole or package != "optuna" else None)
    done = CliRunner().invoke(cli, ["doctor", "--json"])
    findings = {finding["what"]: finding for finding in json.loads(done.stdout)}
    assert findings["tiny CLIP"]["state"] == "ok"
    assert findings["torchvision loads"]["state"] == "ok"
    assert (findings["optuna"]["state"], done.exit_code) == (("ok", 0) if whole else ("broken", 1))
