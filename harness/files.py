"""Write files so that a crash at any moment leaves the old one or the new one, never half of one.

A place that cannot be written to, for want of space or of permission, is one message that names it and the fix.
"""

import errno
import fcntl
import hashlib
import json
import os
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile

from harness.errors import HarnessError, UsageError
from harness.paths import cache_root

_LOCK = ".lock"
_TRIES, _BETWEEN_TRIES = 4, 0.02
BROKEN = (OSError, ValueError, EOFError, BadZipFile, zlib.error, RuntimeError)
_PROBE = bytes(1 << 16)
_MENDS = {
    errno.ENOSPC: "free some space there",
    errno.EDQUOT: "free some of your quota there",
    errno.EFBIG: "raise the limit on the size of files (`ulimit -f`)",
    errno.EROFS: "make it writable",
    errno.EACCES: "let yourself read and write there (`ls -ld` shows who may)",
    errno.EPERM: "let yourself read and write there (`ls -ld` shows who may)",
    errno.ENOTDIR: "rename the file that stands where a folder is needed",
    errno.EEXIST: "rename the file that stands where a folder is needed",
    errno.EISDIR: "rename the folder that stands where a file is needed",
    errno.ENAMETOOLONG: "shorten its name",
    errno.EIO: "check the disk",
    errno.ENOENT: "make the folder, which is gone",
}


def place_fault(error: OSError, place: Path | None = None, instead: str | None = None) -> UsageError | None:
    """Return the one message for a place that refuses: which, why, and what to do; None for another kind of error.

    Args:
        error: what the system said; the file that it names is meant, unless that is but a draft beside `place`.
        place: the file or folder that was to be written.
        instead: how to choose another place; else told from the place.
    """
    mend = _MENDS.get(error.errno or 0)
    named = None if error.filename is None else Path(os.fsdecode(error.filename))
    if mend is None or (place is None and error.errno == errno.ENOENT):
        return None
    if place is None and named is None:
        return UsageError(f"The output cannot be written ({error.strerror}): {mend}, or send it elsewhere.")
    if place is not None and named is not None and named.parent not in (place.parent, place, *place.parents):
        place = None
    verb, asked = ("used", named) if place is None else ("written to", place)
    assert asked is not None
    if instead is None:
        cached = asked.absolute().is_relative_to(cache_root().path.absolute())
        instead = "set HARNESS_CACHE to another folder" if cached else "choose another folder"
    return UsageError(f"{asked} cannot be {verb} ({error.strerror}): {mend}, or {instead}.")


@contextmanager
def writing(place: Path, instead: str | None = None) -> Iterator[None]:
    """Raise `UsageError` that names the place and the fix where the system lets nothing be written to it."""
    try:
        yield
    except OSError as error:
        if (fault := place_fault(error, place, instead)) is None:
            raise
        raise fault from error


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it takes the place of `path` in one step.

    The file's mode is that of any new file, whatever mode the writer gives to its own. Raises `UsageError` where the
    place lets nothing be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.touch()
            mode = temporary.stat().st_mode
            yield temporary
            temporary.chmod(mode)
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        except (HarnessError, OSError):
            raise
        except Exception:
            _probe(temporary)
            raise
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _probe(file: Path) -> None:
    """Ask the system by a write of one's own: the writers of tensors do not say why they failed."""
    with file.open("ab") as opened:
        opened.write(_PROBE)
        opened.flush()
        os.fsync(opened.fileno())


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with replaced(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically."""
    write_text(path, json.dumps(value, indent=2, default=str) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file; raise `HarnessError` naming it when it is broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise HarnessError(
            f"{path} cannot be read ({error}): remove it, or repeat the run with --force."
        ) from error


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays as a compressed NumPy archive, atomically; equal arrays give an equal file."""
    import numpy as np

    with replaced(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)


def load_arrays(path: str | Path, wanted: Callable[[str], bool] = lambda name: True) -> dict[str, Any]:
    """Return the arrays of an `.npz` file by name, read without pickles; one of `BROKEN` is raised where it is broken.

    Args:
        path: the file.
        wanted: the names to read; the others cost nothing.
    """
    import numpy as np

    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files if wanted(name)}


def writable(folder: Path, instead: str = "give another --out") -> None:
    """Make a folder to write results to; raise `UsageError` where nothing can be written to it."""
    with writing(folder, instead):
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()


@contextmanager
def held(lock: Path, instead: str | None = None) -> Iterator[None]:
    """Hold a lock file, waiting for it; freed by the system at any death.

    Raises `UsageError` where it cannot be made, with `instead` as the way to choose another place.
    """
    with writing(lock.parent, instead):
        file = lock.open("w")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Busy(HarnessError):
    """Another process works in the folder."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, so that two processes never work in it at once; freed by the system at any death."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / _LOCK).open("w")
    with file:
        if not _take(file):
            raise Busy(f"Another process is working on {folder}: wait for it, or stop it.")
        yield


def _take(lock: IO[str]) -> bool:
    """Take a lock, and say whether that worked; `is_free` may hold it for a moment."""
    for _ in range(_TRIES):
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(_BETWEEN_TRIES)
    return False


def is_free(folder: Path) -> bool:
    """Say whether nobody holds a folder's lock that somebody held once; False where that cannot be known."""
    try:
        with (folder / _LOCK).open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
