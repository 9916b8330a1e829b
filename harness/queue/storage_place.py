"""Where studies are stored, told without opening the storage: Optuna takes a second to import."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from harness.addresses import sqlite_url
from harness.places import is_there

DATABASE = "optuna.db"
VARIABLE = "HARNESS_STORAGE"


def storage_url(given: str | None, root: Path) -> str:
    """Return the storage that an option names, else `HARNESS_STORAGE`, else an SQLite file beside the runs."""
    return given or os.environ.get(VARIABLE) or sqlite_url(own_file(root))


def own_file(root: Path) -> Path:
    """Return the SQLite file beside the runs."""
    return (root / DATABASE).resolve()


def not_begun(given: str | None, root: Path) -> bool:
    """Return whether no storage is named and the file beside the runs is not there yet."""
    return not (given or os.environ.get(VARIABLE)) and not is_there(own_file(root))


def names_in(file: Path) -> list[str]:
    """Return the names of all studies in an SQLite file, in alphabetical order; none where it cannot be read."""
    try:
        with closing(
            sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=0.2)
        ) as connection:
            rows = connection.execute("SELECT study_name FROM studies").fetchall()
    except (sqlite3.Error, OSError, ValueError):
        return []
    return sorted(str(name) for (name,) in rows)
