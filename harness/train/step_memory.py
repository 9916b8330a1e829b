"""The peak memory of one training step, counted tensor by tensor, so that it is the same figure on any device."""

import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


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
