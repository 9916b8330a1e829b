"""Rows of a table that someone wrote: JSONL, CSV with commas, semicolons or tabs, a JSON list, or COCO's JSON.

What is no such table ends in one line of `DataError` with file, line and fix.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import DataError, brief, listed
from harness.file_kinds import parse_json, read_text
from harness.strict_json import read_json_text

KINDS = (".jsonl", ".ndjson", ".csv", ".tsv", ".txt", ".json")
_DELIMITERS = ",;\t"
_LONGEST_CELL = 2**20
# Keys of COCO's objects that number or measure them.
_COCO_IMAGE = ("id", "height", "width", "license", "date_captured", "flickr_url", "coco_url")
_COCO_ANNOTATION = ("id", "image_id", "category_id", "area", "iscrowd", "bbox", "segmentation")

Row = dict[str, Any]


@dataclass
class Table:
    """The rows of a file.

    Attributes:
        columns: all names that any row has, in order.
        rows: the values of each row by name.
        numbers: the line of each row in the file, from 1, or its number in the list.
        by_line: whether numbers are lines.
        notes: what is odd about the file as a whole.
    """

    file: Path
    columns: list[str]
    rows: list[Row]
    numbers: list[int]
    by_line: bool = True
    notes: list[str] = field(default_factory=list)

    def place(self, number: int) -> str:
        """Return where a row is, for messages."""
        return f"{self.file.name}:{number}" if self.by_line else f"{self.file.name}, entry {number}"


def read_table(file: Path) -> Table:
    """Return the rows of a file; raise `DataError` where it is no table, or has no rows."""
    kind = file.suffix.lower()
    if kind not in KINDS:
        raise DataError(
            f"{file} ends with {brief(file.suffix)}, which says nothing of its form: name it .jsonl, .csv or .json."
        )
    text = read_text(file)
    if kind in (".csv", ".tsv", ".txt"):
        table = _read_csv(file, text)
    else:
        table = _read_json(file, text) if kind == ".json" else _read_lines(file, text)
    if not table.rows:
        raise DataError(f"{file} has no rows: give each picture one, with its caption and its person.")
    return table


def _read_csv(file: Path, text: str) -> Table:
    delimiter = _delimiter(text)
    before = csv.field_size_limit(_LONGEST_CELL)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    start, numbers, rows = 1, [], []
    columns: list[str] = []
    try:
        for cells in lines:
            number, start = start, lines.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = _header(file, cells)
                continue
            if len(cells) != len(columns):
                raise DataError(
                    f"{file}:{number}: {len(cells)} cells where the first line names {len(columns)} columns, divided "
                    f"by {_named(delimiter)}: put texts that contain it in double quotes."
                )
            rows.append(dict(zip(columns, cells, strict=True)))
            numbers.append(number)
    except csv.Error as error:
        raise DataError(
            f"{file}:{start}: {error}: a quote is not closed, or not doubled inside of a text."
        ) from error
    finally:
        csv.field_size_limit(before)
    return Table(file, columns, rows, numbers)


def _delimiter(text: str) -> str:
    """Return what divides the cells of the first line that has any: what is in it most often outside of quotes."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    outside = "".join(first.split('"')[::2])
    return max(_DELIMITERS, key=outside.count)


def _named(delimiter: str) -> str:
    return {",": "commas", ";": "semicolons", "\t": "tabs"}[delimiter]


def _header(file: Path, cells: list[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    twice = [name for name, n in Counter(names).items() if n > 1 and name]
    if twice:
        raise DataError(f"{file}: the column {brief(twice[0])} is there twice: rename or remove one.")
    return names


def _read_lines(file: Path, text: str) -> Table:
    rows, numbers = [], []
    if text.lstrip().startswith("["):
        raise DataError(f"{file} holds a JSON list, not an object a line: name it .json.")
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = read_json_text(line)
        except ValueError as error:
            raise DataError(
                f"{file}:{number}: no JSON ({error}): each line is one object, as "
                '{"image": "a.jpg", "caption": "a man", "person": 7}.'
            ) from error
        if not isinstance(row, dict):
            raise DataError(f"{file}:{number}: should be an object, but is {brief(row)}.")
        rows.append(row)
        numbers.append(number)
    return Table(file, _all_columns(rows), rows, numbers)


def _all_columns(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _read_json(file: Path, text: str) -> Table:
    try:
        value = parse_json(text)
    except ValueError as error:
        raise DataError(
            f"{file} is not valid JSON: {error}. Is it cut off? Get or write it again."
        ) from error
    if isinstance(value, dict) and {"images", "annotations"} <= value.keys():
        return _read_coco(file, value)
    if not isinstance(value, list):
        what = (
            f"an object with {listed([brief(key) for key in value], 6)}"
            if isinstance(value, dict)
            else brief(value)
        )
        raise DataError(
            f"{file} should hold a list of objects, or COCO's images and annotations, but holds {what}."
        )
    for number, row in enumerate(value, start=1):
        if not isinstance(row, dict):
            raise DataError(f"{file}, entry {number}: should be an object, but is {brief(row)}.")
    return Table(file, _all_columns(value), value, list(range(1, len(value) + 1)), by_line=False)


def _read_coco(file: Path, value: dict[str, Any]) -> Table:
    """Return a row for each annotation, with what its image says; the numbers count the annotations from 1."""
    images: dict[Any, Row] = {}
    for image in _objects(file, value, "images"):
        number = image.get("id")
        if not isinstance(number, int | str) or number in images:
            what = "is there twice" if number in images else "is no number and no text"
            raise DataError(
                f"{file}: the id {brief(number)} of an image {what}: give each image one of its own."
            )
        images[number] = {key: one for key, one in image.items() if key not in _COCO_IMAGE}
    rows, told, boxes = [], set(), 0
    for place, annotation in enumerate(_objects(file, value, "annotations"), start=1):
        number = annotation.get("image_id")
        if not isinstance(number, int | str) or number not in images:
            raise DataError(
                f"{file}, entry {place}: no image has the id {brief(number)}, its image_id: correct it."
            )
        told.add(number)
        boxes += "bbox" in annotation
        rows.append(images[number] | {k: v for k, v in annotation.items() if k not in _COCO_ANNOTATION})
    notes = []
    if bare := len(images) - len(told):
        notes.append(f"{bare:,} of {len(images):,} images have no annotation and are left out")
    if boxes:
        notes.append(f"{boxes:,} annotations have a bbox, which is not read: pictures are used whole")
    return Table(file, _all_columns(rows), rows, list(range(1, len(rows) + 1)), by_line=False, notes=notes)


def _objects(file: Path, value: dict[str, Any], name: str) -> Iterator[Row]:
    if not isinstance(value[name], list):
        raise DataError(f"{file}: {name} should be a list of objects, but is {brief(value[name])}.")
    for place, one in enumerate(value[name], start=1):
        if not isinstance(one, dict):
            raise DataError(f"{file}: {name} {place} should be an object, but is {brief(one)}.")
        yield one
