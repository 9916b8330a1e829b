"""Copies from this machine's memory to a device that do not wait for the work the device has before them."""

from collections import deque

import torch
from torch import Tensor

_AHEAD = 2


def sent(tensor: Tensor, device: torch.device | str) -> Tensor:
    """Return a tensor on a device; one of this machine's goes there through pinned memory, and nobody waits for it."""
    device = torch.device(device)
    if device.type == "cuda" and tensor.device.type == "cpu" and not tensor.is_pinned():
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


class Transfers:
    """Sends batch after batch to a device, and waits for it only where it is two batches behind.

    So pinned memory stays that of three batches, however far reading could run ahead of the device.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._under_way: deque[torch.cuda.Event] = deque()

    def room(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Return memory of this machine to write a batch into: pinned where that makes sending it faster."""
        return torch.empty(shape, dtype=dtype, pin_memory=self.device.type == "cuda")

    def send(self, batch: Tensor) -> Tensor:
        """Return a batch on the device."""
        moved = sent(batch, self.device)
        if self.device.type == "cuda":
            event = torch.cuda.Event()
            event.record()
            self._under_way.append(event)
            if len(self._under_way) > _AHEAD:
                self._under_way.popleft().synchronize()
        return moved
