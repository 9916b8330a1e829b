"""Can each method learn 32 pairs of 32 identities by heart? A test of what its parameters can express.

All methods get the same optimiser (Adam, rate 1e-3, epsilon 1e-8, no decay), the same loss (contrastive, `itc`), the
same pairs of the synthetic CUHK twin (its captions fit 77 tokens uncut), one batch, no augmentation, and stop at R@1
= 100 or after the last step. The loss curve stands in the result. Not SDM, the loss of training, because it compares
the predicted distribution with the true one in that order: a pair that is wrong with confidence gets next to no
gradient, and at temperature 0.02 one to four of the 32 stayed wrong for good (R@1 96.9 for adapter_only in 600 steps,
93.8 for cskt in 1,500), however the rate was set.
"""

import tempfile
from typing import Any

import torch

from benchmarks.common import Outcome, claim, outcome
from benchmarks.method_steps import with_frozen
from harness.clip.model import load_clip
from harness.config.augment import AugmentConfig
from harness.config.sections import TrainConfig
from harness.data.loading import Split, open_material
from harness.data.reading import read_dataset
from harness.evaluate.ranking import rank_directions, summarise_directions
from harness.images.augment import Augment
from harness.listener import Listener
from harness.method_parts.batch import Batch
from harness.method_parts.frozen import frozen_parts
from harness.methods import METHODS, Method
from harness.presets.resolve import resolve
from harness.run.job import build_method

N, STEPS, LOOK_EVERY, RATE = 32, 600, 20, 1e-3
MUST = ("full_finetune", "adapter_only", "cskt")


def run() -> Outcome:
    """Overfit every trained method and report the best R@1 and the steps it took."""
    names = [name for name in METHODS.names() if METHODS.get(name).trained]
    with tempfile.TemporaryDirectory() as folder:
        found = {name: overfit(name, folder) for name in names}
    claims = [
        claim(
            f"{name}: best R@1, text to image", one["best"], unit="%", at_least=100 if name in MUST else None
        )
        for name, one in found.items()
    ]
    return outcome(
        "Overfitting 32 pairs of 32 identities", "python -m benchmarks overfit", claims, methods=found
    )


def overfit(name: str, folder: str) -> dict[str, Any]:
    """Train one method on one batch; return the best R@1, the steps until it, and the loss curve."""
    overrides = [f"dataset.root={folder}", "method.eps=1e-8", "method.weight_decay=0"]
    overrides += [f"method.lr={RATE}", "method.loss=itc"]
    config = resolve(name, "cuhk", synthetic=True, overrides=overrides)
    clip = load_clip(config.backbone)
    reading = read_dataset(config.dataset, Listener())
    split = open_material(reading, config.dataset, config.backbone, clip.tokenize, Listener()).train
    method = build_method(config, clip)
    batch = one_batch(split, method, Augment(AugmentConfig(), config.backbone.image_size))
    optimiser = method.optimiser()
    best, best_step, losses = 0.0, 0, []
    for step in range(1, STEPS + 1):
        loss = method.training_step(batch).total
        loss.backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        losses.append(round(loss.item(), 4))
        if step % LOOK_EVERY == 0 and (score := recall(method, batch)) > best:
            best, best_step = score, step
        if best == 100:
            break
    return {"best": best, "steps": best_step, "loss": losses[:: LOOK_EVERY // 2]}


def one_batch(split: Split, method: Method, pixels: Augment) -> Batch:
    """Return the first caption of each of the first 32 identities, with its image."""
    first = {int(identity): place for place, identity in reversed(list(enumerate(split.caption_identities)))}
    chosen = torch.tensor(sorted(first.values())[:N])
    images = pixels.normalise(split.images.read(split.owners[chosen]))
    tokens = method.clip.cut(split.tokens[chosen])
    batch = Batch(images, tokens, torch.arange(N))
    return with_frozen(batch, method, frozen_parts(method, TrainConfig()))


@torch.no_grad()
def recall(method: Method, batch: Batch) -> float:
    """Return R@1 from text to image among the 32, in percent."""
    of = method.features(batch)
    image, text = of["image"], of["text"]
    return summarise_directions(rank_directions(image, text, batch.identities, batch.identities))["t2i/R1"]
