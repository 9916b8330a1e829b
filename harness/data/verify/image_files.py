"""Check image files: which are missing, which cannot be decoded, and what is odd about the others."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from harness.compute.child_processes import process_pool
from harness.images.decoding import LOOP, ImageError, Mark, decode_marked, no_picture

Progress = Callable[[int, int], None]
# A file, what is odd about it, and why it cannot be read.
_Look = tuple[str, Mark, str]
_CHUNK = 256
_THUMBNAIL = (16, 8)
_ODD = (Mark.CUT, Mark.SINGLE_COLOUR, Mark.TURNED)


@dataclass
class Checked:
    """What was wrong with which files; paths as given.

    Attributes:
        missing: files that do not exist.
        unreadable: files that cannot be decoded, and what is there in place of a file, with the reason.
        marked: files with each other oddity: cut off (their upper part is read), of one single colour, turned by EXIF.
    """

    missing: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    marked: dict[Mark, list[str]] = field(default_factory=lambda: {mark: [] for mark in _ODD})


def check_files(
    paths: Sequence[str],
    images: Literal["exist", "decode"],
    workers: int,
    progress: Progress | None = None,
) -> Checked:
    """Look for every file and, with `decode`, decode it to RGB in `workers` processes."""
    checked = Checked()
    there = [path for path in paths if _is_there(path, checked)]
    if images == "decode":
        for done, looks in enumerate(_looks(there, workers), start=1):
            _sort_in(looks, checked)
            if progress:
                progress(min(done * _CHUNK, len(there)), len(there))
    return checked


def _is_there(path: str, checked: Checked) -> bool:
    """Return whether a file is at a path; sort in one that is missing, and what stands there in its place."""
    if (why := no_picture(path)) is None:
        return True
    if os.path.exists(path) or why == LOOP:
        checked.unreadable[path] = why
    else:
        checked.missing.append(path)
    return False


def _looks(paths: Sequence[str], workers: int) -> Iterator[list[_Look]]:
    chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    if workers < 2 or len(chunks) < 4:
        yield from map(_look, chunks)
        return
    with process_pool(workers) as pool:
        yield from pool.map(_look, chunks)


def _look(paths: Sequence[str]) -> list[_Look]:
    """Decode files as the image store does and return what is odd about them; runs in worker processes."""
    return [look for path in paths if (look := _look_at(path))[1]]


def _look_at(path: str) -> _Look:
    try:
        return path, decode_marked(path, _THUMBNAIL)[1], ""
    except ImageError as error:
        return path, Mark.UNREADABLE, error.reason


def _sort_in(looks: Sequence[_Look], checked: Checked) -> None:
    for path, found, reason in looks:
        if found & Mark.UNREADABLE:
            checked.unreadable[path] = reason
        for mark in _ODD:
            if found & mark:
                checked.marked[mark].append(path)
