"""Decode image files to pixels of one size: the one place that decides what is seen of a picture."""

from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageFile

from harness.errors import DataError

Interpolation = Literal["bilinear", "bicubic"]
Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

MAX_PIXELS = 2**26
_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}

# Published downloads hold a few cut JPEG files, which every public code reads as far as they go.
ImageFile.LOAD_TRUNCATED_IMAGES = True


class ImageError(DataError):
    """An image file is missing or cannot be decoded; the message names it."""


def decode(path: str | Path, size: tuple[int, int], interpolation: Interpolation = "bilinear") -> Pixels:
    """Return a file's pixels as RGB uint8 [3, height, width], resized with antialiasing.

    Greyscale, palette, 16-bit and transparent images become RGB (transparency is dropped), a cut file keeps
    what it has, EXIF rotation is ignored. Raises `ImageError` for a file that is missing, no image or larger
    than `MAX_PIXELS`.
    """
    try:
        with Image.open(path) as image:
            _check_extent(image.size)
            rgb = _to_rgb(image)
        resized = rgb.resize((size[1], size[0]), _FILTERS[interpolation])
    except Exception as error:  # hostile bytes make decoders raise nearly anything
        raise ImageError(f"{path} cannot be read as an image: {type(error).__name__}: {error}") from error
    return np.ascontiguousarray(np.asarray(resized).transpose(2, 0, 1))


def _check_extent(extent: tuple[int, int]) -> None:
    if extent[0] * extent[1] > MAX_PIXELS:
        raise ValueError(f"{extent[0]}x{extent[1]} pixels are more than the {MAX_PIXELS} allowed")


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # Pillow clips wide integers to white; the high byte is what an 8-bit copy of the file would hold.
        high_byte = (np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
        image = Image.fromarray(high_byte)
    elif "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")
