"""What the files of pictures tell besides the annotation: copies under other names."""

import shutil

from harness.config.sections import DatasetConfig
from harness.data.reading import read_dataset
from harness.data.verify.content_faults import copied_faults
from harness.data.verify.verify import verify
from harness.datasets import DATASETS, Sample
from harness.images import file_hashes
from harness.images.file_hashes import MISSING
from harness.paths import Place
from tests.notes import Notes


def sample(image, identity=1, split="train"):
    return Sample(image, identity, ("x",), split)


def test_a_picture_in_two_splits_under_other_names_is_told():
    samples = [sample("a"), sample("b", 2, "test"), sample("c", 3), sample("d", 4), sample("e", 5, "val")]
    (fault,) = copied_faults(samples, ["1", "1", "2", "3", "4"])
    assert (fault.severity, fault.count) == ("warning", 1)
    assert fault.what == "1 picture is in more than one split, under other names."
    assert fault.examples == ["a in train = b in test"]
    (fault,) = copied_faults(samples, ["1", "1", "2", "2", "2"])
    assert fault.what == "2 pictures are in more than one split, under other names."
    assert fault.examples[1] == "c in train = e in val"


def test_a_picture_of_two_persons_in_one_split_is_told():
    (fault,) = copied_faults([sample("a"), sample("b", 2), sample("c", 2)], ["1", "1", "1"])
    assert fault.what == "1 picture shows several persons, under other names."
    assert fault.examples == ["a, b, c"]


def test_no_picture_is_no_copy(tmp_path):
    (tmp_path / "empty.jpg").touch()
    (empty,) = file_hashes.content_hashes([tmp_path / "empty.jpg"], tmp_path / "index")
    samples = [sample("a"), sample("b", 2), sample("c", 3, "test")]
    for found in (MISSING, empty):
        assert not list(copied_faults(samples, [found] * 3))


def test_copies_of_a_person_in_a_split_and_one_name_in_two_are_none():
    assert not list(copied_faults([sample("a"), sample("b")], ["1", "1"]))
    assert not list(copied_faults([sample("a"), sample("a", 1, "test")], ["1", "1"]))


def test_runs_and_the_verifier_tell_copies_and_a_second_start_reads_no_file(
    real_format, tmp_path, monkeypatch
):
    monkeypatch.setattr(file_hashes, "_SETTLED_NS", 0)
    root = real_format.write_icfg(tmp_path)
    train, test = (
        [entry["file_path"] for entry in real_format.icfg_entries() if entry["split"] == split]
        for split in ("train", "test")
    )
    images = root / "ICFG-PEDES" / "imgs"
    shutil.copy(images / train[0], images / test[0])
    line = f"1 picture is in more than one split, under other names ({train[0]} in train = {test[0]} in test)"
    config = DatasetConfig(name="icfg", root=str(root), val="none")
    told = Notes()
    assert read_dataset(config, told).faults[-1] == line
    assert told.notes[-1].startswith(f"warning: {line}. ")
    monkeypatch.setattr(file_hashes, "file_hash", None)
    assert read_dataset(config, Notes()).faults[-1] == line
    faults = verify(DATASETS.get("icfg"), Place(root, "--data-root"), workers=1).faults
    assert line in [fault.line() for fault in faults]
