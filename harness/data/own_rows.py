"""Turn the rows of a file of one's own into samples; what is wrong is told row by row, with its line."""

import ast
import json
import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from harness.data.own_shares import draw_splits, drawn_words
from harness.datasets import SPLITS, Sample
from harness.errors import DataError, and_more, brief, many
from harness.own.columns import Chosen, choose_columns
from harness.own.own_files import SHARES, OwnFiles, parse_shares
from harness.own.tables import Table, read_table

_SHOWN = 5
_WHOLE = re.compile(r"[+-]?\d{1,18}(?:\.0+)?")
_NOBODY = ("", "nan", "none", "null")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ABSOLUTE = re.compile(r"/|[A-Za-z]:/")
_ADDRESS = re.compile(r"[a-z]+://", re.IGNORECASE)
_SPLITS = {
    **{name: name for name in SPLITS},
    **dict.fromkeys(("training", "trn"), "train"),
    **dict.fromkeys(("valid", "validation", "dev"), "val"),
    "testing": "test",
}


class _WrongRow(Exception):
    """What is wrong with a row."""


@dataclass
class OwnRows:
    """What a file of one's own holds: a sample for each row, and what is to be said of it in notes and warnings.

    `named` says whether the file names splits.
    """

    entries: list[Sample]
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    named: bool = True


def read_own(own: OwnFiles) -> OwnRows:
    """Return what a file holds, with the splits that it names or that are drawn; read once as long as it stays.

    Raises `DataError` with file, line and fix for each of the first rows that are wrong, and how many more are.
    """
    try:
        state = os.stat(own.file)
    except OSError as error:
        raise DataError(
            f"{own.file} cannot be read ({error.strerror}): check the path and its permissions."
        ) from error
    return _read(own, (state.st_size, state.st_mtime_ns, state.st_ino))


@lru_cache(maxsize=2)
def _read(own: OwnFiles, state: tuple[int, int, int]) -> OwnRows:
    table = read_table(own.file)
    chosen = choose_columns(table, own.columns)
    wrong = _Wrong(table)
    rows = _Rows(own, table, chosen)
    entries, persons = list[Sample](), list[str]()
    for number, row in zip(table.numbers, table.rows, strict=True):
        try:
            entries.append(rows.sample(number, row))
            persons.append(rows.person)
        except _WrongRow as error:
            wrong.add(number, str(error))
    wrong.raise_any()
    numbers = _numbered(persons)
    entries = [
        replace(entry, identity=numbers[person], person=person)
        for entry, person in zip(entries, persons, strict=True)
    ]
    notes = [f"{own.file.name}: {chosen.words()}"]
    if any(str(number) != person for person, number in numbers.items()):
        notes.append(f"persons are numbered from 0 in the order of their names, {brief(min(numbers))} first")
    odd = [*table.notes, *rows.warnings()]
    if rows.named and (own.shares, own.seed) != (SHARES, 0):
        odd.append(
            f"it names the split of each row, so shares {own.shares} and seed {own.seed} draw nothing: leave them out"
        )
    if not rows.named:
        entries = _with_drawn(entries, persons, numbers, own)
        notes.append(drawn_words(entries, own))
    return OwnRows(entries, notes, [f"{own.file.name}: {note}" for note in odd], rows.named)


def _with_drawn(
    entries: Sequence[Sample], persons: Sequence[str], numbers: dict[str, int], own: OwnFiles
) -> list[Sample]:
    splits = draw_splits(numbers, parse_shares(own.shares), own.seed)
    return [replace(entry, split=splits[person]) for entry, person in zip(entries, persons, strict=True)]


def _numbered(persons: Sequence[str]) -> dict[str, int]:
    """Return the identity of each person: its number where all are numbers, else its place among the names."""
    names = sorted(set(persons))
    if all(_WHOLE.fullmatch(name) for name in names):
        return {name: int(name) for name in names}
    return {name: place for place, name in enumerate(names)}


class _Wrong:
    """Rows that are wrong: the first few in words, and the number of all."""

    def __init__(self, table: Table) -> None:
        self.table, self.n, self.lines = table, 0, list[str]()

    def add(self, number: int, what: str) -> None:
        self.n += 1
        if self.n <= _SHOWN:
            self.lines.append(f"  {self.table.place(number)}: {what}")

    def raise_any(self) -> None:
        if not self.n:
            return
        more = [f"  and {self.n - _SHOWN:,} more"] if self.n > _SHOWN else []
        head = f"{self.table.file} cannot be used, for {many(self.n, 'row')} of {len(self.table.rows):,}:"
        raise DataError("\n".join([head, *self.lines, *more]))


