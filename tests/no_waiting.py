"""What makes a step or an encoding wait for an accelerator, refused on the meta device, which holds no values.

The meta device refuses by itself whatever looks at a value (`item`, `nonzero`, a mask as an index).
"""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class NoWaiting(TorchDispatchMode):
    """Refuses copies to the device that wait, and operations that would copy on their own."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        names = [argument.name for argument in func._schema.arguments]
        given = dict(zip(names, args, strict=False)) | kwargs
        result = func(*args, **kwargs)
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor) and x.dim()]
        places = {tensor.device.type for tensor in tensors}
        if "non_blocking" in names:
            moved = {*places, result.device.type}
            assert len(moved) == 1 or given.get("non_blocking"), f"{func} waits for the device"
        else:
            assert len(places) < 2, f"{func} copies between machine and device"
        return result
