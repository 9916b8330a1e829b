"""Twins with the published counts, from drawing to report: time and memory of each stage, and how both grow.

Not one of those that run together: it takes about 40 minutes on two cores, and 10 GB in the temporary folder.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.common import Claim, Outcome, claim, outcome

DATASETS = ("icfg", "cuhk")
QUARTER, FULL = 0.25, 1.0
MOST_MB, MOST_GROWTH, POLL_SECONDS = 2_000, 4.6, 0.1
# What is over so soon that its growth is that of the start and of noise.
SHORT_SECONDS = 2.0
INTERVALS = """
import sys, numpy as np
from harness.evaluate.measure import intervals
print(intervals(dict(np.load(sys.argv[1]))))
"""


class Stage(NamedTuple):
    """Wall and CPU seconds, and the most memory of all processes together in MB: its own, and with mapped files."""

    seconds: float
    cpu_seconds: float
    own_mb: float
    resident_mb: float


def run() -> Outcome:
    """Measure all stages of both datasets at a quarter and at the full counts."""
    claims: list[Claim] = []
    facts = {}
    for dataset in DATASETS:
        quarter, full = (stages(dataset, share) for share in (QUARTER, FULL))
        claims += judged(dataset, quarter, full)
        facts[dataset] = {
            name: {"quarter": quarter[name]._asdict(), "full": full[name]._asdict()} for name in full
        }
    title = "Twins of the full counts, tiny CLIP, every stage in a process of its own"
    return outcome(title, "python -m benchmarks full_size", claims, **facts)


def judged(dataset: str, quarter: dict[str, Stage], full: dict[str, Stage]) -> list[Claim]:
    """Return the claims about one dataset: time, memory and growth of each stage."""
    claims = []
    for name, stage in full.items():
        what = f"{dataset}, {name}"
        claims.append(claim(f"{what}: wall time", stage.seconds, unit="s"))
        claims.append(claim(f"{what}: peak memory", stage.own_mb, unit="MB", at_most=MOST_MB))
        growth = stage.cpu_seconds / quarter[name].cpu_seconds
        bound = MOST_GROWTH if stage.cpu_seconds > SHORT_SECONDS else None
        claims.append(
            claim(f"{what}: CPU time against a quarter of the data", growth, unit="x", at_most=bound)
        )
    return claims


def stages(dataset: str, share: float) -> dict[str, Stage]:
    """Run all stages on a twin of a share of the published counts, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="full-size-") as name:
        return dict(measured_stages(dataset, share, Path(name)))


def measured_stages(dataset: str, share: float, root: Path) -> Iterator[tuple[str, Stage]]:
    """Yield each stage's name and measure, in the order of the work."""
    harness = [sys.executable, "-m", "harness", "--quiet"]
    runs = root / "runs"
    yield "make", measure_stage([*harness, "data", "make", dataset, "--share", str(share)], root)
    yield "verify", measure_stage([*harness, "data", "verify", dataset, "--synthetic"], root)
    cache = [*harness, "data", "cache", dataset, "--synthetic", "--image-size"]
    yield "store 384x128", measure_stage([*cache, "384x128"], root)
    shutil.rmtree(root / "cache")
    yield "store 96x32", measure_stage([*cache, "96x32"], root)
    one = [*harness, "run", "--dataset", dataset, "--synthetic", "--method"]
    epoch = ["--set", "train.epochs=1", "--set", "method.warmup_epochs=0"]
    yield "one epoch of linear_probe and its test", measure_stage([*one, "linear_probe", *epoch], root)
    yield "test alone (zero_shot)", measure_stage([*one, "zero_shot"], root)
    [queries] = runs.glob("linear_probe*/queries.npz")
    yield "intervals", measure_stage([sys.executable, "-c", INTERVALS, str(queries)], root)
    yield "report of the run", measure_stage([*harness, "report", "run", queries.parent.name], root)


def measure_stage(command: list[str], root: Path) -> Stage:
    """Run one command with all its places below `root`; raise `RuntimeError` with what it said when it fails."""
    places = {name: str(root / name.removeprefix("HARNESS_").lower()) for name in PLACES}
    start = time.perf_counter()
    with (root / "said.txt").open("w+") as said:
        process = subprocess.Popen(
            command, cwd=root, env=os.environ | places, stdout=said, stderr=subprocess.STDOUT
        )
        own, resident = 0.0, 0.0
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            now = [memory_mb(member) for member in family(process.pid)]
            own, resident = max(own, sum(m[0] for m in now)), max(resident, sum(m[1] for m in now))
            time.sleep(POLL_SECONDS)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        said.seek(0)
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {said.read()[-2000:]}")
    return Stage(seconds, usage.ru_utime + usage.ru_stime, own, resident)


PLACES = ("HARNESS_DATA", "HARNESS_CACHE", "HARNESS_RUNS")


def family(pid: int) -> list[int]:
    """Return a process and all that it started and that live."""
    try:
        files = list(Path(f"/proc/{pid}/task").glob("*/children"))
        children = [int(child) for file in files for child in file.read_text().split()]
    except OSError:
        return [pid]
    return [pid, *(member for child in children for member in family(child))]


def memory_mb(pid: int) -> tuple[float, float]:
    """Return a process's share of memory in MB: what no file backs, and all (pages of mapped files included)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return 0.0, 0.0
    kib = {name.rstrip(":"): int(value) for name, value, *_ in (line.split() for line in lines)}
    mb = 1024 / 1e6
    return (kib.get("Pss_Anon", 0) + kib.get("Pss_Shmem", 0)) * mb, kib.get("Pss", 0) * mb
