"""Faults and oddities of annotation files, each told with file, entry and mend."""

import gzip
import json

import pytest

from harness.config.sections import DatasetConfig
from harness.data.annotations import (
    MissingData,
    annotation_of,
    dataset_fingerprint,
    dataset_folder,
    existing,
    image_files,
    locate,
    read_annotations,
)
from harness.data.reading import read_dataset as read_for_run
from harness.datasets import DATASETS, count
from harness.errors import DataError
from harness.listener import Listener
from harness.paths import Place

CUHK, RSTP = DATASETS.get("cuhk"), DATASETS.get("rstp")
ICFG = DATASETS.get("icfg")


@pytest.fixture
def read(real_format, tmp_path):
    """Read an ICFG tree after a change of its entries."""

    def reader(change):
        entries = real_format.icfg_entries()
        entries = change(entries) or entries
        return read_annotations(ICFG, real_format.write_icfg(tmp_path, entries))

    return reader


def changed(read, key, value, index=1):
    return read(lambda entries: entries[index].update({key: value}))


def test_splits_may_be_upper_case_or_called_valid(read):
    def change(entries):
        entries[0]["split"], entries[1]["split"] = "Train", "VALID"

    assert [sample.split for sample in read(change)[:2]] == ["train", "val"]


def test_back_slashes_become_slashes(read):
    assert changed(read, "file_path", r"train\0000\x.jpg")[1].image == "train/0000/x.jpg"


def test_a_caption_may_be_a_list_of_tokens(read):
    assert changed(read, "captions", [["a", "tall", "man"]])[1].captions == ("a tall man",)


def test_a_caption_may_be_one_string(read):
    def change(entries):
        entries[1]["caption"] = entries[1].pop("captions")[0] + "  "

    assert read(change)[1].captions[0].endswith("camera.  ")


def test_an_empty_caption_is_kept(read):
    assert changed(read, "captions", ["", "x"])[1].captions == ("", "x")


def test_identities_may_have_gaps(read):
    assert changed(read, "id", 90_000)[1].identity == 90_000


def test_rstp_may_use_file_path(real_format, tmp_path):
    entries = real_format.rstp_entries()
    for entry in entries:
        entry["file_path"] = entry.pop("img_path")
    assert (
        count(read_annotations(DATASETS.get("rstp"), real_format.write_rstp(tmp_path, entries)))
        == real_format.COUNTS["rstp"]
    )


