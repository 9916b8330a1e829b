"""Where what frozen towers give is kept: in memory, up to a bound, and beyond it in files of the cache.

Such a file is in `cache_root()/frozen`, named by a hash of everything that its values come from: pixels or tokens, the
weights of both towers, precision, device and the code. So none is ever stale, any may be deleted, and runs that share
these (seeds, trials, an interrupted run) find it. Each process computes its share.
"""

import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import open_clip
import torch
from torch import Tensor

from harness.clip import towers
from harness.clip.injection import TowerName
from harness.clip.model import Clip
from harness.compute.claims import claimed, clear_abandoned
from harness.compute.devices import Accelerator, Inference, agreed
from harness.compute.distributed import deal, gather, world
from harness.compute.row_file import MemoryRows, TensorRows, write_rows
from harness.compute.transfer import sent
from harness.data.loading import Split
from harness.images import augment
from harness.listener import Listener
from harness.paths import cache_root
from harness.places import writing

log = logging.getLogger(__name__)

# For one training: of the device's memory where there is one, else of each process's.
MEMORY_BYTES = 2**30
_READ = 256
Where = Literal["auto", "disk", "memory", "off"]


class Rows(Protocol):
    """What is kept of images or captions, by position."""

    def __getitem__(self, places: Tensor) -> Tensor:
        """Return the rows at some positions [n, ...]."""


class Work(NamedTuple):
    """What is to be computed of all images or captions of a split.

    Attributes:
        order: all positions [n], in the order in which they are best computed.
        compute: returns the rows at some positions [n, ...].
        batch_size: positions computed at once.
    """

    order: Tensor
    compute: Callable[[Tensor], Tensor]
    batch_size: int


class Source(NamedTuple):
    """What the rows of a frozen part come from, beside device and precision."""

    split: Split
    tower: TowerName
    reads: tuple[int, ...]
    clip: Clip
    normalisation: str

    def __str__(self) -> str:
        """Say it in words."""
        return f"the {self.tower}s of {self.split.dataset}'s {self.split.name} split".replace(
            "texts", "captions"
        )

    def parts(self) -> Iterator[bytes]:
        """Yield the bytes of it all: settings, code, weights and inputs."""
        yield repr((self.tower, self.reads, self.normalisation, self.clip.identity.as_dict())).encode()
        yield from _code()
        for name, weights in self.clip.model.state_dict().items():
            yield name.encode() + _bytes(weights)
        inputs = self.split.images.read if self.tower == "image" else self.split.tokens.__getitem__
        n = len(self.split.images if self.tower == "image" else self.split.tokens)
        yield from (_bytes(inputs(places)) for places in torch.arange(n).split(_READ))


