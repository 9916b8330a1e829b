"""The gradient audit before every training: what is counted as trainable learns, what is frozen does not."""

import torch
from torch import Tensor

from harness.errors import TrainingError, listed, many
from harness.method_parts.batch import Batch
from harness.methods import Method

_SHOWN = 8


def audit_gradients(method: Method, batch: Batch) -> None:
    """Run one small batch forward and backward in float32; gradients, buffers and random states are put back.

    A gradient of zero is accepted, as below an upper map that starts at zero; a missing one is
    not.

    Raises `TrainingError` naming the parameters when a trainable one gets no gradient or a frozen one
    gets one, when nothing is trainable, or when the loss is not finite.
    """
    buffers = {name: buffer.clone() for name, buffer in method.named_buffers()}
    device = batch.identities.device
    method.begin_training()
    method.zero_grad(set_to_none=True)
    try:
        generators = torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])
        with generators, torch.enable_grad(), torch.autocast(device.type, enabled=False):
            _check_loss(method(batch).total)
        _check_gradients(method)
    finally:
        method.zero_grad(set_to_none=True)
        for name, buffer in method.named_buffers():
            buffer.copy_(buffers[name])


def _check_loss(loss: Tensor) -> None:
    if not torch.isfinite(loss):
        raise TrainingError(f"The loss of the first batch is {loss.item()}: check the inputs and the config.")
    if not loss.requires_grad:
        raise TrainingError("The loss depends on no trainable parameter: nothing would be learned.")
    torch.autograd.backward(loss)


def _check_gradients(method: Method) -> None:
    named = dict(method.named_parameters())
    dead = [name for name, p in named.items() if p.requires_grad and p.grad is None]
    leaking = [name for name, p in named.items() if not p.requires_grad and p.grad is not None]
    if dead:
        said = many(
            len(dead), "parameter counts as trainable but gets", "parameters count as trainable but get"
        )
        raise TrainingError(f"{said} no gradient: {listed(dead, _SHOWN)}.")
    if leaking:
        said = many(len(leaking), "parameter is frozen but gets", "parameters are frozen but get")
        raise TrainingError(f"{said} a gradient: {listed(leaking, _SHOWN)}.")
