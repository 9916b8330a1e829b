"""Position embeddings fitted to another image grid or text length."""

import math

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from harness.errors import UsageError

Grid = tuple[int, int]
_LONGEST = 4


def resize_grid(positions: Tensor, old: Grid, new: Grid) -> Tensor:
    """Interpolate image positions to a new grid: bilinear, in float32, the class token kept as it is.

    Args:
        positions: class token first, then the grid row by row [1 + height * width, dim].
        old: height and width of the grid that `positions` holds, in patches.
        new: height and width wanted.
    """
    if old == new:
        return positions
    token, grid = positions[:1], positions[1:]
    image = grid.float().reshape(1, *old, -1).permute(0, 3, 1, 2)
    image = interpolate(image, size=new, mode="bilinear", align_corners=False, antialias=False)
    grid = image.permute(0, 2, 3, 1).reshape(new[0] * new[1], -1)
    return torch.cat([token, grid.to(token.dtype)])


def resize_text(positions: Tensor, length: int) -> Tensor:
    """Fit text positions [old, dim] to [length, dim]: cut when shorter, interpolated linearly when longer."""
    if length <= len(positions):
        return positions[:length]
    row = positions.float().T[None]
    return interpolate(row, size=length, mode="linear", align_corners=False)[0].T.to(positions.dtype)


def guess_grid(n_patches: int, native: Grid, wanted: Grid) -> Grid:
    """Return the grid that a file's positions hold: the model's own, the wanted one, or a square."""
    side = math.isqrt(n_patches)
    for grid in (native, wanted, (side, side)):
        if grid[0] * grid[1] == n_patches:
            return grid
    raise UsageError(
        f"The weights hold positions for {n_patches} patches: neither the model's own grid {native},"
        f" nor the wanted {wanted}, nor a square. Set backbone.image_size to the size they were trained at."
    )


def other_grids(n_patches: int, assumed: Grid) -> list[Grid]:
    """Return the other grids that so many positions fit, up to four times as long as wide, the tallest first.

    >>> other_grids(192, (24, 8))
    [(16, 12), (12, 16), (8, 24)]
    """
    fits = ((height, n_patches // height) for height in range(n_patches, 0, -1) if n_patches % height == 0)
    return [grid for grid in fits if max(grid) <= _LONGEST * min(grid) and grid != assumed]
