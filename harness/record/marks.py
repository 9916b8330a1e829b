"""What a person says of a run: tags, a note, and that it is archived; in a file of its own beside the record."""

import re
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.errors import DataError, UsageError, brief
from harness.files import read_json, write_json
from harness.record.folder import RunFolder

MARKS = "marks.json"
_NAME = re.compile(r"[\w.\-/]{1,100}")
# Half a sign, as a byte that is not UTF-8 becomes on the command line, can be neither stored nor sent.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_TAKEN = ("harness.", "mlflow.")
_LONGEST_VALUE, _LONGEST_NOTE = 500, 4_000
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


class Marks(BaseModel):
    """What a person says of a run.

    Attributes:
        tags: values by name; empty where a tag is a word alone.
        note: a text.
        archived: whether lists and reports leave the run out.
        removed: names of tags that were taken off and may still be in MLflow, which did not answer then.
    """

    model_config = ConfigDict(extra="forbid")

    tags: dict[str, str] = {}
    note: str = ""
    archived: bool = False
    removed: list[str] = []


def read_marks(folder: RunFolder) -> Marks:
    """Return what a person says of a run; nothing where the file is damaged, which costs no run."""
    if not folder.file(MARKS).is_file():
        return Marks()
    try:
        return Marks.model_validate(read_json(folder.file(MARKS), of=dict))
    except (DataError, ValidationError):
        return Marks()


def write_marks(folder: RunFolder, marks: Marks) -> None:
    """Write it atomically; an earlier harness knows of no tags that were removed, so none is left out."""
    write_json(folder.file(MARKS), marks.model_dump(exclude=None if marks.removed else {"removed"}))


def parse_tag(text: str) -> tuple[str, str]:
    """Return name and value of a tag as it is given, `NAME` or `NAME=VALUE`.

    Raises `UsageError` for a name that could not be asked for again, one of the harness's own, and control characters.

    >>> parse_tag("paper"), parse_tag("table=2 b")
    (('paper', ''), ('table', '2 b'))
    """
    name, _, value = text.partition("=")
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"A tag's name is up to 100 letters, digits and the signs . _ - /, but got {brief(name)}: write NAME or "
            "NAME=VALUE."
        )
    if name.startswith(_TAKEN):
        raise UsageError(f"The tag {name} is one that the harness or MLflow gives: choose another name.")
    return name, checked_text(value, "A tag's value", _LONGEST_VALUE)


def parse_note(text: str) -> str:
    """Return a note; raise `UsageError` for one that is too long or holds control characters."""
    return checked_text(text, "A note", _LONGEST_NOTE)


def checked_text(text: str, what: str, longest: int) -> str:
    """Return a text that can be shown and sent anywhere."""
    if _CONTROL.search(text):
        why = f"{what} holds no control characters, and nothing that is not UTF-8, but got {brief(text)}"
        raise UsageError(f"{why}: leave them out.")
    if len(text) > longest:
        raise UsageError(f"{what} has at most {longest:,} characters, but got {len(text):,}: shorten it.")
    return text


def parse_since(text: str, now: datetime | None = None) -> datetime:
    """Return the moment that `--since` names: a date, a date and time, or so long ago as 12h, 3d, 2w.

    >>> parse_since("2d", datetime(2026, 3, 3, tzinfo=UTC)).isoformat()
    '2026-03-01T00:00:00+00:00'
    """
    ago = re.fullmatch(r"(\d{1,4})([hdw])", text.strip())
    if ago:
        return (now or datetime.now(UTC)) - int(ago[1]) * _UNITS[ago[2]]
    try:
        found = datetime.fromisoformat(text.strip())
        return found if found.tzinfo else found.astimezone()
    except (ValueError, OverflowError):
        raise UsageError(
            f"--since takes a date such as 2026-11-28, a time such as 2026-11-28T09:30, or how long ago as 12h, 3d or "
            f"2w, but got {brief(text)}."
        ) from None


def disk_bytes(folder: RunFolder) -> int:
    """Return what the files of a run take on disk."""
    return sum(file.stat().st_size for file in folder.path.rglob("*") if file.is_file())
