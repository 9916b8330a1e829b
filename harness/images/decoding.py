"""Decode image files to pixels of one size: the one place that decides what is seen of a picture."""

import errno
import io
import os
import warnings
from collections.abc import Callable
from enum import IntFlag
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from harness.config.pixels import Interpolation
from harness.errors import DataError
from harness.file_kinds import Kind, open_file, what_is, what_place_is

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

# No picture of a person is larger, in pixels and in bytes; what is gets no further than its head.
_MAX_PIXELS, MOST_BYTES = 2**26, 2**29
# What person datasets hold. Of the others some are programs: Pillow starts Ghostscript for an EPS.
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}

_ORIENTATION = 0x0112
# A cut picture of which less than this share of the pixels is there holds nearly nothing.
_LEAST_SHARE = 0.1
# So many zeros at the end of a JPEG file, where its end is not before them, are room that was never written.
_UNWRITTEN = bytes(256)
_END_OF_JPEG = b"\xff\xd9"

# What the system says of a place in a file that its own bytes name.
_OF_THE_BYTES = (None, errno.EINVAL, errno.EOVERFLOW)

# Published downloads hold a few cut JPEG files, which every public code reads as far as they go.
ImageFile.LOAD_TRUNCATED_IMAGES = True
# `_MAX_PIXELS` is asked for below, which the warning would only repeat.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


LOOP = f"it is {Kind.LOOP.what}"


class ImageError(DataError):
    """An image file is missing or cannot be decoded; the message names it, `reason` says why.

    `passing` says whether that is the machine's, whose memory or disk may serve the next try, and not the file's.
    """

    reason: str = ""
    passing: bool = False


class Mark(IntFlag):
    """What is odd about an image file: it cannot be read, is cut off, of one single colour, or turned by its EXIF."""

    UNREADABLE = 1
    CUT = 2
    SINGLE_COLOUR = 4
    TURNED = 8


def decode(path: str | Path, size: tuple[int, int], interpolation: Interpolation = "bilinear") -> Pixels:
    """Return a file's pixels as RGB uint8 [3, height, width], resized with antialiasing.

    Greyscale, palette, CMYK, 16-bit and transparent images become RGB as Pillow converts them, except that
    transparency is dropped and 16 bits are scaled to their high byte, not clipped; a cut file keeps what it has,
    EXIF rotation is ignored, of an animation the first picture is taken. Raises `ImageError` for a file that is
    missing, none (a pipe, a device), not an image of `_FORMATS`, cut so early that nearly nothing of its picture is
    there, or as large as `_MAX_PIXELS` or `MOST_BYTES`.
    """
    return decode_marked(path, size, interpolation)[0]


def decode_marked(
    path: str | Path, size: tuple[int, int], interpolation: Interpolation = "bilinear"
) -> tuple[Pixels, Mark]:
    """Return what `decode` does, and what is odd about the file."""
    return _read(path, lambda image: image.resize((size[1], size[0]), _FILTERS[interpolation]))


def decode_whole(path: str | Path) -> Pixels:
    """Return a file's pixels as `decode` does, uint8 [3, height, width], in their own size."""
    return _read(path, lambda image: image)[0]


def _read(path: str | Path, resize: Callable[[Image.Image], Image.Image]) -> tuple[Pixels, Mark]:
    try:
        with _Watched(path) as file:
            rgb, marks = _opened(file)
        resized = resize(rgb)
        if all(low == high for low, high in resized.getextrema()):  # type: ignore[misc]
            marks |= Mark.SINGLE_COLOUR
    except Exception as error:  # hostile bytes make decoders raise nearly anything
        reason = _reason(path, error)
        fault = ImageError(f"{path} cannot be read as an image: {reason}")
        fault.reason = reason
        fault.passing = isinstance(error, MemoryError) or (
            isinstance(error, OSError) and error.errno not in _OF_THE_BYTES
        )
        raise fault from error
    return np.ascontiguousarray(np.asarray(resized).transpose(2, 0, 1)), marks


def _reason(path: str | Path, error: Exception) -> str:
    """Say why a file could not be decoded: what it is, where that is no picture, else what the decoder said."""
    try:
        kind = what_is(path)
    except OSError as fault:
        return str(fault.strerror)
    if kind not in (None, Kind.PICTURE):
        return f"it is {kind.what}"
    if isinstance(error, MemoryError):
        return "memory ran out"
    if isinstance(error, UnidentifiedImageError):
        return f"it is no picture of the kinds that are read ({', '.join(_FORMATS)})"
    return f"{type(error).__name__}: {error}"


