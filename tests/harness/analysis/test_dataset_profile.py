"""What is measured of a dataset: counts, captions, shapes and a few pictures; of twins and broken data, too."""

import numpy as np
import pytest
from PIL import Image

from harness.analysis import dataset_profile
from harness.analysis.dataset_profile import _find_dataset, load_profile, measure
from harness.captions.vocabulary import COLOURS
from harness.data.reading import read_dataset
from harness.errors import UsageError
from harness.files import load_arrays
from harness.listener import Listener
from tests.small_icfg import BAD, ENTRIES, write_icfg


def test_the_fingerprint_is_the_one_that_runs_note(twin, tmp_path, world):
    profile = measure("icfg-twin", tmp_path)
    config = world.quick(twin.parent, "linear_probe", "icfg")
    assert profile.fingerprint == read_dataset(config.dataset, Listener()).fingerprint


def test_shapes_come_from_the_heads_of_images_and_pictures_keep_them(data, tmp_path):
    write_icfg(data, ENTRIES)
    (data / "ICFG-PEDES" / "imgs" / "0001.png").write_bytes(b"no image")
    (data / "ICFG-PEDES" / "imgs" / "0002.png").unlink()
    profile = measure("icfg", tmp_path)
    images = load_arrays(tmp_path / "images.npz")
    assert images["width"].tolist() == [20, 23, 24]
    assert images["height"].tolist() == [60, 60, 60]
    assert (profile.n_measured, profile.n_there) == (5, 3)
    assert any("missing" in fault["what"] for fault in profile.faults)
    pictures = load_arrays(tmp_path / "pictures.npz")["pictures"]
    assert sum(person.n_images for person in profile.persons) == len(pictures) == 3
    drawn_wide = [(picture != 255).any(axis=(0, 2)).sum() for picture in pictures]
    assert sorted(drawn_wide) == [53, 61, 64]
    assert all((picture != 255).any(axis=(1, 2)).all() for picture in pictures)


def test_a_picture_shows_all_of_its_image(tmp_path):
    image = Image.new("RGB", (100, 200), (255, 0, 0))
    image.paste((0, 0, 255), (50, 0, 100, 200))
    image.save(tmp_path / "half.png")
    picture = dataset_profile._small(tmp_path / "half.png")
    assert picture.shape == (dataset_profile.TALL, dataset_profile.WIDE, 3)
    assert (picture == (255, 0, 0)).all(axis=2).sum() == pytest.approx(40 * 160, rel=0.05)
    assert (picture == (0, 0, 255)).all(axis=2).sum() == pytest.approx(40 * 160, rel=0.05)


def test_the_same_persons_are_shown_each_time(twin, tmp_path):
    first, second = (measure("icfg-twin", tmp_path / name) for name in "ab")
    assert first.persons == second.persons
    assert len(first.persons) == dataset_profile.N_PERSONS


def test_many_images_are_sampled(twin, tmp_path, monkeypatch):
    monkeypatch.setattr(dataset_profile, "MOST_MEASURED", 7)
    profile = measure("icfg-twin", tmp_path)
    assert profile.n_measured == profile.n_there == 7 == len(load_arrays(tmp_path / "images.npz")["height"])
    assert profile.n_images > 7


def test_a_twin_in_the_place_of_the_real_data_is_still_called_a_twin(twin, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_DATA", str(twin))
    assert measure("icfg", tmp_path).heading == "ICFG-PEDES · SYNTHETIC TWIN"


def test_captions_and_persons_are_counted_by_hand(data, tmp_path):
    write_icfg(data, ENTRIES)
    profile = measure("icfg", tmp_path / "out")
    captions, images = (load_arrays(tmp_path / "out" / f"{name}.npz") for name in ("captions", "images"))
    assert captions["split"].tolist() == [0, 0, 0, 2, 2]
    assert captions["n_words"].tolist() == [9, 6, 1, 10, 80]
    red = list(COLOURS).index("red")
    assert ((captions["colours"] >> red) & 1).tolist() == [1, 1, 0, 1, 0]
    assert images["n_captions"].tolist() == [1] * 5
    assert (images["person_split"].tolist(), images["person_images"].tolist()) == ([0, 0, 2], [2, 1, 2])
    assert profile.found == {"train": [2, 3, 3], "test": [1, 2, 2]}
    assert (profile.n_images, profile.usable, profile.synthetic) == (5, False, False)


def test_the_profile_is_read_back_as_it_was_measured(data, tmp_path):
    write_icfg(data, [("train", 0, BAD), ("test", 1, "")])
    profile = measure("icfg", tmp_path / "out")
    assert load_profile(tmp_path / "out" / "dataset.json") == profile
    assert sorted(person.caption for person in profile.persons) == ["", BAD]


def test_annotations_that_cannot_be_read_leave_a_profile_without_arrays(data, tmp_path):
    (write_icfg(data, ENTRIES) / "ICFG-PEDES.json").write_text("[{")
    profile = measure("icfg", tmp_path / "out")
    assert (profile.n_images, profile.fingerprint, profile.persons, profile.usable) == (0, "", [], False)
    assert profile.faults
    assert not list((tmp_path / "out").glob("*.npz"))


def test_an_image_that_cannot_be_opened_has_neither_shape_nor_picture(data, tmp_path):
    write_icfg(data, [("train", 0, "x")], images=False)
    profile = measure("icfg", tmp_path / "out")
    assert (profile.n_measured, profile.n_there, profile.persons) == (1, 0, [])
    assert load_arrays(tmp_path / "out" / "images.npz")["height"].shape == (0,)
    shape = load_arrays(tmp_path / "out" / "pictures.npz")["pictures"].shape
    assert shape == (0, dataset_profile.TALL, dataset_profile.WIDE, 3)


def test_a_person_shows_its_first_pictures_alone(data, tmp_path):
    write_icfg(data, [("train", 0, str(n)) for n in range(8)])
    (person,) = measure("icfg", tmp_path / "out").persons
    assert (person.n_images, person.caption) == (dataset_profile._N_PICTURES, "0")


@pytest.mark.parametrize("name", ["icfg-twin", "icfg_twin"])
def test_a_name_with_its_ending_means_the_twin(twin, name):
    dataset, place, synthetic = _find_dataset(name)
    assert (dataset.name, place.path, synthetic) == ("icfg", twin, True)


@pytest.mark.parametrize("name", ["icfg", "icfg-twin", "nobody's"])
def test_what_is_not_there_is_an_error(data, name):
    with pytest.raises(UsageError):
        _find_dataset(name)


def test_tall_and_wide_pictures_are_whole_and_on_white(tmp_path):
    for size in ((10, 400), (400, 10)):
        Image.new("RGB", size, (200, 0, 0)).save(tmp_path / "x.png")
        picture = dataset_profile._small(tmp_path / "x.png")
        assert picture.shape == (dataset_profile.TALL, dataset_profile.WIDE, 3)
        red = (picture[..., 0] > 150) & (picture[..., 1] < 100)
        assert 0 < red.sum() < red.size
        assert np.all(picture[~red] > 90)
    assert dataset_profile._small(tmp_path / "none.png") is None
