"""The pictures of a test split: the right ones in their own shape, or a plain word why there are none."""

import numpy as np
import pytest
from PIL import Image

from harness.analysis.pictures import THUMBNAIL, Pictures
from harness.config.sections import DatasetConfig
from harness.data.annotations import annotation_fingerprint, image_files, read_annotations
from harness.data.reading import read_dataset
from harness.datasets import DATASETS
from harness.listener import Listener


def read(root):
    """Return the twin as a run reads it."""
    config = DatasetConfig(name="icfg", root=str(root), synthetic=True, val="holdout")
    return read_dataset(config, Listener())


@pytest.fixture(scope="module")
def noted(twins):
    """What a run notes of the twin it was tested on, and the test split's samples."""
    reading = read(twins)
    return reading.fingerprint, [sample for sample in reading.samples if sample.split == "test"]


def results(test):
    """The identities of images and captions, as per-query results hold them."""
    return {
        "i2t/identity": np.array([sample.identity for sample in test]),
        "t2i/identity": np.array([sample.identity for sample in test for _ in sample.captions]),
    }


def files_of(root):
    dataset = DATASETS.get("icfg")
    samples = [sample for sample in read_annotations(dataset, root / "synthetic") if sample.split == "test"]
    return image_files(dataset, root / "synthetic", samples)


def test_images_and_captions_are_those_of_the_test_split_in_their_own_shape(twins, noted):
    fingerprint, test = noted
    pictures = Pictures("icfg", fingerprint, synthetic=True, root=twins, queries=results(test))
    assert pictures.missing is None
    captions = [caption for sample in test for caption in sample.captions]
    assert [pictures.caption(place) for place in range(len(captions))] == captions
    for place, file in enumerate(files_of(twins)):
        pixels = pictures.thumbnail(place)
        with Image.open(file) as image:
            scale = min(THUMBNAIL[0] / image.height, THUMBNAIL[1] / image.width, 1)
            assert pixels.shape == (round(image.height * scale), round(image.width * scale), 3)
            assert (
                np.abs(pixels.mean(axis=(0, 1)) - np.asarray(image.convert("RGB")).mean(axis=(0, 1))).max()
                < 4
            )


def test_the_fingerprint_is_the_one_that_runs_note_and_its_beginning_does(twins, noted):
    dataset, root = DATASETS.get("icfg"), twins / "synthetic"
    assert annotation_fingerprint(dataset, root, read_annotations(dataset, root)) == noted[0]
    assert Pictures("icfg", noted[0][:12], synthetic=True, root=twins).missing is None


@pytest.mark.parametrize("fingerprint", ["0" * 64, "", "ab"])
def test_other_annotations_show_nothing_and_say_so(twins, fingerprint):
    pictures = Pictures("icfg", fingerprint, synthetic=True, root=twins)
    assert "is not the one tested on" in pictures.missing
    assert "`harness data info icfg --synthetic`" in pictures.missing
    assert pictures.thumbnail(0) is None
    assert pictures.caption(7) == "caption 7 (not on this machine)"


def test_data_that_are_not_here_are_named_with_the_command_and_no_twin_is_made(tmp_path):
    for synthetic in (False, True):
        pictures = Pictures("icfg", "a" * 12, synthetic=synthetic, root=tmp_path)
        assert "not on this machine" in pictures.missing
        assert ("--synthetic" in pictures.missing) == synthetic
        assert pictures.thumbnail(3) is None
    assert not list(tmp_path.iterdir())


def test_a_dataset_that_is_not_known_here_or_has_a_hostile_name_is_only_missing(tmp_path):
    pictures = Pictures("other'; rm -rf ~", "a" * 12, root=tmp_path)
    assert "not on this machine" in pictures.missing
    assert """'other'"'"'; rm -rf ~'""" in pictures.missing


def test_a_broken_annotation_is_named_and_nothing_is_shown(world, tmp_path):
    root = world.make_twins(tmp_path)
    (root / "synthetic" / "ICFG-PEDES" / "ICFG-PEDES.json").write_text('[{"broken":')
    pictures = Pictures("icfg", "a" * 12, synthetic=True, root=root)
    assert "cannot be read" in pictures.missing
    assert "ICFG-PEDES.json" in pictures.missing
    assert pictures.thumbnail(0) is None


def test_a_damaged_and_a_lost_image_are_none_and_the_others_are_there(world, tmp_path):
    root = world.make_twins(tmp_path)
    reading = read(root)
    files = files_of(root)
    files[0].write_bytes(b"\xff\xd8 no image")
    files[1].unlink()
    files[2].write_bytes(b"")
    pictures = Pictures("icfg", reading.fingerprint, synthetic=True, root=root)
    assert [pictures.thumbnail(place) is None for place in range(5)] == [True, True, True, False, False]
    assert pictures.thumbnail(-1) is None
    assert pictures.thumbnail(10**6) is None


def test_large_images_become_thumbnails(world, tmp_path):
    root = world.make_twins(tmp_path)
    reading = read(root)
    Image.new("RGB", (1000, 3000)).save(files_of(root)[0])
    Image.new("L", (3000, 10)).save(files_of(root)[1])
    pictures = Pictures("icfg", reading.fingerprint, synthetic=True, root=root)
    assert pictures.thumbnail(0).shape == (240, 80, 3)
    assert pictures.thumbnail(1).shape == (1, 160, 3)


def test_a_test_that_left_images_out_shows_none_rather_than_wrong_ones(twins, noted):
    fingerprint, test = noted
    pictures = Pictures("icfg", fingerprint, synthetic=True, root=twins, queries=results(test[1:]))
    assert "skipped unreadable images" in pictures.missing
    assert pictures.thumbnail(0) is None
