"""A tiny CLIP of random weights, methods on it and batches for them: all that the checks work with."""

import inspect
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harness.clip.model import Clip, load_clip
from harness.clip.tiny import is_tiny
from harness.config.sections import BackboneConfig
from harness.errors import UsageError, brief
from harness.method_parts.batch import Batch
from harness.method_parts.schedule import Progress
from harness.methods import Method

# Towers of unlike depth and width, wide enough for the sizes that methods have by default.
BACKBONE = "tiny-4x96-2x64"
IMAGE_SIZE = (32, 16)
# Six pairs of four persons, and where each caption ends.
IDENTITIES = (0, 1, 1, 2, 3, 0)
_ENDS, _OTHER_ENDS = (4, 6, 9, 5, 7, 3), (5, 4, 3, 6, 3, 4)
_LENGTH = 10


class Bench:
    """Makes a method on a tiny CLIP, again and again, and batches as it asks for.

    Args:
        method_class: the method.
        fields: of its config, where they are not to be the defaults.
        backbone: a tiny CLIP of any sizes.

    Raises `UsageError` for another backbone.
    """

    def __init__(
        self,
        method_class: type[Method],
        fields: Mapping[str, Any] | None = None,
        backbone: str = BACKBONE,
    ) -> None:
        if not is_tiny(backbone):
            raise UsageError(
                f"Methods are tested on a tiny CLIP, which {brief(backbone)} is not: name one by layers and width of "
                "its image and text tower, such as tiny-12x96-12x64."
            )
        self.method_class, self.fields, self.backbone = method_class, dict(fields or {}), backbone

    @property
    def file(self) -> Path:
        """The file of the method."""
        return Path(inspect.getfile(self.method_class))

    def clip(self, seed: int = 0, device: str = "cpu") -> Clip:
        """Return the backbone with random weights, in which every vector matters."""
        return deepcopy(_clip(self.backbone, seed, device))

    def make(self, seed: int = 0, device: str = "cpu", **fields: Any) -> Method:
        """Return the method; `fields` are set as far as its config has them."""
        kind = self.method_class.Config
        known = {name: value for name, value in fields.items() if name in kind.model_fields}
        config = kind(**{"name": self.method_class.name, **self.fields, **known})
        clip = self.clip(seed, device)
        torch.manual_seed(seed)
        with torch.device(device):
            return self.method_class(clip, config.fitted(max(IDENTITIES) + 1))

    def batch(self, method: Method) -> Batch:
        """Return six pairs with the further views that the method asks for."""
        views = method.views()
        generator = torch.Generator().manual_seed(2)
        n_images = 1 + views.images + views.contrast
        images = torch.randn(n_images, len(IDENTITIES), 3, *IMAGE_SIZE, generator=generator)
        ends = (_ENDS, *[_OTHER_ENDS] * views.captions)
        tokens = [self.captions(method.clip, places, _LENGTH, seed) for seed, places in enumerate(ends)]
        return Batch(
            images[0],
            tokens[0],
            torch.tensor(IDENTITIES),
            image_views=tuple(images[1 : 1 + views.images]),
            token_views=tuple(tokens[1:]),
            contrast_views=tuple(images[1 + views.images :]),
            seed=11,
        )

    def captions(self, clip: Clip, ends: Iterable[int], length: int | None = None, seed: int = 0) -> Tensor:
        """Return token ids [n, length] of random words, whose end-of-text stands at the given places."""
        places = tuple(ends)
        n_words = clip.token_embedding.num_embeddings
        tokens = torch.zeros(len(places), length or clip.text_length, dtype=torch.long)
        generator = torch.Generator().manual_seed(seed + 1)
        for row, end in zip(tokens, places, strict=True):
            row[0], row[end] = n_words - 2, n_words - 1
            row[1:end] = torch.randint(1, n_words - 2, (end - 1,), generator=generator)
        return tokens


@lru_cache(maxsize=8)
def _clip(backbone: str, seed: int, device: str) -> Clip:
    """Return a backbone of which only copies are given away, since making one takes longer."""
    config = BackboneConfig(name=backbone, pretrained=None, image_size=IMAGE_SIZE)
    clip = load_clip(config, seed=seed, device=device)
    if device != "meta":
        torch.manual_seed(seed)
        enliven(clip)
    return clip


@torch.no_grad()
def enliven(module: nn.Module) -> None:
    """Give all vectors random values, so that a forgotten one shows."""
    for name, parameter in module.named_parameters():
        if parameter.dim() < 2:
            parameter.normal_(mean=float("weight" in name), std=0.3)


@torch.no_grad()
def shake(method: Method) -> None:
    """Move everything that is trained away from its start."""
    for _, parameter in method.trainable():
        parameter.add_(torch.randn_like(parameter), alpha=0.05)


def step(method: Method, batch: Batch, optimiser: torch.optim.Optimizer, done: int = 0) -> float:
    """Take a step as the training loop does, after `done` others; return the loss."""
    method.on_step_start(Progress(1, done, 8, 10))
    method.begin_training()
    optimiser.zero_grad()
    loss = method(batch).total
    torch.autograd.backward(loss)
    optimiser.step()
    return float(loss.detach())


def permuted(batch: Batch, order: Tensor) -> Batch:
    """Return a batch's pairs in another order, each with the draws that it had."""
    moved: dict[str, Any] = {"places": order}
    for name, value in vars(batch).items():
        if isinstance(value, tuple):
            moved[name] = tuple(view[order] for view in value)
        elif isinstance(value, Tensor):
            moved[name] = value[order]
    return replace(batch, **moved)


def without_chance(method: Method) -> Method:
    """Take out what draws from the process's generator, as dropout of attention does; return the method."""
    part: Any
    for part in method.modules():
        if isinstance(part, nn.modules.dropout._DropoutNd):
            part.p = 0.0
        if isinstance(part, nn.MultiheadAttention):
            part.dropout = 0.0
        if hasattr(part, "attention_dropout"):
            part.attention_dropout = 0.0
    return method
