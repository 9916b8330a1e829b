"""Decode image files to pixels of one size: the one place that decides what is seen of a picture."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageFile

from harness.errors import DataError

Interpolation = Literal["bilinear", "bicubic"]
Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

_MAX_PIXELS = 2**26
_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}

# Published downloads hold a few cut JPEG files, which every public code reads as far as they go.
ImageFile.LOAD_TRUNCATED_IMAGES = True


class ImageError(DataError):
    """An image file is missing or cannot be decoded; the message names it."""


def decode(path: str | Path, size: tuple[int, int], interpolation: Interpolation = "bilinear") -> Pixels:
    """Return a file's pixels as RGB uint8 [3, height, width], resized with antialiasing.

    Greyscale, palette, 16-bit and transparent images become RGB (transparency is dropped), a cut file keeps
    what it has, EXIF rotation is ignored. Raises `ImageError` for a file that is missing, not an image or larger
    than `_MAX_PIXELS`.
    """
    return _read(path, lambda image: image.resize((size[1], size[0]), _FILTERS[interpolation]))


def decode_whole(path: str | Path) -> Pixels:
    """Return a file's pixels as `decode` does, uint8 [3, height, width], in their own size."""
    return _read(path, lambda image: image)


def _read(path: str | Path, resize: Callable[[Image.Image], Image.Image]) -> Pixels:
    try:
        with Image.open(path) as image:
            _check_extent(image.size)
            rgb = _to_rgb(image)
        resized = resize(rgb)
    except Exception as error:  # hostile bytes make decoders raise nearly anything
        raise ImageError(f"{path} cannot be read as an image: {type(error).__name__}: {error}") from error
    return np.ascontiguousarray(np.asarray(resized).transpose(2, 0, 1))


def extent_of(path: str | Path) -> tuple[int, int] | None:
    """Return height and width of an image from its head alone; None of a file that is none, or too large to decode."""
    try:
        with Image.open(path) as image:
            width, height = image.size
    except Exception:  # hostile bytes make decoders raise nearly anything
        return None
    return (height, width) if 0 < height * width <= _MAX_PIXELS else None


def fitted(extent: tuple[int, int], box: tuple[int, int], *, enlarge: bool = False) -> tuple[int, int]:
    """Return height and width of an image made to fit a box (height, width), its shape unchanged.

    >>> fitted((100, 50), (50, 50)), fitted((10, 5), (50, 50)), fitted((10, 5), (50, 50), enlarge=True)
    ((50, 25), (10, 5), (50, 25))
    """
    scale = min(box[0] / extent[0], box[1] / extent[1])
    height, width = (max(1, round(side * (scale if enlarge else min(scale, 1.0)))) for side in extent)
    return height, width


def thumbnail(path: str | Path, box: tuple[int, int], *, enlarge: bool = False) -> Pixels | None:
    """Return a file as a small picture in its own shape, RGB uint8 [height, width, 3]; None if it cannot be read.

    Args:
        path: of the file, which may hold anything.
        box: the height and width that it must fit.
        enlarge: whether a smaller one grows to fit.
    """
    extent = extent_of(path)
    try:
        return decode(path, fitted(extent, box, enlarge=enlarge)).transpose(1, 2, 0) if extent else None
    except ImageError:
        return None


def _check_extent(extent: tuple[int, int]) -> None:
    if extent[0] * extent[1] > _MAX_PIXELS:
        raise ValueError(f"{extent[0]}x{extent[1]} pixels are more than the {_MAX_PIXELS} allowed")


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # Pillow clips wide integers to white; the high byte is what an 8-bit copy of the file would hold.
        high_byte = (np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
        image = Image.fromarray(high_byte)
    elif "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")
