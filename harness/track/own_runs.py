"""Which MLflow runs are those of one record: found by tags, so that no death doubles it.

Every execution has a key, which its record keeps through interruptions and moves and its MLflow run has as a tag. A
run of the same identity whose own record is gone, because its folder was deleted or set aside, is the same run's as
well; one whose record is still there, in another folder or on another machine, is another's.
"""

import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from harness.errors import HarnessError
from harness.record import Record, RunFolder
from harness.track.run_row import PARENT, RunRow

KEY, HOST, FOLDER = "harness.key", "harness.host", "harness.folder"
# Tags of MLflow and of the harness are written anew; the others are a person's.
_WRITTEN = ("harness.", "mlflow.")


class Searched(Protocol):
    """What is asked of a store."""

    def search(self, text: str) -> list[RunRow]:
        """Return all runs that fit a filter."""
        ...


def new_key() -> str:
    """Return a key for a run that begins."""
    return uuid4().hex


def marks(key: str, folder: Path) -> dict[str, str]:
    """Return the tags by which what was sent from a folder is found again."""
    return {KEY: key, HOST: socket.gethostname(), FOLDER: str(folder.resolve())}


def earlier(store: Searched, record: Record, folder: RunFolder) -> list[RunRow]:
    """Return the MLflow runs that a record has in a store, newest first, in whatever state they were left."""
    known = record.tracking.get("run_id")
    rows = store.search(f"tags.`harness.identity` = '{record.identity}'")
    return [
        row
        for row in rows
        if (record.key and row.tags.get(KEY) == record.key) or row.id == known or _is_orphan(row, folder.path)
    ]


def _is_orphan(row: RunRow, own: Path) -> bool:
    """Whether a run of this machine has no record of its own any more."""
    return is_here(row) and not lives(row, own)


def is_here(row: RunRow) -> bool:
    """Whether a run was sent by this machine, as far as it says."""
    return row.tags.get(HOST) == socket.gethostname() and FOLDER in row.tags


def lives(row: RunRow, own: Path | None = None) -> bool:
    """Whether the folder that a run was sent from still holds its record; what cannot be read may be it."""
    place = Path(row.tags[FOLDER])
    if own is not None and place == own.resolve():
        return False
    try:
        record = RunFolder(place).read()
    except (HarnessError, ValueError, OSError):
        return True
    return record is not None and record.key == row.tags.get(KEY)


def abandoned(rows: Iterable[RunRow]) -> list[RunRow]:
    """Return the runs that the store believes running and that nobody will end: their record is gone."""
    return [row for row in rows if row.running and is_here(row) and not lives(row)]


def kept_tags(rows: Iterable[RunRow]) -> dict[str, str]:
    """Return what a run that is sent anew keeps of the one before: its parent, and tags that a person gave it."""
    kept: dict[str, str] = {}
    for row in reversed(list(rows)):
        kept |= {
            name: value for name, value in row.tags.items() if name == PARENT or not name.startswith(_WRITTEN)
        }
    return kept


def rows_by_key(rows: Iterable[RunRow]) -> Mapping[str, list[RunRow]]:
    """Return runs by their key, and by their id where they were sent by an earlier harness."""
    found: dict[str, list[RunRow]] = {}
    for row in rows:
        for name in {row.tags.get(KEY) or row.id, row.id}:
            found.setdefault(name, []).append(row)
    return found


def earlier_groups(store: Searched, identity: str, own: Mapping[str, str]) -> list[RunRow]:
    """Return the MLflow runs that a group of seeds has in a store, whose `marks` are `own`, in whatever state."""
    rows = store.search(f"tags.`harness.kind` = 'group' and tags.`harness.identity` = '{identity}'")
    place = [own[name] for name in (HOST, FOLDER)]
    return [
        row
        for row in rows
        if row.tags.get(KEY) in (None, own[KEY]) or [row.tags.get(name) for name in (HOST, FOLDER)] == place
    ]
