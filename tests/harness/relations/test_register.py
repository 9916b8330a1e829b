"""The register of training sets that meet test sets: strict, sourced, and read by everything that tells of it."""

import pytest

from harness.datasets import DATASETS
from harness.errors import DataError, UsageError
from harness.relations import KINDS, meetings, related, relations
from harness.relations.register import FILE, read_register

GOOD = """
relations:
  - {trained: [a], tested: [icfg], kind: persons, what: both are cropped, sources: ["https://x.org/1"]}
"""


def written(tmp_path, text):
    (tmp_path / "r.yaml").write_text(text)
    return tmp_path / "r.yaml"


def test_what_ships_is_sourced_and_is_about_datasets_that_are_known():
    shipped = [name for name in DATASETS.names() if DATASETS.get(name).own is None]
    for one in relations():
        assert set(one.tested) <= set(shipped)
        assert not one.what.endswith(".")
        assert one.kind in KINDS
    assert read_register(FILE) == list(relations())


def test_a_set_meets_others_as_the_register_says_and_never_itself():
    assert [(name, one.kind) for name, one in meetings(["icfg", "rstp", "cuhk"], "icfg")] == [
        ("rstp", "persons")
    ]
    assert [one.kind for _, one in meetings(["SYNTH-PEDES"], "cuhk")] == ["captions"]
    assert [one.kind for _, one in meetings(["msmt17"], "rstp")] == ["pictures"]
    assert not meetings(["synth_pedes", "<script>", ""], "ufine")
    assert [name for name, _ in related("rstp")] == ["icfg", "msmt17", "webperson"]
    (_, one), *_ = meetings(["icfg"], "rstp")
    assert one.words("icfg", "rstp").startswith("icfg shows persons of rstp: both are cropped from MSMT17")
    assert one.words("icfg", "rstp").endswith("(https://arxiv.org/abs/2107.12666)")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("kind: persons", "kind: faces", r"relations\.0\.kind: Input should be 'persons'"),
        ("[a]", "[]", r"relations\.0\.trained: expected some"),
        ("[a]", "[A-b]", r"relations\.0\.trained: expected names in lower case, found 'A-b'"),
        ("[icfg]", "[icfg, icfg]", r"relations\.0\.tested: expected some, each once"),
        (
            "https://x.org/1",
            "a paper",
            r"relations\.0\.sources: expected https:// addresses, found 'a paper'",
        ),
        ("what:", "why:", r"relations\.0\.what: Field required"),
        ('["https://x.org/1"]', "7", r"relations\.0\.sources"),
    ],
)
def test_a_wrong_entry_is_named_in_one_line(tmp_path, old, new, said):
    assert len(read_register(written(tmp_path, GOOD))) == 1
    with pytest.raises(DataError, match=said) as raised:
        read_register(written(tmp_path, GOOD.replace(old, new)))
    assert "\n" not in str(raised.value)


def test_no_register_is_said(tmp_path):
    with pytest.raises(UsageError, match="must hold relations"):
        read_register(written(tmp_path, "[]"))
