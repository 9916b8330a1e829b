"""Training, encoding and evaluation on a GPU, on random weights and pixels: the table of whoever has one.

A step is measured against the least that PyTorch needs for the same model: forward, backward and a fused AdamW under
bfloat16 on one batch that is on the device already. Each switch is measured with it and without.
"""

import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from benchmarks.common import Claim, NotMeasured, Outcome, claim, outcome

if TYPE_CHECKING:
    import torch

    from harness.config.sections import RunConfig
    from harness.method_parts.batch import Batch
    from harness.methods import Method
    from harness.train.batches import Batches
    from harness.train.loop import Training

COMMAND = "python -m benchmarks gpu"
NEEDED = {
    "torch": "torch",
    "torchvision": "torchvision",
    "open_clip": "open_clip_torch",
    "accelerate": "accelerate",
}
PRODUCT_BOUND = 1.3
# Each with the settings that it is compared with.
SWITCHES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "compiled towers": (("train.compile=true",), ()),
    "activations computed again": (("train.checkpoint_activations=true",), ()),
    "TF32 in fp32": (("train.precision=fp32", "train.tf32=true"), ("train.precision=fp32",)),
    "fused optimiser": (("train.fused=always",), ("train.fused=never",)),
    "batches made ahead": ((), ("train.prefetch=false",)),
}


@dataclass(frozen=True)
class Case:
    """One method at one size of pictures."""

    method: str
    size: tuple[int, int]
    presets: tuple[str, ...] = ()
    switches: bool = False
    settings: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return " ".join([self.method, *self.presets, f"{self.size[0]}x{self.size[1]}"])


@dataclass(frozen=True)
class Scale:
    """How much is measured, of what, and for how long at most."""

    device: str
    backbone: tuple[str, ...]
    precision: str
    cases: tuple[Case, ...]
    batch: int
    steps: int
    rounds: int
    n_images: int
    queries: tuple[int, int, int]
    seconds: float
    began: float = field(default_factory=time.perf_counter)

    def left(self) -> float:
        return self.seconds - (time.perf_counter() - self.began)


def full() -> Scale:
    """Return ViT-B/16 on CUDA, the first size with all switches; later cases fall away when time runs out."""
    people, square = (384, 128), (224, 224)
    return Scale(
        device="cuda",
        backbone=("backbone.name=ViT-B-16-quickgelu", "backbone.pretrained=null"),
        precision="bf16",
        cases=(
            Case("full_finetune", people, switches=True),
            Case("cskt", people),
            Case("tbps_clip", people, ("simplified",)),
            Case("lora", people),
            Case("full_finetune", square),
            Case("tbps_clip", square, ("simplified",)),
        ),
        batch=64,
        steps=12,
        rounds=3,
        n_images=2048,
        queries=(19_848, 19_848, 946),
        seconds=430,
    )


def run() -> Outcome:
    """Measure all on the GPU; raise `NotMeasured` where there is none, or a package is missing."""
    missing = [package for module, package in NEEDED.items() if find_spec(module) is None]
    if missing:
        raise NotMeasured(f"it needs {', '.join(missing)}: pip install {' '.join(missing)}")
    import torch

    if not torch.cuda.is_available():
        raise NotMeasured("PyTorch sees no CUDA device")
    return measure(full())


def measure(scale: Scale) -> Outcome:
    """Measure what a scale asks for, evaluation first, for it is short and has the bound."""
    import torch

    from harness.methods import METHODS

    claims, facts = evaluation(scale), {}
    for case in scale.cases:
        if case.method not in METHODS.names():
            facts[case.label] = "no such method here: left out"
            continue
        if scale.left() < 0:
            facts[case.label] = "left out for want of time"
            continue
        with tempfile.TemporaryDirectory() as folder:
            found, details = measure_case(scale, case, Path(folder))
        claims, facts[case.label] = [*claims, *found], details
        gc.collect()
        if scale.device == "cuda":
            torch.cuda.empty_cache()
    facts["seconds"] = time.perf_counter() - scale.began
    return outcome("Training, encoding and evaluation on a GPU", COMMAND, claims, **facts)


