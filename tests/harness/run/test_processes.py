"""Real processes: two of them give one's numbers, and a killed one goes on to the same bits."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from harness.cli.main import cli
from harness.record import WEIGHTS
from tests.forked_commands import ForkedCommands

pytestmark = pytest.mark.slow

SETTINGS = [
    "--synthetic",
    "--set",
    "train.batch_size=22",
    "--set",
    "train.precision=fp32",
]


def command(twins, runs, method, *more, epochs=2):
    more = (*more, "--set", f"train.epochs={epochs}")
    places = ["--data-root", str(twins), "--runs", str(runs), "--device", "cpu"]
    return ["-m", "harness", "run", "--method", method, "--dataset", "icfg", *SETTINGS, *places, *more]


def environment():
    return {**os.environ, "OMP_NUM_THREADS": "1", "MLFLOW_TRACKING_URI": "sqlite:////nowhere/else.db"}


def in_this_process(words, monkeypatch):
    """Call a command here, which has imported all; return what it told."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", environment()["MLFLOW_TRACKING_URI"])
    done = CliRunner().invoke(cli, words[2:])
    assert done.exit_code == 0, done.output
    return done.stderr


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """Return what runs a command in two processes of one run; each is a fork of one that has imported all."""
    folder = tmp_path_factory.mktemp("ranks")
    with ForkedCommands(folder, environment()) as first, ForkedCommands(folder, environment()) as second:

        def call(words):
            port = free_port()
            shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
            logs = [folder / f"{port}-{rank}.log" for rank in range(2)]
            for rank, process in enumerate((first, second)):
                own = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
                process.begin(*words[2:], log=logs[rank], environment=shared | own)
            codes = [process.end()["code"] for process in (first, second)]
            assert codes == [0, 0], [log.read_text() for log in logs]

        yield call


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def by_torchrun(words):
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, *torchrun, *words], env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def only(runs):
    (file,) = runs.glob("*/record.json")
    return file.parent, json.loads(file.read_text())


# Dropout is each process's own, so it is off here; parts of 5 make gradient caching meet uneven shares.
TBPS_CLIP = ["method.text_dropout=0", "train.drop_last=false", "train.part_size=5"]


@pytest.mark.parametrize(
    ("method", "epochs", "settings"),
    [
        ("full_finetune", 2, []),
        ("linear_probe", 2, ["method.lr=0.003"]),
        ("side_network", 1, ["train.augment.flip=0", "train.augment.pad=0", "train.augment.erase=0"]),
        ("tbps_clip", 1, TBPS_CLIP),
        ("irra", 1, ["train.part_size=5"]),
    ],
)
def test_two_processes_give_the_losses_and_metrics_of_one(
    twins, tmp_path, monkeypatch, ranks, method, epochs, settings
):
    settings = [part for setting in settings for part in ("--set", setting)]
    one, two = tmp_path / "one", tmp_path / "two"
    in_this_process(command(twins, one, method, *settings, epochs=epochs), monkeypatch)
    (by_torchrun if method == "full_finetune" else ranks)(
        command(twins, two, method, *settings, epochs=epochs)
    )
    (folder_one, record_one), (folder_two, record_two) = only(one), only(two)
    assert record_one["data"]["train_pairs"] % 22 % 2 == 1, "the last batch must be uneven"
    assert record_one["identity"] == record_two["identity"]
    histories = [json.loads((folder / "history.json").read_text()) for folder in (folder_one, folder_two)]
    for row_one, row_two in zip(*histories, strict=True):
        assert row_one["train/loss"] == pytest.approx(row_two["train/loss"], rel=1e-5)
    assert record_one["metrics"] == pytest.approx(record_two["metrics"], abs=1e-5)
    for name in ("queries.npz", "embeddings.npz"):
        with np.load(folder_one / name) as kept_one, np.load(folder_two / name) as kept_two:
            assert kept_one.files == kept_two.files
            for key in kept_one.files:
                if kept_one[key].dtype.kind == "f":
                    np.testing.assert_allclose(kept_one[key], kept_two[key], atol=1e-3, err_msg=key)
                else:
                    np.testing.assert_array_equal(kept_one[key], kept_two[key], err_msg=key)


def test_two_processes_train_several_seeds_into_one_group(twins, tmp_path, ranks):
    ranks(command(twins, tmp_path, "linear_probe", "--seeds", "2", epochs=1))
    (group,) = (tmp_path / "groups").glob("*.json")
    assert json.loads(group.read_text())["seeds"] == [1, 2]
    assert len(list(tmp_path.glob("*/queries.npz"))) == 2


def test_a_killed_run_goes_on_to_bit_identical_weights_and_metrics(twins, tmp_path, monkeypatch):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    often = ["--set", "train.checkpoint_seconds=0.01"]
    in_this_process(command(twins, whole, "adapter_only", *often, epochs=3), monkeypatch)
    process = subprocess.Popen(
        [sys.executable, *command(twins, cut, "adapter_only", *often, epochs=3)], env=environment()
    )
    wait_for_checkpoint(cut, process)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert only(cut)[1]["status"] == "running"
    said = in_this_process(command(twins, cut, "adapter_only", *often, epochs=3), monkeypatch)
    assert "resuming from the checkpoint" in said
    (folder_one, one), (folder_two, two) = only(whole), only(cut)
    assert one["metrics"] == two["metrics"]
    assert one["selection"] == two["selection"]
    weights = [load_file(folder / WEIGHTS) for folder in (folder_one, folder_two)]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_ctrl_c_in_one_of_two_processes_leaves_a_checkpoint_and_says_how_to_go_on(twins, tmp_path):
    arguments = command(twins, tmp_path, "adapter_only", "--set", "train.checkpoint_seconds=0.01", epochs=50)
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    first, second = (
        subprocess.Popen(
            [sys.executable, *arguments],
            env=environment() | shared | {"RANK": rank, "LOCAL_RANK": rank},
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        for rank in "01"
    )
    wait_for_checkpoint(tmp_path, first)
    second.send_signal(signal.SIGINT)
    said, others = (process.communicate(timeout=120)[1] for process in (first, second))
    assert (first.returncode, second.returncode) == (130, 130), said + others
    assert "same command to resume" in said
    folder, record = only(tmp_path)
    assert record["status"] == "interrupted"
    assert (folder / "checkpoint.pt").is_file()


def wait_for_checkpoint(runs, process):
    """Wait until a process has written a checkpoint, and a little longer."""
    deadline = time.monotonic() + 300
    while not list(runs.glob("*/checkpoint.pt")):
        assert process.poll() is None, "the run ended before it was killed"
        assert time.monotonic() < deadline, "no checkpoint came"
        time.sleep(0.05)
    time.sleep(0.3)
