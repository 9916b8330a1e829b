"""The examples of plug-ins outside the repository's own folders: they are found, described and trained."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
SMALL = ("--backbone", "tiny-2x64-2x64", "--image-size", "48x16", "--json")


def harness(*words, include=None, path=(), code=0):
    """Run `harness` in a process of its own and return what it prints, or what it says is wrong."""
    env = {name: value for name, value in os.environ.items() if name != "HARNESS_INCLUDE"}
    env["PYTHONPATH"] = os.pathsep.join([*map(str, path), str(ROOT)])
    if include is not None:
        env["HARNESS_INCLUDE"] = os.pathsep.join(map(str, include))
    done = subprocess.run([sys.executable, "-m", "harness", *words], env=env, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stderr if code else done.stdout


def test_a_folder_is_found_by_the_option_and_by_the_variable():
    by_option = harness("--include", str(EXAMPLES / "folder"), "methods", "info", "projection_tuning", *SMALL)
    told = json.loads(by_option)
    assert told["parameters"]["trainable"] == 128 * 64 + 64 * 128
    by_variable = harness("methods", "info", "projection_tuning", *SMALL, include=[EXAMPLES / "folder"])
    assert json.loads(by_variable) == told
    assert "projection_tuning" in harness("methods", "list", include=[EXAMPLES / "folder"])
    assert "Unknown method" in harness("methods", "info", "projection_tuning", code=2)


@pytest.mark.slow
def test_the_method_of_a_folder_is_tested_by_its_file_and_by_its_name():
    folder = EXAMPLES / "folder"
    by_file = json.loads(
        harness(
            "methods", "test", str(folder / "methods" / "projection_tuning.py"), "--preset", "slow", "--json"
        )
    )
    assert by_file["fields"] == {"lr": 1e-4}
    assert by_file["counts"]["failed"] == 0
    by_name = harness("--include", str(folder), "methods", "test", "projection_tuning")
    assert "24 passed, 1 does not apply" in " ".join(by_name.split())


@pytest.mark.slow
def test_a_run_of_an_included_method_takes_its_preset_and_is_loaded_again(twins, tmp_path):
    words = (
        "--include",
        str(EXAMPLES / "folder"),
        "run",
        "-m",
        "projection_tuning",
        "-d",
        "icfg",
        "--synthetic",
    )
    quick = (
        "--set",
        "train.epochs=1",
        "--preset",
        "slow",
        "--data-root",
        str(twins),
        "--runs",
        str(tmp_path),
    )
    record = json.loads(harness(*words, *quick, "--json"))
    assert record["config"]["method"]["lr"] == 1e-4
    assert record["status"] == "finished"
    again = harness(
        "evaluate",
        "projection_tuning",
        "-d",
        "cuhk",
        "--runs",
        str(tmp_path),
        "--data-root",
        str(twins),
        code=2,
    )
    assert "projection_tuning" in again, "without the folder the run is known, and its method is not"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: None, "is no folder with methods, datasets, reports and no dataset.yaml"),
        (lambda folder: folder.mkdir(), "has no folder methods, datasets, reports"),
        (lambda folder: shutil.copytree(ROOT / "methods", folder / "methods"), "has the name of"),
    ],
    ids=["missing", "empty", "a name that is taken"],
)
def test_a_folder_that_adds_nothing_or_takes_a_name_is_one_line(tmp_path, make, said):
    folder = tmp_path / "mine"
    make(folder)
    error = harness("--include", str(folder), "methods", "list", code=2)
    assert said in error
    assert str(folder) in error
    assert len(error.strip().splitlines()) == 1


@pytest.mark.slow
def test_a_package_is_found_once_it_is_installed(tmp_path, twins):
    source, target = tmp_path / "source", tmp_path / "installed"
    shutil.copytree(EXAMPLES / "package", source)
    words = (
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        target,
        source,
    )
    subprocess.run([sys.executable, "-m", "pip", *map(str, words)], check=True)
    told = json.loads(harness("methods", "info", "output_scale", *SMALL, path=[target]))
    assert told["parameters"]["trainable"] == 128
    assert "25 passed" in harness("methods", "test", "output_scale", path=[target])
    words = ("run", "-m", "output_scale", "-d", "icfg", "--synthetic", "--set", "train.epochs=1", "--json")
    record = json.loads(
        harness(*words, "--data-root", str(twins), "--runs", str(tmp_path / "runs"), path=[target])
    )
    assert record["status"] == "finished"
