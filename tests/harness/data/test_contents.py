"""What pictures hold: a hash for each split of a run, and what is said where pictures are missing."""

import pytest
import torch
from PIL import Image

from harness.config.sections import DatasetConfig
from harness.data.annotations import Location
from harness.data.contents import Content, check_there, pictures_hash
from harness.data.loading import open_material, open_test
from harness.data.reading import read_dataset
from harness.datasets import Sample
from harness.images.decoding import ImageError
from harness.images.file_hashes import MISSING
from harness.listener import Listener
from harness.presets.resolve import resolve
from tests.world import make_twins

SAMPLES = [Sample(f"{n}.jpg", n, ("a man",), "test" if n > 1 else "train") for n in range(4)]


def contents(tmp_path, **others):
    hashes = {f"{n}.jpg": f"hash {n}" for n in range(4)} | {
        f"{name[1:]}.jpg": value for name, value in others.items()
    }
    return {name: Content(tmp_path / name, value) for name, value in hashes.items()}


def test_the_hash_depends_on_names_and_contents_and_not_on_their_order(tmp_path):
    known = pictures_hash(SAMPLES, contents(tmp_path))
    assert pictures_hash(SAMPLES[::-1], contents(tmp_path)) == known
    assert pictures_hash(SAMPLES, contents(tmp_path / "elsewhere")) == known
    swapped = contents(tmp_path, _0="hash 1", _1="hash 0")
    gone = contents(tmp_path, _3=MISSING)
    assert len({known, *(pictures_hash(SAMPLES, other) for other in (swapped, gone))}) == 3
    assert pictures_hash(SAMPLES[:2], contents(tmp_path)) != known


def test_missing_pictures_are_an_error_unless_they_may_be_left_out(tmp_path):
    place = Location(tmp_path, {}, tmp_path)
    one, split = contents(tmp_path, _3=MISSING), contents(tmp_path, _2=MISSING, _3=MISSING)
    check_there(SAMPLES, contents(tmp_path), "fail", place)
    check_there(SAMPLES, one, "skip", place)
    with pytest.raises(
        ImageError, match=r"1 of 4 images cannot be read(?s:.*)3\.jpg(?s:.*)--on-bad-image skip"
    ):
        check_there(SAMPLES, one, "fail", place)
    with pytest.raises(ImageError, match=r"2 of 4 images"):
        check_there(SAMPLES, split, "skip", place)


@pytest.fixture
def own(tmp_path):
    """Return a data root whose pictures may be changed, and a config that reads it."""
    root = make_twins(tmp_path / "data", ("cuhk",))
    return DatasetConfig(name="cuhk", root=str(root), synthetic=True, val="own")


def tokens(captions):
    return torch.zeros(len(captions), 4)


def read(config):
    return read_dataset(config, Listener())


def file_of(reading, split):
    return next(reading.contents[sample.image].file for sample in reading.samples if sample.split == split)


def repaint(file):
    Image.new("RGB", (40, 100), "red").save(file)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_other_pictures_change_the_hash_of_their_split_alone(own, split):
    before = read(own)
    assert before.pictures.keys() == {"train", "val", "test"}
    repaint(file_of(before, split))
    after = read(own).pictures
    assert [name for name in after if after[name] != before.pictures[name]] == [split]


def test_a_split_that_a_run_does_not_use_is_no_part_of_it(own):
    assert read(own.model_copy(update={"val": "none"})).pictures.keys() == {"train", "test"}


def test_only_the_test_split_is_opened_for_a_test(own):
    reading = read(own)
    file_of(reading, "train").unlink()
    file_of(reading, "val").unlink()
    reading = read(own)
    backbone = resolve("zero_shot", "icfg", overrides=["backbone.image_size=[24,8]"]).backbone
    split, opened = open_test(reading, own, backbone, tokens, Listener())
    assert len(split.images) == sum(s.split == "test" for s in reading.samples)
    assert opened.left_out == {"train": 0, "val": 0, "test": 0}
    with pytest.raises(ImageError, match="2 of"):
        open_material(reading, own, backbone, tokens, Listener())
