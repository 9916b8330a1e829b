"""Embeddings of a split that were computed elsewhere: read, normalised, and compared block by block."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from harness.compute.precision import unit
from harness.datasets import Pairs
from harness.errors import DataError
from harness.evaluate.rank_counts import Array
from harness.scoring.score_files import read_arrays

_MOST_WIDE, _AT_ONCE = 65_536, 256
_EVEN = 1e-3


@dataclass(frozen=True)
class Embedded:
    """Embeddings of length 1 in float32, in somebody's order: captions [n_caption, dim], images [n_image, dim].

    Attributes:
        note: what was done to them, in one sentence.
    """

    text: Tensor
    image: Tensor
    note: str | None = None
    negative = False
    type_name = "float32"

    @property
    def shape(self) -> tuple[int, int]:
        """Captions and images."""
        return len(self.text), len(self.image)

    def blocks(self, axis: int) -> Iterator[tuple[int, Array]]:
        """Yield cosine similarities of some captions after another (axis 0) or of images (1), as a matrix does."""
        asked, others = (self.text, self.image)[:: 1 - 2 * axis]
        before = torch.get_float32_matmul_precision()
        for start in range(0, len(asked), _AT_ONCE):
            torch.set_float32_matmul_precision("highest")
            block = torch.mm(asked[start : start + _AT_ONCE], others.T)
            torch.set_float32_matmul_precision(before)
            yield start, block.numpy()


def read_embeddings(file: Path, pairs: Pairs) -> Embedded:
    """Read the embeddings of a split, `text` and `image`; raise `DataError` for what cannot be compared."""
    rows = {"text": len(pairs.captions), "image": len(pairs.images)}
    arrays = read_arrays(file, rows, _MOST_WIDE)
    widths = {name: array.shape[1] for name, array in arrays.items()}
    if widths["text"] != widths["image"]:
        raise DataError(
            f"{file}: expected embeddings of one width, found {widths['text']:,} of text, {widths['image']:,} of image."
        )
    uneven = [name for name, array in arrays.items() if _check_rows(array, name, file)]
    note = (
        f"{' and '.join(uneven)} embeddings were not of length 1: normalised, so scores are cosines"
        if uneven
        else None
    )
    text, image = (unit(torch.from_numpy(arrays[name])) for name in ("text", "image"))
    return Embedded(text, image, note if uneven else None)


def _check_rows(rows: Array, name: str, file: Path) -> bool:
    """Say whether rows are of other lengths than 1; raise `DataError` where one is not finite, or zero."""
    bad = int((~np.isfinite(rows).all(axis=1)).sum())
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
    if bad or not lengths.all():
        found = f"{bad:,} not finite" if bad else f"{int((lengths == 0).sum()):,} of zeros alone"
        raise DataError(f"{file}: expected finite {name} embeddings, found {found} of {len(rows):,}.")
    return bool(np.abs(lengths - 1).max() > _EVEN)
