"""Work on batches beside the model's: on a stream of its own, so that the device does both at once."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from harness.method_parts.batch import Batch


class SideStream:
    """Makes batches on a stream of a CUDA device, and hands them to the stream that the model runs on."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._stream = device, torch.cuda.Stream(device)

    def follow(self) -> None:
        """Begin after what this thread's stream has been given so far, as the embeddings that batches are read from."""
        self._stream.wait_stream(torch.cuda.current_stream(self._device))

    def make(self, work: Callable[[], Batch]) -> tuple[Batch, Any]:
        """Return what some work makes, given to the side stream, and the event that ends it."""
        with torch.cuda.stream(self._stream):
            batch = work()
            return batch, self._stream.record_event()

    def hand_over(self, batch: Batch, made: Any) -> Batch:
        """Let this thread's stream wait for a batch, and its memory be kept until that stream is done with it."""
        stream = torch.cuda.current_stream(self._device)
        stream.wait_event(made)
        for tensor in _tensors(batch):
            if tensor.is_cuda:
                tensor.record_stream(stream)
        return batch


def _tensors(batch: Batch) -> Iterator[Tensor]:
    for value in vars(batch).values():
        yield from (
            one for one in (value if isinstance(value, tuple) else (value,)) if isinstance(one, Tensor)
        )
