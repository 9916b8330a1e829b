"""Write files so that a crash at any moment leaves the old one or the new one, never half of one."""

import fcntl
import json
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from harness.errors import HarnessError, UsageError

BROKEN = (OSError, ValueError, EOFError, BadZipFile, zlib.error, RuntimeError)


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it takes the place of `path` in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


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


def writable(folder: Path) -> None:
    """Make a folder to write results to; raise `UsageError` where nothing can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise UsageError(f"{folder} cannot be written to ({error.strerror}): give another --out.") from error


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """Hold a lock file, waiting for it; freed by the system at any death."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Busy(HarnessError):
    """Another process works in the folder."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, so that two processes never work in it at once; freed by the system at any death."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Busy(f"Another process is working on {folder}: wait for it, or stop it.") from error
        yield
