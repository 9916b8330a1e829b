"""What several processes must agree on: the global batch with gradient, and how a batch is split."""

import torch
import torch.distributed as dist
from torch import Tensor


def world() -> tuple[int, int]:
    """Return this process's rank and the number of processes; (0, 1) when alone."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def deal(indices: Tensor) -> Tensor:
    """Return this process's share of a global batch: contiguous, equally long on all, padded with repeats.

    Args:
        indices: what the global batch holds, the same on every process [n_global].

    Padded places come after the last real one in the order of ranks, so cutting the gathered rows to `n_global`
    drops exactly them.
    """
    rank, size = world()
    share = -(-len(indices) // size)
    places = torch.arange(rank * share, (rank + 1) * share).clamp(max=len(indices) - 1)
    return indices[places]


def gather_with_gradient(rows: Tensor, n_global: int) -> Tensor:
    """Gather equally long shares [n_local, dim] of all processes to [n_global, dim], dropping padding.

    The gradient flows into this process's own rows; the sum over processes is the gradient of the whole batch.
    Wrappers that average gradients over processes therefore need the loss multiplied by their number.
    """
    rank, size = world()
    if size == 1:
        return rows[:n_global]
    parts = [torch.empty_like(rows) for _ in range(size)]
    dist.all_gather(parts, rows.detach().contiguous())
    parts[rank] = rows
    return torch.cat(parts)[:n_global]


def same_on_all(parameter: Tensor) -> Tensor:
    """Return a parameter that every process uses in the whole loss, such as a temperature, its gradient divided.

    Gradients of a process's own rows add up over processes; one that all compute would count once for each of them.
    """
    size = world()[1]
    return parameter if size == 1 else parameter.detach() + (parameter - parameter.detach()) / size


def gather(rows: Tensor, n_global: int) -> Tensor:
    """Gather shares [n_local, ...] of all processes to [n_global, ...] without gradient."""
    return gather_with_gradient(rows.detach(), n_global)


def leave() -> None:
    """Leave the group of processes, if this one is in any: threads of a group that stays open may abort the exit."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()
