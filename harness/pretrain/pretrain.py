"""Make the tiny CLIP: contrastive pretraining on the synthetic corpus of shapes."""

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from open_clip import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from pydantic import Field
from safetensors.torch import save
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from harness.clip import tiny
from harness.clip.model import Clip, load_clip
from harness.clip.weight_files import state_hash
from harness.config.fields import Section
from harness.config.sections import BackboneConfig
from harness.files import replaced, write_json
from harness.pretrain.shape_drawing import draw
from harness.pretrain.shapes import describe, sample_scene

_BACKBONE = BackboneConfig(name=tiny.NAME, pretrained=None, image_size=(96, 32))
HELD_OUT = 1_000_003
_MAX_SCALE = math.log(100)


class PretrainConfig(Section):
    """The recipe of the tiny CLIP."""

    steps: int = Field(500, ge=1, description="optimiser steps")
    batch_size: int = Field(128, ge=2, description="pairs per step")
    lr: float = Field(1e-3, gt=0, description="learning rate after warm-up; falls to zero along a cosine")
    weight_decay: float = Field(0.05, ge=0, description="AdamW weight decay of matrices")
    warmup_steps: int = Field(30, ge=0, description="steps of linear warm-up")
    held_out: int = Field(1000, ge=2, description="unseen scenes for the retrieval figure")
    seed: int = Field(0, ge=0, description="seed of weights and scenes")

    @property
    def command(self) -> str:
        """The command line that repeats this."""
        return f"harness pretrain --steps {self.steps} --batch-size {self.batch_size} --seed {self.seed}"


class ShapesDataset(Dataset[tuple[Tensor, str]]):
    """Endless scenes by number: pixels [3, height, width] as uint8, and a caption; each from its own seed."""

    def __init__(self, n_scenes: int, seed: int, image_size: tuple[int, int] = _BACKBONE.image_size) -> None:
        self.n_scenes, self.seed, self.image_size = n_scenes, seed, image_size

    def __len__(self) -> int:
        return self.n_scenes

    def __getitem__(self, index: int) -> tuple[Tensor, str]:
        rng = np.random.default_rng([self.seed, index])
        scene = sample_scene(rng)
        caption = describe(scene, rng)
        return torch.from_numpy(draw(scene, self.image_size, rng)).permute(2, 0, 1), caption


def pretrain(
    config: PretrainConfig, out: Path, on_step: Callable[[int, float], None] | None = None
) -> dict[str, Any]:
    """Train the tiny CLIP, write its weights to `out` and a record beside it, and return the record.

    Args:
        config: the recipe.
        out: safetensors file; the record takes its name with `.json`.
        on_step: called with step (from 1) and loss.
    """
    start = time.perf_counter()
    clip = load_clip(_BACKBONE, random=True, seed=config.seed).train().requires_grad_(True)
    losses = _train(clip, config, on_step or (lambda step, loss: None))
    recall = shapes_recall(clip.eval(), config.held_out, config.seed + HELD_OUT)
    sha256 = _save(clip, out)
    record = {
        "command": config.command,
        "config": config.model_dump(),
        "loss": sum(losses[-20:]) / len(losses[-20:]),
        "shapes_R1": recall,
        "seconds": round(time.perf_counter() - start, 1),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "sha256": sha256,
    }
    write_json(out.with_suffix(".json"), record)
    return record


def shapes_recall(clip: Clip, n_scenes: int, seed: int) -> float:
    """Return text-to-image R@1 in percent among `n_scenes` scenes; ties count against the model."""
    parts = [_embed(clip, images, captions) for images, captions in _batches(n_scenes, seed, 250)]
    image, text = (torch.cat(rows) for rows in zip(*parts, strict=True))
    scores = text @ image.T
    right = scores.diagonal()[:, None]
    return float(((scores >= right).sum(dim=1) == 1).float().mean() * 100)


def _train(clip: Clip, config: PretrainConfig, on_step: Callable[[int, float], None]) -> list[float]:
    scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
    optimiser = _optimiser(clip, scale, config)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _lr_factor(step, config))
    losses = []
    scenes = _batches(config.steps * config.batch_size, config.seed, config.batch_size)
    for step, (images, captions) in enumerate(scenes, start=1):
        loss = _loss(clip, scale, images, captions)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(clip.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        scale.data.clamp_(max=_MAX_SCALE)
        losses.append(loss.item())
        on_step(step, losses[-1])
    return losses


def _loss(clip: Clip, scale: Tensor, images: Tensor, captions: list[str]) -> Tensor:
    image = nn.functional.normalize(clip.encode_image(_normalise(images)), dim=-1)
    text = nn.functional.normalize(clip.encode_text(clip.cut(clip.tokenize(captions))), dim=-1)
    scores = scale.exp() * image @ text.T
    labels = torch.arange(len(scores))
    return (nn.functional.cross_entropy(scores, labels) + nn.functional.cross_entropy(scores.T, labels)) / 2


def _optimiser(clip: Clip, scale: nn.Parameter, config: PretrainConfig) -> torch.optim.Optimizer:
    matrices = [parameter for parameter in clip.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in clip.parameters() if parameter.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": [*others, scale], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.lr, betas=(0.9, 0.98), eps=1e-6)


def _lr_factor(step: int, config: PretrainConfig) -> float:
    warm = min(1.0, (step + 1) / max(config.warmup_steps, 1))
    return warm * (1 + math.cos(math.pi * min(1.0, step / config.steps))) / 2


def _batches(n_scenes: int, seed: int, size: int) -> Iterator[tuple[Tensor, list[str]]]:
    loader = DataLoader(ShapesDataset(n_scenes, seed), batch_size=size, collate_fn=_collate)
    return iter(loader)


def _collate(pairs: list[tuple[Tensor, str]]) -> tuple[Tensor, list[str]]:
    images, captions = zip(*pairs, strict=True)
    return torch.stack(images), list(captions)


def _normalise(images: Tensor) -> Tensor:
    mean, deviation = (torch.tensor(x).view(3, 1, 1) for x in (OPENAI_DATASET_MEAN, OPENAI_DATASET_STD))
    return (images.float() / 255 - mean) / deviation


@torch.no_grad()
def _embed(clip: Clip, images: Tensor, captions: list[str]) -> tuple[Tensor, Tensor]:
    tokens = clip.cut(clip.tokenize(captions))
    image, text = clip.encode_image(_normalise(images)), clip.encode_text(tokens)
    return nn.functional.normalize(image, dim=-1), nn.functional.normalize(text, dim=-1)


def _save(clip: Clip, out: Path) -> str:
    """Write the weights in float16 and return their content's SHA-256."""
    state = {name: value.half().contiguous() for name, value in clip.model.state_dict().items()}
    with replaced(out) as temporary:
        temporary.write_bytes(save(state))
    return state_hash(state)
