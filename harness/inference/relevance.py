"""Where a match is looked for: how much each patch of a picture and each word of a caption carries their similarity.

Patches are told by integrated gradients (Sundararajan et al. 2017, https://arxiv.org/abs/1703.01365), from an even grey
picture to the picture itself, summed over the pixels of each patch. They need pixels and an embedding and nothing of
what is between, so they pass through every tower and whatever a method puts into it; prompts and prefixes are no pixels
and take no share. What the patches carry adds up to what the picture adds over the grey one, which attention maps
(Chefer et al. 2021) and gradients of one layer do not promise. The grey is that of the mean which the backbone's
normalisation takes away, so it is the same for all pictures; a picture's own mean colour would already tell of a red
coat. Words are told by leaving each out and reading the caption again, which is exact and cheap for a text tower.

`occlusion` is the exact reference for patches: each greyed by itself, and the picture read again for each.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from harness.compute.devices import autocast
from harness.compute.precision import tf32, unit
from harness.compute.transfer import sent

if TYPE_CHECKING:
    from harness.evaluate.encoder import Encoder

STEPS, _TOGETHER = 24, 8
# Of a backbone whose image tower has no patches.
_CELLS = (12, 4)
# A map says where only if the tenth of patches that carry most carries more than this share of all that is carried.
FLAT = 0.2


class Word(NamedTuple):
    """A word of a caption as it is written, and how far the similarity falls without it."""

    text: str
    carries: float


class PatchMap(NamedTuple):
    """What the patches of a picture carry of its similarity to a caption.

    Attributes:
        patches: each patch's part; together `similarity - without`, but for the error of the steps [n_row, n_column].
        similarity: cosine similarity of caption and picture.
        without: that of the caption and an even grey picture.
    """

    patches: Tensor
    similarity: float
    without: float

    @property
    def is_flat(self) -> bool:
        """Whether the tenth of patches that carry most carries no more than `FLAT` of what all carry for the match."""
        carried = self.patches.clamp(min=0).flatten().sort(descending=True).values
        return bool(carried[: max(1, len(carried) // 10)].sum() <= FLAT * carried.sum())


class WordMap(NamedTuple):
    """What the words of a caption carry of its similarity to a picture.

    Attributes:
        words: those that the text tower can read, in order; what each carries need not add up, words repeat others.
        similarity: cosine similarity of caption and picture.
        without: that of the picture and a caption without words.
        n_unread: how many words come after those.
    """

    words: list[Word]
    similarity: float
    without: float
    n_unread: int


class Relevance(NamedTuple):
    """Where a picture and a caption match: what the patches of the one carry, and the words of the other."""

    picture: PatchMap
    caption: WordMap


def relevance(encoder: "Encoder", pixels: Tensor, caption: str) -> Relevance:
    """Return what carries the similarity of a picture, uint8 [3, height, width], and a caption."""
    return Relevance(patch_map(encoder, pixels, caption), word_map(encoder, pixels, caption))


def patch_map(encoder: "Encoder", pixels: Tensor, caption: str, steps: int = STEPS) -> PatchMap:
    """Return what each patch of a picture, uint8 [3, height, width], carries of its similarity to a caption."""
    text, (picture, grey) = _text(encoder, caption), _ends(encoder, pixels)
    # Most steps are near the grey picture, where the similarity bends most: the share of the way is the time's square.
    times = (torch.arange(steps, device=picture.device) + 0.5).view(-1, 1, 1, 1) / steps
    slope = torch.zeros_like(picture)
    for part in times.split(_TOGETHER):
        slope += _slopes(encoder, grey + part**2 * (picture - grey), text, 2 * part / steps)
    carried = ((picture - grey) * slope).sum(dim=1, keepdim=True)
    similarity, without = _similarities(encoder, torch.cat([picture, grey]), text).tolist()
    return PatchMap(_by_patch(carried, patch_size(encoder))[0, 0].cpu(), similarity, without)


def occlusion(encoder: "Encoder", pixels: Tensor, caption: str) -> Tensor:
    """Return how far the similarity falls with each patch alone made grey [n_row, n_column]: the exact reference."""
    text, (picture, grey) = _text(encoder, caption), _ends(encoder, pixels)
    height, width = patch_size(encoder)
    whole = float(_similarities(encoder, picture, text))
    grid = _by_patch(picture[:, :1], (height, width))[0, 0]
    falls = torch.empty(grid.shape)
    for row in range(grid.shape[0]):
        cut = picture.repeat(grid.shape[1], 1, 1, 1)
        for column in range(grid.shape[1]):
            box = (slice(row * height, (row + 1) * height), slice(column * width, (column + 1) * width))
            cut[column, :, *box] = grey[0, :, *box]
        falls[row] = whole - _similarities(encoder, cut, text).cpu()
    return falls


def word_map(encoder: "Encoder", pixels: Tensor, caption: str) -> WordMap:
    """Return how far the similarity of a caption and a picture, uint8 [3, height, width], falls without each word."""
    clip = encoder.method.clip
    every = [found[0] for found in re.finditer(r"\S+", caption)]
    # Each word takes a token at least.
    words = every[: clip.text_length]
    read = every[: clip.text_length + 1]
    versions = [" ".join(read), "", *(" ".join(read[:n] + read[n + 1 :]) for n in range(len(words)))]
    image = encoder.encode_pixels(pixels[None])[0]
    found = (encoder.encode_tokens(clip.tokenize(versions)) @ image).tolist()
    similarity, without, *rest = found
    told = [Word(text, similarity - one) for text, one in zip(words, rest, strict=True)]
    return WordMap(told, similarity, without, len(every) - len(words))


def patch_size(encoder: "Encoder") -> tuple[int, int]:
    """Return height and width of a patch in pixels; of a tower without patches those of a cell of an even grid."""
    clip = encoder.method.clip
    if "image" in clip.towers:
        height, width = clip.towers["image"].affine(0, "patches").weight.shape[-2:]
        return int(height), int(width)
    return clip.image_size[0] // _CELLS[0], clip.image_size[1] // _CELLS[1]


def _text(encoder: "Encoder", caption: str) -> Tensor:
    # Copied: what was made in inference mode takes no part in gradients.
    return encoder.encode_tokens(encoder.method.clip.tokenize([caption]))[0].clone()


def _ends(encoder: "Encoder", pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Return a picture and the grey one, both normalised [1, 3, height, width]."""
    picture = encoder.pixels.normalise(sent(pixels[None], encoder.engine.device))
    return picture, torch.zeros_like(picture)


def _slopes(encoder: "Encoder", pictures: Tensor, text: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted sum of gradients of the similarities of pictures [n, 3, height, width], as one picture."""
    with torch.enable_grad():
        pictures = pictures.detach().requires_grad_()
        total = _encoded(encoder, pictures, lambda rows: rows @ text).sum()
        (slopes,) = torch.autograd.grad(total, pictures)
    return (weights * slopes).sum(dim=0, keepdim=True)


@torch.no_grad()
def _similarities(encoder: "Encoder", pictures: Tensor, text: Tensor) -> Tensor:
    return _encoded(encoder, pictures, lambda rows: rows @ text)


def _encoded(encoder: "Encoder", pictures: Tensor, then: Callable[[Tensor], Tensor]) -> Tensor:
    """Pass normalised pictures through the method as a test does."""
    method = encoder.method.eval()
    with autocast(encoder.engine), tf32(False):
        rows = method.encode_image(pictures).float()
    return then(unit(rows))


def _by_patch(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Sum values [n, 1, height, width] over whole patches."""
    return torch.nn.functional.avg_pool2d(values, size) * (size[0] * size[1])
