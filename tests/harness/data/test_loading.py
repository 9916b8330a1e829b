"""What a run's record says of its data."""

from types import SimpleNamespace

import pytest

from harness.data.loading import Material
from harness.datasets import Counts

OPENED = SimpleNamespace(images=SimpleNamespace(bad=["a", "b"]), left_out=3, faults=["grey"])


@pytest.fixture
def material():
    """Return splits of different sizes, in place of read ones."""
    train, test = (SimpleNamespace(counts=Counts(*n)) for n in ((10, 20, 5), (4, 8, 2)))
    return SimpleNamespace(train=train, val=SimpleNamespace(owners=[0, 0, 1]), test=test, opened=OPENED)


def test_a_record_counts_what_was_learned_from_and_what_it_was_tested_on(material):
    learned, tested = material.train.counts, material.test.counts
    assert Material.describe(material) == {
        "train_pairs": learned.captions,
        "train_images": learned.images,
        "train_identities": learned.identities,
        "val_captions": 3,
        "test_captions": tested.captions,
        "test_images": tested.images,
        "test_identities": tested.identities,
        "bad_images": 2,
        "left_out": 3,
        "faults": ["grey"],
    }


def test_what_trains_nothing_learned_from_none_and_what_has_no_validation_has_no_captions_of_it(material):
    material.val = None
    counts = Material.describe(material, trained=False)
    assert [counts[f"train_{what}"] for what in ("pairs", "images", "identities")] == [0, 0, 0]
    assert counts["val_captions"] == 0
    assert counts["test_captions"] == material.test.counts.captions
