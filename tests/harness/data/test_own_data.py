"""A file of one's own as a dataset: its name, its pictures, what is told of it, and what happens when it changes."""

import json
import shutil
from pathlib import Path

import pytest

from harness.config.sections import DatasetConfig
from harness.data.annotations import MissingData, annotation_of, read_annotations
from harness.data.own_data import dataset_of_file, own_settings, remember
from harness.data.reading import read_dataset
from harness.data.verify.own_faults import own_faults, text_faults
from harness.data.verify.verify import verify
from harness.datasets import DATASETS, is_test_only
from harness.errors import DataError, UsageError
from harness.images.decoding import ImageError
from harness.listener import Listener
from harness.paths import Place
from harness.presets.resolve import build_stored, resolve

PLACE = Place(Path("/nowhere"), "a test")


@pytest.fixture
def known(own_files):
    """Forget the datasets of one's own that a test makes known."""
    yield
    own_files.forget()


@pytest.fixture
def rows(twins, tmp_path, known, own_files):
    """Return rows of a dozen pictures in `photos`, three of each person."""
    return own_files.copied_pictures(twins, tmp_path / "photos")


@pytest.fixture
def made(tmp_path, rows, own_files):
    """Write rows and make a dataset of them."""

    def making(chosen=None, name="street.csv", **how):
        file = own_files.write_csv(tmp_path / name, chosen or rows)
        shares = None if "split" in (chosen or rows)[0] else "50/25/25"
        return dataset_of_file(file, **{"images": tmp_path / "photos", "shares": shares} | how)

    return making


class Told(Listener):
    def __init__(self):
        self.notes = []

    def on_note(self, text):
        self.notes.append(text)


def _read(dataset, **how):
    told = Told()
    config = DatasetConfig(name=dataset.name, **how)
    return read_dataset(config, told, needed=["test"]), told.notes


def test_a_twin_written_down_is_read_as_the_twin_is(twins, tmp_path, known, own_files):
    samples, images = own_files.samples_of(twins)
    files = (
        own_files.write_csv(tmp_path / "a.csv", own_files.rows_of(samples)),
        own_files.write_coco(tmp_path / "a.json", samples),
    )
    for file in files:
        dataset = dataset_of_file(file, images)
        assert read_annotations(dataset, Path("/nowhere")) == samples
        assert dataset.default_val == "holdout"
    assert dataset.name == dataset_of_file(files[0], images).name


def test_the_name_follows_from_file_name_and_content(made, rows, tmp_path):
    first = made()
    assert first.name.startswith("street_")
    assert DATASETS.get(first.name) is first
    (tmp_path / "moved").mkdir()
    shutil.copyfile(tmp_path / "street.csv", tmp_path / "moved" / "street.csv")
    assert (
        dataset_of_file(tmp_path / "moved" / "street.csv", tmp_path / "photos", shares="50/25/25").name
        == first.name
    )
    assert made(shares="25/50/25").name != first.name
    assert made([{**rows[0], "caption": "another"}, *rows[1:]]).name != first.name
    assert made(name="Other Street!.csv").name == f"other_{first.name}"


def test_shares_are_refused_where_the_file_names_its_splits(made, rows):
    named = [dict(row, split="train" if number < 9 else "test") for number, row in enumerate(rows)]
    for shares in ("50/25/25", "80/10/10"):
        with pytest.raises(
            UsageError, match=rf"--shares {shares} has nothing to draw: leave --shares out, .* split="
        ):
            made(named, shares=shares)
        assert made(named, shares=shares, columns="split=").own.shares == shares


def test_it_is_told_how_it_was_read_and_what_is_odd(made, rows):
    chosen = [dict(row, split="train" if number < 9 else "test") for number, row in enumerate(rows)]
    chosen[1]["caption"] = " "
    chosen[4]["caption"] = chosen[0]["caption"]
    chosen[11]["person"] = "0"
    dataset = made([*chosen, chosen[2]])
    reading, notes = _read(dataset, val="none")
    assert (
        reading.notes == notes[:1] == ["street.csv: image=image, caption=caption, person=person, split=split"]
    )
    assert reading.faults[:3] == [
        "1 person in more than one split: test data would be trained on "
        "(0 in test (street.csv:13), train (street.csv:2))",
        "1 record is there twice, so that its captions count twice (street.csv:14: 02.jpg)",
        "1 caption without a word (street.csv:3: 01.jpg)",
    ]
    assert reading.faults[3].startswith("1 caption shared by several persons (street.csv:2: 2 persons: '")
    report = verify(dataset, PLACE, images="exist")
    assert not report.usable
    assert report.notes == notes[:1]
    assert [len([f for f in report.faults if word in f.what]) for word in ("split:", "twice", "empty")] == [
        1,
        1,
        1,
    ]


