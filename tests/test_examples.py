"""The examples of plug-ins outside the repository's own folders: they are found, described and trained."""

import json
import os
import re
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


def composed():
    from harness.config.strict_yaml import read_yaml

    return read_yaml(EXAMPLES / "cluster" / "compose.yaml", what="compose file", holds="services")


def test_the_servers_of_the_compose_file_answer_this_machine_alone_and_have_no_password_of_the_file():
    services = composed()["services"]
    assert services["postgres"]["ports"] == ["127.0.0.1:5432:5432"]
    assert services["mlflow"]["ports"] == ["127.0.0.1:5000:5000"]
    passwords = {
        value
        for service in services.values()
        for name, value in service["environment"].items()
        if "PASSWORD" in name
    }
    assert passwords == {"${POSTGRES_PASSWORD:?set it in the environment}"}
    assert not [
        text
        for text in re.findall(r"://([^/@\s]+)@", (EXAMPLES / "cluster" / "compose.yaml").read_text())
        if ":" in text
    ]


@pytest.mark.slow
def test_the_commands_of_the_compose_file_are_those_that_mlflow_takes():
    from mlflow.cli import cli as mlflow

    program, command, *options = composed()["services"]["mlflow"]["command"]
    assert program == "mlflow"
    parsed = mlflow.commands[command].make_context(command, options).params
    assert parsed["port"] == 5000
    assert "postgresql+psycopg" in (EXAMPLES / "cluster" / "compose.yaml").read_text()


def test_the_databases_of_the_compose_file_are_made_and_opened_without_a_password_in_the_url(
    postgres, monkeypatch
):
    from sqlalchemy import create_engine, make_url, text

    servers = composed()
    (statement,) = [config["content"] for config in servers["configs"].values()]
    admin = create_engine(postgres.create(), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(statement))
    admin.dispose()
    (url,) = [
        option.partition("=")[2] for option in servers["services"]["mlflow"]["command"] if "uri" in option
    ]
    here = make_url(postgres.url("mlflow"))
    monkeypatch.setenv("PGPASSWORD", here.password)
    engine = create_engine(make_url(url).set(host=here.host, port=here.port, username=here.username))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT current_database()")).scalar() == "mlflow"
    engine.dispose()
