"""Which column of a table is the picture, the caption, the person, the split: by its name, or as it is told."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import DataError, brief, listed, nearest
from harness.own.own_files import Columns, parse_columns
from harness.own.tables import Table

SPELLINGS = {
    "image": (
        *("image", "image_path", "image_file", "img", "img_path", "file", "file_path", "file_name"),
        *("filepath", "filename", "path", "picture"),
    ),
    "caption": (
        "caption",
        "captions",
        "text",
        "texts",
        "description",
        "descriptions",
        "sentence",
        "sentences",
    ),
    "person": ("person", "person_id", "personid", "identity", "identity_id", "pid", "p_id", "id"),
    "split": ("split", "subset", "partition"),
    "camera": ("camera", "camera_id", "cam", "cam_id", "camid"),
}
_NUMBERED = re.compile(r"_?\d{1,3}")
_NEEDED = ("image", "caption", "person")
_MOST_NAMED = 12


@dataclass(frozen=True)
class Chosen:
    """The columns that are read; "" and () where there is none. `unread` are the others."""

    image: str
    captions: tuple[str, ...]
    person: str
    split: str
    camera: str
    unread: tuple[str, ...]

    def words(self) -> str:
        """Say which column is what, for a note."""
        parts = [
            f"image={self.image}",
            *(f"caption={name}" for name in self.captions),
            f"person={self.person}",
        ]
        parts += [f"split={self.split}"] * bool(self.split)
        unused = [f"{self.camera} (no protocol here filters by camera)"] * bool(self.camera)
        unused += [name or "a column without a name" for name in self.unread]
        return ", ".join(parts) + (f"; not used: {listed(unused, _MOST_NAMED)}" if unused else "")


def choose_columns(table: Table, told: str = "") -> Chosen:
    """Return the columns of a table; raise `DataError` in one line where one is missing or two could be meant."""
    given = parse_columns(told)
    for name in (name for names in given.values() for name in names):
        if name not in table.columns:
            raise DataError(
                f"{table.file} has no column {brief(name)}.{nearest(name, table.columns)} {_found(table)}"
            )
    found = {role: _columns_of(table, role, given) for role in SPELLINGS}
    missing = [role for role in _NEEDED if not found[role]]
    if missing:
        told_so = ",".join(f"{role}=NAME" for role in missing)
        raise DataError(
            f"{table.file} has no column that is known to be {listed(missing)}. {_found(table)} "
            f"Say which it is: --columns {told_so}"
        )
    used = [name for names in found.values() for name in names]
    one = {role: names[0] if names else "" for role, names in found.items()}
    unread = tuple(name for name in table.columns if name not in used)
    return Chosen(one["image"], found["caption"], one["person"], one["split"], one["camera"], unread)


def _found(table: Table) -> str:
    return f"Found: {listed([brief(name)[1:-1] for name in table.columns], _MOST_NAMED)}."


def _columns_of(table: Table, role: str, given: Columns) -> tuple[str, ...]:
    if role in given:
        return given[role]
    taken = {name for names in given.values() for name in names}
    plain = {name: _plain(name) for name in table.columns if name not in taken}
    named = [name for name in plain if plain[name] in SPELLINGS[role]]
    if role == "caption" and (several := [name for name in plain if _is_numbered(plain[name])]):
        return (*named, *several)
    if len(named) > 1:
        _check_agree(table, role, named)
    return tuple(named[:1])


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")


def _is_numbered(name: str) -> bool:
    """Whether a column is one of several captions: caption_1, caption2."""
    return any(_NUMBERED.fullmatch(name.removeprefix(one)) for one in SPELLINGS["caption"] if name != one)


def _check_agree(table: Table, role: str, names: Sequence[str]) -> None:
    """Raise `DataError` where columns that could be the same thing do not agree."""
    first = names[0]
    for other in names[1:]:
        for number, row in zip(table.numbers, table.rows, strict=True):
            if row.get(first) != row.get(other):
                raise DataError(
                    f"{table.file}: {first} and {other} could both be the {role}, and they differ "
                    f"({table.place(number)}: {brief(row.get(first))} and {brief(row.get(other))}). Say which is: "
                    f"--columns {role}={other}"
                )
