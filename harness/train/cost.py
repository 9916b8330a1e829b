"""What a method costs: parameters, floating-point operations, memory and time."""

import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from harness.methods import Method

if TYPE_CHECKING:
    from harness.train.checkpoint import State

BYTES_PER_PARAMETER = 4
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class ParameterCounts:
    """How many parameters a method trains, has in all with its backbone, and needs beside CLIP's after folding."""

    trainable: int
    total: int
    inference_extra: int

    @property
    def checkpoint_bytes(self) -> int:
        """Bytes of a float32 checkpoint of what is trained."""
        return self.trainable * BYTES_PER_PARAMETER

    def as_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return asdict(self)


def count_parameters(method: Method) -> ParameterCounts:
    """Count a method's parameters; shared ones once. Works without weights, on the meta device."""
    return ParameterCounts(
        trainable=sum(parameter.numel() for _, parameter in method.trainable()),
        total=sum(parameter.numel() for parameter in method.parameters()),
        inference_extra=method.folded_parameters(),
    )


def flops(method: Method) -> dict[str, int]:
    """Count floating-point operations for one image and one caption of full length, two per multiply-add.

    `image_forward` and `text_forward` are one encoding; `image_training` and `text_training` add the
    backward pass to whatever is trained, through the towers even where a method would train on cached
    embeddings. Attention is counted in its plain form, whatever kernel runs it; works without weights,
    on the meta device.
    """
    clip = method.clip
    device = next(method.parameters()).device
    image = torch.zeros(1, 3, *clip.image_size, device=device)
    tokens = torch.zeros(1, clip.text_length, dtype=torch.long, device=device)
    image_forward, image_training = _count(method, method.encode_image, image)
    text_forward, text_training = _count(method, method.encode_text, tokens)
    return {
        "image_forward": image_forward,
        "text_forward": text_forward,
        "image_training": image_training,
        "text_training": text_training,
    }


def _count(method: Method, encode: Callable[[Tensor], Tensor], given: Tensor) -> tuple[int, int]:
    """Return the operations of one forward pass, and of forward and backward."""
    counter = FlopCounterMode(display=False)
    with sdpa_kernel(SDPBackend.MATH), torch.enable_grad(), counter:
        out = encode(given)
        forward = counter.get_total_flops()
        if out.requires_grad:
            trained = [parameter for _, parameter in method.trainable()]
            torch.autograd.grad(out.float().sum(), trained, allow_unused=True)
    return forward, counter.get_total_flops()


def time_summary(step_seconds: Sequence[float], state: "State") -> dict[str, float]:
    """Return training time in all, and the median and 95th percentile of one step's, in seconds."""
    summary = {"train_seconds": state.seconds}
    if len(step_seconds) > 1:
        summary["step_seconds"] = statistics.median(step_seconds)
        summary["step_seconds_p95"] = statistics.quantiles(step_seconds, n=20, method="inclusive")[-1]
    return summary


class PeakMemory:
    """Measures the most memory used inside a `with` block, in `bytes`.

    On CUDA what the allocator gave out on the device; elsewhere the resident memory of the whole
    process. Where the system cannot reset its high-water mark, the mark of the process's whole life.
    """

    def __init__(self, device: torch.device | str) -> None:
        self.device, self.bytes = torch.device(device), 0

    def __enter__(self) -> "PeakMemory":
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        else:
            _reset_high_water()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        cuda = self.device.type == "cuda"
        self.bytes = torch.cuda.max_memory_allocated(self.device) if cuda else resident_high_water()


def resident_high_water() -> int:
    """Return the most resident memory of this process since the last reset, in bytes; 0 where it is not told."""
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:
        return 0
    unit = 1 if os.uname().sysname == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _reset_high_water() -> None:
    try:
        _CLEAR.write_text("5")
    except OSError:
        return