def measure_case(scale: Scale, case: Case, folder: Path) -> tuple[list[Claim], dict[str, Any]]:
    """Measure a method's step against a bare one, its switches and its encoding."""
    plain, own = bare(scale, case), step(scale, case, folder)
    claims = [
        claim(f"{case.label}, training", scale.batch / own["seconds"], unit="images/s"),
        claim(f"{case.label}, step over a bare step", own["seconds"] / plain, unit="x"),
        claim(f"{case.label}, peak memory", own["bytes"] / 1e9, unit="GB"),
    ]
    facts: dict[str, Any] = {"bare_step_seconds": plain, "step_seconds": own["seconds"]}
    for name, (with_it, without) in SWITCHES.items() if case.switches else ():
        if scale.left() < 0:
            facts[name] = "left out for want of time"
            continue
        on, off = step(scale, case, folder, *with_it), step(scale, case, folder, *without)
        claims += [
            claim(f"{case.label}, {name}: time of a step", on["seconds"] / off["seconds"], unit="x"),
            claim(
                f"{case.label}, {name}: peak memory",
                on["bytes"] / off["bytes"] if off["bytes"] else None,
                unit="x",
            ),
        ]
        facts[name] = {"on": on, "off": off}
    images, captions = encoding(scale, case)
    claims += [
        claim(f"{case.label}, encoding images", images, unit="images/s"),
        claim(f"{case.label}, encoding captions", captions, unit="captions/s"),
    ]
    return claims, facts


def bare(scale: Scale, case: Case) -> float:
    """Return the seconds of the least step: one batch on the device, bfloat16, a fused AdamW."""
    import torch

    config, method = model(scale, case)
    batch = next(batches(scale, config, method).epoch(1))
    weights = [parameter for _, parameter in method.trainable()]
    optimiser = torch.optim.AdamW(weights, lr=1e-6, fused=True)

    def steps() -> None:
        for _ in range(scale.steps):
            one_step(scale, method, batch, optimiser)

    method.train()
    steps()
    return median_seconds(scale, steps) / scale.steps


def one_step(scale: Scale, method: "Method", batch: "Batch", optimiser: "torch.optim.Optimizer") -> None:
    """Do forward, backward and the optimiser's step, as plainly as PyTorch can be written."""
    import torch

    with torch.autocast(scale.device, torch.bfloat16, enabled=scale.precision == "bf16"):
        total = method.training_step(batch).total
    total.backward()
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)


def step(scale: Scale, case: Case, folder: Path, *settings: str) -> dict[str, float]:
    """Return the seconds and the peak bytes of a step of the harness, its batches included."""
    from harness.compute.devices import accelerator
    from harness.record import RunFolder
    from harness.train.cost import PeakMemory
    from harness.train.loop import Training

    config, method = model(scale, case, *settings)
    engine = accelerator(config.train.precision, scale.device)
    training = Training(method, batches(scale, config, method), config, engine, RunFolder(folder))
    method.begin_training()
    epoch(training)
    with PeakMemory(scale.device) as memory:
        seconds = median_seconds(scale, lambda: epoch(training)) / scale.steps
    return {"seconds": seconds, "bytes": float(memory.bytes)}


def epoch(training: "Training") -> None:
    """Take the steps of an epoch as a run does."""
    training.state.step = 0
    with training.switches.steps():
        training._steps(1)


def encoding(scale: Scale, case: Case) -> tuple[float, float]:
    """Return how many images and captions a second the encoder embeds."""
    from harness.compute.devices import inference
    from harness.evaluate.encoder import Encoder

    config, method = model(scale, case)
    encoder = Encoder(method, config, inference(config.train.precision, scale.device))
    split = SimpleNamespace(
        dataset="drawn", name="test", images=pictures(scale, case.size), tokens=captions(scale, method)
    )
    encoder.encode(split)
    found = [encoder.encode(split) for _ in range(scale.rounds)]
    image, text = (
        statistics.median(getattr(one, f"{side}_seconds") for one in found) for side in ("image", "text")
    )
    return len(split.images) / image, len(split.tokens) / text


