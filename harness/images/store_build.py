"""Build an image store with several processes; a crash leaves no half store, and two builders do not collide."""

import logging
import multiprocessing
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, ThreadPoolExecutor, as_completed
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from harness.compute.child_processes import process_pool
from harness.compute.claims import claimed, clear_abandoned
from harness.config.pixels import Interpolation
from harness.errors import DataError
from harness.images.decoding import ImageError, Mark, decode_marked
from harness.images.file_hashes import Progress
from harness.places import writing

log = logging.getLogger(__name__)

_CHUNK = 64
_FEW = 1024
_WAYS_OUT = "Free some disk, set HARNESS_CACHE to a folder on another disk, or use `--store off`."


@dataclass(frozen=True)
class Plan:
    """What to build: rows of pixels of all files, then one byte for each that says what is odd about it (`Mark`).

    `row_bytes` is 0 where only readability is asked for, and a file is "" where there is none.
    """

    path: Path
    files: Sequence[str]
    size: tuple[int, int]
    interpolation: Interpolation
    row_bytes: int

    @property
    def total_bytes(self) -> int:
        """Bytes of the finished file."""
        return len(self.files) * (self.row_bytes + 1)

    def is_built(self) -> bool:
        """Whether the finished file is there, whole."""
        return self.path.is_file() and self.path.stat().st_size == self.total_bytes

    def read_marks(self) -> bytes:
        """Return the `Mark` of each file from the finished file."""
        with self.path.open("rb") as file:
            file.seek(len(self.files) * self.row_bytes)
            return file.read()


def make_folder(folder: Path) -> None:
    """Make the folder of image stores; raise `UsageError` where that is not allowed."""
    with writing(folder, "set HARNESS_CACHE to another folder"):
        folder.mkdir(parents=True, exist_ok=True)


def build(plan: Plan, workers: int, progress: Progress | None = None, *, anew: bool = False) -> None:
    """Write the file of a plan, or wait while another process writes the same; with `anew` also where it is there.

    All is written to a draft beside it, which one process alone has, and renamed at the end: a death leaves no half
    store, and what it leaves is removed by the next builder. Raises `DataError` when the disk is too small, and where
    memory or disk fail while a file is read: a mark would say for ever that its picture is bad.
    """
    for part in clear_abandoned(plan.path.parent, ".*.part"):
        log.info("removed %s, left by a build that did not end", part)
    part = plan.path.with_name(f".{plan.path.name}.part")
    try:
        with claimed(part, waiting=lambda: log.info("waiting for another process that builds %s", plan.path)):
            if anew or not plan.is_built():
                _build_alone(plan, part, workers, progress)
    except (OSError, BrokenExecutor) as error:
        raise DataError(f"The image store {plan.path} cannot be written: {error}. {_WAYS_OUT}") from error


def _build_alone(plan: Plan, part: Path, workers: int, progress: Progress | None) -> None:
    _check_disk(plan)
    log.info("decoding %d images into %s (%.2f GB)", len(plan.files), plan.path, plan.total_bytes / 1e9)
    marks = _decode_all(plan, part, workers, progress)
    with part.open("r+b") as file:
        file.seek(len(plan.files) * plan.row_bytes)
        file.write(marks)
        file.flush()
        os.fsync(file.fileno())
    part.replace(plan.path)


def _check_disk(plan: Plan) -> None:
    free = shutil.disk_usage(plan.path.parent).free
    if free < plan.total_bytes:
        raise DataError(
            f"The image store needs {plan.total_bytes / 1e9:.2f} GB in {plan.path.parent}, "
            f"where {free / 1e9:.2f} GB are free. {_WAYS_OUT}"
        )


def _decode_all(plan: Plan, part: Path, workers: int, progress: Progress | None) -> bytearray:
    """Decode all files into their rows, in whatever order workers finish; returns the mark of each."""
    marks, done = bytearray(len(plan.files)), 0
    target = part if plan.row_bytes else None
    with _executor(workers, len(plan.files)) as pool:
        starts = range(0, len(plan.files), _CHUNK)
        jobs = {
            pool.submit(
                _decode_chunk, plan.files[at : at + _CHUNK], at, target, plan.size, plan.interpolation
            ): at
            for at in starts
        }
        for job in as_completed(jobs):
            start, found = jobs[job], job.result()
            marks[start : start + len(found)] = found
            done += len(found)
            if progress:
                progress(done, len(plan.files))
    return marks


def _decode_chunk(
    files: Sequence[str], start: int, target: Path | None, size: tuple[int, int], interpolation: Interpolation
) -> bytes:
    """Decode files into rows `start`, `start + 1`, ... of `target`, if any; returns the mark of each."""
    marks = bytearray()
    with target.open("r+b") if target else nullcontext() as store:
        for place, path in enumerate(files, start):
            if not path:
                marks.append(Mark.UNREADABLE)
                continue
            try:
                pixels, mark = decode_marked(path, size, interpolation)
            except ImageError as error:
                if error.passing:
                    raise DataError(
                        f"{error}. That says nothing of the picture, so no image store is built: start again when "
                        "memory and disk serve again."
                    ) from error
                marks.append(Mark.UNREADABLE)
                continue
            marks.append(mark)
            if store:
                store.seek(place * pixels.nbytes)
                store.write(pixels.data)
    return bytes(marks)


@contextmanager
def _executor(workers: int, n: int) -> Iterator[Executor]:
    """Use processes for many images, threads for few; what is pending is dropped when anything fails."""
    pool: Executor
    if n < _FEW or workers == 1 or multiprocessing.current_process().daemon:
        pool = ThreadPoolExecutor(workers)
    else:
        pool = process_pool(min(workers, n // _CHUNK))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
