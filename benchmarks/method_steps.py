"""Step time and peak memory of every trained method, relative to full fine-tuning, on a CLIP of six layers a tower.

Captions are cut to the longest of the batch. What frozen towers give is kept as a run keeps it, by the recipe of each
method.
"""

import statistics
import time
from collections.abc import Iterable
from typing import Any

import torch

from benchmarks.common import Outcome, claim, outcome
from harness.clip.injection import TowerName
from harness.clip.model import Clip, load_clip
from harness.config.sections import BackboneConfig
from harness.method_parts.batch import Batch
from harness.method_parts.frozen import given_to_batch, kept_in_training
from harness.methods import METHODS, Method
from harness.presets.resolve import resolve
from harness.train.cost import StepMemory, held_tensors

REFERENCE = "full_finetune"
CONFIG = BackboneConfig(name="tiny-6x256-6x256", pretrained=None, image_size=(192, 64))
N_PAIRS, ROUNDS = 32, 5
CAPTION = (
    "a woman in a red coat and black trousers carries a grey bag over her left shoulder and wears white shoes"
)


def run() -> Outcome:
    """Time each method's step in turn with the reference's, and follow the tensors of one."""
    torch.set_num_threads(1)
    names = [name for name in METHODS.names() if METHODS.get(name).trained]
    reference = prepare(REFERENCE)
    whole = peak_bytes(*reference)
    claims, facts = [], {"pairs": N_PAIRS, "model": CONFIG.name, "image_size": list(CONFIG.image_size)}
    for name in names:
        own = prepare(name)
        ratios, seconds = compared(own, reference)
        peak = peak_bytes(*own)
        claims += [
            claim(f"{name}: step", statistics.median(ratios), unit="x"),
            claim(f"{name}: peak memory of a step", peak / whole, unit="x"),
        ]
        facts[name] = {
            "step_ms": 1000 * statistics.median(seconds),
            "peak_mb": peak / 1e6,
            "trainable": sum(parameter.numel() for _, parameter in own[0].trainable()),
        }
    return outcome(
        "Step of each method against full fine-tuning", "python -m benchmarks method_steps", claims, **facts
    )


Prepared = tuple[Method, torch.optim.Optimizer, Batch]


def prepare(name: str, *overrides: str) -> Prepared:
    """Return a method, its optimiser and the batch it trains on, after two steps; `overrides` are of its recipe."""
    torch.manual_seed(0)
    method_class = METHODS.get(name)
    clip = load_clip(CONFIG)
    method = method_class(clip, method_class.Config(name=name).fitted(N_PAIRS))
    method.begin_training()
    train = resolve(name, "icfg", overrides=overrides).train
    batch = with_frozen(batch_for(method, clip), method, kept_in_training(method, train))
    prepared = method, method.optimiser(), batch
    for _ in range(2):
        step(*prepared)
    return prepared


def batch_for(method: Method, clip: Clip) -> Batch:
    """Return a batch with every view that the method asks for."""
    images, views = torch.randn(N_PAIRS, 3, *CONFIG.image_size), method.views()
    tokens = clip.cut(clip.tokenize([CAPTION] * N_PAIRS))
    return Batch(
        images,
        tokens,
        torch.arange(N_PAIRS) // 2,
        image_views=(images,) * views.images,
        token_views=(tokens,) * views.captions,
        contrast_views=(images,) * views.contrast,
    )


@torch.no_grad()
def with_frozen(batch: Batch, method: Method, towers: Iterable[TowerName]) -> Batch:
    """Return a batch with what the frozen parts of some towers give in place of pixels and tokens."""
    for tower in towers:
        part = method.frozen_part(tower)
        assert part is not None
        inputs: Any = batch.images if tower == "image" else batch.tokens
        setattr(batch, f"{tower}_frozen", given_to_batch(part.compute(inputs)))
        if tower == "image":
            batch.images = None
        elif not part.gives_streams:
            batch.tokens = None
    return batch


def step(method: Method, optimiser: torch.optim.Optimizer, batch: Batch) -> None:
    """Take one step as the training loop does."""
    method(batch).total.backward()
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)


def compared(own: Prepared, reference: Prepared) -> tuple[list[float], list[float]]:
    """Return of some rounds how long a step takes relative to the reference's, and its seconds."""
    ratios, seconds = [], []
    for _ in range(ROUNDS):
        taken, whole = timed(own), timed(reference)
        ratios.append(taken / whole)
        seconds.append(taken)
    return ratios, seconds


def timed(prepared: Prepared) -> float:
    """Return the processor time of a step, the mean of several where one is quick."""
    start, n, spent = time.process_time(), 0, 0.0
    while spent < 0.2:
        step(*prepared)
        n, spent = n + 1, time.process_time() - start
    return spent / n


def peak_bytes(method: Method, optimiser: torch.optim.Optimizer, batch: Batch) -> int:
    """Return the peak memory of a step."""
    there: list[Any] = held_tensors(method, optimiser, list(vars(batch).values()))
    with StepMemory(there) as memory:
        step(method, optimiser, batch)
    return memory.peak
