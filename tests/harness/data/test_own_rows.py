"""Rows of a file of one's own as samples; who is in which split where the file does not say it."""

import json
import os
from collections import Counter

import pytest

from harness.data.own_rows import read_own
from harness.data.own_shares import draw_splits
from harness.errors import DataError
from harness.own.own_files import OwnFiles

PERSONS = [f"p{number:03d}" for number in range(50)]


@pytest.fixture
def read(tmp_path):
    """Write rows as JSONL, or a text as CSV, and read them."""

    def reading(rows, **how):
        file = tmp_path / ("rows.csv" if isinstance(rows, str) else "rows.jsonl")
        file.write_text(rows if isinstance(rows, str) else "\n".join(map(json.dumps, rows)))
        return read_own(OwnFiles(file, tmp_path / "photos", **how))

    return reading


def _row(image="a.jpg", caption="a man", person=7, **more):
    return {"image": image, "caption": caption, "person": person, "split": "train"} | more


def test_a_row_is_a_sample_with_its_place(read, tmp_path):
    image = str(tmp_path / "photos" / "x" / "b.jpg")
    rows = read(
        [_row(), _row(image, ["one", "two"], 8, split="Validation"), _row(r".\x\\c.jpg", "c", 9, split="dev")]
    )
    one, two, three = rows.entries
    assert (one.image, one.captions, one.identity, one.split, one.where) == (
        "a.jpg",
        ("a man",),
        7,
        "train",
        "rows.jsonl:1",
    )
    assert (two.image, two.captions, two.split) == ("x/b.jpg", ("one", "two"), "val")
    assert (three.image, three.split) == ("x/c.jpg", "val")
    assert rows.notes == ["rows.jsonl: image=image, caption=caption, person=person, split=split"]
    assert rows.named


@pytest.mark.parametrize("cell", ['["a man", "in red"]', "['a man', 'in red']"])
def test_a_cell_may_hold_a_list(read, cell):
    text = "image,caption,person,split\na.jpg,{},7,train\n".format('"' + cell.replace('"', '""') + '"')
    assert read(text).entries[0].captions == ("a man", "in red")


def test_empty_captions_are_left_out_beside_others_and_kept_alone(read):
    text = "image,caption_1,caption_2,person\na.jpg,x,,7\nb.jpg,,,8\nc.jpg,,y,9\n"
    assert [entry.captions for entry in read(text).entries] == [("x",), ("",), ("y",)]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (_row("../a.jpg"), "'../a.jpg' is outside of .*photos/"),
        (_row("x/../../a.jpg"), "is outside of"),
        (_row("/etc/passwd"), "'/etc/passwd' is outside of"),
        (_row(r"C:\a.jpg"), "is outside of"),
        (_row("http://x/a.jpg"), "is an address"),
        (_row("a\x00.jpg"), "control character"),
        (_row("a\x1b[31m.jpg"), "control character"),
        (_row("\ud800.jpg"), "half a character"),
        (_row(" "), "no picture, image is ' '"),
        (_row(None), "no picture, image is None"),
        (_row(caption="\ud800"), "half a character"),
        (_row(caption=7), "should be a sentence or a list"),
        (_row(caption=[["a", "man"]]), "should be a sentence or a list"),
        (_row(caption="['a' + 'b']"), "begins as a list of sentences but is none"),
        (_row(person=""), "no person, person is ''"),
        (_row(person=None), "no person, person is None"),
        (_row(person="NaN"), "no person"),
        (_row(person=True), "no person, person is True"),
        (_row(person=7.5), "7.5 is no whole number"),
        (_row(split="quety"), "the split 'quety' is none of train, val, test"),
        (_row(split=""), "no split, where other rows have one"),
    ],
)
def test_a_wrong_row_is_told_with_its_line(read, row, said):
    with pytest.raises(DataError, match=said) as raised:
        read([_row("z.jpg", person="6"), row])
    head, line = str(raised.value).split("\n")
    assert head.endswith("rows.jsonl cannot be used, for 1 row of 2:")
    assert line.startswith("  rows.jsonl:2: ")


def test_the_first_wrong_rows_are_told_and_the_others_counted(read):
    with pytest.raises(DataError) as raised:
        read([_row(f"{n}.jpg", split="?") for n in range(1_007)])
    lines = str(raised.value).split("\n")
    assert [line[:14] for line in lines[1:6]] == [f"  rows.jsonl:{n}" for n in range(1, 6)]
    assert lines[6:] == ["  and 1,002 more"]


