"""Augment whole batches of training images: flip, padded crop, normalisation and erasing, drawn per sample.

The order is the published one: horizontal flip, zero padding with a random crop back to size, normalisation,
and erasing of a rectangle, filled with the mean triplet after normalisation (as released).
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor

from harness.config import AugmentConfig

Normalisation = Literal["clip", "imagenet"]

STATISTICS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
_ERASE_ASPECT = (0.3, 3.3)
_ERASE_ATTEMPTS = 10


@dataclass(frozen=True)
class Draws:
    """What augmentation does to each sample of a batch.

    Attributes:
        flip: whether the image is mirrored [n].
        offset: row and column where the crop begins in the padded image [n, 2].
        box: top, left, height and width of the erased rectangle, height 0 for none [n, 4].
    """

    flip: Tensor
    offset: Tensor
    box: Tensor

    def __len__(self) -> int:
        return len(self.flip)

    def __getitem__(self, indices: Tensor | slice) -> "Draws":
        """Return the draws of some samples, such as this process's share of a global batch."""
        return Draws(self.flip[indices], self.offset[indices], self.box[indices])


class Augment:
    """The augmentation recipe for images of one size; without `config`, only normalisation."""

    def __init__(
        self, config: AugmentConfig | None, size: tuple[int, int], normalisation: Normalisation = "clip"
    ) -> None:
        self.config = config or AugmentConfig(flip=0, pad=0, erase=0)
        self.size = size
        mean, deviation = STATISTICS[normalisation]
        self._mean = torch.tensor(mean).view(3, 1, 1)
        self._deviation = torch.tensor(deviation).view(3, 1, 1)
        pad = self.config.pad
        self._padded = torch.zeros(3, size[0] + 2 * pad, size[1] + 2 * pad, dtype=torch.uint8)

    def draw(self, n: int, generator: Generator) -> Draws:
        """Draw what happens to `n` samples; equal generators give equal draws, wherever they are applied."""
        flip = torch.rand(n, generator=generator) < self.config.flip
        offset = torch.randint(0, 2 * self.config.pad + 1, (n, 2), generator=generator)
        return Draws(flip, offset, self._draw_boxes(n, generator))

    def apply(self, images: Tensor, draws: Draws, out: Tensor | None = None) -> Tensor:
        """Augment and normalise uint8 images [n, 3, height, width]; returns float32 of that shape.

        `out` is written to if given. One caller at a time: the padding buffer is the object's own.
        """
        assert images.shape[1:] == (3, *self.size), f"{list(images.shape)} is not of size {self.size}"
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

    def _draw_boxes(self, n: int, generator: Generator) -> Tensor:
        """Draw rectangles [n, 4] of random area and aspect; of ten tries the first that fits counts."""
        height, width = self.size
        erase = torch.rand(n, generator=generator) < self.config.erase
        first, second, top, left = torch.rand(4, n, _ERASE_ATTEMPTS, generator=generator, dtype=torch.float64)
        low, high = self.config.erase_area
        area = height * width * (low + (high - low) * first)
        bounds = torch.tensor(_ERASE_ASPECT, dtype=torch.float64).log()
        aspect = (bounds[0] + (bounds[1] - bounds[0]) * second).exp()
        box_height, box_width = (area * aspect).sqrt().round(), (area / aspect).sqrt().round()
        fits = (box_height < height) & (box_width < width)
        top, left = (top * (height - box_height + 1)).floor(), (left * (width - box_width + 1)).floor()
        boxes = torch.stack([top, left, box_height, box_width], dim=-1)
        chosen = boxes[torch.arange(n), fits.int().argmax(dim=1)].long()
        chosen[~(erase & fits.any(dim=1))] = 0
        return chosen

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
        target.copy_(image).div_(255).sub_(self._mean).div_(self._deviation)

    def _erase(self, target: Tensor, box: list[int]) -> None:
        top, left, height, width = box
        target[:, top : top + height, left : left + width] = self._mean

    def _to_normal(self, images: Tensor) -> Tensor:
        mean, deviation = self._mean.to(images.device), self._deviation.to(images.device)
        return images.float().div_(255).sub_(mean).div_(deviation)

    def _apply_gathered(self, images: Tensor, draws: Draws) -> Tensor:
        """Augment on an accelerator: a few operations on the whole batch instead of many small ones."""
        device, (height, width) = images.device, self.size
        flip, offset, box = (x.to(device, non_blocking=True) for x in (draws.flip, draws.offset, draws.box))
        rows = torch.arange(height, device=device) + offset[:, :1]
        columns = torch.arange(width, device=device) + offset[:, 1:]
        columns = torch.where(flip[:, None], width - 1 + 2 * self.config.pad - columns, columns)
        padded = torch.nn.functional.pad(images, [self.config.pad] * 4)
        sample = torch.arange(len(images), device=device)[:, None, None]
        # Advanced indices around a slice put the channels last.
        crop = padded[sample, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
        normal = self._to_normal(crop.contiguous())
        return torch.where(self._erased(box)[:, None], self._mean.to(device), normal)

    def _erased(self, box: Tensor) -> Tensor:
        """Return a mask of the erased pixels [n, height, width]."""
        top, left, box_height, box_width = box.T[:, :, None]
        rows = torch.arange(self.size[0], device=box.device)
        columns = torch.arange(self.size[1], device=box.device)
        in_rows = (rows >= top) & (rows < top + box_height)
        in_columns = (columns >= left) & (columns < left + box_width)
        mask: Tensor = in_rows[:, :, None] & in_columns[:, None, :]
        return mask
