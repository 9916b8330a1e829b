"""Make training batches: the same global batches on any number of processes, from any step on."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from harness.compute.distributed import deal
from harness.compute.transfer import sent
from harness.config.sections import RunConfig
from harness.data.protocols.joint_names import shares
from harness.datasets import Pairs
from harness.errors import UsageError
from harness.method_parts.batch import Batch, Views
from harness.train.batch_content import Made, SampleReader, Samples
from harness.train.share import Share, derived_generator, derived_seed
from harness.train.side_stream import SideStream


def epoch_order(n: int, seed: int, epoch: int) -> Tensor:
    """Return the order of `n` pairs in an epoch [n], a permutation that depends on nothing else."""
    return torch.randperm(n, generator=derived_generator("order", seed, epoch))


def quotas(n: int, shares: Sequence[float]) -> list[int]:
    """Return how many of `n` pairs each dataset has, by largest remainder, so that they add up to `n`.

    >>> quotas(10, [0.5, 0.25, 0.25]), quotas(4, [1 / 3, 1 / 3, 1 / 3])
    ([5, 3, 2], [2, 1, 1])
    """
    found = [int(n * share) for share in shares]
    rest = sorted(range(len(shares)), key=lambda place: (found[place] - n * shares[place], place))
    for place in rest[: n - sum(found)]:
        found[place] += 1
    return found


def mixed_order(sizes: Sequence[int], shares: Sequence[float], seed: int, epoch: int) -> Tensor:
    """Return the pairs of an epoch in order [sum of sizes], as many as there are, of each dataset its share.

    A dataset that has less than its share gives its pairs several times, none a second time before each was given as
    often; one that has more gives other ones in another epoch. It depends on nothing else.

    Args:
        sizes: pairs of each dataset, which are numbered one dataset after another.
        shares: of each dataset, adding up to 1.
        seed: of the run.
        epoch: counted from 1.
    """
    start, chosen = 0, []
    for place, (size, quota) in enumerate(zip(sizes, quotas(sum(sizes), shares), strict=True)):
        generator = derived_generator(f"mixture {place}", seed, epoch)
        passes = [torch.randperm(size, generator=generator) for _ in range(-(-quota // size))]
        chosen.append(start + torch.cat(passes)[:quota] if passes else torch.empty(0, dtype=torch.int64))
        start += size
    pairs = torch.cat(chosen)
    return pairs[epoch_order(len(pairs), seed, epoch)]


def joint_order(config: RunConfig, sizes: Sequence[int]) -> Callable[[int], Tensor] | None:
    """Return what gives the pairs of an epoch by its number; None where each comes once, as `mixture=size` wants."""
    wanted = shares(config.dataset)
    return None if wanted is None else partial(mixed_order, sizes, list(wanted.values()), config.seed)


def labels_of(identities: Sequence[int]) -> Tensor:
    """Return labels 0, 1, ... of identity numbers in ascending order [n]; the numbers need not be consecutive.

    >>> labels_of([7, 3, 7])
    tensor([1, 0, 1])
    """
    labels: Tensor = torch.unique(torch.as_tensor(identities, dtype=torch.int64), return_inverse=True)[1]
    return labels


class Batches:
    """The training batches of a split: each caption once an epoch, beside its image.

    Every random choice comes from (seed, epoch, step), so the same batches come on any number of processes and
    after any interruption. The next batch is made by a second thread while the current one is used, on CUDA on a stream
    of its own, its copies to the device included; what fails there fails where the batch is asked for.

    Args:
        pairs: of the split; `owners` and `identities` are read.
        samples: what batches are made from.
        batch_size: pairs of a global batch; the last batch of an epoch may be smaller.
        parts: batches that a step takes.
        seed: of order and augmentation.
        device: where batches are wanted.
        views: further views of images and captions that the method asks for.
        drop_last: leave out a last step that has fewer pairs than the others.
        prefetch: make batches ahead as said; else each is made when it is asked for.
        order: gives the pairs of an epoch, as many as the split has; by default each once.

    Raises `UsageError` where that leaves no batch at all, or where words cannot be masked as the recipe wants.
    """

    def __init__(
        self,
        pairs: Pairs,
        samples: Samples,
        *,
        batch_size: int,
        seed: int,
        parts: int = 1,
        device: torch.device | str = "cpu",
        views: Views | None = None,
        drop_last: bool = False,
        prefetch: bool = True,
        order: Callable[[int], Tensor] | None = None,
    ) -> None:
        self.owners = torch.as_tensor(pairs.owners, dtype=torch.int64)
        self.labels = labels_of(pairs.identities)[self.owners]
        self.batch_size, self.seed, self.device = batch_size, seed, torch.device(device)
        self._parts = parts
        self._order = order or partial(epoch_order, len(self.owners), seed)
        self._drop_last, self._prefetch = drop_last, prefetch
        self._side = SideStream(self.device) if prefetch and self.device.type == "cuda" else None
        assert not set(samples.images.bad) & set(pairs.owners), "a caption of an unreadable image"
        self._reader = SampleReader(samples, views or Views(), self.device)
        if not len(self):
            raise UsageError(
                f"train.drop_last leaves nothing of {len(self.owners)} pairs in batches of {batch_size * parts}: "
                "lower train.batch_size, or set train.drop_last=false."
            )
        # Never joined: an epoch abandoned half-way may end inside garbage collection, where joining can deadlock.
        self._maker = ThreadPoolExecutor(1, "batches", _stay_single)

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        if self._drop_last:
            return len(self.owners) // (self.batch_size * self._parts) * self._parts
        return -(-len(self.owners) // self.batch_size)

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        """Yield this process's batches of an epoch, from a step on (counted from 0)."""
        make = partial(self._batch, self._order(epoch), epoch)
        steps = range(start_step, len(self))
        if not self._prefetch:
            yield from map(make, steps)
            return
        if self._side is not None:
            self._side.follow()
        torch.get_num_threads()  # settles this thread's own number before the other thread sets one
        coming: deque[Future[tuple[Batch, Any]]] = deque()
        for step in steps:
            coming.append(self._maker.submit(self._ahead, partial(make, step)))
            if len(coming) > 1:
                yield self._received(coming.popleft())
        while coming:
            yield self._received(coming.popleft())

    def _ahead(self, make: Callable[[], Batch]) -> tuple[Batch, Any]:
        return (make(), None) if self._side is None else self._side.make(make)

    def _received(self, coming: "Future[tuple[Batch, Any]]") -> Batch:
        batch, made = coming.result()
        return batch if self._side is None else self._side.hand_over(batch, made)

    def _batch(self, order: Tensor, epoch: int, step: int) -> Batch:
        return self._deliver(self._make(order, epoch, step))

    def _make(self, order: Tensor, epoch: int, step: int) -> Made:
        """Make this process's share of a batch, with the draws of an augmentation still to be done elsewhere."""
        pairs = order[step * self.batch_size : (step + 1) * self.batch_size]
        places = deal(torch.arange(len(pairs)))
        mine = pairs[places]
        share = Share(mine, self.owners[mine], places, len(pairs), (self.seed, epoch, step))
        batch = Batch(
            images=None,
            tokens=None,
            identities=self.labels[pairs],
            places=places,
            seed=derived_seed("method", *share.at),
        )
        return self._reader.fill(batch, share)

    def _deliver(self, made: Made) -> Batch:
        """Move a batch to the device, and augment there what is left: many images at once are faster."""
        moved = {name: self._moved(value) for name, value in vars(made.batch).items() if name != "places"}
        if made.pixels is not None:
            moved |= self._reader.augmented(self._moved(made.pixels), made.draws)
        return replace(made.batch, **moved)

    def _moved(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(self._moved(part) for part in value)
        return sent(value, self.device) if isinstance(value, Tensor) else value


def _stay_single() -> None:
    """Keep the maker of batches on one core: the model has the others."""
    torch.set_num_threads(1)
