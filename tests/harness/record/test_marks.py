"""Tags, notes and moments as people give them: what is refused, and that a damaged file costs no run."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest

from harness.errors import UsageError
from harness.record import RunFolder
from harness.record.marks import MARKS, Marks, parse_note, parse_since, parse_tag, read_marks, write_marks


@pytest.mark.parametrize(
    "text",
    ["", "a b", "x\x1b[31m", "harness.kind", "mlflow.note.content", "a=\x07", "a=\udcff", "a=" + "x" * 501],
)
def test_tags_that_could_not_be_shown_or_asked_for_are_refused(text):
    with pytest.raises(UsageError):
        parse_tag(text)


def test_a_note_without_control_characters_is_taken_as_it_is():
    assert parse_note("two\nlines 人") == "two\nlines 人"
    for text in ("\x1b]0;title\x07", "half a sign: \udcff"):
        with pytest.raises(UsageError, match="control characters"):
            parse_note(text)


def test_a_moment_is_a_date_a_time_or_so_long_ago():
    now = datetime(2026, 3, 15, 12, tzinfo=UTC)
    assert parse_since("12h", now) == datetime(2026, 3, 15, tzinfo=UTC)
    assert parse_since("2w", now) == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert parse_since("2026-03-01T10:00+00:00") == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert parse_since("2026-03-01").tzinfo is not None
    with suppress(UsageError):  # one way or the other, by the time zone
        assert parse_since("0001-01-01").tzinfo is not None
    for text in ("yesterday-ish", "-3d", "3 days", "2026-13-01", "", "0000-01-01"):
        with pytest.raises(UsageError, match="--since takes a date"):
            parse_since(text)


def test_what_is_said_of_a_run_is_read_again_and_a_damaged_file_says_nothing(tmp_path):
    folder, said = RunFolder(tmp_path), Marks(tags={"paper": ""}, note="n", archived=True)
    assert read_marks(folder) == Marks()
    write_marks(folder, said)
    assert read_marks(folder) == said
    (tmp_path / MARKS).write_text("{")
    assert read_marks(folder) == Marks()
