"""The contract of datasets: how samples become pairs and counts, and what every shipped dataset says of itself."""

import pytest

from harness.datasets import (
    DATASETS,
    SPLITS,
    Counts,
    Look,
    Pairs,
    PersonDataset,
    Sample,
    count,
    is_test_only,
    pairs,
)
from harness.errors import UsageError

SAMPLES = [
    Sample("a.jpg", 7, ("one", "two"), "train"),
    Sample("b.jpg", 7, ("three",), "test"),
    Sample("c.jpg", 900, (), "train"),
    Sample("d.jpg", 2, ("four",), "train", ("vier",)),
    Sample("e.jpg", 7, ("five",), "val"),
    Sample("f.jpg", 7, ("six",), "train"),
]


def naive_pairs(samples, splits):
    """Lay out one caption at a time."""
    images, identities, captions, owners, translated = [], [], [], [], []
    for sample in samples:
        if sample.split not in splits:
            continue
        for place, caption in enumerate(sample.captions):
            captions.append(caption)
            owners.append(len(images))
            translated.append(sample.captions_bt[place] if sample.captions_bt else "")
        images.append(sample.image)
        identities.append(sample.identity)
    return Pairs(images, identities, captions, owners, translated if any(translated) else [])


@pytest.mark.parametrize("splits", [("train",), ("val", "train"), ("test",), SPLITS, ()])
def test_pairs_are_those_of_a_naive_loop(splits):
    assert pairs(SAMPLES, splits) == naive_pairs(SAMPLES, splits)


def test_pairs_of_a_few_by_hand():
    found = pairs(SAMPLES, ["train"])
    assert found.images == ["a.jpg", "c.jpg", "d.jpg", "f.jpg"]
    assert found.identities == [7, 900, 2, 7]
    assert (found.captions, found.owners) == (["one", "two", "four", "six"], [0, 0, 2, 3])
    assert found.captions_bt == ["", "", "vier", ""]
    assert pairs(SAMPLES, ["test"]).captions_bt == []


def test_counts_leave_out_splits_without_a_sample():
    assert count(SAMPLES) == {"train": Counts(3, 4, 4), "val": Counts(1, 1, 1), "test": Counts(1, 1, 1)}
    assert list(count(SAMPLES[1:])) == ["train", "val", "test"]
    assert count(SAMPLES[1:2]) == {"test": Counts(1, 1, 1)}
    assert count([]) == {}


def test_a_sample_cannot_be_changed():
    with pytest.raises(AttributeError):
        SAMPLES[0].split = "test"
    assert SAMPLES[0].captions_bt == ()


@pytest.mark.parametrize("name", DATASETS.names())
def test_every_dataset_says_what_the_contract_asks_for(name):
    dataset = DATASETS.get(name)
    assert issubclass(dataset, PersonDataset)
    assert dataset.name == name
    assert all((dataset.title, dataset.folder, dataset.licence, dataset.access, dataset.annotation_files))
    if dataset.expected:
        assert {"test"} <= set(dataset.expected) <= set(SPLITS)
        assert is_test_only(dataset) == ("train" not in dataset.expected)
        assert (dataset.default_val == "own") == ("val" in dataset.expected)
    for counts in dataset.expected.values():
        assert 0 < counts.identities <= counts.images <= counts.captions
    if dataset.twin:
        for name_of, value in (pair for look in dataset.twin.looks.values() for pair in vars(look).items()):
            if isinstance(value, tuple) and name_of not in ("tint", "backdrop"):
                assert value[0] <= value[1], name_of
        assert set(dataset.twin.small) >= set(dataset.expected)
        assert dataset.twin.images[0] <= dataset.twin.images[1]


def test_a_look_is_given_by_its_backdrop_and_size_alone():
    look = Look("street", (10, 20), (2.0, 3.0))
    assert 0 < look.zoom[0] < look.zoom[1] < 1
    assert 0 <= look.cropped <= 1
    assert 0 <= look.occluded <= 1


def test_an_unknown_dataset_gets_the_nearest_name():
    with pytest.raises(UsageError, match=r"'icgf'.*'icfg'"):
        DATASETS.get("icgf")
