"""Pictures of lower resolution: reduced and brought back to the size that a model takes."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from harness.config.pixels import Interpolation
from harness.images.decoding import Pixels
from harness.images.store import Images


def reduced(images: Images, factors: Sequence[int], interpolation: Interpolation) -> Images:
    """Return a view of images in which each is of lower resolution.

    Args:
        images: as the model takes them, one size.
        factors: by which height and width of each image are divided [n_image]; 1 leaves it as it is.
        interpolation: how it is reduced and brought back.
    """
    chosen = list(factors)
    assert len(chosen) == len(images), (len(chosen), len(images))

    def fill(places: Sequence[int], rows: Sequence[Pixels]) -> None:
        pixels = images.read(places).numpy()
        for place, read, row in zip(places, pixels, rows, strict=True):
            row[:] = read if chosen[place] == 1 else reduce(read, chosen[place], interpolation)

    return Images(images.files, images.size, images.marks, fill)


def reduce(pixels: Pixels, factor: int, interpolation: Interpolation) -> Pixels:
    """Return an image, uint8 [3, height, width], at 1/factor of its height and width, brought back to its size.

    Both ways as Pillow resizes: on the way down each new pixel is a mean over what it covers.
    """
    height, width = pixels.shape[1:]
    way = Image.Resampling[interpolation.upper()]
    small = (max(1, round(width / factor)), max(1, round(height / factor)))
    image = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    back = image.resize(small, way).resize((width, height), way)
    return np.asarray(back).transpose(2, 0, 1)
