"""The description of a file of one's own holds what it takes to read it again."""

import pytest

from harness.data.own_init import write_description
from harness.errors import DataError, UsageError
from harness.own.described import read_described

TEXT = "photo,says,too,who\n{}"


@pytest.fixture
def given(tmp_path, own_files):
    """Write rows with unusual names of columns; return the options that describe them."""
    rows = "".join(f"p{n}.jpg,a man,one,{n // 2}\n" for n in range(8))
    (tmp_path / "rows.csv").write_text(TEXT.format(rows))
    for n in range(8):
        (tmp_path / f"p{n}.jpg").touch()
    columns = "image=photo,caption=says,caption=too,person=who,split="
    yield {"data": str(tmp_path / "rows.csv"), "columns": columns, "shares": "50/0/50"}
    own_files.forget()


def test_it_is_read_again_as_it_was_written(given, tmp_path):
    said = write_description("mine", **given, out=str(tmp_path / "there"), licence="CC0: do as you like")
    found = read_described(tmp_path / "there" / "dataset.yaml")
    assert (found.name, found.title, found.licence) == ("mine", "mine", "CC0: do as you like")
    assert found.files.file == tmp_path / "rows.csv"
    assert found.files.images == tmp_path
    assert (found.files.columns, found.files.shares) == (given["columns"], "50/0/50")
    head = (tmp_path / "there" / "dataset.yaml").read_text().splitlines()[0]
    assert head.startswith("# A dataset for `harness --include FOLDER`, with the path of this folder, or ")
    assert found.counts == {"train": (2, 4, 8), "test": (2, 4, 8)}
    assert found.val == said["val"] == "holdout"
    assert said["counts"]["test"] == {"identities": 2, "images": 4, "captions": 8}


def test_a_description_that_is_included_is_written_anew_by_force_and_no_other_takes_its_name(
    given, tmp_path, monkeypatch
):
    there = str(tmp_path / "there")
    write_description("mine", **given, out=there)
    monkeypatch.setenv("HARNESS_INCLUDE", there)
    with pytest.raises(UsageError, match=r"dataset\.yaml is there already: --force replaces it"):
        write_description("mine", **given, out=there)
    rewritten(given, lambda n, row: [*row[:3], "9" if n == 7 else row[3]])
    said = write_description("mine", **given, out=there, force=True)
    assert sum(row["identities"] for row in said["counts"].values()) == 5
    for name, out in (("mine", str(tmp_path)), ("icfg", there)):
        with pytest.raises(UsageError, match=f"There is a dataset {name} already"):
            write_description(name, **given, out=out, force=True)


@pytest.mark.parametrize("wrong", [{"title": "a\x1b[31m"}, {"source": "a\nb"}])
def test_what_cannot_be_read_again_is_not_written(given, tmp_path, wrong):
    with pytest.raises(UsageError, match=f"{tmp_path}/dataset.yaml: .* a text in one line"):
        write_description("mine", **given, **wrong)
    assert not (tmp_path / "dataset.yaml").exists()


def rewritten(given, change):
    """Change the rows of the file, each a list of cells."""
    with open(given["data"]) as file:
        head, *rows = file.read().splitlines()
    with open(given["data"], "w") as file:
        file.write(
            "\n".join([head, *(",".join(change(n, row.split(","))) for n, row in enumerate(rows))]) + "\n"
        )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda n, row: [*row[:3], "-1" if n < 2 else row[3]], "2 images with a negative identity"),
        (lambda n, row: [f"no{row[0]}", *row[1:]], r"(?s)8 of 8 pictures are not in .*Give the folder"),
        (
            lambda n, row: [row[0].upper(), *row[1:]],
            "(?s)8 of 8 .*differ from those of the annotation in upper",
        ),
    ],
)
def test_what_no_run_can_be_made_of_is_not_described(given, tmp_path, change, said):
    rewritten(given, change)
    with pytest.raises(DataError, match=said):
        write_description("mine", **given)
    assert not (tmp_path / "dataset.yaml").exists()


def test_a_file_without_a_test_is_not_described_and_a_leak_and_a_missing_picture_are_told(given, tmp_path):
    rewritten(given, lambda n, row: [*row, "split" if n < 0 else "train"])
    text = (tmp_path / "rows.csv").read_text().replace("photo,says,too,who", "photo,says,too,who,split")
    (tmp_path / "rows.csv").write_text(text)
    named = given | {"columns": "image=photo,caption=says,person=who,split=split", "shares": None}
    with pytest.raises(DataError, match="No entry of the annotation belongs to the split test"):
        write_description("mine", **named)
    (tmp_path / "rows.csv").write_text(text.replace("0,train", "0,test", 1))
    (tmp_path / "p5.jpg").unlink()
    first, *_, last = write_description("mine", **named)["faults"]
    assert first.startswith("1 person in more than one split")
    assert last.startswith("1 of 8 pictures are not in")
    assert "rows.csv:7: p5.jpg" in last
