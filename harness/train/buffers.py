"""Memory for batches, reused once nothing refers to it."""

import math
import sys
from typing import Any

import numpy as np
import torch
from torch import Tensor


class Buffers:
    """Hands out memory that nothing refers to any more: writing into fresh pages costs three times the work itself."""

    def __init__(self, dtype: type[np.generic], most: int = 3) -> None:
        self._dtype, self._most = dtype, most
        self._kept: list[np.ndarray[Any, Any]] = []

    def take(self, shape: tuple[int, ...]) -> Tensor:
        """Return a tensor of a shape with any content, in memory that no other living tensor sees."""
        n = math.prod(shape)
        for place in range(len(self._kept)):
            # A tensor made from an array, and all that shares its memory, holds a reference to the array.
            if sys.getrefcount(self._kept[place]) == _UNUSED and self._kept[place].size >= n:
                return torch.from_numpy(self._kept[place][:n].reshape(shape))
        self._kept = [*self._kept[1 - self._most :], np.empty(n, self._dtype)]
        return torch.from_numpy(self._kept[-1].reshape(shape))


_SAMPLE = [object()]
_UNUSED = sys.getrefcount(_SAMPLE[0])
