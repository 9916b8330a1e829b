"""A benchmark harness for text-based person retrieval with CLIP.

`harness.load(run)` gives a trained model, `harness.runs()` all runs as a DataFrame, `harness.rerank(function, ...)` a
second stage of scores; the rest is the command line.
"""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.api import load, rerank, runs

__version__ = "0.2.0.dev0"
__all__ = ["load", "rerank", "runs"]

# Threads of PyTorch that wait for one another sleep, and do not spin: beside other work, that takes the core from the
# one that is waited for. OpenMP reads it when PyTorch is loaded, and child processes inherit it.
WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
if not os.environ.keys() & set(WAITING):
    os.environ["OMP_WAIT_POLICY"] = "passive"


def __getattr__(name: str) -> Any:
    if name in __all__:
        from harness import api

        return getattr(api, name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