class _Rows:
    """Makes samples of rows, and remembers what earlier rows said: the spelling of persons, who is on a picture.

    Names that look the same are one person's; those of which only case or width differ are two, and told as `alike`.
    """

    def __init__(self, own: OwnFiles, table: Table, chosen: Chosen) -> None:
        self.table, self.chosen = table, chosen
        self.images = own.images.as_posix().rstrip("/") + "/"
        self.person = ""
        self._spelled: dict[str, tuple[str, int]] = {}
        self._folded: dict[str, tuple[str, int]] = {}
        self.alike: list[str] = []
        self._shown: dict[str, tuple[str, int]] = {}
        names = (row.get(chosen.split) for row in table.rows) if chosen.split else ()
        self.named = any(not _is_nothing(name) for name in names)

    def sample(self, number: int, row: dict[str, Any]) -> Sample:
        """Return the sample of a row, its person as text in `person`; raise `_WrongRow` in words."""
        image = self._image(row.get(self.chosen.image))
        captions = self._captions(row)
        self.person = self._person(row.get(self.chosen.person), number)
        other, line = self._shown.setdefault(image, (self.person, number))
        if other != self.person:
            raise _WrongRow(
                f"{brief(image)} shows person {brief(self.person)[1:-1]} here, and {brief(other)[1:-1]} in "
                f"{self.table.place(line)}: a picture shows one person"
            )
        split = self._split(row.get(self.chosen.split)) if self.named else ""
        return Sample(image, 0, captions, split, where=self.table.place(number))

    def _image(self, value: Any) -> str:
        if not isinstance(value, str) or not value.strip():
            raise _WrongRow(f"no picture, {self.chosen.image} is {brief(value)}")
        path = _text(self.chosen.image, value).strip().replace("\\", "/").removeprefix("./")
        if _CONTROL.search(path):
            raise _WrongRow(f"the picture {brief(path)} has a control character in its name: rename it")
        if _ADDRESS.match(path):
            raise _WrongRow(
                f"the picture {brief(path)} is an address: fetch it, and write the path of the file"
            )
        path = path.removeprefix(self.images)
        if _ABSOLUTE.match(path) or ".." in path.split("/"):
            raise _WrongRow(
                f"the picture {brief(path)} is outside of {self.images}: give a folder of all by --images"
            )
        return "/".join(part for part in path.split("/") if part not in ("", "."))

    def _captions(self, row: dict[str, Any]) -> tuple[str, ...]:
        found = [text for name in self.chosen.captions for text in _texts(name, row.get(name))]
        return tuple([text for text in found if text.strip()] or found[:1] or [""])

    def _person(self, value: Any, number: int) -> str:
        name, spelled = _named(self.chosen.person, value)
        looks = _composed(name)
        new = looks not in self._spelled
        other, line = self._spelled.setdefault(looks, (spelled, number))
        if other != spelled:
            raise _WrongRow(
                f"person {name[:60]} is written {spelled[:60]} here, and {other[:60]} in {self.table.place(line)}: "
                "write each in one way"
            )
        alike, line = self._folded.setdefault(unicodedata.normalize("NFKC", looks).casefold(), (name, number))
        if new and alike != name:
            self.alike.append(
                f"{name[:60]} in {self.table.place(number)}, {alike[:60]} in {self.table.place(line)}"
            )
        return name

    def warnings(self) -> list[str]:
        """Return what is odd about the names of persons, in a line."""
        n = len(self.alike)
        if not n:
            return []
        shown = "; ".join(self.alike[:_SHOWN]) + and_more(n, _SHOWN)
        return [
            f"{many(n, 'name')} of persons differ{'s' if n == 1 else ''} from another in case or width alone, and each "
            f"is taken for a person of its own ({shown})"
        ]

    def _split(self, value: Any) -> str:
        if _is_nothing(value):
            raise _WrongRow(
                "no split, where other rows have one: fill all, or none (--columns split= draws them)"
            )
        name = _SPLITS.get(str(value).strip().lower())
        if name is None:
            raise _WrongRow(f"the split {brief(value)} is none of {', '.join(SPLITS)}")
        return name


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _named(column: str, value: Any) -> tuple[str, str]:
    """Return a person as text that is the same in all spellings of a number, and as it is spelled."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _WrongRow(f"no person, {column} is {brief(value)}")
    text = _text(column, value).strip() if isinstance(value, str) else repr(value)
    if text.lower() in _NOBODY:
        raise _WrongRow(f"no person, {column} is {brief(value)}")
    if isinstance(value, float) and not value.is_integer():
        raise _WrongRow(f"the person {brief(value)} is no whole number and no name")
    if not _WHOLE.fullmatch(text):
        return text, json.dumps(value)
    return str(int(text.partition(".")[0])), json.dumps(value)


def _composed(name: str) -> str:
    """Return a name in the one form of all that look the same: by Unicode's composition, and blanks."""
    return " ".join((name if name.isascii() else unicodedata.normalize("NFC", name)).split())


def _texts(column: str, value: Any) -> list[str]:
    """Return the captions of a cell: one text, a list of them, or a list that is written as text."""
    if value is None:
        return []
    if isinstance(value, str) and value.lstrip()[:2] in ('["', "['"):
        value = _listed(column, value.strip())
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str) for one in values):
        raise _WrongRow(f"{column} should be a sentence or a list of them, but is {brief(value)}")
    return [_text(column, one) for one in values]


def _listed(column: str, text: str) -> Any:
    """Return the list that a cell is, as JSON or as Python writes it."""
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    raise _WrongRow(f"{column} begins as a list of sentences but is none: {brief(text)}")


def _text(column: str, value: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _WrongRow(
                f"{column} holds half a character (a lone surrogate): {ascii(value)[:60]}"
            ) from None
    return value
