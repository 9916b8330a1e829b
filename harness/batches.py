"""Deal training batches: the same global batches on any number of processes, from any step on."""

import hashlib
import math
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from harness.augment import Augment, Draws
from harness.distributed import deal
from harness.masking import word_mask
from harness.methods import Batch
from harness.store import Images


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
        self._raw, self._ready = _Buffers(np.uint8), _Buffers(np.float32)
        # Never joined: an epoch left half-way may end inside garbage collection, where to join can lock up.
        self._maker = ThreadPoolExecutor(1, "batches", _stay_single)

    def __len__(self) -> int:
        """Return the number of steps of an epoch."""
        return -(-len(self.owners) // self.batch_size)

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        """Yield this process's batches of an epoch, from a step on (counted from 0)."""
        order = epoch_order(len(self.owners), self.seed, epoch)
        torch.get_num_threads()  # settles this thread's own number before the other thread sets one
        coming: list[Future[tuple[Batch, Draws | None]]] = []
        for step in range(start_step, len(self)):
            coming.append(self._maker.submit(self._make, order, epoch, step))
            if len(coming) > 1:
                yield self._deliver(*coming.pop(0).result())
        for last in coming:
            yield self._deliver(*last.result())

    def _make(self, order: Tensor, epoch: int, step: int) -> tuple[Batch, Draws | None]:
        """Make this process's share of a batch, with the draws of an augmentation still to be done elsewhere."""
        pairs = order[step * self.batch_size : (step + 1) * self.batch_size]
        places = deal(torch.arange(len(pairs)))
        mine = pairs[places]
        image, text = self._embeddings
        batch = Batch(
            images=None,
            tokens=self._masked(mine, places, len(pairs), (epoch, step)),
            identities=self.labels[pairs],
            image_embeddings=None if image is None else image[self.owners[mine]],
            text_embeddings=None if text is None else text[mine],
        )
        draws = self._fill_images(batch, pairs, places, (epoch, step)) if self._images else None
        return batch, draws

    def _fill_images(self, batch: Batch, pairs: Tensor, places: Tensor, at: tuple[int, int]) -> Draws | None:
        """Read the images, and augment them here if they stay here; else return the draws."""
        assert self._images is not None
        assert self._augment is not None
        # Drawn for the whole batch, so that each sample is treated alike on any number of processes.
        draws = self._augment.draw(len(pairs), _generator("augment", self.seed, *at))[places]
        shape = (len(places), 3, *self._images.size)
        pinned = self.device.type == "cuda"
        out = torch.empty(shape, dtype=torch.uint8, pin_memory=True) if pinned else self._raw.take(shape)
        batch.images = self._images.read(self.owners[pairs[places]], out)
        if self.device.type != "cpu":
            return draws
        batch.images = self._augment.apply(batch.images, draws, self._ready.take(shape))
        return None

    def _masked(self, mine: Tensor, places: Tensor, n: int, at: tuple[int, int]) -> Tensor | None:
        """Return the tokens of this process's share of `n` captions, words masked where that is asked for."""
        tokens = self._cut(mine)
        if tokens is None or self._tokens is None or self._mask is None:
            return tokens
        # Drawn for the whole batch at full length, so that neither processes nor cutting change a caption.
        written = self._mask.draw(n, self._tokens.shape[1], _generator("mask", self.seed, *at))
        return self._mask.apply(tokens, written[places, : tokens.shape[1]])

    def _cut(self, mine: Tensor) -> Tensor | None:
        """Return the tokens of some captions up to the longest of them [n, length]."""
        if self._tokens is None or self._lengths is None:
            return None
        return self._tokens[mine, : int(self._lengths[mine].max())].long()

    def _deliver(self, batch: Batch, draws: Draws | None) -> Batch:
        """Move a batch to the device; there, one kernel treats many images faster than the processor one."""
        moved = {name: tensor.to(self.device, non_blocking=True) for name, tensor in _tensors(batch)}
        if draws is not None and self._augment is not None:
            moved["images"] = self._augment.apply(moved["images"], draws)
        return replace(batch, **moved)


class _Buffers:
    """Hands out memory that nobody holds any more: to write into fresh pages costs thrice the work itself."""

    def __init__(self, dtype: type[np.generic]) -> None:
        self._dtype = dtype
        self._kept: list[np.ndarray[Any, Any]] = []

    def take(self, shape: tuple[int, ...]) -> Tensor:
        """Return a tensor of a shape with any content, in memory that no other living tensor sees."""
        n = math.prod(shape)
        for place in range(len(self._kept)):
            # A tensor made from an array, and all that shares its memory, holds a reference to the array.
            if sys.getrefcount(self._kept[place]) == _UNUSED and self._kept[place].size >= n:
                return torch.from_numpy(self._kept[place][:n].reshape(shape))
        self._kept = [*self._kept[-2:], np.empty(n, self._dtype)]
        return torch.from_numpy(self._kept[-1].reshape(shape))


_SAMPLE = [object()]
_UNUSED = sys.getrefcount(_SAMPLE[0])


def _lengths(tokens: Tensor, cut: bool) -> Tensor:
    """Return how many tokens each caption needs [n_caption]: up to its end token, or all where cutting is not exact."""
    return tokens.argmax(dim=1) + 1 if cut else torch.full((len(tokens),), tokens.shape[1])


def _generator(*parts: Any) -> Generator:
    return Generator().manual_seed(derived_seed(*parts))


def _tensors(batch: Batch) -> Iterator[tuple[str, Tensor]]:
    return ((name, value) for name, value in vars(batch).items() if isinstance(value, Tensor))


def _stay_single() -> None:
    """Keep the maker of batches on one core: the model has the others."""
    torch.set_num_threads(1)
