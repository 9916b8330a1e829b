"""Read a zip file of others without harm: nothing but known names, no link, no bomb, no pickle, each file as listed."""

import json
import stat
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.bundle.layout import (
    CONTENTS,
    MOST_BYTES,
    MOST_FILES,
    MOST_IN_ALL,
    MOST_PACKING,
    NAMES,
    Contents,
    parse_contents,
)
from harness.errors import DataError, UsageError, listed
from harness.files import BROKEN, CHECKSUM, file_hash, replaced

_DATE = (1980, 1, 1, 0, 0, 0)
_CHUNK = 1 << 20
_SMALL = 1 << 20


def write_zip(path: Path, files: Mapping[str, Path | bytes]) -> None:
    """Write files by name, in order and without dates, so that equal files give an equal zip; atomically."""
    with replaced(path) as draft, zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            content = files[name]
            info = zipfile.ZipInfo(name, _DATE)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(info, content if isinstance(content, bytes) else content.read_bytes())


def unpack(path: Path, folder: Path) -> tuple[Contents, list[str]]:
    """Unpack a bundle into an empty folder; return its contents and a line for each file that is not as listed.

    Raises `DataError` for a file that is no bundle, holds anything but a bundle's files, or more than a bundle may;
    then nothing of it is used.
    """
    if not path.is_file():
        raise UsageError(f"There is no file {path}: give the zip file that `harness runs export` wrote.")
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive, path)
            for name, info in members.items():
                _take(archive, info, folder / name, path)
    except BROKEN as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise DataError(f"{path} cannot be read as a bundle ({reason}): ask for it again.") from error
    contents = parse_contents(_json(folder / CONTENTS, path), str(path))
    return contents, _unlike(contents, folder, members)


def _members(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    """Return the files of a zip by name; raise `DataError` for what no bundle has."""
    found: dict[str, zipfile.ZipInfo] = {}
    infos = archive.infolist()
    if len(infos) > MOST_FILES:
        raise DataError(f"{path} holds {len(infos):,} files; a bundle has up to {MOST_FILES:,}.")
    for info in infos:
        if (why := _wrong(info)) or info.filename in found:
            raise DataError(f"{path} is no bundle: {info.filename[:200]!r} {why or 'is in it twice'}.")
        found[info.filename] = info
    if sum(info.file_size for info in infos) > MOST_IN_ALL:
        raise DataError(f"{path} would take more than {MOST_IN_ALL >> 30} GiB unpacked: it is not unpacked.")
    if CONTENTS not in found:
        some = f" It holds {listed(list(found), 5)}." if found else " It is empty."
        raise DataError(f"{path} is no bundle: it has no {CONTENTS}.{some}")
    return found


def _wrong(info: zipfile.ZipInfo) -> str:
    """Say what is wrong with an entry of a zip, nothing where all is well."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return "is a link or another special file"
    if not NAMES.fullmatch(info.filename):
        return "is no name of a file in a bundle"
    if info.flag_bits & 1:
        return "is encrypted"
    if info.file_size > MOST_BYTES:
        return f"would take {info.file_size:,} bytes, more than {MOST_BYTES:,}"
    if info.file_size > _SMALL and info.file_size > MOST_PACKING * max(info.compress_size, 1):
        return "is packed more than any result can be"
    return ""


def _take(archive: zipfile.ZipFile, info: zipfile.ZipInfo, to: Path, path: Path) -> None:
    """Unpack one file, never more of it than the zip says."""
    to.parent.mkdir(parents=True, exist_ok=True)
    left = info.file_size
    with archive.open(info) as source, to.open("wb") as file:
        while part := source.read(min(_CHUNK, left + 1)):
            left -= len(part)
            if left < 0:
                raise DataError(f"{path}: {info.filename} is longer than the zip says: it is not unpacked.")
            file.write(part)


def _unlike(contents: Contents, folder: Path, names: Iterable[str]) -> list[str]:
    """Return a line for each file that the list does not have, or has with other content."""
    lines = [f"{name} is listed and missing" for name in sorted(contents.files.keys() - set(names))]
    for name in sorted(set(names) - {CONTENTS}):
        if name not in contents.files:
            lines.append(f"{name} is not in the list of contents")
        elif file_hash(folder / name) != contents.files[name]:
            lines.append(f"{name} has other content than was listed")
    return lines


def _json(file: Path, path: Path) -> Any:
    try:
        values = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: {file.name} cannot be read ({error}): ask for the bundle again.") from error
    if isinstance(values, dict):
        values.pop(CHECKSUM, None)
    return values
