"""What trains and what selects."""

import random

import pytest

from harness.datasets import DATASETS, Sample, pairs
from harness.errors import DataError, UsageError
from harness.holdout import arrange, holdout

ICFG, CUHK = DATASETS.get("icfg"), DATASETS.get("cuhk")


# So wide that a set of such numbers lists them in the order of their arrival.
GAP = 4096


def samples_of(n_train, n_val=0, n_test=5):
    """Return two images of each person, with gaps between the identity numbers."""
    splits = ["train"] * n_train + ["val"] * n_val + ["test"] * n_test
    return [
        Sample(f"{GAP * person}_{index}.jpg", GAP * person, ("a", "b"), split)
        for person, split in enumerate(splits)
        for index in range(2)
    ]


def identities(samples, split):
    return {sample.identity for sample in samples if sample.split == split}


def test_a_tenth_of_the_train_identities_is_held_out_whole():
    samples = samples_of(200)
    moved, held = holdout(samples)
    assert len(held) == 20
    assert held == sorted(held)
    assert identities(moved, "val") == set(held)
    assert identities(moved, "train") == identities(samples, "train") - set(held)
    assert identities(moved, "test") == identities(samples, "test")
    assert [sample.image for sample in moved] == [sample.image for sample in samples]


def test_the_hold_out_does_not_depend_on_the_order_of_the_file():
    samples = samples_of(100)
    shuffled = random.Random(3).sample(samples, len(samples))
    assert holdout(samples)[1] == holdout(shuffled)[1]


def test_the_hold_out_of_the_published_icfg_is_fixed():
    samples = [Sample(f"{person}.jpg", person, ("a",), "train") for person in range(3_102)]
    held = holdout(samples)[1]
    assert len(held) == 311
    assert held[:6] == [1, 10, 22, 23, 30, 33]
    assert holdout(samples, seed=1)[1] != held


def test_one_person_cannot_be_held_out():
    with pytest.raises(DataError, match="at least 2 train identities, but there are 1"):
        holdout(samples_of(1))


def test_own_keeps_the_splits():
    samples = samples_of(10, n_val=4)
    arranged = arrange(samples, CUHK, "own", "train")
    assert (arranged.samples, arranged.train_splits, arranged.has_val) == (samples, ("train",), True)
    assert arranged.holdout == []


def test_icfg_has_no_split_of_its_own():
    with pytest.raises(UsageError, match=r"ICFG-PEDES .*--val holdout or --val none"):
        arrange(samples_of(10), ICFG, "own", "train")


@pytest.mark.parametrize("val", ["own", "holdout", "none"])
def test_a_split_that_is_not_there_cannot_be_joined(val):
    with pytest.raises(UsageError, match="--train-on train"):
        arrange(samples_of(10), ICFG, val, "train+val")


def test_none_trains_on_all_train_pairs_and_selects_nothing():
    samples = samples_of(10, n_val=4)
    arranged = arrange(samples, CUHK, "none", "train")
    assert not arranged.has_val
    assert pairs(arranged.samples, arranged.train_splits) == pairs(samples, ["train"])


@pytest.mark.parametrize("val", ["own", "none"])
def test_joining_leaves_nothing_to_select_on(val):
    samples = samples_of(10, n_val=4)
    arranged = arrange(samples, CUHK, val, "train+val")
    assert not arranged.has_val
    assert pairs(arranged.samples, arranged.train_splits) == pairs(samples, ["train", "val"])


def test_a_hold_out_takes_the_place_of_the_own_split():
    samples = samples_of(20, n_val=4)
    arranged = arrange(samples, CUHK, "holdout", "train")
    assert arranged.has_val
    assert identities(arranged.samples, "val") == set(arranged.holdout) < identities(samples, "train")
    assert len(pairs(arranged.samples, arranged.train_splits).images) == 2 * 18
    assert identities(arranged.samples, "test") == identities(samples, "test")


def test_with_a_hold_out_the_own_split_can_join_train():
    samples = samples_of(20, n_val=4)
    alone, joined = (arrange(samples, CUHK, "holdout", train_on) for train_on in ("train", "train+val"))
    assert joined.holdout == alone.holdout
    own = identities(samples, "val")
    assert identities(joined.samples, "train") == identities(alone.samples, "train") | own
    assert identities(joined.samples, "val") == set(joined.holdout)
