"""Where data, caches and runs are kept, each with one environment variable."""

import os
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError, brief

# Folders of the user's own, each with one of the folders of plug-ins inside, as a list like PATH.
INCLUDE = "HARNESS_INCLUDE"
PLUG_INS = ("methods", "datasets", "reports")
# The JSON schemas that ship, which also tell what methods declare.
SCHEMAS = Path(__file__).resolve().parent / "schemas"
# What describes a dataset of the user's, in such a folder or in one of its `datasets/`.
DATASET_FILE = "dataset.yaml"
# What Linux takes of a path, in bytes.
_LONGEST = 4096

# What this process asked for, the latest last: one of them is meant by an error that names no place.
ASKED: "dict[Path, Place]" = {}


@dataclass(frozen=True)
class Place:
    """A folder and the setting that chose it, so that a message can name both."""

    path: Path
    chosen_by: str

    def __str__(self) -> str:
        return f"{self.path} (from {self.chosen_by})"


def data_root(option: str | Path | None = None) -> Place:
    """Return the folder that holds the datasets: `--data-root`, else `HARNESS_DATA`, else the default."""
    default = Path.home() / ".local" / "share" / "harness"
    return _place(option, "--data-root", "HARNESS_DATA", default)


def cache_root() -> Place:
    """Return the folder of image stores and encoded galleries: `HARNESS_CACHE`, else `~/.cache/harness`."""
    return _place(None, "", "HARNESS_CACHE", Path.home() / ".cache" / "harness")


def runs_root(option: str | Path | None = None) -> Place:
    """Return the folder of run records and of the default MLflow store: `HARNESS_RUNS`, else `./runs`."""
    return _place(option, "--runs", "HARNESS_RUNS", Path("runs"))


def _place(option: str | Path | None, flag: str, variable: str, default: Path) -> Place:
    found = _chosen(option, flag, variable, default)
    ASKED[found.path] = found
    return found


def _chosen(option: str | Path | None, flag: str, variable: str, default: Path) -> Place:
    if option:
        return Place(_folder(str(option), flag), flag)
    if os.environ.get(variable):
        return Place(_folder(os.environ[variable], variable), variable)
    return Place(default, f"the default; {variable} changes it")


def _folder(text: str, chosen_by: str) -> Path:
    """Return the path that a setting names; raise `UsageError` for what no folder can be called."""
    if len(os.fsencode(text)) >= _LONGEST:
        raise UsageError(f"{chosen_by} is a path of {len(text):,} signs, which is too long: shorten it.")
    try:
        text.encode()
        return Path(text).expanduser()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{chosen_by} is {brief(text)}, which is no UTF-8, so no record or database can name it: choose another "
            "folder."
        ) from error
    except RuntimeError as error:
        raise UsageError(
            f"{chosen_by} is {brief(text)}, but nobody of that name has a home folder: write the path in full."
        ) from error


def included() -> list[Path]:
    """Return the user's own folders, which `HARNESS_INCLUDE` lists."""
    places = [Path(text).absolute() for text in os.environ.get(INCLUDE, "").split(os.pathsep) if text]
    for place in places:
        if not any((place / part).is_dir() for part in PLUG_INS) and not (place / DATASET_FILE).is_file():
            what = "has no folder" if place.is_dir() else "is no folder with"
            raise UsageError(
                f"{place}, from --include or {INCLUDE}, {what} {', '.join(PLUG_INS)} and no "
                f"{DATASET_FILE}: put plug-ins there."
            )
    return places
