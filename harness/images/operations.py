"""Image operations on whole batches, each image with its own parameters.

Pixels are float32 between 0 and 1, [n, 3, height, width]; parameters are float64 on the CPU, [n, n_parameter]. Each
operation gives what torchvision's gives image by image, as tests hold; torchvision itself takes one parameter for a
whole batch, which on an accelerator means a launch of every kernel for every image (`python -m benchmarks augment`).
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, pad
from torchvision.transforms.v2 import functional

_IN_CACHE = 3 * 384 * 128  # float32 numbers of one part of a batch


def resized_crop(images: Tensor, boxes: Tensor) -> Tensor:
    """Cut out boxes (top, left, height, width) [n, 4] and enlarge them to the images' size, bilinearly."""
    height, width = images.shape[2:]
    top, left, box_height, box_width = boxes.double().T[:, :, None]
    rows = top + _sources(height, box_height)
    columns = left + _sources(width, box_width)
    rows, columns = (2 * rows + 1) / height - 1, (2 * columns + 1) / width - 1
    return _sample(images, _like(columns, images)[:, None], _like(rows, images)[:, :, None], "bilinear")


def erase(images: Tensor, boxes: Tensor) -> Tensor:
    """Black out boxes (top, left, height, width) [n, 4]."""
    return images.masked_fill(inside(boxes, images)[:, None], 0)


def grayscale(images: Tensor, _: Tensor) -> Tensor:
    """Take the colours away."""
    grey: Tensor = functional.rgb_to_grayscale(images, num_output_channels=3)
    return grey


def flip(images: Tensor, _: Tensor) -> Tensor:
    """Mirror left and right."""
    return images.flip(-1)


def flip_vertically(images: Tensor, _: Tensor) -> Tensor:
    """Turn upside down."""
    return images.flip(-2)


def brightness(images: Tensor, factors: Tensor) -> Tensor:
    """Scale the pixels by factors [n, 1]."""
    return (images * _like(factors[:, :, None, None], images)).clamp_(0, 1)


def contrast(images: Tensor, factors: Tensor) -> Tensor:
    """Scale the distance to the image's mean grey by factors [n, 1]."""
    grey = functional.rgb_to_grayscale(images)
    return _blend(images, grey.mean(dim=(1, 2, 3), keepdim=True), factors)


def saturation(images: Tensor, factors: Tensor) -> Tensor:
    """Scale the distance to the pixel's grey by factors [n, 1]."""
    return _blend(images, functional.rgb_to_grayscale(images), factors)


def turn_hue(images: Tensor, turns: Tensor) -> Tensor:
    """Turn the hue by parts of the colour circle [n, 1], keeping saturation and value (HSV)."""
    red, green, blue = images.unbind(1)
    # Three planes at a time are compared faster than along an axis.
    least, most = torch.minimum(red, green).minimum(blue), torch.maximum(red, green).maximum(blue)
    spread = most - least
    grey = spread == 0
    divisor = spread.masked_fill(grey, 1)
    sixth = torch.where(
        most == red,
        (green - blue) / divisor,
        torch.where(most == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor),
    )
    sixth = (sixth + 6 * _like(turns[:, :, None], images)).remainder_(6)
    pure = torch.stack([(sixth - 3).abs_() - 1, 2 - (sixth - 2).abs_(), 2 - (sixth - 4).abs_()], dim=1)
    return torch.addcmul(least[:, None], pure.clamp_(0, 1), spread[:, None])


def color_jitter(images: Tensor, parameters: Tensor) -> Tensor:
    """Change brightness, contrast, saturation and hue in an order drawn for each image.

    Args:
        images: pixels.
        parameters: the order, as numbers of the four in that sequence (or of the first three), followed by what
            each takes, by number [n, 8 or 6].
    """
    n_parts = parameters.shape[1] // 2
    order, strengths = parameters.split(n_parts, dim=1)
    images = images.clone()
    for position in range(n_parts):
        for number, change in enumerate((brightness, contrast, saturation, turn_hue)[:n_parts]):
            places = (order[:, position] == number).nonzero()[:, 0]
            if len(places):
                changed = change(take(images, places), strengths[places, number : number + 1])
                images = replace(images, places, changed)
    return images


