"""Prefixes: learned keys and values in front of those that the attention of a block makes.

Every place of the sequence reads them, before the causal mask too; they are no places themselves, so the sequence
keeps its length and a caption all its words.
"""

import torch
from torch import Tensor, nn

from harness.clip.injection import Injection
from harness.errors import UsageError

_DEVIATION = 0.02


class Prefixes(Injection):
    """Learned keys and values [depth, length, width] of the lower `depth` blocks of a tower, from N(0, 0.02^2)."""

    def __init__(self, depth: int, length: int, width: int) -> None:
        super().__init__()
        self.depth = depth
        self.keys, self.values = (
            nn.Parameter(torch.empty(depth, length, width).normal_(std=_DEVIATION)) for _ in range(2)
        )

    def keys_and_values(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Put the layer's own in front, split into heads as a block splits its own."""
        if layer >= self.depth:
            return key, value
        return _in_front(self.keys[layer], key), _in_front(self.values[layer], value)


def check_prefix(length: int, text_length: int) -> None:
    """Raise `UsageError` for a prefix that is longer than a caption can be."""
    if length > text_length:
        raise UsageError(
            f"method.prefix_length={length} is more than the {text_length} tokens of a caption: choose a smaller one."
        )


def _in_front(prefix: Tensor, own: Tensor) -> Tensor:
    """Put a prefix [length, width] in front of keys or values [n, heads, places, head width]."""
    n, heads = own.shape[:2]
    split = prefix.to(own.dtype).unflatten(1, (heads, -1)).transpose(0, 1)
    return torch.cat([split.expand(n, -1, -1, -1), own], dim=2)
