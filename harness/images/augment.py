"""Augment whole batches of training images, drawn per sample.

The recipe `flip_crop_erase` has the published order: horizontal flip, zero padding with a random crop back to size,
normalisation, and erasing of a rectangle, filled with the mean triplet after normalisation (as released). The other
recipes (`image_pool`, `image_policies`) change pixels first and normalise last.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor

from harness.compute.transfer import sent
from harness.config.augment import AugmentConfig
from harness.config.pixels import STATISTICS, Normalisation
from harness.images.draws import Changes, erase_boxes
from harness.images.operations import inside, parts_in_cache
from harness.images.policies import PolicyAugment
from harness.images.pool import pool_operations


@dataclass(frozen=True)
class Draws:
    """What augmentation does to each sample of a batch.

    Attributes:
        flip: whether the image is mirrored [n].
        offset: row and column where the crop begins in the padded image [n, 2].
        box: top, left, height and width of the erased rectangle, height 0 for none [n, 4].
        changes: what the other recipes do, in place of the three.
    """

    flip: Tensor
    offset: Tensor
    box: Tensor
    changes: Changes | None = None

    def __len__(self) -> int:
        return len(self.flip)

    def __getitem__(self, indices: Tensor | slice) -> "Draws":
        """Return the draws of some samples, such as this process's share of a global batch."""
        changes = None if self.changes is None else self.changes[indices]
        return Draws(self.flip[indices], self.offset[indices], self.box[indices], changes)


class _Recipe(Protocol):
    """What changes the pixels of images before they are normalised."""

    def draw(self, n: int, generator: Generator) -> Changes:
        """Draw the changes of `n` images."""

    def apply(self, images: Tensor, changes: Changes) -> Tensor:
        """Return changed pixels of uint8 images [n, 3, height, width]: uint8, or float32 between 0 and 1."""


def _recipe_of(config: AugmentConfig, size: tuple[int, int]) -> _Recipe | None:
    """Return the recipe that a config names, for images of a size; None for `flip_crop_erase`, which is here."""
    if config.recipe == "flip_crop_erase":
        return None
    if config.recipe == "pool" or config.recipe == "stack":
        return pool_operations(config.pool, size, all_in_order=config.recipe == "stack")
    return PolicyAugment(config.recipe, size)


class Augment:
    """The augmentation recipe for images of one size; without `config`, only normalisation."""

    def __init__(
        self, config: AugmentConfig | None, size: tuple[int, int], normalisation: Normalisation = "clip"
    ) -> None:
        self.config = config or AugmentConfig(flip=0, pad=0, erase=0)
        self.size = size
        mean, deviation = STATISTICS[normalisation]
        self._recipe = _recipe_of(self.config, size)
        self._mean = torch.tensor(mean).view(3, 1, 1)
        self._deviation = torch.tensor(deviation).view(3, 1, 1)
        pad = self.config.pad
        self._padded = torch.zeros(3, size[0] + 2 * pad, size[1] + 2 * pad, dtype=torch.uint8)

    def draw(self, n: int, generator: Generator) -> Draws:
        """Draw what happens to `n` samples; equal generators give equal draws, wherever they are applied."""
        if self._recipe is not None:
            nothing = torch.zeros(n, 4, dtype=torch.int64)
            return Draws(nothing[:, 0] > 0, nothing[:, :2], nothing, self._recipe.draw(n, generator))
        flip = torch.rand(n, generator=generator) < self.config.flip
        offset = torch.randint(0, 2 * self.config.pad + 1, (n, 2), generator=generator)
        erased = torch.rand(n, generator=generator) < self.config.erase
        box = erase_boxes(n, self.size, self.config.erase_area, generator)
        return Draws(flip, offset, box * erased[:, None])

    def apply(self, images: Tensor, draws: Draws, out: Tensor | None = None) -> Tensor:
        """Augment and normalise uint8 images [n, 3, height, width]; returns float32 of that shape.

        `out` is written to if given. One caller at a time: the padding buffer is the object's own.
        """
        assert images.shape[1:] == (3, *self.size), f"{list(images.shape)} is not of size {self.size}"
        if draws.changes is not None:
            return self._apply_changes(images, draws.changes, out)
        if images.device.type != "cpu":
            return self._apply_gathered(images, draws)
        out = torch.empty(images.shape) if out is None else out[: len(images)]
        flips, offsets, boxes = draws.flip.tolist(), draws.offset.tolist(), draws.box.tolist()
        # One image at a time stays in the processor's cache through all steps.
        for image, target, flip, offset, box in zip(images, out, flips, offsets, boxes, strict=True):
            self._normalise_into(self._crop(image, flip, offset), target)
            if box[2]:
                self._erase(target, box)
        return out

    def normalise(self, images: Tensor, out: Tensor | None = None) -> Tensor:
        """Normalise uint8 images [n, 3, height, width] without augmentation; returns float32 of that shape."""
        if images.device.type != "cpu":
            return self._to_normal(images)
        out = torch.empty(images.shape) if out is None else out[: len(images)]
        for image, target in zip(images, out, strict=True):
            self._normalise_into(image, target)
        return out

    def _apply_changes(self, images: Tensor, changes: Changes, out: Tensor | None) -> Tensor:
        """Change pixels and normalise: by parts that fit its cache on the processor, all at once elsewhere."""
        assert self._recipe is not None, "drawn for another recipe"
        if images.device.type != "cpu":
            return self._to_normal(self._recipe.apply(images, changes))
        out = torch.empty(images.shape) if out is None else out[: len(images)]
        for part in parts_in_cache(images):
            self._normalise_into(self._recipe.apply(images[part], changes[part]), out[part])
        return out

    def _crop(self, image: Tensor, flip: bool, offset: list[int]) -> Tensor:
        image = image.flip(-1) if flip else image
        pad = self.config.pad
        if not pad:
            return image
        height, width = self.size
        self._padded[:, pad:-pad, pad:-pad].copy_(image)
        top, left = offset
        return self._padded[:, top : top + height, left : left + width]

    def _normalise_into(self, image: Tensor, target: Tensor) -> None:
        target.copy_(image)
        if image.dtype == torch.uint8:
            target.div_(255)
        target.sub_(self._mean).div_(self._deviation)

    def _erase(self, target: Tensor, box: list[int]) -> None:
        top, left, height, width = box
        target[:, top : top + height, left : left + width] = self._mean

    def _to_normal(self, images: Tensor) -> Tensor:
        mean, deviation = sent(self._mean, images.device), sent(self._deviation, images.device)
        between = images.float().div_(255) if images.dtype == torch.uint8 else images
        return (between - mean).div_(deviation)

    def _apply_gathered(self, images: Tensor, draws: Draws) -> Tensor:
        """Augment on an accelerator: a few operations on the whole batch instead of many small ones."""
        device, (height, width) = images.device, self.size
        flip, offset, box = (sent(x, device) for x in (draws.flip, draws.offset, draws.box))
        rows = torch.arange(height, device=device) + offset[:, :1]
        columns = torch.arange(width, device=device) + offset[:, 1:]
        columns = torch.where(flip[:, None], width - 1 + 2 * self.config.pad - columns, columns)
        padded = torch.nn.functional.pad(images, [self.config.pad] * 4)
        sample = torch.arange(len(images), device=device)[:, None, None]
        # Advanced indices around a slice put the channels last.
        crop = padded[sample, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
        normal = self._to_normal(crop.contiguous())
        return torch.where(inside(box, images)[:, None], sent(self._mean, device), normal)