def rotate(images: Tensor, degrees: Tensor) -> Tensor:
    """Rotate counter-clockwise about the centre by degrees [n, 1]: nearest pixels, black where there are none."""
    height, width = images.shape[2:]
    angle = degrees.double().deg2rad()[:, :, None]
    x = torch.arange(width, dtype=torch.float64) - (width - 1) / 2
    y = (torch.arange(height, dtype=torch.float64) - (height - 1) / 2)[:, None]
    cosine, sine = _like(angle.cos(), images), _like(angle.sin(), images)
    x, y = _like(x, images), _like(y, images)
    return _sample(
        images, (cosine * x - sine * y) / (width / 2), (sine * x + cosine * y) / (height / 2), "nearest"
    )


def gaussian_blur(images: Tensor, sigmas: Tensor, kernel: int) -> Tensor:
    """Blur with Gaussians of standard deviations [n, 1] in pixels, cut to `kernel` pixels; the border is mirrored."""
    half = kernel // 2
    away = torch.arange(-half, half + 1, dtype=torch.float64)
    weights = _like(torch.softmax(-((away / sigmas) ** 2) / 2, dim=1), images)
    for axis in (3, 2):
        images = _weighted(images, weights, axis)
    return images


def inside(boxes: Tensor, images: Tensor) -> Tensor:
    """Return which pixels are in boxes (top, left, height, width) [n, 4]: a mask [n, height, width]."""
    top, left, box_height, box_width = boxes.to(images.device).T[:, :, None]
    rows = torch.arange(images.shape[2], device=images.device)
    columns = torch.arange(images.shape[3], device=images.device)
    in_rows = (rows >= top) & (rows < top + box_height)
    in_columns = (columns >= left) & (columns < left + box_width)
    mask: Tensor = in_rows[:, :, None] & in_columns[:, None, :]
    return mask


def parts_in_cache(images: Tensor) -> Iterator[slice]:
    """Yield parts of images [n, 3, height, width] that stay in a core's cache through all operations.

    That is one image of 384x128 pixels or as many smaller ones, for a call costs the same whatever it changes.
    """
    at_once = max(_IN_CACHE // images.shape[1:].numel(), 1)
    for first in range(0, len(images), at_once):
        yield slice(first, first + at_once)


def take(images: Tensor, places: Tensor) -> Tensor:
    """Return the images at some places; all of them, in order, are not copied."""
    return images if len(places) == len(images) else images[places.to(images.device)]


def replace(images: Tensor, places: Tensor, changed: Tensor) -> Tensor:
    """Return the images with those at some places, in ascending order, replaced; writes into `images`."""
    if len(places) == len(images):
        return changed
    images[places.to(images.device)] = changed
    return images


def _blend(images: Tensor, base: Tensor, factors: Tensor) -> Tensor:
    factor = _like(factors[:, :, None, None], images)
    return (images * factor).add_(base * (1 - factor)).clamp_(0, 1)


def _sources(length: int, box: Tensor) -> Tensor:
    """Return where the pixels of a side enlarged from `box` [n, 1] to `length` come from [n, length]."""
    sources = (torch.arange(length, dtype=torch.float64) + 0.5) * (box / length) - 0.5
    return torch.minimum(sources.clamp(min=0), box - 1)


def _sample(images: Tensor, x: Tensor, y: Tensor, mode: str) -> Tensor:
    """Read images at places between -1 and 1, x and y of shapes that spread to [n, height, width]."""
    grid = torch.stack(torch.broadcast_tensors(x, y), dim=-1)
    return grid_sample(images, grid, mode=mode, padding_mode="zeros", align_corners=False)


def _weighted(images: Tensor, weights: Tensor, axis: int) -> Tensor:
    """Sum neighbours along an axis with each image's own weights [n, kernel]."""
    length, half = images.shape[axis], weights.shape[1] // 2
    padded = pad(images, [half, half, 0, 0] if axis == 3 else [0, 0, half, half], mode="reflect")
    total = torch.zeros_like(images)
    for place in range(weights.shape[1]):
        total.addcmul_(padded.narrow(axis, place, length), weights[:, place, None, None, None])
    return total


def _like(parameters: Tensor, images: Tensor) -> Tensor:
    return parameters.to(images.device, images.dtype)
