"""A step of the harness against a bare PyTorch loop, and what cutting captions to the longest of a batch saves."""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.common import Outcome, claim, outcome
from harness.clip.model import load_clip
from harness.compute.devices import accelerator
from harness.config.sections import RunConfig
from harness.data.loading import Material, open_material
from harness.data.reading import read_dataset
from harness.images.augment import Augment
from harness.listener import Listener
from harness.methods import Method
from harness.presets.resolve import resolve
from harness.record import RunFolder
from harness.run.job import build_method
from harness.train.batch_content import Samples
from harness.train.batches import Batches
from harness.train.loop import Training

ROUNDS = 7
STEPS = {16: 12, 128: 4}


def run() -> Outcome:
    """Time rounds of steps in turn, the bare loop and the harness, and compare the medians of the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        config, material = prepare("icfg", folder)
        claims, facts = [], {}
        for size in STEPS:
            bare, ours = compare(config, material, size, Path(folder))
            ratio = statistics.median(b / a for a, b in zip(bare, ours, strict=True))
            claims.append(claim(f"harness step / bare step, batch {size}", ratio, unit="x", at_most=1.03))
            facts |= {f"bare_ms_{size}": _per_step(bare, size), f"harness_ms_{size}": _per_step(ours, size)}
        gains = {name: cut_gain(*prepare(name, folder)) for name in ("icfg", "cuhk")}
    claims += [
        claim(f"full captions / cut ones, {name} twin, batch 128", gain, unit="x")
        for name, gain in gains.items()
    ]
    return outcome("Training step", "python -m benchmarks step", claims, **facts)


def prepare(dataset: str, folder: str) -> tuple[RunConfig, Material]:
    """Return config and data of a full fine-tune on a synthetic twin."""
    config = resolve("full_finetune", dataset, synthetic=True, overrides=[f"dataset.root={folder}"])
    reading = read_dataset(config.dataset, Listener())
    clip = load_clip(config.backbone)
    return config, open_material(reading, config.dataset, config.backbone, clip.tokenize, Listener())


def bare_loop(method: Method, optimiser: torch.optim.Optimizer, batches: Batches, n_steps: int) -> None:
    """The baseline: the least that trains the same model on the same batches."""
    method.train()
    for step, batch in enumerate(batches.epoch(1)):
        if step == n_steps:
            break
        method.training_step(batch).total.backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)


def compare(
    config: RunConfig, material: Material, size: int, folder: Path
) -> tuple[list[float], list[float]]:
    """Return the seconds of each round, of the bare loop and of the harness."""
    n_steps = STEPS[size]
    engine = accelerator("fp32", "cpu")
    one, two = (build_method(config, load_clip(config.backbone)) for _ in range(2))
    optimiser = one.optimiser()
    training = Training(two, _batches(config, material, size, n_steps), config, engine, RunFolder(folder))
    bare, ours = [], []
    for _ in range(ROUNDS):
        bare.append(
            _seconds(lambda: bare_loop(one, optimiser, _batches(config, material, size, n_steps), n_steps))
        )
        training.state.step = 0
        ours.append(_seconds(lambda: steps(training)))
    return bare[1:], ours[1:]


def steps(training: Training) -> None:
    """Take the steps of an epoch as a run does."""
    with training.switches.steps():
        training._steps(1)


def cut_gain(config: RunConfig, material: Material) -> float:
    """Return how much longer a step takes on captions of full length."""
    method = build_method(config, load_clip(config.backbone))
    batch = next(_batches(config, material, 128, 1).epoch(1))
    assert batch.tokens is not None
    cut = batch.tokens
    full = torch.nn.functional.pad(cut, (0, config.backbone.text_length - cut.shape[1]))
    times: dict[int, list[float]] = {0: [], 1: []}
    for _ in range(ROUNDS):
        for place, tokens in enumerate((cut, full)):
            batch.tokens = tokens
            times[place].append(_seconds(lambda: method.training_step(batch).total.backward()))
    return statistics.median(times[1]) / statistics.median(times[0])


def _batches(config: RunConfig, material: Material, size: int, n_steps: int) -> Batches:
    """Return batches over just as many pairs as the steps need."""
    split, n = material.train, size * n_steps
    backbone = config.backbone
    augment = Augment(config.train.augment, backbone.image_size, backbone.normalisation)
    pairs = split.pairs._replace(owners=split.pairs.owners[:n])
    return Batches(pairs, Samples(split.images, augment, split.tokens[:n]), batch_size=size, seed=1)


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _per_step(seconds: list[float], size: int) -> float:
    return 1000 * statistics.median(seconds) / STEPS[size]
