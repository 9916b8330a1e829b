"""Where pictures are that are not where the annotation says, and the move that would put them there.

They are unpacked a folder too deep, or the names on the disk differ from those of the annotation in what some systems
do not tell apart: case, form of Unicode, percent codes, extension, the slash.
"""

import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from shlex import quote
from typing import NamedTuple
from urllib.parse import unquote

from harness.errors import listed

_MOST_FILES = 1_000_000
_PROBES = 25
_MOST_RENAMES = 4

Parts = tuple[str, ...]


class _Shift(NamedTuple):
    """Folders that lie before a picture on the disk, and those that the annotation writes before it."""

    disk: Parts
    annotation: Parts


def way_to_pictures(folder: Path, images: Path, names: Sequence[str]) -> str | None:
    """Return in words the move or renaming by which missing pictures would be found; None where none is known.

    Every picture that it claims to find was looked up.

    Args:
        folder: the dataset's folder, in which they are searched.
        images: the folder that the annotation's paths are relative to.
        names: the paths of the missing pictures, as the annotation has them.
    """
    there = {_plain(path): path for path in _files(folder)}
    shift = _likeliest(there, names)
    if shift is None:
        return None
    pairs = [(name, there.get((*shift.disk, *_plain(name)[len(shift.annotation) :]))) for name in names]
    found = [(name, file) for name, file in pairs if file is not None and _leads(name, shift)]
    if not found:
        return None
    steps = [*_moves(folder, images, shift, found), *_renames(folder, shift, found)]
    if not steps:
        return None
    n = f"all {len(names):,}" if len(found) == len(names) > 1 else f"{len(found):,} of {len(names):,}"
    return f"To find {n} missing images: {'; then '.join(steps)}"


def _files(folder: Path) -> Iterator[str]:
    """Yield files by their paths below a folder."""
    left, seen = _MOST_FILES, set[str]()
    for at, folders, files in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(at)) in seen:
            folders.clear()
            continue
        seen.add(real)
        below = os.path.relpath(at, folder)
        yield from (file if below == "." else f"{below}/{file}" for file in files)
        left -= len(files)
        if left < 0:
            return


def _plain(path: str) -> Parts:
    """Return the parts of a path in the one form that all its spellings share, without extension."""
    path = unquote(path) if "%" in path else path
    if not path.isascii():
        path = unicodedata.normalize("NFC", path)
    path = os.path.splitext(path.replace("\\", "/").casefold())[0]
    return tuple(part.strip() for part in path.split("/") if part not in ("", "."))


def _likeliest(there: dict[Parts, str], names: Sequence[str]) -> _Shift | None:
    """Return the shift that most of some names ask for; the longest common end of two paths tells it."""
    ends: dict[str, list[Parts]] = defaultdict(list)
    for parts in there:
        ends[parts[-1]].append(parts)
    votes: Counter[_Shift] = Counter()
    for name in names[:: max(1, len(names) // _PROBES)]:
        parts = _plain(name)
        if near := ends.get(parts[-1]):
            other = max(near, key=lambda one: (_common_end(one, parts), -len(one)))
            n = _common_end(other, parts)
            votes[_Shift(other[: len(other) - n], parts[: len(parts) - n])] += 1
    return votes.most_common(1)[0][0] if votes else None


def _common_end(one: Parts, other: Parts) -> int:
    n = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if a != b:
            break
        n += 1
    return n


def _leads(name: str, shift: _Shift) -> bool:
    return _plain(name)[: len(shift.annotation)] == shift.annotation


def _moves(folder: Path, images: Path, shift: _Shift, found: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Yield what puts the pictures' folder where the annotation has it, where it is another one."""
    name, file = found[0]
    disk = folder / Path(*_raw(file)[: len(shift.disk)])
    wanted = images / Path(*_raw(name)[: len(shift.annotation)])
    if disk == wanted:
        return
    if shift.annotation:
        extra = "/".join(_raw(name)[: len(shift.annotation)])
        yield (
            f"the annotation writes {extra}/ before each path, and the pictures lie in {disk}: make a link, "
            f"mkdir -p {quote(str(wanted.parent))} && ln -s {quote(str(disk.absolute()))} {quote(str(wanted))}"
        )
    elif disk.is_relative_to(wanted):
        aside = wanted.with_name(f"{wanted.name}.aside")
        moves = [_move(wanted, aside), _move(aside / disk.relative_to(wanted), wanted)]
        yield f"they lie in {disk}, so {' && '.join(moves)}"
    elif wanted.exists():
        yield f"they lie in {disk}, so mv {quote(str(disk))}/* {quote(str(wanted))}/"
    else:
        yield f"rename their folder, {_move(disk, wanted)}"


def _renames(folder: Path, shift: _Shift, found: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Yield what makes names on the disk those of the annotation: of folders one by one, of files by an example."""
    folders: dict[tuple[Parts, str], str] = {}
    kinds, files = set[str](), list[tuple[str, str]]()
    for name, file in found:
        wanted, got = _raw(name)[len(shift.annotation) :], _raw(file)[len(shift.disk) :]
        for place, (a, b) in enumerate(zip(wanted[:-1], got[:-1], strict=True)):
            if a != b:
                kinds.add(_difference(a, b))
                folders[(*wanted[:place],), b] = a
        if wanted[-1] != got[-1] or "\\" in file:
            kinds.add("the slash" if "\\" in file else _difference(wanted[-1], got[-1]))
            files.append((wanted[-1], file))
    base = folder / Path(*_raw(found[0][1])[: len(shift.disk)])
    if not kinds:
        return
    said = f"the names differ from those of the annotation in {listed(sorted(kinds))}"
    if folders and not files and len(folders) <= _MOST_RENAMES:
        moves = [
            _move(base.joinpath(*at, old), base.joinpath(*at, new)) for (at, old), new in folders.items()
        ]
        yield f"{said}: {' && '.join(moves)}"
        return
    name, file = next(
        ((n, f) for n, f in found if _raw(n) != _raw(f)[len(shift.disk) :] or "\\" in f), found[0]
    )
    target = base.joinpath(*_raw(name)[len(shift.annotation) :])
    yield f"{said}: rename each as the annotation has it, as {_move(folder / file, target)}"


def _move(old: Path, new: Path) -> str:
    return f"mv {quote(str(old))} {quote(str(new))}"


def _raw(path: str) -> Parts:
    return PurePosixPath(path.replace("\\", "/")).parts


def _difference(wanted: str, got: str) -> str:
    """Say in what two spellings of one name differ."""
    if wanted.casefold() == got.casefold():
        return "upper and lower case"
    if unicodedata.normalize("NFC", wanted) == unicodedata.normalize("NFC", got):
        return "the form of Unicode"
    if unquote(wanted) == unquote(got):
        return "percent codes"
    if os.path.splitext(wanted)[0] == os.path.splitext(got)[0]:
        return "the extension"
    return "their spelling"
