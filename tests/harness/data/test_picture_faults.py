"""Odd pictures, counted for each split of a run."""

from harness.data.picture_faults import left_out, picture_faults
from harness.datasets import Sample
from harness.images.decoding import Mark

SAMPLES = [Sample(f"{n}.jpg", n, (), split) for n, split in enumerate(["train", "val", "train", "test"])]
SPLITS = {"train": ("train", "val"), "test": ("test",)}


def test_pictures_left_out_are_counted_for_the_splits_of_the_run():
    marks = [Mark.UNREADABLE, Mark.UNREADABLE, Mark.CUT, Mark.UNREADABLE | Mark.CUT]
    assert left_out(SAMPLES, marks, SPLITS) == {"train": 2, "val": 0, "test": 1}
    assert left_out(SAMPLES, [0] * 4, SPLITS) == {"train": 0, "val": 0, "test": 0}


def test_each_oddity_is_one_line_with_the_splits_that_have_it():
    marks = [Mark.CUT, Mark.TURNED | Mark.SINGLE_COLOUR, Mark.UNREADABLE, Mark.TURNED]
    assert list(picture_faults(SAMPLES, marks, SPLITS)) == [
        "pictures that cannot be read: 1 of 3 in train; they are left out",
        "pictures that are cut off: 1 of 3 in train; what is there of each is used",
        "pictures of one single colour: 1 of 3 in train; they show nobody",
        "pictures that their EXIF turns: 1 of 3 in train, 1 of 1 in test; they are used as they are stored, unturned",
    ]
    assert list(picture_faults(SAMPLES, [0] * 4, SPLITS)) == []


def test_a_split_that_the_run_does_not_use_is_not_spoken_of():
    assert list(picture_faults(SAMPLES, [0, Mark.CUT, 0, 0], {"train": ("train",), "test": ("test",)})) == []
