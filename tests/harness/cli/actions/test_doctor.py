"""What is looked over: versions, devices, folders, store, weights and data, and no check that breaks stops the rest."""

import json
import shutil

import pytest
from click.testing import CliRunner

from harness.cli.actions import doctor
from harness.cli.actions.doctor import examine
from harness.cli.main import cli
from harness.datasets import DATASETS
from harness.errors import HarnessError
from harness.run.provenance import PACKAGES
from tests.small_icfg import ENTRIES, write_icfg

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


def test_it_tells_how_threads_wait(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    assert found()["threads"].detail.endswith(" a process, OMP_WAIT_POLICY=active")


def test_real_data_and_twins_are_told_apart_by_what_lies_there(tmp_path, twins):
    write_icfg(tmp_path, ENTRIES)
    folder = DATASETS.get("icfg").folder
    shutil.copytree(twins / "synthetic" / folder, tmp_path / "synthetic" / folder)
    findings = found(str(tmp_path))
    assert findings["data icfg"].state == "ok"
    twin = f"SYNTHETIC TWIN of 30 identities in {tmp_path / 'synthetic' / folder}"
    assert findings["data icfg"].detail == f"real data in {tmp_path / folder}; {twin}"
    (tmp_path / DATASETS.get("cuhk").folder).mkdir()
    assert findings["data cuhk"].state == "missing"
    assert "harness data info cuhk" in findings["data cuhk"].detail
    assert findings == {**found(str(tmp_path)), "data folder": findings["data folder"]}


def test_a_twin_in_the_place_of_real_data_is_still_a_twin(twins):
    finding = found(str(twins / "synthetic"))["data icfg"]
    assert finding.state == "missing"
    assert finding.detail.startswith("SYNTHETIC TWIN of 30 identities in ")
    assert "; no real data in " in finding.detail


def test_a_faulty_dataset_is_named_and_the_others_are_looked_at(monkeypatch):
    def get(name):
        if name == "cuhk":
            raise HarnessError("The dataset 'cuhk' cannot be imported: NameError: x")
        return icfg

    icfg = DATASETS.get("icfg")
    monkeypatch.setattr(DATASETS, "get", get)
    findings = found()
    assert findings["data cuhk"].state == "broken"
    assert "NameError: x" in findings["data cuhk"].detail
    assert "data icfg" in findings


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
