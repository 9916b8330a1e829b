"""Prefixes: learned keys and values in front of those that the attention of a block makes.

Every place of the sequence reads them, before the causal mask too; they are no places themselves, so the sequence
keeps its length and a caption all its words.
"""

from typing import Any, Self

import torch
from torch import Tensor, nn

from harness.clip.injection import Injection
from harness.errors import UsageError

_DEVIATION = 0.02
_SCALED_LARGEST = 0.01


class Prefixes(Injection):
    """Learned keys and values [depth, length, width] of the lower `depth` blocks of a tower, from N(0, 0.02^2).

    With `hidden` a network of that width makes them while training; `fold` replaces it by what it makes.
    """

    def __init__(self, depth: int, length: int, width: int, hidden: int = 0) -> None:
        super().__init__()
        self.depth, self.size = depth, 2 * depth * length * width
        self.maker = _Maker(depth, length, width, hidden) if hidden else None
        self.keys, self.values = (
            None if hidden else nn.Parameter(torch.empty(depth, length, width).normal_(std=_DEVIATION))
            for _ in range(2)
        )

    def keys_and_values(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Put the layer's own in front, split into heads as a block splits its own."""
        if layer >= self.depth:
            return key, value
        keys, values = self._made(layer)
        return _in_front(keys, key), _in_front(values, value)

    @torch.no_grad()
    def merge(self, clip: Any) -> Self:
        """Keep what the network makes in its place, for inference: embeddings stay the same."""
        made = [self._made(layer) for layer in range(self.depth)]
        self.keys, self.values = (
            nn.Parameter(torch.stack(part), requires_grad=False) for part in zip(*made, strict=True)
        )
        self.maker = None
        return self

    def _made(self, layer: int) -> tuple[Tensor, Tensor]:
        """Return a layer's keys and values [length, width]."""
        if self.keys is None or self.values is None:
            assert self.maker is not None
            return self.maker.made(layer)
        return self.keys[layer], self.values[layer]


class ScaledPrefixes(Prefixes):
    """Prefixes with learned factors: each layer has one on its keys, one on its values, one on the attention to them.

    UP-Person (TCSVT 2025) calls this S-Prefix: after the soft-max the weights of the prefix are multiplied by
    `attention_scale`, so that they no longer sum to 1 with the others. That is the same as multiplying its values,
    which is what is done here. As released, prefixes start uniform in [0, 0.01) and the other factors at 1.
    """

    def __init__(self, depth: int, length: int, width: int, *, attention_scale: float) -> None:
        super().__init__(depth, length, width)
        self.keys, self.values = (
            nn.Parameter(torch.empty(depth, length, width).uniform_(0, _SCALED_LARGEST)) for _ in range(2)
        )
        self.key_scale: nn.Parameter | None = nn.Parameter(torch.ones(depth))
        self.value_scale: nn.Parameter | None = nn.Parameter(torch.ones(depth))
        self.attention_scale: nn.Parameter | None = nn.Parameter(torch.full((depth,), attention_scale))

    @torch.no_grad()
    def merge(self, clip: Any) -> Self:
        """Multiply the factors into keys and values."""
        super().merge(clip)
        self.key_scale = self.value_scale = self.attention_scale = None
        return self

    def _made(self, layer: int) -> tuple[Tensor, Tensor]:
        """Return a layer's scaled keys and values [length, width]."""
        keys, values = super()._made(layer)
        if self.key_scale is None or self.value_scale is None or self.attention_scale is None:
            return keys, values
        return keys * self.key_scale[layer], values * (self.value_scale[layer] * self.attention_scale[layer])


class _Maker(nn.Module):
    """Makes the prefix of each layer of one learned sequence: a map, tanh, and a map for each layer."""

    def __init__(self, depth: int, length: int, width: int, hidden: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.empty(length, width).normal_())
        self.down = nn.Linear(width, hidden)
        self.up = nn.ModuleList(nn.Linear(hidden, 2 * width) for _ in range(depth))

    def made(self, layer: int) -> tuple[Tensor, Tensor]:
        """Return a layer's keys and values [length, width]."""
        # PyTorch's FLOP counter takes no parameter as the input of a module; a view of it is none.
        sequence = self.vectors.view_as(self.vectors).to(self.down.weight.dtype)
        hidden = self.down(sequence).tanh()
        keys, values = self.up[layer](hidden).chunk(2, dim=1)
        return keys, values


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
