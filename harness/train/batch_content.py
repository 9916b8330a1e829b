"""What training batches are made from: images and captions, or what the frozen parts of towers give of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Generator, Tensor

from harness.captions.masking import word_mask
from harness.images.augment import Augment, Draws
from harness.images.store import Images
from harness.method_parts.batch import Batch, Views
from harness.method_parts.frozen import given_to_batch
from harness.train.buffers import Buffers
from harness.train.share import Share


class Rewrite(Protocol):
    """Makes the tokens of a caption for one batch, from its position and a seed."""

    def __call__(self, captions: Sequence[int], seeds: Sequence[int]) -> Tensor:
        """Return token ids [n, length]; equal positions and seeds give equal tokens."""


class Contrast(Protocol):
    """Makes self-supervised views of training images (`harness.images.contrast_views`)."""

    def draw(self, n: int, generator: Generator) -> Any:
        """Return what happens to `n` samples, to be indexed by positions."""

    def apply(self, images: Sequence[int], draws: Any, device: torch.device) -> Tensor:
        """Return the views of the images at some positions, normalised float32 [n, 3, height, width]."""


class Rows(Protocol):
    """What is kept of the images or captions of a split, by position."""

    def __getitem__(self, places: Tensor) -> Tensor:
        """Return the rows at some positions [n, ...]."""


@dataclass(frozen=True)
class Frozen:
    """What is kept of what the frozen parts of towers give, in place of pixels and tokens; None where nothing is.

    Attributes:
        image: of all images: embeddings [n_image, dim] or streams [n_image, n_streams, length, width].
        text: of all captions, likewise.
    """

    image: Rows | None = None
    text: Rows | None = None


@dataclass(frozen=True)
class Samples:
    """The images and captions of a split, and what happens to them on their way into a batch.

    Attributes:
        images: pixels by position.
        augment: the recipe; its size is that of the images, and it says whether words are masked.
        tokens: token ids of all captions, the end token being the largest id [n_caption, length].
        cut: cut captions to the longest of a batch, which only some text towers allow (`Clip.cuts`).
        rewrite: makes augmented captions for each batch; None takes `tokens` as they are.
        contrast: makes the self-supervised views, where the method asks for any.
        step: captions that are cut keep a multiple of so many tokens, so that batches have few lengths.
        frozen: what stands for images or captions.
    """

    images: Images
    augment: Augment
    tokens: Tensor
    cut: bool = True
    rewrite: Rewrite | None = None
    contrast: Contrast | None = None
    step: int = 1
    frozen: Frozen = Frozen()


class Made(NamedTuple):
    """A batch from the second thread, with pixels and draws that are still to be augmented on the device."""

    batch: Batch
    pixels: Tensor | None = None
    draws: Sequence[Draws] = ()


class SampleReader:
    """Fills batches with images and captions.

    Args:
        samples: what batches are made from.
        views: further views of images and captions that the method asks for.
        device: where batches are wanted.

    Raises `UsageError` where words are to be masked and the tokens do not allow it.
    """

    def __init__(self, samples: Samples, views: Views, device: torch.device) -> None:
        self._samples, self._views, self._device = samples, views, device
        self._lengths = _lengths(samples.tokens, samples.cut)
        self._mask = word_mask(samples.augment.config.mask_words, samples.tokens, samples.cut)
        self._raw, self._ready = Buffers(np.uint8), Buffers(np.float32, 3 * (1 + views.images))

    def fill(self, batch: Batch, share: Share) -> Made:
        """Return a batch with its captions and images; what the device augments is still to be done."""
        batch = self._with_captions(batch, share)
        if self._samples.contrast is not None:
            batch.contrast_views = tuple(
                self._contrasted(self._samples.contrast, share, view) for view in range(self._views.contrast)
            )
        if self._samples.frozen.image is not None:
            return Made(replace(batch, image_frozen=given_to_batch(self._samples.frozen.image[share.owners])))
        return self._read_images(batch, share)

    def augmented(self, pixels: Tensor, draws: Sequence[Draws]) -> dict[str, Any]:
        """Return the images of a batch and their further views from pixels that are on the device."""
        first, *more = (self._samples.augment.apply(pixels, one) for one in draws)
        return {"images": first, "image_views": tuple(more)}

    def _with_captions(self, batch: Batch, share: Share) -> Batch:
        if self._samples.frozen.text is None:
            first, *more = (self._captions(share, view) for view in range(1 + self._views.captions))
            return replace(batch, tokens=first, token_views=tuple(more))
        tokens = self._cut(share.pairs)
        given = given_to_batch(self._samples.frozen.text[share.pairs], tokens.shape[1])
        return replace(batch, tokens=tokens if isinstance(given, tuple) else None, text_frozen=given)

    def _read_images(self, batch: Batch, share: Share) -> Made:
        """Read the images, and augment them here if they stay here; else return pixels and the draws of each view."""
        images, augment = self._samples.images, self._samples.augment
        # Drawn for the whole batch, so that each sample is treated alike on any number of processes.
        draws = [
            augment.draw(share.n, share.generator("augment", view))[share.places]
            for view in range(1 + self._views.images)
        ]
        shape = (len(share.places), 3, *images.size)
        pinned = self._device.type == "cuda"
        out = torch.empty(shape, dtype=torch.uint8, pin_memory=True) if pinned else self._raw.take(shape)
        pixels = images.read(share.owners, out)
        if self._device.type != "cpu":
            return Made(batch, pixels, draws)
        first, *more = (augment.apply(pixels, one, self._ready.take(shape)) for one in draws)
        return Made(replace(batch, images=first, image_views=tuple(more)))

    def _contrasted(self, contrast: Contrast, share: Share, view: int) -> Tensor:
        draws = contrast.draw(share.n, share.generator("contrast", view + 1))[share.places]
        return contrast.apply(share.owners.tolist(), draws, self._device)

    def _captions(self, share: Share, view: int) -> Tensor:
        """Return the tokens of a view of this process's captions, words masked where that is asked for."""
        rewrite = self._samples.rewrite
        tokens = self._rewritten(rewrite, share, view) if rewrite else self._cut(share.pairs)
        if self._mask is None:
            return tokens
        # Drawn for the whole batch at full length, so that neither processes nor cutting change a caption.
        length = self._samples.tokens.shape[1]
        written = self._mask.draw(share.n, length, share.generator("mask", view))
        return self._mask.apply(tokens, written[share.places, : tokens.shape[1]])

    def _rewritten(self, rewrite: Rewrite, share: Share, view: int) -> Tensor:
        seeds = torch.randint(2**62, (share.n,), generator=share.generator("captions", view))[share.places]
        tokens = rewrite(share.pairs.tolist(), seeds.tolist())
        return tokens[:, : self._rounded(_lengths(tokens, self._samples.cut))].long()

    def _cut(self, mine: Tensor) -> Tensor:
        """Return the tokens of some captions up to the longest of them [n, length]."""
        return self._samples.tokens[mine, : self._rounded(self._lengths[mine])].long()

    def _rounded(self, lengths: Tensor) -> int:
        """Return the length of a batch of captions of some lengths [n]; cutting one too long ends at its own."""
        step = self._samples.step
        return -(-int(lengths.max()) // step) * step


def _lengths(tokens: Tensor, cut: bool) -> Tensor:
    """Return how many tokens each caption needs [n_caption]: up to its end token, or all where cutting is not exact."""
    return tokens.argmax(dim=1) + 1 if cut else torch.full((len(tokens),), tokens.shape[1])
