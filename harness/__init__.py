"""A benchmark harness for text-based person retrieval with CLIP.

`harness.load(run)` gives a trained model, `harness.runs()` all runs as a DataFrame; the rest is the command line.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.api import load, runs

__version__ = "0.2.0.dev0"
__all__ = ["load", "runs"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from harness import api

        return getattr(api, name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
