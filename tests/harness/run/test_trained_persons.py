"""Which dataset a checkpoint is from, by its classifier's rows; another one than the named is refused."""

import pytest
import torch

from harness.clip.model import load_clip
from harness.errors import UsageError
from harness.presets.resolve import resolve
from harness.run.import_checkpoint import import_checkpoint, released_config
from harness.run.trained_persons import follow_from_persons, told_origin
from tests import authors_files
from tests.notes import Notes

PUBLISHED = {"cuhk": 11_003, "icfg": 3_102, "rstp": 3_701, "ufine": 4_926}


def told(dataset, rows):
    return told_origin(resolve("irra", dataset), rows, PUBLISHED[dataset], "best.pth")


@pytest.mark.parametrize("dataset", PUBLISHED)
@pytest.mark.parametrize("more", [0, 1])
def test_the_dataset_that_is_named_is_confirmed(dataset, more):
    said = told(dataset, PUBLISHED[dataset] + more)
    assert f"{PUBLISHED[dataset] + more:,} rows: the persons of training" in said
    assert said.endswith(f"of {dataset}.")
    assert ("and one more" in said) == bool(more)


@pytest.mark.parametrize("dataset", PUBLISHED)
@pytest.mark.parametrize("other", PUBLISHED)
def test_another_dataset_is_refused_by_name(dataset, other):
    if other == dataset:
        pytest.skip("the same")
    for more in (0, 1):
        with pytest.raises(
            UsageError, match=rf"{PUBLISHED[other] + more:,} rows.* of {other}, .*--dataset {other}"
        ):
            told(dataset, PUBLISHED[other] + more)


def test_training_with_validation_is_known_and_what_nobody_has_is_warned_of():
    assert "training and validation of rstp" in told("rstp", 3_901)
    with pytest.raises(UsageError, match="training and validation of cuhk"):
        told("rstp", 12_003)
    said = told("rstp", 5_555)
    assert said.startswith("warning: the classifier has 5,555 rows")
    assert "cuhk 11,003" in said
    assert "icfg 3,102" in said


def test_the_data_at_hand_count_before_published_numbers():
    config = resolve("irra", "icfg")
    assert "3,701 rows: the persons of training of icfg" in told_origin(config, 3_701, 3_701, "best.pth")


def test_the_classifier_is_found_by_what_grows_with_the_persons():
    assert follow_from_persons(resolve("irra", "icfg", synthetic=True)) == [
        "classifier.weight",
        "classifier.bias",
    ]
    assert follow_from_persons(resolve("cskt", "icfg", synthetic=True)) == []


@pytest.mark.usefixtures("untracked")
def test_an_import_says_so_or_stops(tmp_path):
    config = released_config("irra", "rstp", presets=["tiny"])
    clip = load_clip(config.backbone)
    heard = Notes()
    for persons, file in ((3_701, "rstp.pth"), (11_003, "cuhk.pth")):
        torch.save({"model": authors_files.irra(clip, persons=persons)}, tmp_path / file)
    options = {"runs": tmp_path / "runs", "test": False, "device": "cpu", "listener": heard}
    import_checkpoint(config, tmp_path / "rstp.pth", **options)
    assert "the classifier has 3,701 rows: the persons of training of rstp." in heard.notes
    with pytest.raises(UsageError, match=r"cuhk\.pth was trained on CUHK-PEDES"):
        import_checkpoint(config, tmp_path / "cuhk.pth", **options)
