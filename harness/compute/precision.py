"""Several number widths in one model: what is computed in float32, and the float16 storage of the released CSKT."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_HALF_MODULES = (nn.Linear, nn.Conv2d, nn.MultiheadAttention)
_HALF_MATRICES = ("proj", "text_projection")

M = TypeVar("M", bound=nn.Module)


def layer_norm(module: nn.Module, x: Tensor) -> Tensor:
    """Normalise [..., width] in float32 and cast back to the type of `x`; an Identity stays one."""
    if isinstance(module, nn.Identity):
        return x
    assert isinstance(module, nn.LayerNorm)
    weight, bias = module.weight.float(), module.bias.float()
    return F.layer_norm(x.float(), module.normalized_shape, weight, bias, module.eps).to(x.dtype)


def store_half(method: M) -> M:
    """Store a method in the mixed widths of the released CSKT, in place, and return it.

    Linear maps, convolutions, attention and the two output projections become float16, adapters and
    coupling maps included; prompts, LayerNorm and embeddings stay float32. Adam then works on float16
    weights directly, without loss scaling: its large epsilon is what makes that possible.
    """
    for module in method.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if isinstance(module, _HALF_MODULES) or name in _HALF_MATRICES:
                parameter.data = parameter.data.half()
    return method


@contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """Let CUDA round what it multiplies in float32 to the 10 bits of TF32, or not, whatever the process has set."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


def full_precision(values: Tensor) -> Tensor:
    """Return float64 as it is and everything else as float32."""
    return values if values.dtype == torch.float64 else values.float()


def unit(rows: Tensor) -> Tensor:
    """Return rows [n, dim] in float32 with length 1.

    >>> unit(torch.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    return F.normalize(rows.float(), dim=-1)