def test_boxes_and_images_without_a_caption_are_told(twins, tmp_path, known, own_files):
    samples, images = own_files.samples_of(twins)
    file = own_files.write_coco(tmp_path / "a.json", samples)
    value = json.loads(file.read_text())
    value["images"].append({"id": "more", "file_name": "more.jpg"})
    value["annotations"][0]["bbox"] = [0, 0, 1, 1]
    file.write_text(json.dumps(value))
    annotation = annotation_of(dataset_of_file(file, images), PLACE)
    assert [fault.what for fault in own_faults(annotation)] == [
        f"a.json: 1 of {len(samples) + 1} images have no annotation and are left out.",
        "a.json: 1 annotations have a bbox, which is not read: pictures are used whole.",
    ]
    assert not list(text_faults(annotation))


def test_a_split_that_is_missing_is_told_before_anything(made, rows):
    with pytest.raises(
        DataError, match=r"No entry .* the split test; there is train\. Name some persons' split test"
    ):
        _read(made([dict(row, split="train") for row in rows]), val="none")
    alone = made([dict(row, split="test") for row in rows])
    assert is_test_only(alone)
    with pytest.raises(UsageError, match="it is a test alone"):
        resolve("zero_shot", alone.name)


def test_pictures_that_are_missing_are_told_with_their_lines_and_where_they_are(made, rows, tmp_path):
    reading, _ = _read(made([{**row, "image": f"photos/{row['image']}"} for row in rows]))
    with pytest.raises(ImageError) as raised:
        reading.check_pictures("fail")
    lines = str(raised.value).split("\n")
    assert lines[1] == "  street.csv:2: photos/00.jpg"
    assert lines[6:] == ["  and 7 more", f"They are in another folder: --images {tmp_path}."]
    reading, _ = _read(made([{**rows[0], "image": "none.jpg"}, *rows[1:]]))
    with pytest.raises(
        ImageError, match=r"(?s)1 of 12 pictures are not in .*; --on-bad-image skip leaves them out"
    ):
        reading.check_pictures("fail")
    reading.check_pictures("skip")


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_link_that_leads_out_is_refused(made, rows, tmp_path, what):
    (tmp_path / "out").mkdir()
    shutil.move(tmp_path / "photos" / "03.jpg", tmp_path / "out" / "03.jpg")
    if what == "file":
        (tmp_path / "photos" / "03.jpg").symlink_to(tmp_path / "out" / "03.jpg")
    else:
        (tmp_path / "photos" / "in").symlink_to(tmp_path / "out")
        rows[3]["image"] = "in/03.jpg"
    dataset = made()
    with pytest.raises(
        DataError, match=r"Links lead 1 picture out of .*photos \(street.csv:5: .*03.jpg\)\. Copy"
    ):
        _read(dataset)[0].check_pictures("skip")
    assert any(
        "Links lead 1 picture" in fault.what for fault in verify(dataset, PLACE, images="exist").faults
    )


def test_links_within_the_folder_and_to_it_are_right(made, tmp_path):
    shutil.move(tmp_path / "photos", tmp_path / "real")
    (tmp_path / "photos").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "03.jpg").rename(tmp_path / "real" / "x.jpg")
    (tmp_path / "real" / "03.jpg").symlink_to("x.jpg")
    _read(made())[0].check_pictures("fail")


def test_a_stored_config_finds_its_data_again_until_they_change(made, rows, tmp_path, own_files):
    stored = resolve("zero_shot", made().name, presets=["tiny"]).model_dump(mode="json")
    before = stored["dataset"]
    own_files.forget()
    dataset = DATASETS.get(build_stored(stored).dataset.name)
    assert own_settings(dataset) == {key: before[key] for key in ("file", "images", "columns", "shares")}
    assert len(annotation_of(dataset, PLACE).samples) == 12
    own_files.write_csv(tmp_path / "street.csv", rows[:-1])
    with pytest.raises(
        DataError, match=r"street.csv was changed since street_\w{8} was made of it: put back"
    ):
        annotation_of(dataset, PLACE)
    (tmp_path / "street.csv").unlink()
    with pytest.raises(MissingData, match=r"is not here: .*street.csv does not exist"):
        annotation_of(dataset, PLACE)
    assert build_stored(stored).dataset.name == dataset.name


def test_what_is_no_data_of_ones_own_is_refused(made, tmp_path):
    with pytest.raises(UsageError, match="from --data, is no file"):
        dataset_of_file(tmp_path / "none.csv")
    with pytest.raises(UsageError, match="from --images, is no folder"):
        made(images=tmp_path / "none")
    name = made().name
    with pytest.raises(UsageError, match="are set by --data"):
        resolve("zero_shot", name, presets=["tiny"], overrides=["dataset.file=/tmp/other.csv"])
    with pytest.raises(UsageError, match="has no synthetic twin"):
        resolve("zero_shot", name, synthetic=True)
    remember({})
    assert name in DATASETS.names()
