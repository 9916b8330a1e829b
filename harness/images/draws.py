"""Draw what happens to each image of a batch, from a generator alone: rectangles and drawn changes.

Torchvision's transforms draw from the global generator, image by image; here a whole batch is drawn at once, so that
the same happens to a sample wherever it is augmented and whatever is in its batch.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

_ATTEMPTS = 10
_ERASE_ASPECT = (0.3, 3.3)
_CROP_ASPECT = (3 / 4, 4 / 3)


@dataclass(frozen=True)
class Changes:
    """Which operations act on each image of a batch, one after the other, and how strongly; always on the CPU.

    Attributes:
        kind: number of the operation of each step [n, n_step].
        acts: whether it acts, as an operation may do so with a probability of its own [n, n_step].
        parameters: what the operation takes, padded with zeros [n, n_step, n_parameter].
    """

    kind: Tensor
    acts: Tensor
    parameters: Tensor

    def __len__(self) -> int:
        return len(self.kind)

    def __getitem__(self, indices: Tensor | slice) -> "Changes":
        """Return the changes of some samples."""
        return Changes(self.kind[indices], self.acts[indices], self.parameters[indices])


def uniform(shape: tuple[int, ...], low: float, high: float, generator: Generator) -> Tensor:
    """Return float64 numbers drawn evenly between two bounds, of a shape."""
    return low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)


def erase_boxes(n: int, size: tuple[int, int], area: tuple[float, float], generator: Generator) -> Tensor:
    """Draw rectangles to erase: top, left, height and width, zeros where none fits [n, 4].

    Share of the area and logarithm of the aspect are even; of ten tries the first that is smaller than the image
    counts.
    """
    height, width = size
    first, second, top, left = torch.rand(4, n, _ATTEMPTS, generator=generator, dtype=torch.float64)
    pixels = height * width * (area[0] + (area[1] - area[0]) * first)
    aspect = _between(_ERASE_ASPECT, second)
    box_height, box_width = (pixels * aspect).sqrt().round(), (pixels / aspect).sqrt().round()
    fits = (box_height < height) & (box_width < width)
    boxes = _placed(box_height, box_width, top, left, height, width)
    chosen = _first(boxes, fits).long()
    chosen[~fits.any(dim=1)] = 0
    return chosen


def crop_numbers(n: int, generator: Generator) -> Tensor:
    """Draw what a crop of an image of yet unknown size is made from [4, n, 10], see `crop_boxes`."""
    return torch.rand(4, n, _ATTEMPTS, generator=generator, dtype=torch.float64)


def crop_boxes(numbers: Tensor, sizes: Tensor, least_area: float, *, shape: float = 1.0) -> Tensor:
    """Return crops from drawn numbers [4, n, 10]: top, left, height and width, int64 [n, 4].

    As torchvision's RandomResizedCrop: a share of the area between `least_area` and 1, an aspect between 3:4 and 4:3,
    the first of ten tries that fits, else the largest central crop of an allowed aspect. The aspect is relative to that
    of what the crop is resized to, which as published is a square; torchvision takes it absolutely, and would cut a
    picture three times as tall as wide down to its middle and stretch that.

    Args:
        numbers: of `crop_numbers`.
        sizes: height and width of each image, integers [n, 2].
        least_area: smallest share of the area.
        shape: width over height of what the crop is resized to.
    """
    first, second, top, left = numbers
    height, width = sizes.double().T[:, :, None]
    pixels = height * width * (least_area + (1 - least_area) * first)
    aspect = _between(_CROP_ASPECT, second) * shape
    box_height, box_width = (pixels / aspect).sqrt().round(), (pixels * aspect).sqrt().round()
    fits = (box_height > 0) & (box_height <= height) & (box_width > 0) & (box_width <= width)
    boxes = _first(_placed(box_height, box_width, top, left, height, width), fits)
    return torch.where(fits.any(dim=1)[:, None], boxes, _central(height[:, 0], width[:, 0], shape)).long()


def _between(bounds: tuple[float, float], share: Tensor) -> Tensor:
    """Return aspects whose logarithm is at a share of the way between the bounds' logarithms."""
    low, high = torch.tensor(bounds, dtype=torch.float64).log()
    aspects: Tensor = (low + (high - low) * share).exp()
    return aspects


def _placed(
    box_height: Tensor,
    box_width: Tensor,
    top: Tensor,
    left: Tensor,
    height: Tensor | int,
    width: Tensor | int,
) -> Tensor:
    """Put boxes at shares of the room they have; returns them [n, attempts, 4]."""
    top, left = (top * (height - box_height + 1)).floor(), (left * (width - box_width + 1)).floor()
    return torch.stack([top, left, box_height, box_width], dim=-1)


def _first(boxes: Tensor, fits: Tensor) -> Tensor:
    """Return of each image's boxes [n, attempts, 4] the first that fits [n, 4]."""
    first: Tensor = boxes[torch.arange(len(boxes)), fits.int().argmax(dim=1)]
    return first


def _central(height: Tensor, width: Tensor, shape: float) -> Tensor:
    """Return the largest central crops whose aspect is allowed [n, 4]."""
    low, high = (bound * shape for bound in _CROP_ASPECT)
    box_height = torch.where(width / height < low, (width / low).round(), height)
    box_width = torch.where(width / height > high, (height * high).round(), width)
    return torch.stack(
        [((height - box_height) / 2).floor(), ((width - box_width) / 2).floor(), box_height, box_width],
        dim=-1,
    )