class _Watched(io.BufferedReader):
    """A file that knows whether more was asked of it than it has, `short`, and whether all was read before, `ended`."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(io.FileIO(path, opener=open_file))
        self.short = self.ended = False
        try:
            _check_bytes(os.fstat(self.fileno()).st_size)
        except ValueError:
            self.close()
            raise

    def __repr__(self) -> str:
        return repr(self.name)

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.short |= len(data) < (size or 0)
        self.ended |= not data and (size or 0) > 0
        return data


def _opened(file: _Watched) -> tuple[Image.Image, Mark]:
    """Return an image as RGB and what is odd about its file; raise anything where nearly nothing is there."""
    with Image.open(file, formats=_FORMATS) as image:
        _check_extent(image.size)
        empty, cut = _end_of_jpeg(file, image) if image.format in ("JPEG", "MPO") else (False, False)
        wide = _in_other_order(image)
        file.short = file.ended = False
        rgb = _to_rgb(image)
        # Of all decoders that of PNG alone asks for no more than there should be.
        cut = cut or file.ended or (file.short and image.format == "PNG")
        marks = Mark.TURNED if _is_turned(image) else Mark(0)
    if empty or (cut and _share_there(rgb) < _LEAST_SHARE):
        raise ValueError("it ends before its picture begins")
    if wide and rgb.getbbox() is None:
        rgb = _low_bytes(file, wide)
    return rgb, marks | (Mark.CUT if cut else Mark(0))


def _end_of_jpeg(file: _Watched, image: Image.Image) -> tuple[bool, bool]:
    """Say whether an opened JPEG holds less than a bit for each block of 8x8, and whether it was cut off unseen."""
    start, size = file.tell(), os.fstat(file.fileno()).st_size
    file.seek(max(start, size - len(_UNWRITTEN)))
    tail = file.read()
    end = tail.rstrip(b"\0")
    size -= len(tail) - len(end)
    if tail and not end:
        file.seek(start)
        end = file.read().rstrip(b"\0")
        size = start + len(end)
    file.seek(start)
    # A whole picture may be followed by zeros that fill a sector.
    whole = end.endswith(_END_OF_JPEG)
    size -= len(_END_OF_JPEG) if whole else 0
    empty = 8 * (size - start) < -(-image.width // 8) * -(-image.height // 8)
    return empty, empty or (tail == _UNWRITTEN and not whole)


def _share_there(rgb: Image.Image) -> float:
    """Return which share of a cut picture's pixels has another colour than its end, which was never decoded.

    The end is the last pixel, or the first where a format holds the rows from the bottom up.
    """
    pixels = np.asarray(rgb)
    return min(float((pixels != end).any(axis=2).mean()) for end in (pixels[-1, -1], pixels[0, 0]))


def _is_turned(image: Image.Image) -> bool:
    try:
        return image.getexif().get(_ORIENTATION, 1) in range(2, 9)
    except Exception:  # hostile bytes make decoders raise nearly anything
        return False


def _in_other_order(image: Image.Image) -> list[tuple[Any, ...]]:
    """Return the tiles of an image of 16 bits a channel so that Pillow, which keeps the high bytes, keeps the low."""
    swapped = {"RGB;16B": "RGB;16L", "RGB;16L": "RGB;16B", "RGBA;16B": "RGBA;16L", "RGBA;16L": "RGBA;16B"}
    tiles: list[tuple[Any, ...]] = []
    for name, extents, offset, args in getattr(image, "tile", []):
        mode, *rest = args if isinstance(args, tuple) else (args,)
        if mode not in swapped:
            return []
        tiles.append((name, extents, offset, (swapped[mode], *rest) if rest else swapped[mode]))
    return tiles


def _low_bytes(file: _Watched, tiles: list[tuple[Any, ...]]) -> Image.Image:
    file.seek(0)
    with Image.open(file, formats=_FORMATS) as image:
        image.tile = [ImageFile._Tile(*tile) for tile in tiles]
        return _to_rgb(image)


def no_picture(path: str | Path) -> str | None:
    """Return why a path can hold no picture, by kind and size alone: nothing is opened; None of any other file.

    What is missing is no picture either.
    """
    try:
        if place := what_place_is(path):
            return f"it is {place.what}"
        _check_bytes(os.stat(path).st_size)
    except (OSError, ValueError) as error:
        return str(getattr(error, "strerror", None) or error)
    return None


def extent_of(path: str | Path) -> tuple[int, int] | None:
    """Return height and width of an image from its head alone; None of a file that is none, or too large to decode."""
    try:
        with _Watched(path) as file, Image.open(file, formats=_FORMATS) as image:
            width, height = image.size
    except Exception:  # hostile bytes make decoders raise nearly anything
        return None
    return (height, width) if 0 < height * width < _MAX_PIXELS else None


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
    if not 0 < extent[0] * extent[1] < _MAX_PIXELS:
        raise ValueError(
            f"it has {extent[0]}x{extent[1]} pixels, of which there must be 1 to {_MAX_PIXELS - 1:,}"
        )


def _check_bytes(n: int) -> None:
    if n >= MOST_BYTES:
        raise ValueError(f"it has {n:,} bytes, and no picture has {MOST_BYTES:,}")


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # Pillow clips wide integers to white; the high byte is what an 8-bit copy of the file would hold, unless the
        # file holds 8-bit values.
        values = np.asarray(image).astype(np.int64)
        values = values if values.max(initial=0) < 256 else values >> 8
        image = Image.fromarray(values.clip(0, 255).astype(np.uint8))
    elif "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")
