"""What a command costs before it computes anything: processor seconds of all that only look, and of misspelt names.

With `HARNESS_BEFORE=FOLDER`, the root of a checkout of an earlier version, the same commands are timed there too.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.common import Claim, Outcome, claim, outcome
from harness.addresses import sqlite_url
from harness.presets.resolve import resolve
from harness.queue.queue import Queue
from harness.queue.storage_place import own_file
from harness.record import Record, RunFolder

REPEATS = 3  # starts of each command
AT_MOST = 0.5
TITLE = "Start of the command line, processor seconds"
RUN, STUDY = "cskt-icfg-abcdef012345", "mine"
LOOKING = (
    "--help",
    "run --help",
    "methods list",
    "methods info cskt",
    "data list",
    "data info icfg",
    "suite list",
    "suite show main_results",
    "sweep list",
    "runs list",
    f"runs show {RUN}",
    "report",
    "completion bash",
)
MISSPELT = (
    "methods info cskd",
    "data info icgf",
    "suite show main_result",
    "suite run main_result",
    "runs show nothing",
    "report leaderbord",
    "run -m cskd -d icfg",
    "sweep -m cskd -d icfg",
    "evaluate nothing -d cuhk",
    "search words --run nothing",
    "compare nothing nobody",
)
WITH_STORAGE = "sweep list, with a storage"
# What is counted with PyTorch, or read by Optuna, is kept until a file that it follows from changes.
KEPT = ("methods info cskt", WITH_STORAGE)
ROOT = Path(__file__).resolve().parents[1]


def run() -> Outcome:
    """Time each command in a process of its own, in a folder with one run, and for one of them with one study."""
    before = os.environ.get("HARNESS_BEFORE")
    claims: list[Claim] = []
    with tempfile.TemporaryDirectory() as folder:
        plain, stored = (_place(Path(folder) / name) for name in ("plain", "stored"))
        Queue(STUDY, sqlite_url(own_file(stored / "runs")), folder=stored)
        commands = {words: (words, plain) for words in (*LOOKING, *MISSPELT)}
        for name, (words, place) in (commands | {WITH_STORAGE: ("sweep list", stored)}).items():
            if name in KEPT:
                first = seconds(words.split(), place, ROOT, 1)
                claims.append(claim(f"harness {name}, the first time", first, unit="s"))
            now = seconds(words.split(), place, ROOT)
            claims.append(claim(f"harness {name}", now, unit="s", at_most=AT_MOST))
            if before:
                then = seconds(words.split(), place, Path(before), 1)
                claims.append(claim(f"harness {name}, before", then, unit="s"))
    facts = {"repeats": REPEATS, "before": before and commit(Path(before)), "now": commit(ROOT)}
    return outcome(TITLE, "python -m benchmarks startup", claims, **facts)


def _place(folder: Path) -> Path:
    """Make a folder with the record of a run that failed."""
    config = resolve("cskt", "icfg", overrides=["train.epochs=3"]).model_dump(mode="json")
    facts = {
        "identity": "abcdef012345" * 5,
        "versions": {},
        "fingerprint": "",
        "backbone": {},
        "synthetic": False,
    }
    record = RunFolder(folder / "runs" / RUN)
    record.path.mkdir(parents=True)
    record.write(Record(config=config, status="failed", **facts))
    return folder


def seconds(words: list[str], place: Path, code: Path, repeats: int = REPEATS) -> float:
    """Return the median processor time of a command in seconds; of several starts the first warms the files alone.

    Args:
        words: of the command.
        place: the folder it is called in.
        code: the root of the checkout whose harness is called.
        repeats: how many starts there are.
    """
    unset = ("HARNESS_RUNS", "HARNESS_DATA", "HARNESS_STORAGE", "MLFLOW_TRACKING_URI")
    given = {name: value for name, value in os.environ.items() if name not in unset}
    given["HARNESS_CACHE"] = str(place / "cache")
    times = []
    for _ in range(repeats):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "harness", *words]
        done = subprocess.run(command, cwd=place, env=given | {"PYTHONPATH": str(code)}, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode not in (0, 2):
            raise RuntimeError(done.stderr.decode(errors="replace"))
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(times[1:] or times)


def commit(checkout: Path) -> str | None:
    """Return the commit of a checkout, None where Git does not know it."""
    done = subprocess.run(["git", "-C", str(checkout), "rev-parse", "HEAD"], capture_output=True, text=True)
    return done.stdout.strip() or None
