"""What a machine says of itself does not leave it."""

import getpass
import socket

import pytest

from harness.bundle.privacy import HIDDEN, hidden, without_machine
from tests import measured_runs


@pytest.mark.parametrize(
    "text",
    [
        "/home/ann/data/icfg",
        "~/data/icfg",
        "~ann/data",
        "file:///data/x.json",
        "sqlite:////home/ann/runs/optuna.db",
        r"C:\Users\ann\data",
        r"\\server\share\x.zip",
        "/tmp",
    ],
)
def test_paths_go(text):
    assert hidden(text) == HIDDEN
    assert hidden([f"--root {text} --seed 3", {"a": f"root={text}"}]) == [
        f"--root {HIDDEN} --seed 3",
        {"a": f"root={HIDDEN}"},
    ]


@pytest.mark.parametrize(
    "text",
    [
        "https://host.org/a/b",
        "train.augment.erase=0.5",
        "R@1 1/2",
        "datasets/icfg.py",
        "ViT-B-16-quickgelu",
        "96×32",
        "a / b",
        "2026-11-29T01:00:00+00:00",
    ],
)
def test_other_words_stay(text):
    assert hidden(text) == text


def test_a_record_loses_host_user_and_places(tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "laboratory-7.uni.example")
    monkeypatch.setattr(getpass, "getuser", lambda: "ann")
    record = measured_runs.finished(tmp_path, command="harness run --data-root /home/ann/data --tag by=ann")
    record.notes = ["weights of laboratory-7 in ~/weights", "annual"]
    record.tracking = {"synced": True, "uri": "http://laboratory-7/mlflow", "run_id": "1"}
    record.config["dataset"]["root"] = "/home/ann/data"
    said = without_machine(record)
    text = said.model_dump_json()
    assert not [word for word in ("/home", "laboratory-7", '"ann"', "=ann", "mlflow") if word in text]
    assert said.command == f"harness run --data-root {HIDDEN} --tag by=<user>"
    assert said.notes == [f"weights of <host> in {HIDDEN}", "annual"]
    assert (said.identity, said.metrics, said.environment["device_name"]) == (
        record.identity,
        record.metrics,
        "cpu-1",
    )
