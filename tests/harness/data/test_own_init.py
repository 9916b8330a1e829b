"""The description of a file of one's own holds what it takes to read it again."""

import pytest

from harness.data.own_init import write_description
from harness.errors import UsageError
from harness.own.described import read_described

TEXT = "photo,says,too,who\n{}"


@pytest.fixture
def given(tmp_path, own_files):
    """Write rows with unusual names of columns; return the options that describe them."""
    rows = "".join(f"{n}.jpg,a man,one,{n // 2}\n" for n in range(8))
    (tmp_path / "rows.csv").write_text(TEXT.format(rows))
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
    assert found.counts == {"train": (2, 4, 8), "test": (2, 4, 8)}
    assert found.val == said["val"] == "holdout"
    assert said["counts"]["test"] == {"identities": 2, "images": 4, "captions": 8}


@pytest.mark.parametrize("wrong", [{"title": "a\x1b[31m"}, {"source": "a\nb"}])
def test_what_cannot_be_read_again_is_not_written(given, tmp_path, wrong):
    with pytest.raises(UsageError, match=f"{tmp_path}/dataset.yaml: .* a text in one line"):
        write_description("mine", **given, **wrong)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["rows.csv"]
