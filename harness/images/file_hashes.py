"""Remember the SHA-256 of files by path and state, so that a second start need not read them.

The state is size, times of modification and change, and inode: a file that another took the place of is known even
where its size and modification time were kept.
"""

import logging
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from contextvars import ContextVar
from pathlib import Path

from harness.files import file_hash
from harness.images.decoding import MOST_BYTES

log = logging.getLogger(__name__)

_TABLE = (
    "CREATE TABLE IF NOT EXISTS contents "
    "(path TEXT PRIMARY KEY, size INTEGER, mtime INTEGER, ctime INTEGER, inode INTEGER, sha256 TEXT)"
)
# Of versions that knew a file by size and time alone.
_FORMER_TABLE = "files"
_SETTLED_NS = 2_000_000_000
_MANY = 1024
_CHUNK = 256
MISSING = "missing"
_REMEMBERS = ContextVar("remembers", default=True)

Progress = Callable[[int, int], None]
# Size, time of modification, time of change, inode.
State = tuple[int, int, int, int]


@contextmanager
def forgetting() -> Iterator[None]:
    """Remember nothing of what is read meanwhile."""
    before = _REMEMBERS.set(False)
    try:
        yield
    finally:
        _REMEMBERS.reset(before)


def content_hashes(files: Sequence[Path], index: Path, progress: Progress | None = None) -> list[str]:
    """Return each file's SHA-256; only files that `index` does not know in their present state are read.

    It is `missing` where there is no file, none that can be a picture (`file_state`), or one that cannot be read now,
    which is not remembered: the next start may read it.
    The index only saves time: if it cannot be read or written, all files are read. `progress` is called while many
    files are read.
    """
    here, start = os.getcwd(), time.time_ns()
    paths = [os.path.join(here, file) for file in files]
    with ThreadPoolExecutor(min(32, 4 * (os.cpu_count() or 1))) as pool:
        chunks = [paths[at : at + _CHUNK] for at in range(0, len(paths), _CHUNK)]
        states = [state for part in pool.map(_states, chunks) for state in part]
        known = _load(index)
        new = {p: s for p, s in zip(paths, states, strict=True) if s and known.get(p, ())[:-1] != s}
        shown = progress if len(new) >= _MANY else None
        hashed = dict(zip(new, _counted(pool.map(_sha256, new), len(new), shown), strict=True))
    if new and _REMEMBERS.get():
        settled = [
            (path, *new[path], sha)
            for path, sha in hashed.items()
            if sha != MISSING and _settled(new[path], start)
        ]
        _save(index, settled)
    found = {path: entry[-1] for path, entry in known.items()} | hashed
    return [found[path] if state else MISSING for path, state in zip(paths, states, strict=True)]


def file_state(path: str | Path) -> State | None:
    """Return what tells a file from the one that takes its place.

    None where there is none, a pipe, a device or a folder, or one as large as no picture is: that would be waited for.
    """
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(found.st_mode) or found.st_size >= MOST_BYTES:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def _counted(values: Iterable[str], n: int, progress: Progress | None) -> Iterator[str]:
    for done, value in enumerate(values, start=1):
        if progress and (done % _MANY == 0 or done == n):
            progress(done, n)
        yield value


def _states(paths: Sequence[str]) -> list[State | None]:
    return [file_state(path) for path in paths]


def _sha256(path: str) -> str:
    try:
        return file_hash(Path(path))
    except OSError:
        return MISSING


def _settled(state: State, now: int) -> bool:
    """Whether a file is too old to be changed again within the clock tick of its time stamps."""
    return now - max(state[1:3]) > _SETTLED_NS


def _load(index: Path) -> dict[str, tuple[int, int, int, int, str]]:
    if not index.is_file() or not index.stat().st_size:
        return {}
    try:
        with closing(sqlite3.connect(index, timeout=30)) as base:
            if not base.execute("SELECT 1 FROM sqlite_master WHERE name = 'contents'").fetchone():
                return {}
            # Earlier versions remembered what could not be read once.
            rows = base.execute(
                "SELECT path, size, mtime, ctime, inode, sha256 FROM contents WHERE sha256 != ?", (MISSING,)
            ).fetchall()
    except sqlite3.Error as error:
        log.warning("%s cannot be read (%s): all images are read again; deleting it is safe", index, error)
        return {}
    return {path: tuple(entry) for path, *entry in rows}


def _save(index: Path, entries: list[tuple[str, int, int, int, int, str]]) -> None:
    try:
        index.parent.mkdir(parents=True, exist_ok=True)
        # What SQLite makes by itself has another mode than the umask gives.
        index.touch()
        with closing(sqlite3.connect(index, timeout=30)) as base, base:
            base.execute(f"DROP TABLE IF EXISTS {_FORMER_TABLE}")
            base.execute(_TABLE)
            base.executemany("INSERT OR REPLACE INTO contents VALUES (?, ?, ?, ?, ?, ?)", entries)
    except (sqlite3.Error, OSError) as error:
        log.warning("%s cannot be written (%s): the next start reads all images again", index, error)