@pytest.mark.parametrize("other", ["Jose\u0301  Li", "Jos\u00e9\u00a0Li"])
def test_names_that_look_the_same_are_one_person_spelled_in_two_ways(read, other):
    with pytest.raises(
        DataError, match=r"rows.jsonl:2: person Jos.* is written .* here, and .* in rows.jsonl:1"
    ):
        read([_row(person="Jos\u00e9 Li"), _row("b.jpg", person=other)])


def test_shares_and_seed_of_a_description_that_draw_nothing_are_told(read):
    assert read([_row()]).warnings == []
    assert read([_row()], shares="60/20/20", seed=3).warnings == [
        "rows.jsonl: it names the split of each row, so shares 60/20/20 and seed 3 draw nothing: leave them out"
    ]


@pytest.mark.parametrize("other", ["ANA", "\uff21na"])
def test_names_that_differ_in_case_or_width_alone_are_two_persons_and_told(read, other):
    found = read([_row(f"{n}.jpg", person=name) for n, name in enumerate(("Ana", other, other, "Bea"))])
    assert len({entry.identity for entry in found.entries}) == 3
    assert found.warnings == [
        "rows.jsonl: 1 name of persons differs from another in case or width alone, and each is taken for a person of "
        f"its own ({other} in rows.jsonl:2, Ana in rows.jsonl:1)"
    ]


@pytest.mark.parametrize("other", ["7", "007", 7.0, "7.0", " 7"])
def test_a_person_is_spelled_in_one_way(read, other):
    with pytest.raises(DataError, match=r"rows.jsonl:2: person 7 is written .* here, and 7 in rows.jsonl:1"):
        read([_row(), _row("b.jpg", person=other)])
    assert [entry.identity for entry in read([_row(person=other), _row("b.jpg", person=other)]).entries] == [
        7,
        7,
    ]


def test_persons_of_names_are_numbered_in_their_order(read):
    rows = read([_row(person="zoe"), _row("b.jpg", person="007"), _row("c.jpg", person="anna")])
    assert [entry.identity for entry in rows.entries] == [2, 0, 1]
    assert "'7' first" in rows.notes[1]


def test_a_picture_shows_one_person(read):
    with pytest.raises(DataError, match=r"rows.jsonl:2: 'a.jpg' shows person 8 here, and 7 in rows.jsonl:1"):
        read([_row(), _row(person=8)])


def test_splits_are_drawn_where_none_is_named(read):
    rows = [_row(f"{name}-{n}.jpg", person=name, split="") for name in PERSONS for n in range(3)]
    found = read(rows)
    assert not found.named
    assert found.notes[-1] == (
        "rows.jsonl names no splits: drawn by person, shares 80/10/10, seed 0: 40 train, 5 val, 5 test"
    )
    assert len({(entry.identity, entry.split) for entry in found.entries}) == 50
    assert read(rows, seed=1).entries != found.entries
    assert {entry.split for entry in read(rows, shares="0/0/100").entries} == {"test"}
    with pytest.raises(DataError, match="Splits cannot be drawn for 2 persons"):
        read([_row(), _row("b.jpg", person=8)], columns="split=")


def test_the_draw_is_the_same_for_any_order_and_moves_few_when_persons_join():
    drawn = draw_splits(PERSONS, (0.8, 0.1, 0.1), 0)
    assert drawn == draw_splits(PERSONS[::-1], (0.8, 0.1, 0.1), 0)
    more = draw_splits([*PERSONS, "new", "newer"], (0.8, 0.1, 0.1), 0)
    assert sum(more[name] != drawn[name] for name in PERSONS) <= 4
    assert Counter(draw_splits("abc", (0.98, 0.01, 0.01), 0).values()) == {"train": 1, "val": 1, "test": 1}
    assert Counter(draw_splits("abcd", (0, 0.5, 0.5), 0).values()) == {"val": 2, "test": 2}
    assert Counter(draw_splits("abcd", (0.5, 0, 0.5), 0).values()) == {"train": 2, "test": 2}
    assert Counter(draw_splits("abc", (0.0, 0.01, 0.99), 0).values()) == {"val": 1, "test": 2}


def test_a_file_that_changed_is_read_again(read, tmp_path):
    before = read([_row()])
    assert read_own(OwnFiles(tmp_path / "rows.jsonl", tmp_path / "photos")) is before
    text = (tmp_path / "rows.jsonl").read_text().replace("a man", "a cat")
    (tmp_path / "rows.jsonl").write_text(text)
    os.utime(tmp_path / "rows.jsonl", ns=(1, 1))
    assert read_own(OwnFiles(tmp_path / "rows.jsonl", tmp_path / "photos")).entries[0].captions == ("a cat",)
