"""Which column is what, by its name or as it is told."""

from pathlib import Path

import pytest

from harness.errors import DataError, UsageError
from harness.own.columns import choose_columns
from harness.own.own_files import parse_columns, parse_shares
from harness.own.tables import Table


def _table(*rows):
    return Table(Path("a.csv"), list(rows[0]), list(rows), list(range(2, 2 + len(rows))))


@pytest.mark.parametrize("image", ["image", "file", "file_path", "img_path", "File Name"])
@pytest.mark.parametrize("caption", ["caption", "captions", "text", "Description"])
@pytest.mark.parametrize("person", ["person", "id", "identity", "pid", "person-id"])
def test_usual_names_are_known(image, caption, person):
    chosen = choose_columns(_table({image: "a", caption: "b", person: 7, "split": "train", "cam": 1, "x": 2}))
    assert (chosen.image, chosen.captions, chosen.person) == (image, (caption,), person)
    assert (chosen.split, chosen.camera, chosen.unread) == ("split", "cam", ("x",))
    assert chosen.words().endswith("; not used: cam (no protocol here filters by camera), x")


def test_several_captions_are_read_and_a_role_may_be_told_away():
    table = _table(
        {"image": "a", "caption_1": "b", "caption2": "c", "person": 7, "split": "x", "captious": 1}
    )
    chosen = choose_columns(table, "split=")
    assert chosen.captions == ("caption_1", "caption2")
    assert chosen.split == ""
    assert choose_columns(table, "caption=captious,caption=caption2").captions == ("captious", "caption2")


def test_two_columns_that_agree_are_one_and_two_that_differ_are_asked_about():
    same = {"image": "a", "text": "b", "id": 7, "pid": 7}
    assert choose_columns(_table(same)).person == "id"
    with pytest.raises(
        DataError, match=r"id and pid could both be the person.*a\.csv:3: 8 and 7.*--columns person=pid"
    ):
        choose_columns(_table(same, {**same, "id": 8}))
    assert choose_columns(_table(same, {**same, "id": 8}), "person=id").person == "id"


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (
            "",
            r"no column that is known to be caption, person\. Found: img, desc, who\..*caption=NAME,person=NAME",
        ),
        ("caption=descr,person=who", "no column 'descr'. Did you mean 'desc'"),
    ],
)
def test_a_missing_column_is_one_line_with_what_was_found(told, said):
    with pytest.raises(DataError, match=said):
        choose_columns(_table({"img": "a", "desc": "b", "who": 7}), told)


@pytest.mark.parametrize("text", ["image", "imag=a", "image=a,image=b", "person=a,person="])
def test_columns_that_say_nothing_are_refused(text):
    with pytest.raises(UsageError, match="--columns"):
        parse_columns(text)


@pytest.mark.parametrize(
    "text", ["", "80/10", "80/10/20", "100/0/0", "a/b/c", "80/-10/30", "nan/50/50", "80/10/1e1"]
)
def test_shares_that_are_none_are_refused(text):
    with pytest.raises(UsageError, match="percents that make 100"):
        parse_shares(text)


def test_shares_may_leave_out_training():
    assert parse_shares("0/0/100") == (0, 0, 1)
