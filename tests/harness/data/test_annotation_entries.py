"""Entries of an annotation file on their own: public spellings, splits, folders in front, and entries of one image."""

import json

import pytest

from harness.data.annotation_entries import merge, parse_entries
from harness.datasets import Sample
from harness.errors import DataError

ENTRY = {"split": "train", "captions": ["a man"], "file_path": "a/b.jpg", "id": 3}


@pytest.fixture
def parse(tmp_path):
    """Return what writes entries to a file and parses it."""

    def call(*entries, split=None, strip=(), bom=False):
        text = json.dumps(entries)
        file = tmp_path / "entries.json"
        file.write_bytes((b"\xef\xbb\xbf" if bom else b"") + text.encode())
        return parse_entries(file, split, strip)

    return call


def renamed(old, new):
    return {new if key == old else key: value for key, value in ENTRY.items()}


@pytest.mark.parametrize(
    ("split", "own"), [("test", "train"), ("test", "VALID"), ("train", "test"), ("train", "val")]
)
def test_an_entry_of_another_split_than_its_file_is_refused(parse, split, own):
    says = {"VALID": "val"}.get(own, own)
    place = rf"entries\.json, entry 1 \(counted from 0\): the split is {says}, but .* of the split {split}"
    with pytest.raises(DataError, match=place):
        parse(ENTRY | {"split": split}, ENTRY | {"split": own}, split=split)


@pytest.mark.parametrize(
    ("split", "own"),
    [
        ("test", "TEST"),
        ("train", "gallery"),
        ("train", None),
        ("val", "valid"),
        ("val", "train"),
        ("val", "test"),
    ],
)
def test_what_an_entry_says_of_its_split_may_agree_mean_nothing_or_tell_where_validation_is_from(
    parse, split, own
):
    (sample,) = parse(ENTRY | {"split": own}, split=split)
    assert sample.split == split


def test_no_entry_is_no_sample(parse):
    assert parse() == []


@pytest.mark.parametrize(
    "entry",
    [
        ENTRY,
        renamed("file_path", "img_path"),
        renamed("file_path", "image"),
        renamed("captions", "caption"),
        renamed("id", "image_id"),
        ENTRY | {"caption": "another", "image_id": 3, "img_path": "z.jpg", "processed_tokens": 1},
        ENTRY | {"file_path": "./a/b.jpg", "captions": "a man", "split": "TRAIN"},
        ENTRY | {"file_path": r"a\\b.jpg"},
        ENTRY | {"file_path": r".\a\b.jpg"},
    ],
)
def test_every_public_spelling_is_the_same_sample(parse, entry):
    assert merge(parse(entry, bom=True)) == [Sample("a/b.jpg", 3, ("a man",), "train")]


def test_texts_and_order_are_kept_as_they_are(parse):
    captions = ["  two  spaces ", "", ["a", "list"], "ünï\n"]
    samples = parse(ENTRY | {"captions": captions, "captions_bt": ["1", "2", "3", "4"]}, ENTRY | {"id": -1})
    assert samples[0].captions == ("  two  spaces ", "", "a list", "ünï\n")
    assert samples[0].captions_bt == ("1", "2", "3", "4")
    assert (samples[1].identity, samples[1].captions_bt) == (-1, ())


