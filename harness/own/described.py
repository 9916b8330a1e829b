"""Datasets that a YAML file describes: `dataset.yaml` in a folder of the user's, beside its data or above them."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.errors import UsageError, brief, nearest
from harness.own.own_files import ROLES, SHARES, OwnFiles, parse_columns, parse_shares
from harness.paths import DATASET_FILE, included

_SPLITS, _KINDS = ("train", "val", "test"), ("identities", "images", "captions")
_KEYS = (
    *("name", "title", "licence", "source", "file", "images", "columns", "shares", "seed", "val"),
    *("text_length", "counts"),
)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_LONGEST = 500
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Described:
    """A dataset of which files alone tell.

    Attributes:
        counts: identities, images and captions that each split should have; {} where none are named.
        val: how it is validated where nothing else is said: `own`, `holdout` or `none`.
        test_only: whether nothing can be trained on it.
    """

    name: str
    title: str
    files: OwnFiles
    licence: str = "not named"
    source: str = "not named"
    counts: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    val: str = "holdout"
    text_length: int = 77
    test_only: bool = False

    def attributes(self) -> dict[str, Any]:
        """Return the attributes of the dataset's class, but for its counts."""
        return {
            "name": self.name,
            "title": self.title,
            "licence": self.licence,
            "access": self.source,
            "folder": str(self.files.file.parent),
            "annotation_files": (self.files.file.name,),
            "image_folder": str(self.files.images),
            "default_val": self.val,
            "text_length": self.text_length,
            "test_only": self.test_only,
            "own": self.files,
        }


def described_datasets(taken: Iterable[str]) -> dict[str, Described]:
    """Return the datasets that the user's folders describe, by name.

    Raises `UsageError` for a file that describes none, and for a name that is `taken` or that two have.
    """
    found: dict[str, Described] = {}
    for file in dataset_files(included()):
        said = read_described(file)
        if said.name in taken or said.name in found:
            other = (
                "a dataset of the harness" if said.name in taken else str(found[said.name].files.file.parent)
            )
            raise UsageError(f"{file} has the name {said.name}, as {other}: give it another `name`.")
        found[said.name] = said
    return found


def dataset_files(folders: Iterable[Path]) -> list[Path]:
    """Return the files that describe datasets: in each folder, and in the folders of its `datasets/`."""
    found = []
    for folder in folders:
        found += [file for file in (folder / DATASET_FILE,) if file.is_file()]
        found += sorted((folder / "datasets").glob(f"*/{DATASET_FILE}"))
    return found


def read_described(file: Path) -> Described:
    """Return what a file says of a dataset; raise `UsageError` that names the file and what it should say."""
    try:
        return _read(file, os.stat(file).st_mtime_ns)
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror}): check its permissions.") from error


@lru_cache(maxsize=64)
def _read(file: Path, changed: int) -> Described:
    from harness.config.strict_yaml import read_yaml  # brings pydantic, which a listing does without

    values = read_yaml(file, what="dataset file", holds=f"the keys {', '.join(_KEYS)}")
    for key in values:
        if key not in _KEYS:
            raise _wrong(
                file, f"{brief(key)} is none of its keys, {', '.join(_KEYS)}{nearest(str(key), _KEYS)}"
            )
    name = _text(file, values, "name")
    if not _NAME.fullmatch(name) or name.endswith("_twin"):
        raise _wrong(
            file, f"name is {brief(name)}: small letters, digits and _, a letter first, no _twin at the end"
        )
    files = OwnFiles(
        _place(file, values, "file"),
        _place(file, values, "images"),
        _columns(file, values.get("columns")),
        str(values.get("shares", SHARES)),
        _number(file, values, "seed", 0, 0),
    )
    for check, text in ((parse_columns, files.columns), (parse_shares, files.shares)):
        try:
            check(text)
        except UsageError as error:
            raise _wrong(file, str(error).removesuffix(".")) from error
    counts = _counts(file, values.get("counts"))
    val = values.get(
        "val", "own" if "val" in counts else "holdout" if "train" in counts or not counts else "none"
    )
    if val not in ("own", "holdout", "none"):
        raise _wrong(file, f"val is {brief(val)}: it is own, holdout or none")
    return Described(
        name,
        _text(file, values, "title", name),
        files,
        _text(file, values, "licence", "not named"),
        _text(file, values, "source", "not named"),
        counts,
        val,
        _number(file, values, "text_length", 77, 4),
    )


def _wrong(file: Path, what: str) -> UsageError:
    return UsageError(f"{file}: {what}.")


def _text(file: Path, values: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = values.get(key, default)
    if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST or _CONTROL.search(value):
        said = "is missing" if value is None else f"is {brief(value)}: a text in one line"
        raise _wrong(file, f"{key} {said}")
    return value.strip()


def _place(file: Path, values: Mapping[str, Any], key: str) -> Path:
    """Return the path that a value is, from the folder of the file on; of the images that folder by default."""
    path = Path(_text(file, values, key, "." if key == "images" else None)).expanduser()
    return Path(os.path.abspath(file.parent / path))


def _columns(file: Path, value: Any) -> str:
    """Return the mapping of roles to columns as text; several captions are a list."""
    if value is None:
        return ""
    if not isinstance(value, dict):
        raise _wrong(file, f"columns is {brief(value)}: a mapping of {', '.join(ROLES)} to names of columns")
    pairs = [
        (role, one)
        for role, names in value.items()
        for one in (names if isinstance(names, list) else [names])
    ]
    if any("," in str(name) for _, name in pairs):
        raise _wrong(file, "columns names a column with a comma: rename it")
    return ",".join(f"{role}={'' if name is None else name}" for role, name in pairs)


def _number(file: Path, values: Mapping[str, Any], key: str, default: int, least: int) -> int:
    value = values.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 2**31:
        raise _wrong(file, f"{key} is {brief(value)}: a whole number from {least} on")
    return value


def _counts(file: Path, value: Any) -> dict[str, tuple[int, int, int]]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not value or not value.keys() <= set(_SPLITS):
        raise _wrong(file, f"counts is {brief(value)}: {', '.join(_KINDS)} of each of {', '.join(_SPLITS)}")
    found = {}
    for split, row in value.items():
        if not isinstance(row, dict) or row.keys() != set(_KINDS):
            raise _wrong(file, f"counts of {split} are {brief(row)}: {', '.join(_KINDS)}, each a number")
        identities, images, captions = (_number(file, row, kind, 0, 1) for kind in _KINDS)
        found[split] = (identities, images, captions)
    return found
