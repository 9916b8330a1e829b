"""The way through a tower, so that injections can act inside the blocks of a frozen model.

With `recompute` no activation inside a block is kept for the backward pass: each block, what is injected included, is
computed once more there, with the same random draws.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from harness.clip.injection import Injection
from harness.clip.towers import Tower


def encode(
    tower: Tower, inputs: Tensor, injection: Injection | None = None, *, recompute: bool = False
) -> Tensor:
    """Embed images [n, 3, height, width] or token ids [n, length] as [n, dim], not L2-normalised."""
    injection = injection or Injection()
    x, ends = tower.begin(inputs, injection)
    last, read = _blocks(tower, x, injection, recompute)
    return tower.finish(injection.finished(last, read), ends, injection)


def encode_places(
    tower: Tower, inputs: Tensor, injection: Injection | None = None, *, recompute: bool = False
) -> tuple[Tensor, Tensor | None]:
    """Embed every place as [n, length, dim]; return the captions' own places [n] beside it, None for images.

    At a caption's own place, and at the first of an image, is what `encode` gives. An injection that adds places gives
    as many more.
    """
    injection = injection or Injection()
    x, ends = tower.begin(inputs, injection)
    last, read = _blocks(tower, x, injection, recompute)
    return tower.project(injection.finished(last, read), injection), ends


def streams(tower: Tower, inputs: Tensor, reads: Sequence[int]) -> Tensor:
    """Return some streams and what the last block gives [n, n_streams, length, width], with nothing acting inside.

    `reads` says which, as `Injection.reads` does.
    """
    reader = Injection()
    reader.reads = tuple(reads)
    last, read = _blocks(tower, tower.begin(inputs, reader)[0], reader, recompute=False)
    return torch.stack([*read, last], dim=1)


def finish_streams(
    tower: Tower, given: Sequence[Tensor], tokens: Tensor | None, injection: Injection
) -> Tensor:
    """Return the embeddings [n, dim] of what `streams` gave, one by one; a text tower needs token ids [n, length]."""
    *read, last = given
    ends = None if tokens is None else tower.ends(tokens)
    return tower.finish(injection.finished(last, read), ends, injection)


def run_block(tower: Tower, block: Any, layer: int, x: Tensor, injection: Injection) -> Tensor:
    """Pass the residual stream [n, length, width] through one block."""
    u = tower.attend(block, layer, injection.before_block(layer, x), injection)
    return tower.feed(block, layer, u, injection)


def _blocks(tower: Tower, x: Tensor, injection: Injection, recompute: bool) -> tuple[Tensor, list[Tensor]]:
    """Return what the last block gives, and the streams that the injection reads, each [n, length, width]."""
    read = []
    for layer, block in enumerate(tower.blocks):
        if layer in injection.reads:
            read.append(x)
        run = partial(run_block, tower, block, layer, injection=injection)
        x = checkpoint(run, x, use_reentrant=False) if recompute and torch.is_grad_enabled() else run(x)
    return x, read
