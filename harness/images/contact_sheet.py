"""A picture of pictures: rows of the same size, each picture framed as right or wrong."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

_TALL, _WIDE, _GAP, _FRAME = 144, 588, 6, 3
_RIGHT, _WRONG = "#0072B2", "#D55E00"
_DASH, _SPACE = 8, 5


def contact_sheet(rows: Sequence[tuple[Tensor, Sequence[bool]]]) -> bytes:
    """Return rows of pictures as one JPEG: a solid blue frame for a right one, a dashed orange frame for a wrong one.

    Args:
        rows: the pixels of each row's pictures, uint8 [n, 3, height, width], and whether each is right.
    """
    tiles = [[_framed(*one) for one in zip(pixels, right, strict=True)] for pixels, right in rows]
    wide = max((sum(tile.width + _GAP for tile in row) for row in tiles), default=0) + _GAP
    sheet = Image.new("RGB", (max(wide, 1), sum(_height(row) for row in tiles) + _GAP), "white")
    y = _GAP
    for row in tiles:
        x = _GAP
        for tile in row:
            sheet.paste(tile, (x, y))
            x += tile.width + _GAP
        y += _height(row)
    file = io.BytesIO()
    sheet.save(file, "JPEG", quality=75)
    return file.getvalue()


def _height(row: Sequence[Image.Image]) -> int:
    return max((tile.height for tile in row), default=0) + _GAP


def _framed(pixels: Tensor, right: bool) -> Image.Image:
    picture = Image.fromarray(np.ascontiguousarray(pixels.permute(1, 2, 0).numpy()))
    scale = min(_TALL / picture.height, _WIDE / picture.width)
    size = (max(round(picture.width * scale), 1), max(round(picture.height * scale), 1))
    tile = Image.new("RGB", (size[0] + 2 * _FRAME, size[1] + 2 * _FRAME), "white")
    tile.paste(picture.resize(size, Image.Resampling.BILINEAR), (_FRAME, _FRAME))
    draw = ImageDraw.Draw(tile)
    if right:
        draw.rectangle((0, 0, tile.width - 1, tile.height - 1), outline=_RIGHT, width=_FRAME)
        return tile
    for start in range(0, max(tile.size), _DASH + _SPACE):
        for far in (0, tile.height - _FRAME):
            draw.rectangle((start, far, start + _DASH, far + _FRAME - 1), fill=_WRONG)
        for far in (0, tile.width - _FRAME):
            draw.rectangle((far, start, far + _FRAME - 1, start + _DASH), fill=_WRONG)
    return tile
