"""Make runs_0_1_0.tar.xz: runs in every state, made with version 0.1.0's code, which later versions must read.

    cd CHECKOUT && PYTHONPATH=. python make_runs_0_1_0.py runs_0_1_0.tar.xz

CHECKOUT is a clone at commit b388b16, when the modules of harness/ still lay side by side. The archive holds the file
of a suite, and the runs folder: records, weights, checkpoint, studies, MLflow's artifacts, and both databases as SQL.
Folders of the machine stand there as @NAME@. The twins are left out: the same seed draws them again to the byte.
"""

import io
import os
import platform
import re
import signal
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import harness

CHECKOUT = Path(harness.__file__).resolve().parent.parent
TWIN = ("-d", "icfg", "--synthetic", "--set", "eval.replicates=200")
ONE_EPOCH = ("--set", "train.epochs=1")
PROBE = ("-m", "linear_probe", *TWIN)
COOP = ("-m", "coop", *TWIN)
CSKT = ("-m", "cskt", *TWIN, *ONE_EPOCH, "--set", "method.prompt_length=1", "--set", "method.prompt_depth=1")
SMALL = ("--set", "method.reduction=64", "--set", "method.directions=none")
SWEEP = ("sweep", *PROBE, *ONE_EPOCH, "--set", "train.batch_size=128")
SPACE = (
    "--space",
    "method.lr=1e-4:1e-2:log",
    "--fix",
    "method.warmup_epochs=0",
    "--fix",
    "method.weight_decay=0",
)
SUITE = """\
title: Two rows, of which one is done
datasets: [icfg]
evaluate: [cuhk]
seeds: 1
set: {train.epochs: 1, eval.replicates: 200}
rows:
  - method: coop
  - method: clip_adapter
"""
BINARY = {".npz", ".safetensors", ".pt"}


def fill(world: Path) -> None:
    """Fill a folder with twins and runs."""
    (world / "two_rows.yaml").write_text(SUITE)
    call(world, "data", "make", "icfg", "--identities", "30")
    call(world, "data", "make", "cuhk", "--identities", "36")
    call(world, "run", "-m", "zero_shot", *TWIN)
    call(world, "run", *PROBE, "--set", "train.epochs=2", "--set", "train.drop_last=true", "--seeds", "2")
    call(world, "run", *CSKT, *SMALL)
    call(world, "evaluate", "cskt", "--dataset", "cuhk")
    call(world, "probe", "compression", "cskt")
    call(world, "run", *COOP, *ONE_EPOCH, "--few-shot", "0.5")
    call(world, "run", *COOP, *ONE_EPOCH, "--set", "train.max_loss=1e-6", code=1)
    call(world, "run", *COOP, "--set", "train.epochs=3", code=130, stop_at="epoch   2")
    call(world, *SWEEP, *SPACE, "--study", "whole", "--trials", "3", "--test-seeds", "1")
    call(world, *SWEEP, *SPACE, "--study", "begun", "--trials", "2", "--test-seeds", "0", "--seeds", "2")
    call(world, "suite", "run", "two_rows.yaml", "--synthetic", "--timeout", "1")


def call(world: Path, *arguments: str, code: int = 0, stop_at: str | None = None) -> None:
    """Call the command line in a world; press Ctrl-C when it says a line that begins with `stop_at`."""
    places = {f"HARNESS_{name.upper()}": str(world / name) for name in ("data", "cache", "runs")}
    variables = {**os.environ, **places, "LOGNAME": "someone", "PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-m", "harness", *arguments]
    process = subprocess.Popen(command, cwd=world, env=variables, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        sys.stderr.write(line)
        if stop_at and line.startswith(stop_at):
            process.send_signal(signal.SIGINT)
    if process.wait() != code:
        raise SystemExit(f"{command} ended with {process.returncode}")


def pack(world: Path, archive: Path) -> None:
    """Pack a world without its twins, and without what is of this machine alone."""
    files = [file for file in sorted(world.glob("runs/**/*")) if file.is_file()]
    content = {
        file: file.read_bytes() if file.suffix in BINARY else plain(file.read_text(), world)
        for file in [world / "two_rows.yaml", *files]
        if not file.name.endswith((".db", ".lock"))
    }
    for file in world.glob("runs/*.db"):
        content[file.with_suffix(".sql")] = plain("\n".join(sqlite3.connect(file).iterdump()), world)
    with tarfile.open(archive, "w:xz", preset=9) as tar:
        for file, data in content.items():
            member = tarfile.TarInfo(str(file.relative_to(world)))
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def plain(text: str, world: Path) -> bytes:
    """Return a text file's content with a placeholder for each folder, host and system of this machine."""
    for found, instead in (
        (str(world), "@WORLD@"),
        (str(CHECKOUT), "@CHECKOUT@"),
        (sys.prefix, "@PYTHON@"),
        (platform.platform(), platform.system()),
    ):
        text = text.replace(found, instead)
    # A worker's name is host, process and a random part.
    return re.sub(rf"\b{re.escape(platform.node())}(?=-\d+-[0-9a-f]{{8}}\b)", "host", text).encode()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder).resolve())
        pack(Path(folder).resolve(), Path(sys.argv[1]))
