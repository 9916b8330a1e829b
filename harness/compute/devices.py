"""Device, precision and processes through Accelerate; the only file that knows it."""

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator as Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import broadcast_object_list

from harness.compute.distributed import world
from harness.errors import UsageError

_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def accelerator(precision: str, device: str = "auto") -> Accelerator:
    """Return the accelerator of this process; joins the others when started by `torchrun` or `accelerate launch`.

    Args:
        precision: `train.precision` of the config.
        device: `auto` takes CUDA where there is one; `cpu` and `cuda` insist.
    """
    on_cpu = _on_cpu(device)
    kind = _mixed_precision(precision, on_cpu)
    if AcceleratorState._shared_state.get("_mixed_precision", kind) != kind:
        # Accelerate has one precision per process; an earlier run's is over when the next one begins.
        AcceleratorState._reset_state()
    return Accelerator(cpu=on_cpu, mixed_precision=kind)


@dataclass(frozen=True)
class Inference:
    """Where and how a process encodes without training: any number of them, of any precision, side by side."""

    device: torch.device
    mixed_precision: str
    is_main_process: bool = True


def inference(precision: str, device: str = "auto") -> Inference:
    """Return where and how a trained run encodes; arguments as for `accelerator`.

    A run that was trained in fp16 encodes in float32 on a processor, as one of `auto` does.
    """
    on_cpu = _on_cpu(device)
    place = torch.device("cpu" if on_cpu else "cuda")
    kind = "no" if on_cpu and precision == "fp16" else _mixed_precision(precision, on_cpu)
    return Inference(place, kind, is_main_process())


def _on_cpu(device: str) -> bool:
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            "--device cuda: PyTorch sees no CUDA device; use --device cpu, or see `harness doctor`."
        )
    return device == "cpu" or not torch.cuda.is_available()


def _mixed_precision(precision: str, on_cpu: bool) -> str:
    """Return Accelerate's name of the autocast type: `no`, `bf16` or `fp16`."""
    if precision == "auto":
        if on_cpu:
            return "no"
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    if precision == "fp16" and on_cpu:
        raise UsageError("train.precision=fp16 needs a CUDA device: use fp32 or bf16 on a CPU.")
    return {"fp32": "no", "pure-fp16": "no"}.get(precision, precision)


def autocast(engine: Accelerator | Inference) -> AbstractContextManager[Any]:
    """Return the context in which encoding runs, in the run's precision."""
    kind = _AUTOCAST.get(str(engine.mixed_precision))
    return nullcontext() if kind is None else torch.autocast(engine.device.type, dtype=kind)


def agreed(value: Any) -> Any:
    """Return the first process's value on all processes."""
    if world()[1] == 1:
        return value
    values = [value]
    broadcast_object_list(values, from_process=0)
    return values[0]


def is_main_process() -> bool:
    """Whether this process is the one that writes; known before the processes have met, too."""
    rank, size = world()
    return rank == 0 if size > 1 else os.environ.get("RANK", "0") == "0"
