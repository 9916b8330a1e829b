"""Gradient caching: the loss of a large contrastive batch in the memory of a small one.

Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup", RepL4NLP 2021,
https://arxiv.org/abs/2101.06983. All parts of a batch are embedded without a graph, the loss gives the gradient of each
embedding, and every part is embedded once more, under the same random state, to pass its share back. The result is the
gradient of the whole batch, with dropout as the parts drew it. Memory is that of one part's graph, and of all pairs'
features.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor

from harness.method_parts.batch import Batch, Losses
from harness.methods import Method

Features = dict[str, Tensor]


class GradientCache:
    """Does forward and backward of batches part by part.

    Args:
        method: the method itself.
        model: the method as wrapped for training; called once for each part.
        part_size: pairs of this process that are embedded at a time.
        autocast: makes the context of the first pass, the one that `model` has by itself.
        no_sync: makes the context in which a backward pass leaves the other processes alone.
    """

    def __init__(
        self,
        method: Method,
        model: Any,
        part_size: int,
        *,
        autocast: Callable[[], AbstractContextManager[Any]] = nullcontext,
        no_sync: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> None:
        self.method, self.model, self.part_size = method, model, part_size
        self.autocast, self.no_sync = autocast, no_sync

    def step(self, batch: Batch, backward: Callable[[Tensor], None]) -> Losses:
        """Add the gradient of one batch to the parameters; return its losses, without a graph.

        `backward` is given scalars to run backward from; what it multiplies them by, it multiplies the gradient by.
        """
        parts = [slice(start, start + self.part_size) for start in range(0, batch.n_local, self.part_size)]
        states, features = self._embed(batch, parts)
        gradients = self._gradients(features, batch)
        for rows, state in zip(parts[:-1], states[:-1], strict=True):
            with self.no_sync(), _random_state(state):
                losses = self.model(batch.rows(rows), lambda own, rows=rows: _carried(own, gradients, rows))
                backward(losses.total)
        with _random_state(states[-1]):
            # The last part goes through the losses themselves, so that their own parameters learn in the same pass.
            losses = self.model(
                batch.rows(parts[-1]),
                lambda own: self.method.losses(_completed(features, own, parts[-1]), batch),
            )
            backward(losses.total)
        return Losses({name: term.detach() for name, term in losses.terms.items()}, losses.weights)

    def _embed(self, batch: Batch, parts: list[slice]) -> tuple[list[Any], Features]:
        """Return the random state before each part, and the features of all [n_local, ...]."""
        states, rows = [], []
        with torch.no_grad(), self.autocast():
            for part in parts:
                states.append(_take_state(batch.identities.device))
                rows.append(self.method.features(batch.rows(part)))
        return states, {name: torch.cat([features[name] for features in rows]) for name in rows[0]}

    def _gradients(self, features: Features, batch: Batch) -> Features:
        """Return the gradient of the losses at every feature that has one.

        Of half precision at full: these gradients are not scaled yet, and most would be below its smallest number.
        """
        leaves = {name: _full(rows.detach()) for name, rows in features.items()}
        with torch.enable_grad(), self.autocast():
            total = self.method.losses(leaves, batch).total
        asked = [leaf for leaf in leaves.values() if leaf.requires_grad]
        found = torch.autograd.grad(total, asked, allow_unused=True)
        names = [name for name, leaf in leaves.items() if leaf.requires_grad]
        return {name: rows for name, rows in zip(names, found, strict=True) if rows is not None}


def _full(rows: Tensor) -> Tensor:
    """Return features in at least single precision, which ask for a gradient; others as they are."""
    if not rows.is_floating_point():
        return rows
    return rows.to(torch.promote_types(rows.dtype, torch.float32)).requires_grad_()


def _carried(own: Features, gradients: Features, rows: slice) -> Losses:
    """Return a substitute for the losses: a scalar whose gradient at a part's features is the one computed before."""
    return Losses(
        {name: (own[name].float() * found[rows].float()).sum() for name, found in gradients.items()}
    )


def _completed(features: Features, own: Features, rows: slice) -> Features:
    """Return all features, those of some rows with their graph."""
    return {name: torch.cat([kept[: rows.start], own[name]]) for name, kept in features.items()}


def _take_state(device: torch.device) -> tuple[Tensor, Tensor | None]:
    return torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None


@contextmanager
def _random_state(state: tuple[Tensor, Tensor | None]) -> Iterator[None]:
    """Repeat random draws from a state; afterwards they continue from where they were."""
    cpu, cuda = state
    with torch.random.fork_rng(devices=[] if cuda is None else [torch.cuda.current_device()]):
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state(cuda)
        yield
