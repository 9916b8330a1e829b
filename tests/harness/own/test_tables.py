"""Rows of CSV, JSONL, JSON and COCO, and what is none of them."""

import json

import pytest

from harness.errors import DataError
from harness.own.tables import read_table

ROWS = [
    {"image": "a.jpg", "caption": 'a man, in "red";\nwalking\taway', "person": "7"},
    {"image": "b.jpg", "caption": "eine Frau mit Mütze", "person": "8"},
]


def _cell(text):
    return '"' + text.replace('"', '""') + '"'


def _csv(delimiter, ending="\n"):
    lines = [list(ROWS[0]), *([_cell(value) for value in row.values()] for row in ROWS)]
    return ending.join(delimiter.join(line) for line in lines) + ending


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_csv_is_read_with_its_lines_whatever_divides_it(tmp_path, delimiter, ending, encoding):
    (tmp_path / "a.csv").write_bytes(_csv(delimiter, ending).encode(encoding))
    table = read_table(tmp_path / "a.csv")
    assert table.rows == ROWS
    assert table.numbers == [2, 4]
    assert table.place(4) == "a.csv:4"


def test_jsonl_counts_blank_lines_and_a_json_list_its_entries(tmp_path):
    (tmp_path / "a.jsonl").write_text("\n\n".join(map(json.dumps, ROWS)) + "\n")
    assert (table := read_table(tmp_path / "a.jsonl")).rows == ROWS
    assert table.numbers == [1, 3]
    (tmp_path / "a.json").write_text(json.dumps(ROWS, indent=1))
    assert (table := read_table(tmp_path / "a.json")).rows == ROWS
    assert table.place(2) == "a.json, entry 2"


def test_coco_joins_annotations_with_their_images(tmp_path):
    value = {
        "images": [
            {"id": 3, "file_name": "a.jpg", "width": 4, "split": "train"},
            {"id": "x", "file_name": "b.jpg"},
        ],
        "annotations": [
            {"id": 1, "image_id": 3, "caption": "a man", "person_id": 7, "bbox": [0, 0, 1, 1]},
            {"id": 2, "image_id": 3, "caption": "one man", "person_id": 7},
        ],
    }
    (tmp_path / "a.json").write_text(json.dumps(value))
    table = read_table(tmp_path / "a.json")
    row = {"file_name": "a.jpg", "split": "train", "person_id": 7}
    assert table.rows == [row | {"caption": "a man"}, row | {"caption": "one man"}]
    assert table.notes == [
        "1 of 2 images have no annotation and are left out",
        "1 annotations have a bbox, which is not read: pictures are used whole",
    ]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "a.csv",
            "image,caption,person\na.jpg,a man, in red,7\n",
            "a.csv:2: 4 cells where .* 3 columns.*commas",
        ),
        ("a.csv", 'image,caption\na.jpg,"a man\nb.jpg,x\n', "a.csv:2: .*a quote is not closed"),
        ("a.csv", "image,caption,image\na,b,c\n", "'image' is there twice"),
        ("a.csv", "image,caption\n", "has no rows"),
        ("a.csv", "", "an empty file"),
        ("a.csv", "<!DOCTYPE html><html></html>", "a web page"),
        ("a.jsonl", '{"image": "a.jpg"}\n{"image": \n', "a.jsonl:2: no JSON"),
        ("a.jsonl", '[{"image": "a.jpg"}]\n', "name it .json"),
        ("a.jsonl", "7\n", "a.jsonl:1: should be an object"),
        ("a.json", '{"images": 1, "annotations": []}', "images should be a list"),
        (
            "a.json",
            '{"images": [{"id": 1}, {"id": 1}], "annotations": []}',
            "the id 1 of an image is there twice",
        ),
        ("a.json", '{"images": [], "annotations": [{"image_id": 5}]}', "entry 1: no image has the id 5"),
        ("a.json", '{"images": [], "annotations": [{"image_id": [5]}]}', "entry 1: no image has the id"),
        ("a.json", '{"rows": []}', "holds an object with 'rows'"),
        ("a.json", "[1]", "entry 1: should be an object"),
        ("a.json", '[{"image": "a"', "is not valid JSON"),
        ("a.xlsx", "x", "'.xlsx', which says nothing of its form"),
    ],
)
def test_what_is_no_table_is_one_line(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=said) as raised:
        read_table(tmp_path / name)
    assert "\n" not in str(raised.value)
