"""What is found of an annotation before any image is opened: for the verifier and for every run."""

import json
import shutil
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from harness.config.sections import DatasetConfig
from harness.data.annotations import Annotation, locate, read_annotation
from harness.data.own_data import dataset_of_file
from harness.data.reading import read_dataset
from harness.data.verify.annotation_faults import annotation_faults, faults_for_run, stopping_faults
from harness.data.verify.verify import verify
from harness.datasets import DATASETS, Counts, Sample, count
from harness.errors import DataError, UsageError
from harness.paths import Place
from tests.notes import Notes

CUHK, ICFG, RSTP = (DATASETS.get(name) for name in ("cuhk", "icfg", "rstp"))


def sample(image="a.jpg", identity=1, split="train", captions=("x",)):
    return Sample(image, identity, captions, split)


def people(n, split, first=0, images=2):
    """Samples of `n` persons numbered from `first`."""
    return [
        sample(f"{split}/{person}/{image}.jpg", first + person, split, (f"{split} {person} {image}",))
        for person in range(n)
        for image in range(images)
    ]


GOOD = [*people(4, "train"), *people(3, "test", first=4)]


PRE_SPLIT = [Path("train.json"), Path("test.json")]


def found(samples, expected=None, dataset=ICFG, entries=None, twin=False, files=()):
    annotation = Annotation(samples, entries or samples, list(files))
    return list(annotation_faults(dataset, annotation, expected or {}, twin=twin))


def test_a_good_annotation_has_no_fault():
    assert not list(stopping_faults(GOOD, {}, ["train", "test"]))
    assert found(GOOD, count(GOOD)) == []


def test_no_published_counts_are_no_wrong_ones():
    assert found(GOOD, {}) == []


def test_counts_of_each_split_are_set_beside_the_published_ones():
    expected = count(GOOD) | {"test": Counts(1_000, 19_848, 19_848)}
    (fault,) = found(GOOD, expected)
    assert fault.severity == "error"
    assert fault.what == (
        "Not the published test set: 6 images, published 19,848; 6 captions, published 19,848; "
        "3 identities, published 1,000."
    )
    assert found(GOOD, expected, twin=True)[0].what.startswith(
        "Not the test set that the synthetic twin was made with: 6 images, made 19,848"
    )


def test_only_another_number_of_captions_is_a_warning():
    expected = {"train": Counts(4, 8, 9), "test": Counts(3, 6, 6)}
    assert [fault.severity for fault in found(GOOD, expected)] == ["warning"]
    assert found([*GOOD, sample("x", 90)], expected)[0].severity == "error"


def test_a_split_too_many_or_too_few_is_said():
    counts = count(GOOD)
    assert "A val set, unlike the published" in found([*GOOD, *people(2, "val", 50)], counts)[0].what
    assert "No test set, unlike the published" in found(people(4, "train"), counts)[0].what


def test_a_known_wrong_file_is_an_error():
    samples = [sample(str(n), n, "test") for n in range(10_000)]
    first = found(samples, ICFG.expected)[0]
    assert first.severity == "error"
    assert "Known wrong file: the test split is cut" in first.what


def test_persons_and_images_in_two_splits_are_errors():
    leaked = [*GOOD, sample("test/9/9.jpg", 3, "test"), sample("train/0/0.jpg", 77, "test")]
    person, image = [fault for fault in found(leaked) if fault.severity == "error"]
    assert person.what == "1 person in more than one split: test data would be trained on."
    assert person.line().endswith("(3 in test, train)")
    assert image.what.startswith("1 image in more than one split")


@pytest.mark.parametrize("first", [0, 1])
def test_identities_that_begin_anew_are_no_leak(first):
    anew = [*people(4, "train", first), *people(3, "test", first)]
    (fault,) = found(anew, files=PRE_SPLIT)
    assert fault.severity == "warning"
    assert fault.what.startswith("Identities begin anew in train, test")
    overlapping = [*people(4, "train", first), *people(3, "test", first + 3)]
    assert "1 person" in found(overlapping, files=PRE_SPLIT)[0].what


@pytest.mark.parametrize("kind", ["one file", "own", "read by a plug-in"])
def test_a_split_by_picture_is_a_leak_of_all_persons_where_numbers_cannot_begin_anew(kind):
    by_picture = [*people(4, "train"), *people(4, "test")]
    given = {"own": {"own": object()}, "read by a plug-in": {"read": staticmethod(lambda root: by_picture)}}
    dataset = type("Dataset", (ICFG,), given.get(kind, {}))
    files = PRE_SPLIT[:1] if kind == "one file" else PRE_SPLIT
    (fault,) = found(by_picture, dataset=dataset, files=files)
    assert fault.severity == "error"
    assert fault.what.startswith("4 persons in more than one split")


