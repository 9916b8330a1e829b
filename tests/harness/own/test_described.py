"""Datasets that a `dataset.yaml` describes."""

from pathlib import Path

import pytest

from harness.datasets import DATASETS, Counts, is_test_only
from harness.errors import UsageError
from harness.own.described import read_described
from harness.own.own_files import OwnFiles

COUNTS = "{identities: 2, images: 3, captions: 4}"
TEXT = f"name: street\nfile: rows.csv\nimages: photos\ncolumns: {{person: who, split: }}\ncounts:\n  test: {COUNTS}\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "dataset.yaml").write_text(TEXT)
    monkeypatch.setenv("HARNESS_INCLUDE", str(tmp_path))
    return tmp_path


def test_a_described_dataset_is_found_by_its_name(folder):
    assert "street" in DATASETS.names()
    dataset = DATASETS.get("street")
    assert dataset.own == OwnFiles(folder / "rows.csv", folder / "photos", "person=who,split=")
    assert dataset.expected == {"test": Counts(2, 3, 4)}
    assert is_test_only(dataset)
    assert (dataset.title, dataset.licence, dataset.default_val) == ("street", "not named", "none")


def test_one_folder_may_hold_several(folder):
    (folder / "dataset.yaml").rename(folder / "other.yaml")
    for name in ("one", "two"):
        (folder / "datasets" / name).mkdir(parents=True)
        (folder / "datasets" / name / "dataset.yaml").write_text(TEXT.replace("street", name))
    assert {"one", "two"} <= set(DATASETS.names())
    assert DATASETS.get("two").own.file == folder / "datasets" / "two" / "rows.csv"


@pytest.mark.parametrize("other", ["icfg", "street"])
def test_a_name_that_is_taken_is_refused(folder, other):
    (folder / "datasets" / "one").mkdir(parents=True)
    (folder / "datasets" / "one" / "dataset.yaml").write_text(TEXT.replace("street", other))
    with pytest.raises(UsageError, match=f"has the name {other}, as .*give it another `name`"):
        DATASETS.names()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("street", "Street-1", "name is 'Street-1'"),
        ("street", "my_twin", "no _twin"),
        ("name: street\n", "", "name is missing"),
        ("file: rows.csv\n", "", "file is missing"),
        ("images:", "image:", "'image' is none of its keys.*Did you mean 'images'"),
        ("columns: {person: who, split: }", "columns: {persn: who}", "knows image.*not 'persn'"),
        ("columns: {person: who, split: }", "columns: who", "columns is 'who'"),
        ("columns: {person: who, split: }", "shares: 1/2/3", "percents that make 100"),
        ("columns: {person: who, split: }", "seed: -1", "seed is -1"),
        ("columns: {person: who, split: }", "val: some", "val is 'some'"),
        ("columns: {person: who, split: }", 'title: "a\\tb"', "title is .*a text in one line"),
        ("captions: 4", "captions: 0", "captions is 0"),
        (", captions: 4", "", "counts of test are"),
        ("test:", "tset:", "counts is "),
        ("counts:", "counts: [", "is not valid YAML"),
    ],
)
def test_a_faulty_description_is_one_line(tmp_path, old, new, said):
    file = tmp_path / "dataset.yaml"
    file.write_text(TEXT.replace(old, new))
    with pytest.raises(UsageError, match=said) as raised:
        read_described(file)
    assert str(file) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_path_may_be_anywhere(tmp_path):
    file = tmp_path / "dataset.yaml"
    file.write_text("name: a\nfile: ../rows.jsonl\nimages: /photos\n")
    own = read_described(file).files
    assert (own.file, own.images) == (tmp_path.parent / "rows.jsonl", Path("/photos"))
