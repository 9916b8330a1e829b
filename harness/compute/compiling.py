"""Compiling functions with torch.compile, within bounds: whole graphs, few shapes, random numbers as without."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from harness.errors import UsageError

BACKEND = "inductor"
# Lengths of captions, sizes of whole and last batches and parts, with and without gradient.
MOST_SHAPES = 64


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that is compiled at its first call with each shape; it must be one graph."""
    # Dropout draws the numbers that it draws uncompiled, so that a part of a batch can be computed twice.
    options: dict[str, Any] | None = {"fallback_random": True} if BACKEND == "inductor" else None
    return torch.compile(function, fullgraph=True, dynamic=False, backend=BACKEND, options=options)


@contextmanager
def compiling() -> Iterator[None]:
    """Allow `MOST_SHAPES` shapes of a function inside; one more is an error, not a silent fall back."""
    import torch._dynamo

    config: Any = torch._dynamo.config
    limit = "recompile_limit" if hasattr(config, "recompile_limit") else "cache_size_limit"
    changes: dict[str, Any] = {limit: MOST_SHAPES}
    # What a method notes inside of a block it notes once, not a second time when activations are computed again.
    noted_once = "skip_fwd_side_effects_in_bwd_under_checkpoint"
    if hasattr(config, noted_once):
        changes[noted_once] = True
    with config.patch(changes):
        yield


def forget_compiled() -> None:
    """Let go of what was compiled for an earlier model of this process."""
    import torch._dynamo

    torch._dynamo.reset()


def check_compiler(device: torch.device) -> None:
    """Raise `UsageError` where there is nothing to compile with: a C++ compiler, or Triton on CUDA."""
    if BACKEND != "inductor":
        return
    if device.type == "cuda":
        from torch.utils._triton import has_triton

        if not has_triton():
            raise UsageError(
                "train.compile=true needs Triton on this GPU: `pip install triton`, or set train.compile=false."
            )
    elif not any(shutil.which(name) for name in (os.environ.get("CXX") or "g++", "g++", "clang++")):
        raise UsageError(
            "train.compile=true needs a C++ compiler on a processor: install g++, or set train.compile=false."
        )
