"""What is drawn of datasets: the overview's rows and one dataset's facts."""

from pathlib import Path

import pytest

from harness.cli.actions.data_show import show_info, show_overview
from harness.data.overview import describe, overview
from harness.datasets import DATASETS
from harness.paths import Place

BAD = "\x1b[31mred\x07"


def row(**changes):
    known = {"name": "icfg", "title": "ICFG-PEDES", "identities": 4102, "images": 54522, "captions": 54522}
    return known | {"found": None, "twin": None, "has_twin": True} | changes


def test_the_overview_has_a_line_for_each_dataset_in_columns(capsys, tmp_path):
    place = Place(tmp_path, "--data-root")
    rows = overview(place)
    show_overview(place, rows)
    out = capsys.readouterr().out
    header, _, *lines = out.splitlines()[: 2 + len(rows)]
    assert [line.split()[0] for line in lines] == DATASETS.names()
    end = header.index("identities") + len("identities")
    for line, one in zip(lines, rows, strict=True):
        assert line[:end].endswith(f" {one['identities']:,}")
        assert f"{one['captions']:,}" in line.split()
    assert str(tmp_path) in out


@pytest.mark.parametrize(
    ("changes", "end"),
    [
        ({}, ["not", "found", "harness", "data", "make", "icfg"]),
        ({"has_twin": False}, ["not", "found", "none"]),
        ({"found": "/data/ICFG", "twin": "/data/synthetic/I"}, ["ICFG/", "synthetic/I/"]),
        ({"found": "/data", "has_twin": False}, ["the", "data", "root", "itself", "none"]),
    ],
)
def test_where_data_and_twin_are_is_told_from_the_root_on(capsys, changes, end):
    show_overview(Place(Path("/data"), "x"), [row(**changes)])
    assert capsys.readouterr().out.splitlines()[2].split()[5:] == end


def test_a_dataset_that_cannot_be_read_is_a_line_and_hostile_names_are_text(capsys, tmp_path):
    show_overview(Place(tmp_path, BAD), [{"name": BAD, "error": f"broken {BAD}"}, row()])
    out = capsys.readouterr().out
    assert "broken" in out
    assert "54,522" in out
    assert "\x1b" not in out
    assert "\x07" not in out


def test_training_sets_that_meet_a_dataset_are_told_with_their_sources(capsys, tmp_path):
    show_info(describe(DATASETS.get("rstp"), Place(tmp_path, "x")))
    said = " ".join(capsys.readouterr().out.split())
    assert "met in icfg shows persons of rstp: both are cropped from MSMT17" in said
    assert "met in webperson has captions made from those of rstp" in said
    assert "https://arxiv.org/abs/2509.09118" in said


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("name", ["cuhk", "icfg", "rstp", "ufine", "ufine3c"])
def test_a_dataset_s_facts_fit_the_terminal(capsys, monkeypatch, tmp_path, name, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    dataset = DATASETS.get(name)
    info = describe(dataset, Place(tmp_path / "none", "--data-root"))
    show_info(info)
    out = capsys.readouterr().out
    long = [line for line in out.splitlines() if len(line) > columns]
    assert all(len(max(line.split(), key=len)) > columns // 2 for line in long)
    rows = [line.split() for line in out.splitlines()]
    counts = {row[0]: row[1:] for row in rows if len(row) == 4 and row[0] in dataset.expected}
    assert counts == {split: [f"{n:,}" for n in row] for split, row in dataset.expected.items()}
    assert " ".join(dataset.licence.split()) in " ".join(out.split())


def test_a_twin_and_a_wrong_file_that_lies_there_are_named(capsys, tmp_path):
    info = describe(DATASETS.get("icfg"), Place(tmp_path, "x"), synthetic=True)
    show_info(
        info
        | {"wrong_files_found": [BAD], "known_wrong_files": [{"what": "w", "mend": "m"}], "has_twin": False}
    )
    out = capsys.readouterr().out
    assert "synthetic twin" in out.splitlines()[0]
    assert "red" in out
    assert "\x1b" not in out
    assert "    - w." in out.splitlines()


@pytest.mark.parametrize(
    ("images", "lines"),
    [
        ("/data/street/photos", ["├── street.csv", "└── photos/"]),
        ("/data/street", ["├── street.csv", "└── images/"]),
        ("imgs", ["├── street.csv", "└── imgs/"]),
        ("/data/photos", ["└── street.csv", "the images: /data/photos/"]),
    ],
)
def test_a_tree_has_no_path_from_the_root_on_as_a_leaf(images, lines, capsys, tmp_path):
    own = {"folder": "/data/street", "annotation_files": ["street.csv"], "image_folder": images}
    show_info(describe(DATASETS.get("rstp"), Place(tmp_path, "x")) | own)
    shown = [line.strip() for line in capsys.readouterr().out.splitlines()]
    start = shown.index("/data/street/")
    assert shown[start + 1 : start + 3] == lines
