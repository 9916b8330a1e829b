"""Answers that take seconds to make and follow from files alone: kept in the cache until one of the files changes."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.errors import DataError, UsageError
from harness.files import read_json, write_json
from harness.paths import cache_root

FOLDER = "answers"
_MOST = 200
_HARNESS = Path(__file__).resolve().parents[1]
_LIBRARIES = ("torch", "open_clip", "timm")


def kept(what: Sequence[Any], files: Iterable[Path], make: Callable[[], Any]) -> Any:
    """Return a JSON-able answer: as it was kept, else as `make` gives it now.

    An error is not kept, and a cache that cannot be written to costs the time again.

    Args:
        what: what was asked, JSON-able.
        files: all that the answer follows from; of each its size and time count, and whether it is there.
        make: gives the answer.
    """
    states = [(str(file), *_state(file)) for file in files]
    key = hashlib.sha256(json.dumps([list(what), states], default=str).encode()).hexdigest()
    place = cache_root().path / FOLDER / f"{key}.json"
    if place.is_file():
        with suppress(DataError, KeyError):
            return read_json(place, of=dict)["answer"]
    answer = json.loads(json.dumps(make(), default=str))
    with suppress(OSError, UsageError):
        place.parent.mkdir(parents=True, exist_ok=True)
        write_json(place, {"answer": answer})
        _clear(place.parent)
    return answer


def code() -> list[Path]:
    """Return the files of the harness, and one of each library that decides how many parameters and FLOPs there are."""
    found = [_HARNESS.joinpath(folder, name) for folder, _, names in os.walk(_HARNESS) for name in names]
    libraries = [Path(spec.origin) for name in _LIBRARIES if (spec := find_spec(name)) and spec.origin]
    return [*sorted(file for file in found if file.suffix in (".py", ".yaml", ".json")), *libraries]


def database(file: Path) -> list[Path]:
    """Return the files of an SQLite database: those beside it hold what was written last."""
    return [file, *(file.with_name(f"{file.name}{end}") for end in ("-wal", "-journal"))]


def _state(file: Path) -> tuple[int, int] | tuple[()]:
    try:
        found = file.stat()
    except OSError:
        return ()
    return found.st_size, found.st_mtime_ns


def _clear(folder: Path) -> None:
    """Remove the oldest answers where there are many."""
    files = sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime_ns)
    for file in files[:-_MOST]:
        file.unlink(missing_ok=True)