@pytest.mark.parametrize(
    ("person", "other"),
    [("image_id", "pid"), ("id", "person_id"), ("pid", "id"), ("image_id", "identity"), ("id", "Pid")],
)
def test_two_keys_that_could_be_the_person_are_named(parse, person, other):
    bare = {key: value for key, value in ENTRY.items() if key != "id"}
    same = [bare | {person: n // 2, other: n // 2} for n in range(4)]
    if "id" in (person, other) or person == "image_id":
        assert [sample.identity for sample in parse(*same)] == [0, 0, 1, 1]
    with pytest.raises(DataError, match=rf"entries\.json: .*\b{person}\b.*") as caught:
        parse(*(entry | {person: n} for n, entry in enumerate(same)))
    assert other in str(caught.value)


def test_an_image_id_that_numbers_the_pictures_beside_the_id_is_no_person(parse):
    entries = [ENTRY | {"id": n // 2, "image_id": n} for n in range(4)]
    assert [sample.identity for sample in parse(*entries)] == [0, 0, 1, 1]
    with pytest.raises(DataError, match="id and image_id could both"):
        parse(*({**entry, "id": entry["image_id"], "image_id": entry["id"]} for entry in entries))


@pytest.mark.parametrize("identity", [2**63, -(2**63) - 1, 10**30])
def test_an_identity_beyond_64_bit_is_refused(parse, identity):
    with pytest.raises(DataError, match=r"entry 1 .*beyond 64 bit"):
        parse(ENTRY, ENTRY | {"id": identity})


def test_sentences_in_an_inner_list_are_no_words(parse):
    assert parse(ENTRY | {"captions": [["A man in red."], ["a", "man"]]})[0].captions == (
        "A man in red.",
        "a man",
    )
    with pytest.raises(DataError, match=r"entry 0 .*captions holds a list of sentences in its list"):
        parse(ENTRY | {"captions": [["A man in red.", "He walks."]]})


def test_the_split_of_a_whole_file_is_that_of_entries_that_name_none(parse):
    bare = {key: value for key, value in ENTRY.items() if key != "split"}
    assert [sample.split for sample in parse(ENTRY | {"split": "test"}, bare, split="test")] == [
        "test",
        "test",
    ]
    assert parse(ENTRY | {"split": "Valid"})[0].split == "val"
    with pytest.raises(DataError, match=r"entry 1 .*split"):
        parse(ENTRY, bare)


@pytest.mark.parametrize(
    ("path", "read"),
    [
        ("imgs/CUHK/a.jpg", "a.jpg"),
        ("CUHK/a.jpg", "a.jpg"),
        ("CUHK/imgs/a.jpg", "imgs/a.jpg"),
        ("imgs2/a.jpg", "imgs2/a.jpg"),
        ("a..b/..c.jpg", "a..b/..c.jpg"),
    ],
)
def test_leading_folders_are_taken_off_outermost_first(parse, path, read):
    assert parse(ENTRY | {"file_path": path}, strip=("imgs", "CUHK"))[0].image == read


@pytest.mark.parametrize("path", ["imgs//etc/passwd", "imgs/../x.jpg", "imgs/C:/x.jpg"])
def test_a_path_may_not_lead_out_once_its_folders_are_off(parse, path):
    with pytest.raises(DataError, match="entry 0 "):
        parse(ENTRY | {"file_path": path}, strip=("imgs",))


def sample(image="a.jpg", identity=1, captions=("x",), split="train", bt=()):
    return Sample(image, identity, captions, split, bt)


def test_entries_of_one_image_become_one_sample_where_the_first_was():
    merged = merge([sample(), sample("b.jpg"), sample(captions=("y", "x")), sample(split="test", identity=2)])
    assert merged == [
        sample(captions=("x", "y", "x")),
        sample("b.jpg"),
        sample(split="test", identity=2),
    ]
    assert merge([]) == []
    assert merge([sample(bt=("t",)), sample(bt=("u",))]) == [sample(captions=("x", "x"), bt=("t", "u"))]


def test_one_picture_under_two_spellings_is_one_sample():
    assert merge([sample("a/b.jpg"), sample("a//b.jpg", captions=("y",)), sample("a/./c.jpg")]) == [
        sample("a/b.jpg", captions=("x", "y")),
        sample("a/c.jpg"),
    ]


@pytest.mark.parametrize("other", [sample(identity=2), sample(bt=("t",))])
def test_entries_of_one_image_that_disagree_name_it(other):
    with pytest.raises(DataError, match=r"'a\.jpg' \(train\)"):
        merge([sample(), other])
