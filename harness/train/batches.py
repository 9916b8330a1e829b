"""Deal training batches: the same global batches on any number of processes, from any step on."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Generator, Tensor

from harness.captions.masking import word_mask
from harness.compute.distributed import deal
from harness.errors import UsageError
from harness.images.augment import Augment, Draws
from harness.images.store import Images
from harness.method_parts.batch import Batch, Views
from harness.train.buffers import Buffers


def derived_seed(*parts: Any) -> int:
    """Return a seed that depends on all parts, so that no two uses of one seed share a random stream.

    >>> derived_seed("order", 1, 2) == derived_seed("order", 1, 2) != derived_seed("order", 12)
    True
    """
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def epoch_order(n: int, seed: int, epoch: int) -> Tensor:
    """Return the order of `n` pairs in an epoch [n], a permutation that depends on nothing else."""
    return torch.randperm(n, generator=_generator("order", seed, epoch))


def labels_of(identities: Sequence[int]) -> Tensor:
    """Return labels 0, 1, ... of identity numbers in ascending order [n]; the numbers may have any base and gaps.

    >>> labels_of([7, 3, 7])
    tensor([1, 0, 1])
    """
    labels: Tensor = torch.unique(torch.as_tensor(identities, dtype=torch.int64), return_inverse=True)[1]
    return labels


class Rewrite(Protocol):
    """Makes the tokens of a caption as it stands in one batch, from its position and a seed."""

    def __call__(self, captions: Sequence[int], seeds: Sequence[int]) -> Tensor:
        """Return token ids [n, length]; equal positions and seeds give equal tokens."""


class Contrast(Protocol):
    """Makes self-supervised views of training images (`harness.images.contrast_views`)."""

    def draw(self, n: int, generator: Generator) -> Any:
        """Return what happens to `n` samples, to be indexed by positions."""

    def apply(self, images: Sequence[int], draws: Any, device: torch.device) -> Tensor:
        """Return the views of the images at some positions, normalised float32 [n, 3, height, width]."""


class Batches:
    """The training batches of a split: each caption once an epoch, beside its image.

    Every random choice comes from (seed, epoch, step), so the same batches come on any number of processes and
    after any interruption. The next batch is made by a second thread while the current one is used.

    Args:
        owners: position of the image that each caption describes [n_caption].
        identities: identity number of each image, of any base and with gaps [n_image].
        tokens: token ids of all captions, the end token being the largest id [n_caption, length].
        batch_size: pairs of a global batch; the last batch of an epoch may be smaller.
        seed: of order and augmentation.
        device: where batches are wanted.
        images: pixels by position; with them `augment` says what happens to each.
        augment: the recipe; its size is that of the images, and it says whether words are masked.
        image_embeddings: frozen embeddings in place of pixels [n_image, dim].
        text_embeddings: frozen embeddings in place of tokens [n_caption, dim].
        cut: cut captions to the longest of a batch, which only some text towers allow (`Clip.cuts`).
        views: further views of images and captions that the method asks for.
        rewrite: makes augmented captions anew for each batch; None takes `tokens` as they are.
        contrast: makes the self-supervised views.
        drop_last: leave out a last batch that is smaller than the others.

    Raises `UsageError` where that leaves no batch at all.
    """

    def __init__(
        self,
        *,
        owners: Sequence[int],
        identities: Sequence[int],
        tokens: Tensor | None,
        batch_size: int,
        seed: int,
        device: torch.device | str = "cpu",
        images: Images | None = None,
        augment: Augment | None = None,
        image_embeddings: Tensor | None = None,
        text_embeddings: Tensor | None = None,
        cut: bool = True,
        views: Views | None = None,
        rewrite: Rewrite | None = None,
        contrast: Contrast | None = None,
        drop_last: bool = False,
    ) -> None:
        assert images is None or augment is not None, "images need a recipe, if only to be normalised"
        self.owners = torch.as_tensor(owners, dtype=torch.int64)
        assert images is None or not set(images.bad) & set(owners), "a caption of an unreadable image"
        self.labels = labels_of(identities)[self.owners]
        self.batch_size, self.seed, self.device = batch_size, seed, torch.device(device)
        self._tokens, self._images, self._augment = tokens, images, augment
        self._lengths = None if tokens is None else _lengths(tokens, cut)
        self._mask = word_mask(augment.config.mask_words, tokens, cut) if augment else None
        self._embeddings = (image_embeddings, text_embeddings)
        self._views, self._rewrite, self._contrast, self._cuts = views or Views(), rewrite, contrast, cut
        self._drop_last = drop_last
        if not len(self):
            raise UsageError(
                f"train.drop_last leaves nothing of {len(self.owners)} pairs in batches of {batch_size}: "
                "lower train.batch_size, or set train.drop_last=false."
            )
        self._raw, self._ready = Buffers(np.uint8), Buffers(np.float32, 3 * (1 + self._views.images))
        # Never joined: an epoch left half-way may end inside garbage collection, where to join can lock up.
        self._maker = ThreadPoolExecutor(1, "batches", _stay_single)

    def __len__(self) -> int:
        """Return the number of steps of an epoch."""
        n_full, rest = divmod(len(self.owners), self.batch_size)
        return n_full + bool(rest and not self._drop_last)

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        """Yield this process's batches of an epoch, from a step on (counted from 0)."""
        order = epoch_order(len(self.owners), self.seed, epoch)
        torch.get_num_threads()  # settles this thread's own number before the other thread sets one
        coming: list[Future[_Made]] = []
        for step in range(start_step, len(self)):
            coming.append(self._maker.submit(self._make, order, epoch, step))
            if len(coming) > 1:
                yield self._deliver(coming.pop(0).result())
        for last in coming:
            yield self._deliver(last.result())

    def _make(self, order: Tensor, epoch: int, step: int) -> "_Made":
        """Make this process's share of a batch, with the draws of an augmentation still to be done elsewhere."""
        pairs = order[step * self.batch_size : (step + 1) * self.batch_size]
        places = deal(torch.arange(len(pairs)))
        share = _Share(pairs[places], places, len(pairs), (self.seed, epoch, step))
        image, text = self._embeddings
        batch = Batch(
            images=None,
            tokens=self._captions(share, view=0),
            identities=self.labels[pairs],
            image_embeddings=None if image is None else image[self.owners[share.pairs]],
            text_embeddings=None if text is None else text[share.pairs],
            token_views=tuple(
                tokens
                for view in range(1, self._views.captions + 1)
                if (tokens := self._captions(share, view)) is not None
            ),
            places=places,
            seed=derived_seed("method", *share.at),
        )
        if self._contrast is not None:
            batch.contrast_views = tuple(
                self._contrasted(share, view) for view in range(self._views.contrast)
            )
        return _Made(batch, *self._read_images(batch, share))

    def _read_images(self, batch: Batch, share: "_Share") -> tuple[Tensor | None, list[Draws]]:
        """Read the images, and augment them here if they stay here; else return pixels and the draws of each view."""
        if self._images is None or self._augment is None:
            return None, []
        # Drawn for the whole batch, so that each sample is treated alike on any number of processes.
        draws = [
            self._augment.draw(share.n, share.generator("augment", view))[share.places]
            for view in range(1 + self._views.images)
        ]
        shape = (len(share.places), 3, *self._images.size)
        pinned = self.device.type == "cuda"
        out = torch.empty(shape, dtype=torch.uint8, pin_memory=True) if pinned else self._raw.take(shape)
        pixels = self._images.read(self.owners[share.pairs], out)
        if self.device.type != "cpu":
            return pixels, draws
        first, *more = (self._augment.apply(pixels, one, self._ready.take(shape)) for one in draws)
        batch.images, batch.image_views = first, tuple(more)
        return None, []

    def _contrasted(self, share: "_Share", view: int) -> Tensor:
        assert self._contrast is not None
        draws = self._contrast.draw(share.n, share.generator("contrast", view + 1))[share.places]
        return self._contrast.apply(self.owners[share.pairs].tolist(), draws, self.device)

    def _captions(self, share: "_Share", view: int) -> Tensor | None:
        """Return the tokens of a view of this process's captions, words masked where that is asked for."""
        tokens = self._rewritten(share, view) if self._rewrite else self._cut(share.pairs)
        if tokens is None or self._tokens is None or self._mask is None:
            return tokens
        # Drawn for the whole batch at full length, so that neither processes nor cutting change a caption.
        written = self._mask.draw(share.n, self._tokens.shape[1], share.generator("mask", view))
        return self._mask.apply(tokens, written[share.places, : tokens.shape[1]])

    def _rewritten(self, share: "_Share", view: int) -> Tensor:
        assert self._rewrite is not None
        seeds = torch.randint(2**62, (share.n,), generator=share.generator("captions", view))[share.places]
        tokens = self._rewrite(share.pairs.tolist(), seeds.tolist())
        return tokens[:, : int(_lengths(tokens, self._cuts).max())].long()

    def _cut(self, mine: Tensor) -> Tensor | None:
        """Return the tokens of some captions up to the longest of them [n, length]."""
        if self._tokens is None or self._lengths is None:
            return None
        return self._tokens[mine, : int(self._lengths[mine].max())].long()

    def _deliver(self, made: "_Made") -> Batch:
        """Move a batch to the device; there, one kernel treats many images faster than the processor one."""
        moved = {name: self._moved(value) for name, value in vars(made.batch).items() if name != "places"}
        if made.pixels is not None and self._augment is not None:
            pixels = self._moved(made.pixels)
            first, *more = (self._augment.apply(pixels, draws) for draws in made.draws)
            moved |= {"images": first, "image_views": tuple(more)}
        return replace(made.batch, **moved)

    def _moved(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(self._moved(part) for part in value)
        return value.to(self.device, non_blocking=True) if isinstance(value, Tensor) else value


class _Share(NamedTuple):
    """A process's share of a global batch: its pairs, their places in the batch of `n`, and (seed, epoch, step)."""

    pairs: Tensor
    places: Tensor
    n: int
    at: tuple[int, int, int]

    def generator(self, use: str, view: int) -> Generator:
        """Return the generator of one use in one view; the first view draws as it did before there were others."""
        return _generator(use, *self.at, *([view] if view else []))


class _Made(NamedTuple):
    """A batch from the maker, with pixels and draws that are still to be augmented on the device."""

    batch: Batch
    pixels: Tensor | None
    draws: list[Draws]


def _lengths(tokens: Tensor, cut: bool) -> Tensor:
    """Return how many tokens each caption needs [n_caption]: up to its end token, or all where cutting is not exact."""
    return tokens.argmax(dim=1) + 1 if cut else torch.full((len(tokens),), tokens.shape[1])


def _generator(*parts: Any) -> Generator:
    return Generator().manual_seed(derived_seed(*parts))


def _stay_single() -> None:
    """Keep the maker of batches on one core: the model has the others."""
    torch.set_num_threads(1)
