"""What a method costs: parameters, floating-point operations, memory and time."""

import os
import statistics
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from harness.compute.shapes import KnownShapes
from harness.method_parts.batch import Batch
from harness.method_parts.schedule import Progress
from harness.methods import Method

if TYPE_CHECKING:
    from harness.train.checkpoint import State

_BYTES_PER_PARAMETER = 4
Encode = Callable[[Tensor], Tensor]
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
        return self.trainable * _BYTES_PER_PARAMETER

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


def training_flops(method: Method) -> dict[str, int]:
    """Count the floating-point operations of training on one image and on one caption of full length.

    Forward and backward pass to whatever is trained, through the towers even where a method would train on cached
    embeddings; two operations for a multiply-add. Attention is counted in its plain form, whatever kernel runs it;
    works without weights, on the meta device.
    """

    def forward_backward(encode: Encode, given: Tensor) -> None:
        out = encode(given)
        if out.requires_grad:
            trained = [parameter for _, parameter in method.trainable()]
            torch.autograd.grad(out.float().sum(), trained, allow_unused=True)

    return _flops(method, forward_backward, "training")


def pair_flops(method: Method, pairs: int) -> dict[str, int]:
    """Count the floating-point operations of a whole training step, for each of its pairs, as `pair_training`.

    All passes through the towers that further views and soft labels take, what is beside the towers, and the losses,
    forward and backward. Captions have full length, and everything runs even where a method trains on what is kept.
    Counted as above, best on the meta device, where it costs nothing. Nothing is counted of a method that trains
    nothing or looks at values there.

    Args:
        method: as it is trained.
        pairs: of a step; what is computed once a step is shared by so many.
    """
    if not method.trained:
        return {}

    def step() -> None:
        total = method(_blank_batch(method, pairs)).total
        torch.autograd.grad(total, [parameter for _, parameter in method.trainable()], allow_unused=True)

    try:
        method.begin_training()
        # Ramps of a first epoch are over.
        method.on_step_start(Progress(epoch=2, step=0, n_steps=2, epochs=3))
        return {"pair_training": round(_counted(step) / pairs)}
    except Exception:  # whatever a method cannot do without values: a count is not worth a run
        return {}


def _blank_batch(method: Method, pairs: int) -> Batch:
    """Return a batch of black images and captions of full length, each of another person, with all further views."""
    device, views = next(method.parameters()).device, method.views()

    def images(n: int) -> tuple[Tensor, ...]:
        return tuple(torch.zeros(pairs, 3, *method.clip.image_size, device=device) for _ in range(n))

    def captions(n: int) -> tuple[Tensor, ...]:
        size = (pairs, method.clip.text_length)
        return tuple(torch.ones(size, dtype=torch.long, device=device) for _ in range(n))

    return Batch(
        images(1)[0],
        captions(1)[0],
        torch.arange(pairs, device=device),
        image_views=images(views.images),
        token_views=captions(views.captions),
        contrast_views=images(views.contrast),
    )


def inference_flops(method: Method) -> dict[str, int]:
    """Count the floating-point operations of encoding one image and one caption of full length, as above.

    Meant for the method as it is used, which is the folded one; puts it into evaluation mode.
    """
    method.eval()
    return _flops(method, lambda encode, given: encode(given), "forward")


def _flops(method: Method, work: Callable[[Encode, Tensor], object], name: str) -> dict[str, int]:
    """Count the operations of some work on each tower's input."""
    clip = method.clip
    device = next(method.parameters()).device
    image = torch.zeros(1, 3, *clip.image_size, device=device)
    tokens = torch.zeros(1, clip.text_length, dtype=torch.long, device=device)
    counts = {}
    for tower, encode, given in (("image", method.encode_image, image), ("text", method.encode_text, tokens)):
        counts[f"{tower}_{name}"] = _counted(partial(work, encode, given))
    return counts


def _counted(work: Callable[[], object]) -> int:
    """Return the operations of some work, attention in its plain form."""
    counter = FlopCounterMode(display=False)
    with sdpa_kernel(SDPBackend.MATH), torch.enable_grad(), KnownShapes(), counter:
        work()
    return int(counter.get_total_flops())


def step_summary(
    step_seconds: Sequence[float], peak_bytes: int | None, state: "State", keep_seconds: float = 0.0
) -> dict[str, float]:
    """Return training time in all, the median and 95th percentile of one step's, in seconds, and its peak memory.

    The time is that of the epochs' steps and, before them, of computing once what is frozen; validations are no part.
    """
    summary = {"train_seconds": state.seconds + keep_seconds}
    if peak_bytes is not None:
        summary["step_peak_bytes"] = peak_bytes
    if len(step_seconds) > 1:
        summary["step_seconds"] = statistics.median(step_seconds)
        summary["step_seconds_p95"] = statistics.quantiles(step_seconds, n=20, method="inclusive")[-1]
    return summary


class PeakMemory:
    """Measures the peak memory inside a `with` block, in `bytes`.

    On CUDA what PyTorch allocated on the device; elsewhere the resident memory of the whole
    process. Where the system cannot reset its high-water mark, it is that of the process's whole life.
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


class StepMemory(TorchDispatchMode):
    """Follows every tensor that is made inside a `with` block until it is freed, gradients and kept activations too.

    What the process holds besides, libraries and an allocator's reserve, is not counted, nor is what a kernel uses
    inside. Computation stays as it is.

    Args:
        held: tensors that are there before: weights, the optimiser's state, the batch; those that share memory count
            once.

    Attributes:
        peak: the most bytes alive at once so far, `held` included.
    """

    def __init__(self, held: Iterable[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._sizes: dict[int, int] = {}
        self._live = self.peak = 0
        for tensor in held:
            self._note(tensor)

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run an operation and note what it made."""
        made = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, Tensor):
                self._note(leaf)
        return made

    def _note(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key not in self._sizes:
            self._sizes[key] = size
            self._live += size
            self.peak = max(self.peak, self._live)
            weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self._live -= self._sizes.pop(key, 0)


def held_tensors(module: torch.nn.Module, optimiser: Any, *more: Any) -> list[Tensor]:
    """Return a module's weights, buffers and gradients, its optimiser's state, and tensors among further values."""
    own = [*module.parameters(), *module.buffers()]
    gradients = [parameter.grad for parameter in own if parameter.grad is not None]
    state = tree_leaves([dict(values) for values in optimiser.state.values()])
    return [tensor for tensor in [*own, *gradients, *state, *tree_leaves(more)] if isinstance(tensor, Tensor)]


def resident_high_water() -> int:
    """Return this process's peak resident memory since the last reset, in bytes; 0 where it is not known."""
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
