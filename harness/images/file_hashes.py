"""Remember the SHA-256 of files by path, size and time of change, so that a second start need not read them."""

import hashlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

log = logging.getLogger(__name__)

_TABLE = "CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, size INTEGER, mtime INTEGER, sha256 TEXT)"
_SETTLED_NS = 2_000_000_000
_MANY = 1024
_CHUNK = 256
_MISSING = "missing"

Progress = Callable[[int, int], None]
Stat = tuple[int, int]


def content_hashes(files: Sequence[Path], index: Path, progress: Progress | None = None) -> list[str]:
    """Return each file's SHA-256, or `missing`; only files that `index` does not know in their present state are read.

    The index only saves time: if it cannot be read or written, all files are read. `progress` is called while many
    files are read.
    """
    paths = [os.path.abspath(file) for file in files]
    with ThreadPoolExecutor(min(32, 4 * (os.cpu_count() or 1))) as pool:
        chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
        stats = [stat for part in pool.map(_stats, chunks) for stat in part]
        known = _load(index)
        new = {p: s for p, s in zip(paths, stats, strict=True) if s and known.get(p, ())[:2] != s}
        shown = progress if len(new) >= _MANY else None
        hashed = dict(zip(new, _counted(pool.map(_sha256, new), len(new), shown), strict=True))
    if new:
        _save(index, [(path, *new[path], sha) for path, sha in hashed.items() if _settled(new[path])])
    found = {path: entry[2] for path, entry in known.items()} | hashed
    return [found[path] if stat else _MISSING for path, stat in zip(paths, stats, strict=True)]


def _counted(values: Iterable[str], n: int, progress: Progress | None) -> Iterator[str]:
    for done, value in enumerate(values, start=1):
        if progress and (done % _MANY == 0 or done == n):
            progress(done, n)
        yield value


def _stats(paths: Sequence[str]) -> list[Stat | None]:
    return [_stat(path) for path in paths]


def _stat(path: str) -> Stat | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _sha256(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return _MISSING


def _settled(stat: Stat) -> bool:
    """Whether a file is too old to be changed again within the clock tick of its time stamp."""
    return time.time_ns() - stat[1] > _SETTLED_NS


def _load(index: Path) -> dict[str, tuple[int, int, str]]:
    if not index.is_file() or not index.stat().st_size:
        return {}
    try:
        with closing(sqlite3.connect(index, timeout=30)) as base:
            rows = base.execute("SELECT path, size, mtime, sha256 FROM files").fetchall()
    except sqlite3.Error as error:
        log.warning("%s cannot be read (%s): all images are read again; deleting it is safe", index, error)
        return {}
    return {path: (size, mtime, sha) for path, size, mtime, sha in rows}


def _save(index: Path, entries: list[tuple[str, int, int, str]]) -> None:
    try:
        # What SQLite makes by itself has another mode than the umask gives.
        index.touch()
        with closing(sqlite3.connect(index, timeout=30)) as base, base:
            base.execute(_TABLE)
            base.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", entries)
    except (sqlite3.Error, OSError) as error:
        log.warning("%s cannot be written (%s): the next start reads all images again", index, error)
