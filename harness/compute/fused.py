"""Optimisers whose step is one kernel for all weights, in place of several for each."""

import inspect
from typing import Any, Literal

from torch import float32
from torch.optim import SGD, Adam, AdamW, Optimizer

Fused = Literal["auto", "always", "never"]
_KINDS = (Adam, AdamW, SGD)


def fused(optimiser: Optimizer, wanted: Fused = "auto") -> Optimizer:
    """Return an optimiser that takes the same steps, up to rounding, in one kernel; itself where that cannot be.

    Only Adam, AdamW and SGD over float32 weights can; weights stored in float16 are stepped in float16, as released.

    Args:
        optimiser: that has made no step yet.
        wanted: `auto` fuses on CUDA, `always` on the processor too, `never` nowhere.
    """
    devices = {"auto": {"cuda"}, "always": {"cuda", "cpu"}, "never": set()}[wanted]
    weights = [p for group in optimiser.param_groups for p in group["params"]]
    possible = all(p.device.type in devices and p.dtype == float32 for p in weights)
    if weights and possible and type(optimiser) in _KINDS:
        optimiser = _rebuilt(optimiser)
    optimiser.register_load_state_dict_pre_hook(_loaded_as_own)
    return optimiser


def _rebuilt(optimiser: Optimizer) -> Optimizer:
    assert not optimiser.state, "an optimiser that has made a step"
    own = {"foreach": None, "fused": True}
    known = inspect.signature(type(optimiser).__init__).parameters
    settings = {key: value for key, value in optimiser.defaults.items() if key in known} | own
    return type(optimiser)([group | own for group in optimiser.param_groups], **settings)


def _loaded_as_own(optimiser: Optimizer, state: dict[str, Any]) -> dict[str, Any]:
    """Keep the kernel when a checkpoint is loaded, which names that of the optimiser it was written from."""
    groups = [
        saved | {key: own[key] for key in ("foreach", "fused") if key in own}
        for saved, own in zip(state["param_groups"], optimiser.param_groups, strict=True)
    ]
    return state | {"param_groups": groups}