FAULTS = {
    "unknown split": ("split", "trian", "the split is str 'trian'; allowed are train, val, test"),
    "split of another type": ("split", 3, "the split is int 3"),
    "identity as text": ("id", "7", "id should be the identity, a whole number, but is str '7'"),
    "identity as truth": ("id", True, "but is bool True"),
    "path of another type": ("file_path", ["a.jpg"], "file_path should be the path of an image"),
    "empty path": ("file_path", " ", "file_path should be the path of an image"),
    "no captions": ("captions", [], "captions should be a list of sentences"),
    "captions of another type": ("captions", {"a": 1}, "an object with the keys a"),
    "caption of another type": ("captions", ["good", 3], "captions should hold sentences, but holds int 3"),
    "half a character": ("captions", ["a \ud800 coat"], "lone surrogate"),
    "translations too few": ("captions_bt", ["a", "b"], "has 1 captions but 2 captions_bt"),
    "parent folder": ("file_path", "../../etc/passwd", "is outside the image folder"),
    "parent folder inside": ("file_path", "train/../../x.jpg", "is outside the image folder"),
    "parent folder by back-slashes": ("file_path", "..\\x.jpg", "is outside the image folder"),
    "absolute path": ("file_path", "/etc/passwd", "is outside the image folder"),
    "path with a drive": ("file_path", "C:\\x.jpg", "is outside the image folder"),
    "path with a nought": ("file_path", "a\0.jpg", "is outside the image folder"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_names_file_entry_and_reason(read, fault):
    key, value, message = FAULTS[fault]
    with pytest.raises(DataError) as caught:
        changed(read, key, value)
    assert message in str(caught.value)
    assert "ICFG-PEDES.json, entry 1 (counted from 0)" in str(caught.value)


@pytest.mark.parametrize("key", ["file_path", "captions", "id", "split"])
def test_a_missing_key_is_named(read, key):
    with pytest.raises(DataError, match=rf"entry 2 .*{key}"):
        read(lambda entries: entries[2].pop(key) and None)


def test_an_entry_that_is_no_object_is_named(read):
    with pytest.raises(DataError, match=r"entry 5 .*should be an object .* but is str 'text'"):
        read(lambda entries: [*entries, "text"])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32-be"])
@pytest.mark.parametrize("lines", [False, True])
def test_any_unicode_and_json_lines_are_read_as_the_plain_file_is(real_format, tmp_path, encoding, lines):
    root = real_format.write_icfg(tmp_path, real_format.icfg_entries())
    plain = read_annotations(ICFG, root)
    file = root / "ICFG-PEDES" / "ICFG-PEDES.json"
    entries = json.loads(file.read_text(encoding="utf-8"))
    text = "".join(json.dumps(entry) + "\n" for entry in entries) if lines else json.dumps(entries)
    file.write_bytes(text.encode(encoding))
    assert read_annotations(ICFG, root) == plain


def test_an_image_cannot_show_two_persons(read):
    with pytest.raises(DataError, match="has two identities, 0 and 9"):
        read(lambda entries: [*entries, {**entries[0], "id": 9}])


def test_no_entries_at_all_are_a_fault(read, real_format, tmp_path):
    with pytest.raises(DataError, match="has no entries"):
        read_annotations(ICFG, real_format.write_icfg(tmp_path, []))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'[{"split": "train"', "not valid JSON"),
        (b"", "It is an empty file"),
        (b"\xff\xfe\x00", "holds no text"),
        (b"version https://git-lfs.github.com/spec/v1\n", "run `git lfs pull`"),
        (b"<!doctype html><title>Sign in</title>", "It is a web page"),
        (gzip.compress(b"[]", mtime=0), "gunzip"),
        ('["caf\xe9"]'.encode("latin-1"), "another encoding than UTF-8"),
        (b"[" * 100_000, "not valid JSON"),
        (
            b'{"annotations": []}',
            "should hold a list with one object per image, but holds an object with the keys annotations",
        ),
        (b"3", "holds int 3"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, content, message):
    (tmp_path / "ICFG-PEDES").mkdir()
    (tmp_path / "ICFG-PEDES" / "ICFG-PEDES.json").write_bytes(content)
    with pytest.raises(DataError, match=r"ICFG-PEDES\.json") as caught:
        read_annotations(ICFG, tmp_path)
    assert message in str(caught.value)


def test_a_byte_order_mark_is_no_fault(real_format, tmp_path):
    (tmp_path / "ICFG-PEDES").mkdir()
    text = json.dumps(real_format.icfg_entries())
    (tmp_path / "ICFG-PEDES" / "ICFG-PEDES.json").write_text(text, encoding="utf-8-sig")
    assert count(read_annotations(ICFG, tmp_path)) == real_format.COUNTS["icfg"]


def test_files_by_split_in_a_shared_root_belong_to_nobody(real_format, tmp_path):
    for split in ("train", "test"):
        real_format.write_json(tmp_path / f"{split}.json", [])
    assert locate(ICFG, tmp_path) is None
    (tmp_path / "imgs").mkdir()
    assert locate(ICFG, tmp_path).annotations["train"] == tmp_path / "train.json"


@pytest.mark.parametrize("told", ["by its name", "by its annotation file", "by a link"])
def test_the_folder_of_one_dataset_is_no_other(real_format, tmp_path, told):
    root = real_format.write_cuhk(tmp_path) / "CUHK-PEDES"
    if told != "by its annotation file":
        (root / "reid_raw.json").unlink()
    for split in ("train", "test"):
        chosen = [entry for entry in real_format.cuhk_entries() if entry["split"] == split]
        real_format.write_json(root / f"{split}_reid.json", chosen)
    if told == "by its annotation file":
        root = root.rename(tmp_path / "data")
    if told == "by a link":
        (tmp_path / "link").symlink_to(root)
        root = tmp_path / "link"
    assert locate(CUHK, root).folder == root
    for other in (ICFG, RSTP):
        assert locate(other, root) is None
        with pytest.raises(
            MissingData, match=f"the folder of CUHK-PEDES: give the one that holds {other.folder}"
        ):
            annotation_of(other, Place(root, "--data-root"))


def test_another_extension_is_found(real_format, tmp_path):
    root = real_format.write_icfg(tmp_path)
    samples = read_annotations(ICFG, root)
    file = image_files(ICFG, root, samples)[0]
    file.rename(file.with_suffix(".PNG"))
    assert image_files(ICFG, root, samples)[0] == file.with_suffix(".PNG")
    file.with_suffix(".PNG").unlink()
    assert image_files(ICFG, root, samples)[0] == file
    assert existing(str(file)) == str(file)


def test_a_picture_that_the_annotation_names_stands_in_for_no_other(real_format, tmp_path):
    entries = real_format.icfg_entries()
    entries[1]["file_path"] = entries[0]["file_path"].replace(".jpg", ".png")
    root = real_format.write_icfg(tmp_path, entries)
    samples = read_annotations(ICFG, root)
    file = root / "ICFG-PEDES" / "imgs" / samples[0].image
    file.unlink()
    assert image_files(ICFG, root, samples)[:2] == [file, file.with_suffix(".png")]
    assert image_files(ICFG, root, samples[:1], among=samples) == [file]
    file.with_suffix(".png").rename(file.with_suffix(".bmp"))
    assert image_files(ICFG, root, samples)[:2] == [file, file.with_suffix(".png")]


def test_of_two_other_extensions_none_is_taken(real_format, tmp_path):
    root = real_format.write_icfg(tmp_path)
    samples = read_annotations(ICFG, root)
    file = image_files(ICFG, root, samples)[0]
    file.with_suffix(".JPG").hardlink_to(file)
    file.rename(file.with_suffix(".bmp"))
    assert image_files(ICFG, root, samples)[0] == file.with_suffix(".JPG")
    file.with_suffix(".png").write_bytes(b"another")
    assert image_files(ICFG, root, samples)[0] == file


def test_the_fingerprint_tells_any_change_of_content_and_order(read):
    samples = read(lambda entries: None)
    original = dataset_fingerprint(samples)
    assert original == dataset_fingerprint(list(samples))
    variants = [
        samples[::-1],
        samples[1:],
        changed(read, "id", 77),
        changed(read, "captions", ["x"]),
        changed(read, "captions_bt", ["x"]),
        changed(read, "split", "val"),
        changed(read, "file_path", "y.jpg"),
    ]
    assert len({original, *(dataset_fingerprint(variant) for variant in variants)}) == len(variants) + 1


@pytest.mark.parametrize("below", ["synthetic", "synthetic/ICFG-PEDES"])
def test_a_twin_given_directly_as_the_data_root_is_still_a_twin(twins, below):
    reading = read_for_run(DatasetConfig(name="icfg", root=str(twins / below), val="none"), Listener())
    assert reading.synthetic
    assert dataset_folder(DATASETS.get("icfg"), twins / below) == twins / "synthetic" / "ICFG-PEDES"
