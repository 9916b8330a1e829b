"""Drafts of what is built beside its place: one living process has each, and what a dead one left is cleared.

A draft is its own lock, which the system frees at any death. So nothing is left beside it, and none is taken from a
process that is slow or silent.
"""

import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def claimed(
    draft: Path, *, folder: bool = False, waiting: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Have a draft, empty and alone; it is gone at the end, unless it was renamed to what it became.

    Args:
        draft: the path of the file or folder; the same for all that build the same.
        folder: whether it is a folder.
        waiting: called once where another process has it, before that one is waited for.

    Raises `OSError` where it cannot be made.
    """
    descriptor = _take(draft, folder, waiting)
    try:
        yield
    finally:
        if _is_at(draft, descriptor):
            _remove(draft)
        os.close(descriptor)


def clear_abandoned(folder: Path, *patterns: str) -> list[Path]:
    """Remove the drafts of dead processes in a folder, by patterns of their names; return what was removed."""
    removed = []
    for draft in (found for pattern in patterns for found in folder.glob(pattern)):
        with suppress(OSError):
            descriptor = _open(draft)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(draft, descriptor):
                    _remove(draft)
                    removed.append(draft)
            finally:
                os.close(descriptor)
    return removed


def _take(draft: Path, folder: bool, waiting: Callable[[], None]) -> int:
    told = False
    while True:
        with suppress(FileExistsError):
            os.mkdir(draft) if folder else draft.touch()
        try:
            descriptor = _open(draft)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not told:
                waiting()
                told = True
            with _closed_on_error(descriptor):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        except BaseException:
            os.close(descriptor)
            raise
        # Who had it before may have removed or renamed it, and then another one is at the path.
        if _is_at(draft, descriptor):
            with _closed_on_error(descriptor):
                _empty(draft, descriptor)
            return descriptor
        os.close(descriptor)


def _open(draft: Path) -> int:
    return os.open(draft, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)


@contextmanager
def _closed_on_error(descriptor: int) -> Iterator[None]:
    try:
        yield
    except BaseException:
        os.close(descriptor)
        raise


def _is_at(draft: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.lstat(draft), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _empty(draft: Path, descriptor: int) -> None:
    if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
        os.truncate(draft, 0)
        return
    for inside in draft.iterdir():
        _remove(inside)


def _remove(draft: Path) -> None:
    if draft.is_dir() and not draft.is_symlink():
        shutil.rmtree(draft, ignore_errors=True)
    else:
        draft.unlink(missing_ok=True)
