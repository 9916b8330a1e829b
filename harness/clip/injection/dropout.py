"""Dropout that follows from the batch: the same on any number of processes, in any part, resumed or not.

PyTorch's own draws from a process's generator, so that another split of a batch drops other values. Here each row has a
key, drawn from the batch's seed for the global batch, and what is dropped is a hash of key, operation, place and
feature: nothing is kept, a block that is computed again drops the same, and so does a caption that is cut elsewhere.
"""

import torch
from torch import Tensor, nn

from harness.compute.transfer import sent

_BITS, _MASK, _ODD = 32, 0xFFFFFFFF, 0x1E3779B1
_ROUNDS = ((16, 0x7FEB352D), (15, 0x21F0AAAD))


class Dropout(nn.Module):
    """Drops a share of the values of [n, length, width] while training and scales up the rest; needs `redraw`.

    Attributes:
        share: of the values that are dropped, in steps of 2^-15.
        keys: what decides for each row of the batch which values those are [n], 32 bits; None drops nothing.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.keys: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` [n, length, width] with some values 0 and the others divided by what is kept."""
        if not self.training or not self.share or self.keys is None:
            return x
        assert len(self.keys) == len(x), "these are the keys of another batch"
        _, length, width = x.shape
        return x.masked_fill(_dropped(self.keys, length, width, self.share), 0) / (1 - self.share)


def redraw(model: nn.Module, seed: int, n: int, places: Tensor | None = None) -> None:
    """Draw for a step what every `Dropout` in a model drops.

    Args:
        model: whose modules are drawn for, each otherwise.
        seed: of the batch, the same on every process.
        n: rows of the global batch.
        places: where in it the rows of this process are [n_local]; None for all, in order.
    """
    dropouts = [module for module in model.modules() if isinstance(module, Dropout) and module.share]
    if not dropouts:
        return
    keys = torch.randint(2**_BITS, (n,), generator=torch.Generator().manual_seed(seed))
    own = sent(keys if places is None else keys[places.cpu()], next(model.parameters()).device)
    numbers = torch.arange(1, len(dropouts) + 1, device=own.device)
    for dropout, row_keys in zip(dropouts, _mixed(own ^ _spread(numbers)[:, None]), strict=True):
        dropout.keys = row_keys


def _dropped(keys: Tensor, length: int, width: int, share: float) -> Tensor:
    """Return what is dropped [n, length, width]: where a row's number of the place times that of the feature is small.

    The numbers are random, odd and 16 bits wide, and so is their product, which is uniform among such. Any three
    products are independent where the numbers are.
    """
    assert keys.dim() == 1
    numbers = _mixed(keys[:, None] ^ _spread(torch.arange(width + length, device=keys.device)))
    numbers = ((numbers >> _BITS // 2) - 2**15 | 1).to(torch.int16)
    of_feature, of_place = numbers[:, None, :width], numbers[:, width:, None]
    return of_place * of_feature < round(share * 2**16) - 2**15


def _spread(numbers: Tensor) -> Tensor:
    """Return whole numbers, 0 upwards, as far apart in 32 bits."""
    return numbers * _ODD & _MASK


def _mixed(numbers: Tensor) -> Tensor:
    """Return 32-bit hashes of 32-bit numbers, computed in 64: two rounds of multiply and shift, as in lowbias32.

    Source: the family of C. Wellons, "Prospecting for Hash Functions", 2018; both factors have 31 bits, so that no
    product overflows.
    """
    for shift, factor in _ROUNDS:
        numbers = (numbers ^ numbers >> shift) * factor & _MASK
    return numbers ^ numbers >> 16
