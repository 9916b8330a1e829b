"""What the blocks of all towers are made of: operations with an injection after each, and attention."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.clip.injection import Injection, Place
from harness.compute.precision import layer_norm


def after(injection: Injection, place: Place, layer: int, given: Tensor, made: Tensor) -> Tensor:
    """Let an injection act after an operation, if it does there."""
    return injection.after(place, layer, given, made) if place in injection.places else made


def norm(place: Place, module: nn.Module, layer: int, x: Tensor, injection: Injection) -> Tensor:
    """Normalise the stream [n, length, width]; where a tower has no norm there, nothing acts after it."""
    if isinstance(module, nn.Identity):
        return x
    return after(injection, place, layer, x, layer_norm(module, x))


def heads(x: Tensor, n_heads: int) -> Tensor:
    """Split [n, length, width] into [n, heads, length, head width]."""
    split: Tensor = x.unflatten(-1, (n_heads, -1))
    return split.transpose(1, 2)


def read(
    layer: int, query: Tensor, key: Tensor, value: Tensor, injection: Injection, *, causal: bool
) -> Tensor:
    """Return what a block's queries [n, heads, length, head width] read, with prefixes [n, length, width]."""
    mixed = attended(query, *injection.keys_and_values(layer, key, value), injection, causal=causal)
    return mixed.transpose(1, 2).flatten(2)


def attended(query: Tensor, key: Tensor, value: Tensor, injection: Injection, *, causal: bool) -> Tensor:
    """Return what queries [n, heads, length, head width] read; keys in front of the sequence's own are seen by all."""
    dropout = injection.attention_dropout if injection.training else 0.0
    length, n_front = query.shape[2], key.shape[2] - query.shape[2]
    mask = None
    if causal and n_front:
        ones = torch.ones(length, n_front + length, dtype=torch.bool, device=query.device)
        mask, causal = ones.tril(n_front), False
    return F.scaled_dot_product_attention(query, key, value, mask, is_causal=causal, dropout_p=dropout)