def evaluation(scale: Scale) -> list[Claim]:
    """Measure ranking against one matrix product of that size, in true float32."""
    import torch

    from benchmarks.evaluation import draw
    from harness.compute.precision import tf32
    from harness.evaluate.ranking import rank_queries

    problem = [tensor.to(scale.device) for tensor in draw(*scale.queries)]
    with tf32(False):
        out = torch.empty(len(problem[0]), len(problem[1]), device=scale.device)
        product, ranked = (
            median_seconds(scale, work, warm=1)
            for work in (lambda: torch.mm(problem[0], problem[1].T, out=out), lambda: rank_queries(*problem))
        )
    bound = PRODUCT_BOUND if scale.device == "cuda" else None
    return [
        claim(
            "evaluation at ICFG size over one bare matrix product", ranked / product, unit="x", at_most=bound
        ),
        claim("evaluation at ICFG size", ranked * 1000, unit="ms"),
    ]


def model(scale: Scale, case: Case, *settings: str) -> "tuple[RunConfig, Method]":
    """Return a config and its method with random weights on the device."""
    from harness.clip.model import load_clip
    from harness.presets.resolve import resolve
    from harness.run.job import build_method

    height, width = case.size
    own = (
        *scale.backbone,
        f"backbone.image_size=[{height},{width}]",
        f"train.precision={scale.precision}",
        f"train.batch_size={scale.batch}",
        *case.settings,
        *settings,
    )
    config = resolve(case.method, "icfg", presets=list(case.presets), overrides=list(own)).fitted(
        scale.n_images
    )
    return config, build_method(config, load_clip(config.backbone)).to(scale.device)


def batches(scale: Scale, config: "RunConfig", method: "Method") -> "Batches":
    """Return batches of random pixels and captions, augmented as the config has it, as many as a round has steps."""
    from harness.datasets import Pairs
    from harness.images.augment import Augment
    from harness.train.batch_content import Samples
    from harness.train.batches import Batches
    from harness.train.switches import CAPTION_STEP

    backbone, n = config.backbone, scale.batch * scale.steps
    assert backbone.normalisation is not None
    augment = Augment(config.train.augment, backbone.image_size, backbone.normalisation)
    samples = Samples(
        pictures(scale, backbone.image_size),
        augment,
        captions(scale, method),
        step=CAPTION_STEP if config.train.compile else 1,
    )
    identities = [place // 2 for place in range(scale.n_images)]
    pairs = Pairs([], identities, [], [place % scale.n_images for place in range(n)])
    return Batches(
        pairs,
        samples,
        batch_size=scale.batch,
        seed=1,
        device=scale.device,
        views=method.views(),
        prefetch=config.train.prefetch,
    )


def pictures(scale: Scale, size: tuple[int, int]) -> Any:
    """Return images of random pixels in memory."""
    import numpy as np

    from harness.images.store import Images

    pixels = np.random.default_rng(1).integers(0, 256, (scale.n_images, 3, *size), dtype=np.uint8)

    def fill(places: Any, rows: Any) -> None:
        for place, row in zip(places, rows, strict=True):
            row[:] = pixels[place]

    return Images([Path(str(place)) for place in range(scale.n_images)], size, bytes(scale.n_images), fill)


def captions(scale: Scale, method: "Method") -> "torch.Tensor":
    """Return random captions of 15 words to the longest that fits, as token ids [n, text_length]."""
    import torch

    clip = method.clip
    n_words, length = clip.token_embedding.num_embeddings, clip.text_length
    n = max(scale.n_images, scale.batch * scale.steps)
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(1, n_words - 3, (n, length), generator=generator)
    ends = torch.randint(min(15, length - 2), length, (n,), generator=generator)
    tokens[torch.arange(length) > ends[:, None]] = 0
    tokens[torch.arange(n), ends] = n_words - 1
    tokens[:, 0] = n_words - 2
    return tokens


def median_seconds(scale: Scale, work: Callable[[], object], warm: int = 0) -> float:
    """Return the median of the seconds of some rounds, each to the end of what the device was given."""
    for _ in range(warm):
        work()
    times: list[float] = []
    for _ in range(scale.rounds):
        with timed(scale, times):
            work()
    return statistics.median(times)


@contextmanager
def timed(scale: Scale, times: list[float]) -> Iterator[None]:
    """Add the seconds of a block to a list."""
    import torch

    wait = torch.cuda.synchronize if scale.device == "cuda" else (lambda: None)
    wait()
    start = time.perf_counter()
    yield
    wait()
    times.append(time.perf_counter() - start)