def test_a_split_that_does_not_begin_anew_may_leak_all_the_same():
    mixed = [
        *people(4, "train"),
        *people(3, "val"),
        sample("t/0.jpg", 2, "test"),
        sample("t/1.jpg", 80, "test"),
    ]
    anew, leak = found(mixed, files=PRE_SPLIT)[:2]
    assert "begin anew in train, val:" in anew.what
    assert leak.what.startswith("1 person in more than one split")


@pytest.mark.parametrize(
    "spelled", ["train//0/0.jpg", "train/./0/0.jpg", "./train/0/0.jpg", r"train\0\0.jpg"]
)
def test_a_doubled_record_and_its_other_spelling_are_counted(spelled):
    again = sample(spelled, 0, "train", GOOD[0].captions)
    doubled, spelling = found(GOOD, entries=[*GOOD, again])
    assert doubled.what.startswith("1 record is there twice")
    assert spelling.what == "1 picture under several spellings of the path."
    assert spelling.examples == [" and ".join(sorted([spelled, "train/0/0.jpg"]))]
    assert found(GOOD, entries=[*GOOD, GOOD[0]])[0].what.startswith("1 record is there twice")
    assert found(GOOD, entries=[*GOOD, sample("train/0/0.jpg", 0, "train", ("another",))]) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a b.jpg", "a%20b.jpg"),
        (unicodedata.normalize("NFC", "é.jpg"), unicodedata.normalize("NFD", "é.jpg")),
    ],
)
def test_other_codes_of_one_path_are_spellings_of_it(one, other):
    pair = [sample(one, 1), sample(other, 1)]
    assert "1 picture under several spellings" in found(pair)[0].what


def test_negative_identities_are_no_persons():
    (fault,) = stopping_faults([*GOOD, sample("j.jpg", -1, "test"), sample("k.jpg", -1)], {}, ["test"])
    assert (fault.what, fault.examples[0]) == ("2 images with a negative identity.", "-1: j.jpg in test")


def test_a_needed_split_without_entries_stops():
    (fault,) = stopping_faults(people(4, "train"), ICFG.expected, ["train", "test"])
    assert fault.what == (
        "No entry of the annotation belongs to the split test, published 19,848 images; there is train."
    )
    assert not list(stopping_faults(people(4, "test"), {}, ["test"]))


def reading(root, dataset="icfg", **options):
    listener = Notes()
    needed = options.pop("needed", ("train", "test"))
    read = read_dataset(DatasetConfig(name=dataset, root=str(root), **options), listener, needed)
    return read, listener.notes


def test_a_run_says_and_keeps_each_fault_and_the_verifier_the_same(real_format, tmp_path):
    entries = real_format.icfg_entries()
    entries[3]["id"] = 0
    root = real_format.write_icfg(tmp_path, [*entries, entries[0]])
    read, notes = reading(root, val="none")
    assert all(note.startswith(f"warning: {line}. ") for note, line in zip(notes, read.faults, strict=True))
    assert notes[0].endswith("Get the annotation file again; results cannot be compared.")
    assert [fault.split(":")[0] for fault in read.faults] == [
        "Not the published train set",
        "Not the published test set",
        "1 person in more than one split",
        "1 record is there twice, so that its captions count twice (train/0000/0000_002_01_0303morning_0009_0.jpg)",
    ]
    said = {fault.line() for fault in verify(ICFG, Place(root, "--data-root"), images="exist").faults}
    assert set(read.faults) <= said


@pytest.mark.parametrize("spell", [lambda path: f"./{path}", lambda path: path.replace("/", "\\")])
def test_one_picture_under_two_spellings_is_read_as_one_and_said(real_format, tmp_path, spell):
    entries = real_format.icfg_entries()
    again = {**entries[0], "file_path": spell(entries[0]["file_path"])}
    read, _ = reading(real_format.write_icfg(tmp_path, [*entries, again]), val="none")
    assert len(read.samples) == len(entries)
    assert read.faults[-1].startswith("1 picture under several spellings of the path (")


def test_a_run_notes_pictures_found_under_another_extension(real_format, tmp_path):
    root = real_format.write_icfg(tmp_path)
    for file in sorted((root / "ICFG-PEDES" / "imgs" / "train").rglob("*.jpg"))[:2]:
        file.rename(file.with_suffix(".png"))
    read, notes = reading(root, val="none")
    assert read.notes[0].startswith(
        "2 image files with another extension than the annotation says (train/0000/"
    )
    assert read.notes[0] in notes


def test_a_twin_passes_in_silence(real_format, tmp_path):
    root = real_format.write_icfg(tmp_path)
    counts = {split: Counts(*row)._asdict() for split, row in real_format.COUNTS["icfg"].items()}
    marker = {"version": 1, "dataset": "icfg", "seed": 0, "identities": 4, "counts": counts}
    real_format.write_json(root / "ICFG-PEDES" / "SYNTHETIC.json", marker)
    read, notes = reading(root, val="none")
    assert (read.faults, notes) == ([], [])


