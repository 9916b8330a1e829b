"""Write files so that a crash at any moment leaves the old one or the new one, never half of one.

What a dead process left half written is cleared by the next one that writes the same file or holds the folder. A JSON
object carries the checksum of its content, so that a damaged one is found when it is read.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile

from harness.errors import DataError, HarnessError
from harness.places import writing

_LOCK = ".lock"
_TRIES, _BETWEEN_TRIES = 4, 0.02
BROKEN = (OSError, ValueError, EOFError, BadZipFile, zlib.error, RuntimeError)
_PROBE = bytes(1 << 16)
CHECKSUM = "checksum"
# A draft is `.NAME.PROCESS-START-HOST`; those of earlier versions are `.NAME.PROCESS`.
_DRAFT = re.compile(r"\.(?P<name>.+)\.(?P<process>\d+)(?:-(?P<start>\d+)-(?P<host>[0-9a-f]{8}))?")
_DAY = 86_400


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it takes the place of `path` in one step.

    The file's mode is that of any new file, whatever mode the writer gives to its own. Raises `UsageError` where the
    place lets nothing be written.
    """
    process = os.getpid()
    temporary = path.with_name(f".{path.name}.{process}-{_start_of(process) or 0}-{_this_host()}")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear(path.parent, path.name)
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


def _clear(folder: Path, name: str | None = None) -> None:
    """Remove what dead processes left half written in a folder: of all files, or of one of that name."""
    beginning = f".{name or ''}"
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _DRAFT.fullmatch(entry.name) if entry.name.startswith(beginning) else None
            if found and found["name"] == (name or found["name"]) and _is_dead(found, entry):
                with suppress(OSError):
                    os.unlink(entry.path)


def _is_dead(draft: re.Match[str], entry: os.DirEntry[str]) -> bool:
    """Whether the process of a draft is gone: of another machine's that is known once a day has passed."""
    if draft["host"] not in (None, _this_host()):
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > _DAY
    start = _start_of(int(draft["process"]))
    return start is None or (draft["start"] is not None and start != int(draft["start"]))


def _start_of(process: int) -> int | None:
    """Return when a process of this machine began, which no later process of its number shares; None for none."""
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except FileNotFoundError:
        pass
    except (OSError, ValueError, IndexError):
        return 0
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return None
    except OSError:
        return 0
    return 0


def _this_host() -> str:
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


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


def copy_file(source: Path, to: Path) -> None:
    """Copy the content of a file; where that finds no room, the error names no file, so that `writing` names the place.

    The error of `shutil.copyfile` names the source.
    """
    with source.open("rb") as content, to.open("wb") as file:
        shutil.copyfileobj(content, file)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically; an object gets the checksum of its content."""
    text = json.dumps(value, indent=2, default=str)
    if isinstance(value, Mapping):
        text = json.dumps({**value, CHECKSUM: _checksum(json.loads(text))}, indent=2, default=str)
    write_text(path, text + "\n")


def read_json(path: Path, of: type = object) -> Any:
    """Read a JSON file; raise `DataError` naming it where it is broken, no `of`, or not as it was written.

    An object that carries no checksum, as those of earlier versions, is taken as it is.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _broken(path, reason or type(error).__name__) from error
    if not isinstance(value, of):
        raise _broken(path, f"it holds {_kind(value)}")
    if isinstance(value, dict):
        noted = value.pop(CHECKSUM, None)
        if noted is not None and noted != _checksum(value):
            raise _broken(path, "its checksum is of other content, so it is damaged")
    return value


def _checksum(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", type(None): "null", bool: "a truth value"}
    return names.get(type(value), "a number")


def _broken(path: Path, reason: str) -> DataError:
    return DataError(f"{path} cannot be read ({reason}): remove it, or repeat the run with --force.")


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

    with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files if wanted(name)}


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
    """Hold a folder's lock, so that two processes never work in it at once; freed by the system at any death.

    What dead processes left half written in it is removed.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / _LOCK).open("w")
    with file:
        if not _take(file):
            raise Busy(f"Another process is working on {folder}: wait for it, or stop it.")
        _clear(folder)
        for entry in folder.iterdir():
            if entry.is_dir():
                _clear(entry)
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
