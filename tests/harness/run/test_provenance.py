"""Where a result comes from: hashes of files, what changed between two listings, versions and git state."""

import hashlib
import json
from pathlib import Path

import numpy
import pytest

import harness
from harness.datasets import DATASETS
from harness.methods import METHODS
from harness.run import provenance
from harness.run.provenance import PACKAGES, changed_files, command_line, environment, installed, source_files

ROOT = Path(harness.__file__).parent


def test_every_engine_file_and_the_plug_ins_own_are_hashed():
    found = source_files(METHODS.get("cskt"), DATASETS.get("icfg"))
    engine = {f"harness/{file.relative_to(ROOT).as_posix()}" for file in ROOT.rglob("*.py")}
    assert found.keys() == engine | {"methods/cskt.py", "datasets/icfg.py"}
    text = Path(provenance.__file__).read_bytes()
    assert found["harness/run/provenance.py"] == hashlib.sha256(text).hexdigest()[:12]
    assert source_files().keys() == engine


@pytest.mark.parametrize(
    ("before", "now", "changed"),
    [
        ({}, {}, []),
        ({"a": "1", "b": "2"}, {"b": "2", "a": "1"}, []),
        ({"a": "1"}, {}, ["a"]),
        ({}, {"z": "1", "a": "1"}, ["a", "z"]),
        ({"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "4", "d": "3"}, ["b", "c", "d"]),
    ],
)
def test_files_that_were_added_removed_or_edited_are_named_in_order(before, now, changed):
    assert changed_files(before, now) == changed_files(now, before) == changed


def test_versions_are_those_that_are_installed():
    assert installed("numpy") == numpy.__version__
    assert installed("no-such-package-at-all") is None


def test_the_environment_is_plain_values_that_name_machine_and_packages():
    found = environment("cpu")
    assert json.loads(json.dumps(found)) == found
    assert set(found) == {
        *("harness", "python", "platform", "device", "device_name", "threads", "host", "packages", "git")
    }
    assert found["device"] == "cpu"
    assert found["device_name"]
    assert list(found["packages"]) == list(PACKAGES)
    assert found["threads"] >= 1


def test_git_says_commit_and_changes_and_nothing_where_there_is_none(monkeypatch, tmp_path):
    answers = {"rev-parse": "abc", "status": ""}
    monkeypatch.setattr(provenance, "_git", lambda command, *rest: answers[command])
    assert environment("cpu")["git"] == {"commit": "abc", "dirty": False}
    answers["status"] = " M harness/methods.py"
    assert environment("cpu")["git"] == {"commit": "abc", "dirty": True}
    answers["rev-parse"] = None
    assert environment("cpu")["git"] is None


def test_a_folder_outside_any_checkout_and_a_machine_without_git_have_no_commit(monkeypatch, tmp_path):
    monkeypatch.setattr(provenance, "_HERE", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert environment("cpu")["git"] is None
    monkeypatch.setenv("PATH", "")
    assert environment("cpu")["git"] is None


def test_the_command_is_as_a_shell_takes_it_without_passwords(monkeypatch):
    words = ["/x/harness/__main__.py", "sweep", "--storage", "postgresql://me:secret@host/db", "a b"]
    monkeypatch.setattr("sys.argv", words)
    assert command_line() == "harness sweep --storage 'postgresql://me:***@host/db' 'a b'"
    monkeypatch.setattr("sys.argv", ["/usr/bin/harness", "run"])
    assert command_line() == "harness run"
