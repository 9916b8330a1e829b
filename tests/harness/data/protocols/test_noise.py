"""Noisy correspondence: how many captions are moved where, and index files of others."""

import numpy as np
import pytest

from harness.config.sections import DatasetConfig
from harness.data.protocols.noise import (
    draw_indices,
    indices_hash,
    read_indices,
    with_index,
    with_noise,
)
from harness.datasets import Sample, pairs
from harness.errors import DataError, UsageError


def samples_of(n=40, *, translated=False):
    """Return training images with one to three captions each, of two to a person, and some of the other splits."""
    found = []
    for place in range(n):
        captions = tuple(f"{place}.{number}" for number in range(1 + place % 3))
        back = tuple(f"bt {text}" for text in captions) if translated and place % 2 else ()
        found.append(Sample(f"{n - place:03}.jpg", place // 2, captions, "train", back))
    others = [Sample(f"{split}.jpg", 1000, ("a", "b"), split) for split in ("val", "test")]
    return [*found[:10], *others, *found[10:]]


def train_of(samples):
    return pairs(samples, ["train"])


@pytest.mark.parametrize("rate", [0.2, 0.29, 0.5, 0.8, 1.0])
def test_exactly_the_share_told_is_moved_and_each_caption_is_there_once(rate):
    samples = samples_of()
    indices = draw_indices([one for one in samples if one.split == "train"], rate, seed=3)
    n = len(train_of(samples).captions)
    assert sorted(indices.tolist()) == list(range(n))
    moved = sum(1 for place, index in enumerate(indices.tolist()) if place != index)
    assert moved == int(rate * n + 1e-9)


def test_the_naive_loop_over_pairs_gives_the_same_captions_and_persons():
    samples = samples_of(translated=True)
    changed, noise = with_noise(samples, DatasetConfig(noise=0.5, noise_seed=2), ("train",))
    before, after = train_of(samples), train_of(changed)
    expected = []
    for pair in range(len(before.captions)):
        expected.append(before.captions[noise.indices[pair]])
    assert after.captions == expected != before.captions
    assert after.captions_bt == [before.captions_bt[index] for index in noise.indices.tolist()]
    assert (after.images, after.identities, after.owners) == (before.images, before.identities, before.owners)
    moved = same = 0
    for pair, index in enumerate(noise.indices.tolist()):
        if pair != index:
            moved += 1
            same += before.identities[before.owners[pair]] == before.identities[before.owners[index]]
    assert (noise.moved, noise.same_person) == (moved, same)
    assert f"{moved} of {len(before.captions)} training captions" in noise.note()


def test_validation_and_test_stay_as_they_are():
    samples = samples_of()
    changed, _ = with_noise(samples, DatasetConfig(noise=1.0), ("train",))
    assert [one for one in changed if one.split != "train"] == [
        one for one in samples if one.split != "train"
    ]
    assert [one.image for one in changed] == [one.image for one in samples]
    assert with_noise(samples, DatasetConfig(), ("train",)) == (samples, None)


def test_the_choice_depends_on_pairs_share_and_seed_and_not_on_the_order_of_the_file():
    trained = [one for one in samples_of() if one.split == "train"]
    few, more, other = (
        with_noise(trained, DatasetConfig(noise=rate, noise_seed=seed), ("train",))[0]
        for rate, seed in ((0.2, 0), (0.5, 0), (0.2, 1))
    )
    turned, _ = with_noise(trained[::-1], DatasetConfig(noise=0.2), ("train",))
    assert turned[::-1] == few != other

    def moved(samples):
        return {
            (old.image, place)
            for old, new in zip(trained, samples, strict=True)
            for place, pair in enumerate(zip(old.captions, new.captions, strict=True))
            if pair[0] != pair[1]
        }

    assert moved(few) < moved(more)
    assert moved(few) != moved(other)


def test_a_share_of_fewer_than_two_captions_is_refused():
    with pytest.raises(UsageError, match=r"dataset.noise=0.01 is 0 captions of 79, .* fewer than 2"):
        with_noise(samples_of(), DatasetConfig(noise=0.01), ("train",))


def saved(folder, values, name="index.npy"):
    np.save(folder / name, values)
    return folder / name


def test_an_index_file_says_which_caption_each_pair_has(tmp_path):
    samples = samples_of()
    captions = train_of(samples).captions
    order = np.random.default_rng(0).permutation(len(captions))
    file = saved(tmp_path, order.astype(np.int32))
    changed, noise = with_noise(samples, DatasetConfig(noise_file=str(file)), ("train",))
    assert train_of(changed).captions == [captions[index] for index in order]
    noise.write(tmp_path / "again.npy")
    assert np.array_equal(np.load(tmp_path / "again.npy", allow_pickle=False), order)
    wide = saved(tmp_path, order.astype(np.int64), "wide.npy")
    assert indices_hash(read_indices(wide)) == indices_hash(read_indices(file))


def test_the_content_and_not_the_place_of_an_index_file_is_what_a_config_has(tmp_path):
    samples = samples_of()
    n = len(train_of(samples).captions)
    first, copy = saved(tmp_path, np.arange(n)[::-1]), saved(tmp_path, np.arange(n)[::-1], "copy.npy")
    config = with_index(DatasetConfig(noise_file=str(first)))
    assert config.noise_index == with_index(DatasetConfig(noise_file=str(copy))).noise_index
    assert with_index(DatasetConfig()).noise_index is None
    saved(tmp_path, np.arange(n))
    with pytest.raises(DataError, match="other indices than when the run was set up"):
        with_noise(samples, config, ("train",))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([0.0, 1.0]), "float64 of the shape 2: expected whole numbers in one row"),
        (np.zeros((2, 2), dtype=int), "int64 of the shape 2 x 2"),
        (np.array([0, 2, 2]), "no permutation: expected each number from 0 to 2 once, but got 2 different"),
        (np.array([1, 2, 3]), "from 1 to 3"),
        (np.array([], dtype=int), "is empty"),
        (np.array([{"a": 1}], dtype=object), "no .npy of numbers"),
    ],
)
def test_what_is_no_permutation_is_refused_in_one_line(tmp_path, values, message):
    file = saved(tmp_path, values)
    with pytest.raises(DataError, match=message) as caught:
        read_indices(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs", b"\x93NUMPY\x01\x00\x10\x00{"])
def test_a_file_that_is_none_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "index.npy").write_bytes(content)
    with pytest.raises(DataError, match=r"is no \.npy of numbers") as caught:
        read_indices(tmp_path / "index.npy")
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="is no file"):
        read_indices(tmp_path / "missing.npy")


def test_a_cut_file_and_one_of_other_captions_are_refused(tmp_path):
    file = saved(tmp_path, np.arange(79))
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"is no \.npy of numbers"):
        read_indices(file)
    saved(tmp_path, np.arange(78))
    with pytest.raises(DataError, match="has 78 indices, but training sees 79 captions"):
        with_noise(samples_of(), DatasetConfig(noise_file=str(file)), ("train",))
