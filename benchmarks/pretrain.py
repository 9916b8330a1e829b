"""How much of a pretraining step is drawing and captions, on one core and on all of them."""

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from benchmarks.common import Claim, Outcome, claim, outcome
from harness.clip.model import load_clip
from harness.listener import Listener
from harness.pretrain import training
from harness.pretrain.pairs import KINDS, batch, shares_of
from harness.pretrain.recipe import PretrainConfig
from harness.pretrain.training import Training

ROUNDS, PAIRS_OF_A_KIND = 9, 64
CONFIG = PretrainConfig(mix="web", steps=100_000)


class Timed:
    """Calls a function and adds up its time."""

    def __init__(self, work: Callable[..., Any], clock: Callable[[], float]) -> None:
        self.work, self.clock, self.seconds = work, clock, 0.0

    def __call__(self, *of: Any) -> Any:
        start = self.clock()
        found = self.work(*of)
        self.seconds = self.clock() - start
        return found


def run() -> Outcome:
    """Time whole steps, and what of them goes into the batch, with one thread and with one for each core."""
    cores = len(os.sched_getaffinity(0))
    claims, facts = [], {}
    for n_threads in sorted({1, cores}):
        # On one thread the processor's time is what counts, however busy the machine is.
        clock = time.process_time if n_threads == 1 else time.perf_counter
        drawing, step = steps(n_threads, clock)
        share = statistics.median(one / whole for one, whole in zip(drawing, step, strict=True))
        words = f"{n_threads} thread{'s' if n_threads > 1 else ''}"
        claims += [
            claim(f"drawing and captions / step, {words}", share, unit="x", at_most=1 / 3),
            claim(f"a step of {CONFIG.batch_size} pairs, {words}", statistics.median(step), unit="s"),
        ]
        facts |= {f"drawing_seconds_{n_threads}": drawing, f"step_seconds_{n_threads}": step}
    claims += [of_kind(kind) for kind in KINDS]
    return outcome(
        "Pretraining: drawing against training",
        "python -m benchmarks pretrain",
        claims,
        mix=shares_of("web"),
        **facts,
    )


def steps(n_threads: int, clock: Callable[[], float]) -> tuple[list[float], list[float]]:
    """Return the seconds of some steps after the first two: of their batches, and in all."""
    torch.set_num_threads(n_threads)
    clip = load_clip(CONFIG.backbone, random=True).train().requires_grad_(True)
    drawing, batches = Timed(batch, clock), training.batch
    found: list[tuple[float, float]] = []
    with TemporaryDirectory() as folder:
        work = Training(clip, CONFIG, Path(folder) / "checkpoint.safetensors", Listener(), 1e9)
        step = Timed(work._step, clock)
        training.batch = drawing  # type: ignore[assignment]
        try:
            for _ in range(ROUNDS + 2):
                work.state.add(step(), CONFIG.steps)
                found.append((drawing.seconds, step.seconds))
        finally:
            training.batch = batches
    drawn, whole = zip(*found[2:], strict=True)
    return list(drawn), list(whole)


def of_kind(kind: str) -> Claim:
    """Measure the processor's time for a picture and its caption."""
    draw = Timed(batch, time.process_time)
    draw({kind: 1.0}, 0, 0, PAIRS_OF_A_KIND)
    draw({kind: 1.0}, 0, PAIRS_OF_A_KIND, PAIRS_OF_A_KIND)
    return claim(f"a pair of {kind}", draw.seconds / PAIRS_OF_A_KIND * 1e3, unit="ms")
