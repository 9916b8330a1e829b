"""Views of images for a self-supervised loss (SS-I of TBPS-CLIP, after SimCLR): strong crops and colours.

Each view is a random crop of a fifth to all of the image, resized; colours are jittered (by 0.4, the hue by 0.1) four
times in five, turned to grey one time in five; half of the views are blurred and half mirrored.

As released, all is done by Pillow, whose every step rounds to whole levels. Here the crop is rounded, and what follows
is computed in floating point; the blur is a true Gaussian up to three deviations, where Pillow approaches one by three
boxes. That changes a pixel by one level of 255 on average (`python -m benchmarks contrast_views`).

Views of the store's images deviate more: these were resized to another aspect ratio than the files', so that the same
draws crop another part of the picture at another aspect ratio, and they lack the files' detail.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor
from torchvision.transforms.v2 import functional

from harness.compute.transfer import sent
from harness.config.pixels import STATISTICS, Normalisation
from harness.images import operations as pixels
from harness.images.decoding import decode_whole
from harness.images.draws import Changes, crop_boxes, crop_numbers
from harness.images.pool import Operations, blur, jitter, plain, sometimes
from harness.images.store import Images, n_cores

_LEAST_AREA = 0.2
_BLUR_KERNEL = 13  # three standard deviations of the strongest blur, 2 pixels, to either side


@dataclass(frozen=True)
class ViewDraws:
    """What makes a view of each image of a batch.

    Attributes:
        crop: numbers that become a crop once the image's size is known [n, 4, 10].
        changes: of the cropped image.
    """

    crop: Tensor
    changes: Changes

    def __len__(self) -> int:
        return len(self.crop)

    def __getitem__(self, indices: Tensor | slice) -> "ViewDraws":
        """Return the draws of some samples, such as this process's share of a global batch."""
        return ViewDraws(self.crop[indices], self.changes[indices])


class ContrastViews:
    """Makes views of one size; two draws from different generators give the two views of a batch."""

    def __init__(self, size: tuple[int, int], normalisation: Normalisation = "clip") -> None:
        self.size = size
        mean, deviation = STATISTICS[normalisation]
        self._mean, self._deviation = (torch.tensor(x).view(3, 1, 1) for x in (mean, deviation))
        self._operations = Operations(
            [
                sometimes(0.8, jitter(0.4, 0.4, 0.4, 0.1)),
                plain(0.2, pixels.grayscale),
                sometimes(0.5, blur(min(_BLUR_KERNEL, 2 * min(size) - 1))),
                plain(0.5, pixels.flip),
            ]
        )

    def draw(self, n: int, generator: Generator) -> ViewDraws:
        """Draw the views of `n` images; equal generators give equal draws, wherever they are applied."""
        crop = crop_numbers(n, generator).transpose(0, 1)
        return ViewDraws(crop, self._operations.draw(n, generator))

    def apply(self, images: Sequence[Tensor], draws: ViewDraws, device: torch.device | str = "cpu") -> Tensor:
        """Return normalised views float32 [n, 3, height, width] on a device.

        Args:
            images: originals as uint8 [3, height, width] of any sizes, on the CPU, where they are cropped.
            draws: one for each image.
            device: where colours are changed and the views are wanted.
        """
        cropped = self._crop(images, draws.crop)
        if torch.device(device).type != "cpu":
            return self._finish(sent(cropped, device), draws.changes)
        out = torch.empty(cropped.shape)
        for part in pixels.parts_in_cache(cropped):
            out[part] = self._finish(cropped[part], draws.changes[part])
        return out

    def _crop(self, images: Sequence[Tensor], numbers: Tensor) -> Tensor:
        """Return crops of originals, resized with antialiasing, uint8 [n, 3, height, width]."""
        out = torch.empty((len(images), 3, *self.size), dtype=torch.uint8)
        sizes = torch.tensor([image.shape[1:] for image in images]).view(-1, 2)
        height, width = self.size
        boxes = crop_boxes(numbers.transpose(0, 1), sizes, _LEAST_AREA, shape=width / height)
        for image, target, (top, left, height, width) in zip(images, out, boxes.tolist(), strict=True):
            target.copy_(
                functional.resized_crop(image, top, left, height, width, list(self.size), antialias=True)
            )
        return out

    def _finish(self, cropped: Tensor, changes: Changes) -> Tensor:
        mean, deviation = sent(self._mean, cropped.device), sent(self._deviation, cropped.device)
        return self._operations.apply(cropped, changes).sub(mean).div_(deviation)


class ContrastSource:
    """Makes views of images by their positions, from their files or from their store's pixels.

    Args:
        images: the images.
        size: height and width of the views in pixels.
        normalisation: channel mean and deviation.
        views_from: what is cropped: `files`, decoded each time, or `store`, the images as they have been resized.
    """

    def __init__(
        self,
        images: Images,
        size: tuple[int, int],
        normalisation: Normalisation = "clip",
        views_from: Literal["files", "store"] = "files",
    ) -> None:
        self._images, self._views_from = images, views_from
        self._views = ContrastViews(size, normalisation)
        self._last: tuple[list[int], list[Tensor]] = ([], [])

    def draw(self, n: int, generator: Generator) -> ViewDraws:
        """Draw the views of `n` images; equal generators give equal draws, wherever they are applied."""
        return self._views.draw(n, generator)

    def apply(self, images: Sequence[int], draws: ViewDraws, device: torch.device | str = "cpu") -> Tensor:
        """Return normalised views of the images at some positions, float32 [n, 3, height, width] on a device."""
        if self._views_from == "store":
            return self._views.apply(list(self._images.read(images)), draws, device)
        return self._views.apply(self._originals(list(images), torch.device(device)), draws, device)

    def _originals(self, places: list[int], device: torch.device) -> list[Tensor]:
        """Decode files, once for the views of a batch that follow one another."""
        if places != self._last[0]:
            # On the processor the model needs the other cores.
            workers = 1 if device.type == "cpu" else n_cores()
            self._last = (places, originals(self._images, places, workers=workers))
        return self._last[1]


def originals(images: Images, positions: Tensor | Sequence[int], *, workers: int = 1) -> list[Tensor]:
    """Decode the files at some positions in their own size, uint8 [3, height, width] each.

    Args:
        images: whose files they are.
        positions: of readable images [n].
        workers: threads that decode.

    Raises `ImageError` for a file that can no longer be read.
    """
    places = positions.tolist() if isinstance(positions, Tensor) else list(positions)
    with ThreadPoolExecutor(workers, "originals") as pool:
        return list(pool.map(lambda place: torch.from_numpy(decode_whole(images.files[place])), places))
