"""What trains and what selects."""

import random
import re
from pathlib import Path

import pytest

from harness.data.splits import arrange, few_persons, few_shot, holdout
from harness.datasets import DATASETS, Sample, pairs
from harness.errors import DataError, UsageError

ROOT = Path(__file__).resolve().parents[3]
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
    with pytest.raises(UsageError, match=r"ICFG-PEDES .*--val holdout, or --val none --set eval\.rule=last"):
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


def images_of(samples, split="train"):
    return {sample.image for sample in samples if sample.split == split}


def test_a_few_shots_are_a_share_of_the_images_with_all_their_captions():
    samples = samples_of(100, n_val=3)
    chosen, kept = few_shot(samples, 0.05)
    assert len(kept) == 10
    assert kept == sorted(images_of(chosen))
    assert [sample for sample in samples if sample in chosen] == chosen
    assert images_of(chosen, "val") == images_of(samples, "val")
    assert images_of(chosen, "test") == images_of(samples, "test")
    assert all(len(sample.captions) == 2 for sample in chosen)


def test_the_published_five_percent_of_cuhk_are_1702_images():
    samples = [Sample(f"{place}.jpg", place // 3, ("a",), "train") for place in range(34_054)]
    assert [len(few_shot(samples, share)[1]) for share in (0.01, 0.05, 0.1)] == [340, 1_702, 3_405]


def test_a_smaller_share_is_part_of_a_larger_and_the_file_s_order_does_not_matter():
    samples = samples_of(200)
    few, more = (set(few_shot(samples, share)[1]) for share in (0.02, 0.2))
    assert few < more
    shuffled = random.Random(3).sample(samples, len(samples))
    assert few_shot(shuffled, 0.02)[1] == sorted(few)
    assert few_shot(samples, 0.02, seed=1)[1] != sorted(few)


def test_at_least_one_image_is_kept():
    assert len(few_shot(samples_of(5), 0.001)[1]) == 1


def test_so_many_persons_are_kept_with_all_their_images_and_nothing_else_is_left_out():
    samples = samples_of(30, n_val=3)
    chosen, kept = few_persons(samples, 7)
    naive = []
    for sample in samples:
        if sample.split != "train" or sample.identity in kept:
            naive.append(sample)
    assert chosen == naive
    assert len(kept) == 7
    assert identities(chosen, "train") == set(kept)
    assert len(images_of(chosen)) == 14


def test_fewer_persons_are_part_of_more_and_the_file_s_order_does_not_matter():
    samples = samples_of(3_500)
    by_number = [set(few_persons(samples, n)[1]) for n in (1_000, 1_500, 3_000)]
    assert by_number[0] < by_number[1] < by_number[2]
    shuffled = random.Random(3).sample(samples, len(samples))
    assert few_persons(shuffled, 1_000)[1] == sorted(by_number[0])
    assert few_persons(samples, 1_000, seed=1)[1] != sorted(by_number[0])


def test_more_persons_than_there_are_is_refused_with_their_number():
    samples = samples_of(12, n_val=4)
    assert len(few_persons(samples, 12)[1]) == 12
    with pytest.raises(UsageError, match="few_shot_persons is 13, but training has 12 persons"):
        few_persons(samples, 13)
    assert len(few_persons(samples, 16, splits=("train", "val"))[1]) == 16


def test_whoever_reads_of_training_without_validation_reads_the_rule_that_it_takes():
    files = [
        *ROOT.glob("harness/**/*.py"),
        *ROOT.glob("docs/**/*.py"),
        *ROOT.glob("docs/*.md"),
        ROOT / "README.md",
    ]
    assert not [
        f"{file}: {line}"
        for file in files
        for line in file.read_text().splitlines()
        if re.search(r"--val none(?! --set eval\.rule=last)", line)
    ]