class Keeper:
    """Computes and keeps the rows of one training, the first that ask within the bound on memory.

    Args:
        where: what does not fit into memory goes to disk (`disk`), or is not kept (`memory`); `auto` is `disk` on a
            processor, for which reading is quicker than computing again, and `memory` elsewhere.
        engine: processes and device.
        listener: is told what is kept in a file, and what is not kept.
    """

    def __init__(self, where: Where, engine: Accelerator | Inference, listener: Listener) -> None:
        self._disk = where == "disk" or (where == "auto" and engine.device.type == "cpu")
        self._engine, self._listener, self._left = engine, listener, MEMORY_BYTES

    def keep(self, work: Work, source: Source) -> Rows | None:
        """Return the rows of some work; None where there is no room for them, and each step has to compute its own."""
        like = work.compute(work.order[:1])[0]
        n_bytes = len(work.order) * like.nbytes
        if n_bytes <= self._left:
            self._left -= n_bytes
            return MemoryRows(all_rows(work))
        size = f"What the frozen part of a tower gives of {source} takes {n_bytes / 1e9:.1f} GB"
        if not self._disk:
            self._listener.on_note(f"{size}: it is computed in each step (train.keep_frozen=disk keeps it).")
            return None
        path = Path(agreed(str(self._file(work, like, source)) if self._engine.is_main_process else ""))
        if not self._built(path, n_bytes, work):
            self._listener.on_note(
                f"{size}: it is computed in each step, as {path.parent} has less than twice that free, or is not the "
                "same folder on all machines. HARNESS_CACHE names another one."
            )
            return None
        self._listener.on_note(f"{size}: kept in {path}, which may be deleted afterwards.")
        return TensorRows(path, like)

    def _file(self, work: Work, like: Tensor, source: Source) -> Path:
        """Return the file's path, named after everything that its values come from."""
        engine = self._engine
        kind = (len(work.order), tuple(like.shape), like.dtype, engine.device.type, engine.mixed_precision)
        digest = hashlib.sha256(repr(kind).encode())
        for part in source.parts():
            digest.update(part)
        return cache_root().path / "frozen" / f"{digest.hexdigest()[:40]}.rows"

    def _built(self, path: Path, n_bytes: int, work: Work) -> bool:
        """Write the file if it is not there; False where it cannot be, on any of the processes."""
        main = self._engine.is_main_process
        with writing(path.parent, "set HARNESS_CACHE to another folder, or train.keep_frozen=memory"):
            path.parent.mkdir(parents=True, exist_ok=True)
            for left in clear_abandoned(path.parent, ".*.part") if main else ():
                log.info("removed %s, left by a process that did not end", left)
            part = path.with_name(f".{path.name}.part")
            with claimed(part, waiting=lambda: log.info("waiting for %s", path)) if main else nullcontext():
                if not agreed(_is_built(path, n_bytes)):
                    if not agreed(n_bytes <= shutil.disk_usage(path.parent).free / 2):
                        return False
                    if self._build(part, n_bytes, work) and main:
                        part.replace(path)
            return self._on_all(lambda: _is_built(path, n_bytes))

    def _build(self, part: Path, n_bytes: int, work: Work) -> bool:
        """Write the rows of this process's share into a draft; False where another machine does not see it."""
        if self._engine.is_main_process:
            os.truncate(part, n_bytes)
        if not self._on_all(part.exists):
            return False
        for places in deal(work.order).split(work.batch_size):
            write_rows(part, places, work.compute(places))
        with part.open("r+b") as file:
            os.fsync(file.fileno())
        return self._on_all(part.exists)  # when all have written

    def _on_all(self, holds: Callable[[], bool]) -> bool:
        """Wait for all processes; return whether something holds on each."""
        mine = torch.tensor([holds()], device=self._engine.device)
        return bool(gather(mine, world()[1]).all())


def all_rows(work: Work) -> Tensor:
    """Return all rows [n, ...] on the device that computes them; every process computes a share and gets all."""
    mine = deal(work.order)
    first, *others = mine.split(work.batch_size)
    part = work.compute(first)
    found = part.new_empty(len(mine), *part.shape[1:])
    found[: len(first)] = part
    for number, places in enumerate(others, 1):
        start = number * work.batch_size
        found[start : start + len(places)] = work.compute(places)
    ordered = gather(found, len(work.order))
    back = torch.empty_like(ordered)
    back[sent(work.order, ordered.device)] = ordered
    return back


def _is_built(path: Path, n_bytes: int) -> bool:
    return path.is_file() and path.stat().st_size == n_bytes


def _code() -> Iterator[bytes]:
    """Yield what computes the values: the towers' own code and the libraries below it."""
    yield f"{torch.__version__} {open_clip.__version__}".encode()
    for file in sorted(
        (*Path(towers.__file__).parent.glob("*.py"), *map(Path, (augment.__file__, __file__)))
    ):
        yield file.read_bytes()


def _bytes(tensor: Tensor) -> bytes:
    """Return the bytes of a tensor, its shape and type before them."""
    raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    return f"{tuple(tensor.shape)} {tensor.dtype}".encode() + raw.numpy().tobytes()