def test_a_run_stops_before_any_image_is_looked_for(real_format, tmp_path):
    entries = real_format.icfg_entries()
    root = real_format.write_icfg(tmp_path, [entry for entry in entries if entry["split"] == "train"])
    shutil.rmtree(root / "ICFG-PEDES" / "imgs")
    with pytest.raises(DataError, match=r"ICFG-PEDES: No entry .* the split test"):
        reading(root, val="none")
    for entry in entries[:2]:
        entry["id"] = -1
    root = real_format.write_icfg(tmp_path / "other", entries)
    with pytest.raises(DataError, match=r"2 images with a negative identity .*Market-1501"):
        reading(root, val="none")
    assert not verify(ICFG, Place(root, "--data-root"), images="exist").usable


def test_a_lost_validation_split_is_not_taken_for_a_dataset_without_one(real_format, tmp_path):
    entries = [entry for entry in real_format.rstp_entries() if entry["split"] != "val"]
    root = real_format.write_rstp(tmp_path, entries)
    with pytest.raises(
        DataError,
        match=r"split val, published 1,000 images.* --val holdout, or --val none --set eval\.rule=last",
    ):
        reading(root, "rstp")
    assert reading(root, "rstp", val="none")[0].faults


def test_train_and_val_are_not_joined_where_identities_begin_anew(real_format, tmp_path):
    entries = real_format.rstp_entries()
    own = {
        split: sorted({e["id"] for e in entries if e["split"] == split}) for split in ("train", "val", "test")
    }
    entries += [{**entry, "id": 5, "img_path": f"x{entry['img_path']}"} for entry in entries[15:20]]
    own["val"].append(5)
    for entry in entries:
        entry["id"] = own[entry["split"]].index(entry["id"])
    root = real_format.write_rstp(tmp_path, entries)
    folder = root / "RSTPReid"
    (folder / "data_captions.json").unlink()
    for split in own:
        real_format.write_json(folder / f"{split}.json", [e for e in entries if e["split"] == split])
    with pytest.raises(UsageError, match="begin anew in each split"):
        reading(root, "rstp", val="none", train_on="train+val")
    with pytest.raises(UsageError, match="begin anew in each split"):
        reading(root, "rstp", val="holdout", train_on="train+val")
    assert reading(root, "rstp", val="own")[0].has_val


def test_a_second_annotation_file_that_fits_is_named_but_a_copy_is_not(real_format, tmp_path):
    folder = real_format.write_icfg(tmp_path) / "ICFG-PEDES"
    shutil.copy(folder / "ICFG-PEDES.json", folder / "ICFG_PEDES.json")
    annotation = read_annotation(ICFG, tmp_path)
    assert (annotation.files, annotation.unread) == ([folder / "ICFG-PEDES.json"], [])
    (folder / "ICFG_PEDES.json").write_text(json.dumps(real_format.icfg_entries()[:-1]))
    for split in ("train", "test"):
        (folder / f"{split}.json").write_text("[]")
    annotation = read_annotation(ICFG, tmp_path)
    assert [file.name for file in annotation.unread] == ["ICFG_PEDES.json", "train.json", "test.json"]
    faults = faults_for_run(ICFG, annotation, locate(ICFG, tmp_path), ["test"])
    (line,) = [fault.line() for fault in faults if "fit" in fault.what]
    assert line.startswith("Read is ICFG-PEDES.json, but 3 other annotation files would fit as well (")
    assert "ICFG_PEDES.json" in line


def test_persons_with_names_are_told_by_them_and_by_their_lines(tmp_path, own_files):
    rows = [
        "a/1.jpg,one,anton,train",
        "a/2.jpg,two,anton,test",
        "b/1.jpg,three,berta,train",
        "b//1.jpg,four,berta,train",
    ]
    (tmp_path / "street.csv").write_text("\n".join(["image,caption,person,split", *rows]) + "\n")
    dataset = dataset_of_file(tmp_path / "street.csv")
    own_files.forget()
    told = {
        fault.what: fault.examples
        for fault in annotation_faults(dataset, read_annotation(dataset, tmp_path), {}, twin=False)
    }
    assert told["1 person in more than one split: test data would be trained on."] == [
        "anton in test (street.csv:3), train (street.csv:2)"
    ]
    assert "berta (street.csv:4)" in told["3 persons with a single image."]
    named = Sample("a.jpg", -1, ("x",), "train", where="street.csv:2", person="berta")
    assert next(iter(stopping_faults([named], {}, []))).examples == ["berta: street.csv:2: a.jpg in train"]
    twice = [replace(named, identity=1, image=image) for image in ("a%20b.jpg", "a b.jpg")]
    assert "a b.jpg (street.csv:2) and a%20b.jpg (street.csv:2)" in found(twice)[0].examples
