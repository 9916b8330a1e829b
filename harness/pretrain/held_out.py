"""Retrieval among unseen pictures of each kind."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from harness.clip.model import Clip
from harness.config.pixels import STATISTICS
from harness.evaluate.ranking import rank_directions, summarise_directions
from harness.pretrain.pairs import batch

# Pictures of this seed, counted from that of the training, are never trained on.
HELD_OUT = 1_000_003
ALL = "all"
_AT_ONCE = 250
NAMES = ("t2i/R1", "t2i/R5", "t2i/mAP", "i2t/R1")
Figures = dict[str, dict[str, float]]


def held_out_figures(clip: Clip, kinds: Iterable[str], n: int, seed: int) -> Figures:
    """Return retrieval figures in percent by kind of picture; ties count against the model.

    Args:
        clip: the model.
        kinds: each is searched by itself; several are searched together as well, as `all`.
        n: pictures of each kind.
        seed: of the training.
    """
    embedded = {kind: _embedded(clip, kind, n, seed + HELD_OUT) for kind in kinds}
    if len(embedded) > 1:
        image, text = (torch.cat(rows) for rows in zip(*embedded.values(), strict=True))
        embedded[ALL] = image, text
    return {kind: _figures(image, text) for kind, (image, text) in embedded.items()}


def normalised(images: Tensor) -> Tensor:
    """Return pixels [n, 3, height, width] from uint8 as CLIP takes them."""
    mean, deviation = (torch.tensor(x).view(3, 1, 1) for x in STATISTICS["clip"])
    return (images.float() / 255 - mean) / deviation


def embed(clip: Clip, images: Tensor, captions: list[str]) -> tuple[Tensor, Tensor]:
    """Return L2-normalised embeddings [n, dim] of images, as uint8, and of captions."""
    image = nn.functional.normalize(clip.encode_image(normalised(images)), dim=-1)
    return image, nn.functional.normalize(clip.encode_text(clip.cut(clip.tokenize(captions))), dim=-1)


@torch.no_grad()
def _embedded(clip: Clip, kind: str, n: int, seed: int) -> tuple[Tensor, Tensor]:
    parts = [
        embed(clip, *batch({kind: 1.0}, seed, start, min(_AT_ONCE, n - start)))
        for start in range(0, n, _AT_ONCE)
    ]
    image, text = (torch.cat(rows) for rows in zip(*parts, strict=True))
    return image, text


def _figures(image: Tensor, text: Tensor) -> dict[str, float]:
    labels = torch.arange(len(image))
    found = summarise_directions(rank_directions(image, text, labels, labels))
    return {name: found[name] for name in NAMES}
