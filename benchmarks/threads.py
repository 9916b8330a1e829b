"""A training step on all cores, alone and beside busy processes, by how threads wait for one another."""

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from benchmarks.common import Outcome, claim, outcome

# What OpenMP is told; the first is what it does unless it is told anything, the second what the harness tells it.
WAYS = {
    "spinning 300,000 times": {"GOMP_SPINCOUNT": "300000"},
    "passive": {"OMP_WAIT_POLICY": "passive"},
    "spinning 1,000 times": {"GOMP_SPINCOUNT": "1000"},
    "spinning 100,000 times": {"GOMP_SPINCOUNT": "100000"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
CHOSEN, DEFAULT = "passive", "spinning 300,000 times"
ROUNDS, STEPS, BATCH = 3, 3, 64
MOST_IDLE = 1.03
SETTINGS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
STEPPING = f"""
import sys, tempfile, time
from pathlib import Path
from benchmarks.step import _batches, bare_loop, prepare
from harness.clip.model import load_clip
from harness.run.job import build_method
with tempfile.TemporaryDirectory() as folder:
    config, material = prepare("icfg", folder)
    method = build_method(config, load_clip(config.backbone))
    optimiser = method.optimiser()
    for _ in sys.stdin:
        batches = _batches(config, material, {BATCH}, {STEPS})
        start = time.perf_counter()
        bare_loop(method, optimiser, batches, {STEPS})
        print((time.perf_counter() - start) / {STEPS}, flush=True)
"""


class Stepping:
    """A process that takes steps when it is asked to."""

    def __init__(self, way: dict[str, str]) -> None:
        environment = {key: value for key, value in os.environ.items() if key not in SETTINGS}
        self.process = subprocess.Popen(
            [sys.executable, "-c", STEPPING],
            env={**environment, **way},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.seconds()

    def seconds(self) -> float:
        """Return the wall time of a step."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())

    def __enter__(self) -> "Stepping":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def busy() -> Iterator[None]:
    """Keep as many cores busy as there are."""
    others = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)
    ]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def run() -> Outcome:
    """Take steps in each way in turn, first alone and then beside busy processes."""
    idle: dict[str, list[float]] = {name: [] for name in WAYS}
    beside: dict[str, list[float]] = {name: [] for name in WAYS}
    with ExitStack() as stack:
        steppers = {name: stack.enter_context(Stepping(way)) for name, way in WAYS.items()}
        for _ in range(ROUNDS):
            for name, stepper in steppers.items():
                idle[name].append(stepper.seconds())
        with busy():
            for _ in range(ROUNDS):
                for name, stepper in steppers.items():
                    beside[name].append(stepper.seconds())
    own = idle[DEFAULT]
    claims = []
    for name in WAYS:
        chosen = name == CHOSEN
        ratio = statistics.median(now / then for now, then in zip(idle[name], own, strict=True))
        slower = statistics.median(beside[name]) / statistics.median(idle[name])
        claims += [
            claim(
                f"{name}: idle machine, against OpenMP's default",
                ratio,
                unit="x",
                at_most=MOST_IDLE if chosen else None,
            ),
            claim(f"{name}: beside busy processes, against idle", slower, unit="x"),
        ]
    milliseconds = {
        name: {
            "idle_ms": 1000 * statistics.median(idle[name]),
            "busy_ms": 1000 * statistics.median(beside[name]),
        }
        for name in WAYS
    }
    title = f"Steps on {os.cpu_count()} cores beside as many busy processes, batch {BATCH}"
    return outcome(title, "python -m benchmarks threads", claims, **milliseconds)
