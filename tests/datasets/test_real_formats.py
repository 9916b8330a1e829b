"""The five datasets read from trees that are true to the real downloads."""

import pytest

from harness.data.annotations import (
    image_files,
    locate,
    read_annotation,
    read_annotations,
    read_dataset,
    recognise,
)
from harness.data.verify.annotation_faults import faults_for_run
from harness.data.verify.verify import verify
from harness.datasets import DATASETS, SPLITS, Counts, count, pairs
from harness.errors import DataError
from harness.paths import Place

NAMES = ["cuhk", "icfg", "rstp", "ufine", "ufine3c"]


@pytest.mark.parametrize("name", NAMES)
def test_the_counts_and_the_file_order_are_those_of_the_file(real_format, tmp_path, name):
    root = getattr(real_format, f"write_{name}")(tmp_path)
    entries = getattr(real_format, f"{name}_entries")()
    samples = read_annotations(DATASETS.get(name), root)
    assert count(samples) == real_format.COUNTS[name]
    assert [sample.captions for sample in samples] == [tuple(entry["captions"]) for entry in entries]
    assert [sample.identity for sample in samples] == [entry["id"] for entry in entries]
    assert [sample.split for sample in samples] == [entry["split"] for entry in entries]


@pytest.mark.parametrize("name", NAMES)
def test_every_image_is_found(real_format, tmp_path, name):
    root = getattr(real_format, f"write_{name}")(tmp_path)
    dataset = DATASETS.get(name)
    assert all(file.is_file() for file in image_files(dataset, root, read_annotations(dataset, root)))


@pytest.mark.parametrize("name", NAMES)
def test_the_root_may_be_the_folder_of_the_dataset(real_format, tmp_path, name):
    root = getattr(real_format, f"write_{name}")(tmp_path)
    dataset = DATASETS.get(name)
    folder = root / dataset.folder
    samples = read_annotations(dataset, folder)
    assert samples == read_annotations(dataset, root)
    assert all(file.is_file() for file in image_files(dataset, folder, samples))


@pytest.mark.parametrize(
    ("name", "file"), [("cuhk", "CUHK-PEDES.json"), ("icfg", "ICFG_PEDES.json"), ("rstp", "RSTPReid.json")]
)
def test_other_names_of_the_annotation_file_are_known(real_format, tmp_path, name, file):
    root = getattr(real_format, f"write_{name}")(tmp_path, name=file)
    assert count(read_annotations(DATASETS.get(name), root)) == real_format.COUNTS[name]


def test_the_image_with_ten_captions_keeps_all(real_format, tmp_path):
    samples = read_annotations(DATASETS.get("cuhk"), real_format.write_cuhk(tmp_path))
    test = pairs(samples, ["test"])
    assert len(test.images) == 3
    assert len(test.captions) == 14
    assert test.owners == [0, 0, *[1] * 10, 2, 2]


def test_spaces_in_captions_are_kept(real_format, tmp_path):
    samples = read_annotations(DATASETS.get("cuhk"), real_format.write_cuhk(tmp_path))
    assert samples[0].captions[0].endswith(" ")
    assert samples[2].captions[0] == " A woman with  a white bag."


def test_the_file_and_not_the_folder_decides_the_split(real_format, tmp_path):
    samples = read_annotations(DATASETS.get("icfg"), real_format.write_icfg(tmp_path))
    split = {sample.image: sample.split for sample in samples}
    assert split["test/0007/0007_001_05_0303noon_0210_0.jpg"] == "train"
    assert split["train/0009/0009_003_14_0302noon_0077_2.jpg"] == "test"


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_rasa_files_by_split_are_read(real_format, tmp_path, split):
    entries = real_format.cuhk_entries()
    root = real_format.write_cuhk(tmp_path)
    whole = read_annotations(DATASETS.get("cuhk"), root)
    (root / "CUHK-PEDES" / "reid_raw.json").unlink()
    for name in SPLITS:
        chosen = [entry for entry in entries if entry["split"] == name]
        real_format.write_json(root / "CUHK-PEDES" / "processed_data" / f"{name}.json", chosen)
    assert [s for s in read_annotations(DATASETS.get("cuhk"), root) if s.split == split] == [
        s for s in whole if s.split == split
    ]


def test_an_empty_val_file_is_no_fault(real_format, tmp_path):
    for name in SPLITS:
        chosen = [entry for entry in real_format.icfg_entries() if entry["split"] == name]
        real_format.write_json(tmp_path / "ICFG-PEDES" / f"{name}.json", chosen)
    assert count(read_annotations(DATASETS.get("icfg"), tmp_path)) == real_format.COUNTS["icfg"]


def test_tbps_clip_files_keep_the_back_translations(real_format, tmp_path):
    for name in ("train", "test"):
        chosen = [
            {key: entry[key] for key in ("file_path", "id", "captions")}
            for entry in real_format.cuhk_entries()
            if entry["split"] == name
        ]
        for entry in chosen if name == "train" else []:
            entry["captions_bt"] = [f"again: {caption}" for caption in entry["captions"]]
        real_format.write_json(tmp_path / "CUHK-PEDES" / f"{name}_reid.json", chosen)
    samples = read_annotations(DATASETS.get("cuhk"), tmp_path)
    assert all(
        s.captions_bt == tuple(f"again: {c}" for c in s.captions) for s in samples if s.split == "train"
    )
    assert all(s.captions_bt == () for s in samples if s.split == "test")
    assert count(samples)["train"] == real_format.COUNTS["cuhk"]["train"]


def write_aptm(real_format, folder):
    """Write an entry for each caption in train, one with a list elsewhere; paths have their own root."""
    for name in SPLITS:
        entries = []
        for entry in real_format.cuhk_entries():
            keys = {"image": f"CUHK-PEDES/imgs/{entry['file_path']}", "image_id": entry["id"]}
            texts = entry["captions"] if name == "train" else [entry["captions"]]
            entries += [{**keys, "caption": text} for text in texts if entry["split"] == name]
        real_format.write_json(folder / f"cuhk_{name}.json", entries)


@pytest.mark.parametrize("place", ["CUHK-PEDES", "."])
def test_aptm_entries_of_one_image_are_joined(real_format, tmp_path, place):
    root = real_format.write_cuhk(tmp_path)
    whole = read_annotations(DATASETS.get("cuhk"), root)
    (root / "CUHK-PEDES" / "reid_raw.json").unlink()
    write_aptm(real_format, root / place)
    dataset = DATASETS.get("cuhk")
    samples = read_annotations(dataset, root)
    assert samples == whole
    assert all(file.is_file() for file in image_files(dataset, root, samples))


def test_one_name_of_several_ufine_files_must_be_chosen(real_format, tmp_path):
    root = real_format.write_ufine(tmp_path)
    real_format.write_json(root / "UFine6926" / "UFine6926_old.json", [])
    with pytest.raises(DataError, match="several annotation files"):
        read_annotations(DATASETS.get("ufine"), root)


def test_a_test_alone_is_whole_without_a_training_split(real_format, tmp_path):
    dataset, root = DATASETS.get("ufine3c"), real_format.write_ufine3c(tmp_path)
    (root / "UFine3C" / "notes.txt").touch()
    faults = verify(dataset, Place(root, "x"), workers=1).faults
    assert [fault.what for fault in faults if fault.severity == "error"] == [
        "Not the published test set: 3 images, published 7,446; 9 captions, published 37,939; "
        "2 identities, published 2,250."
    ]
    entries = [entry | {"split": "train"} for entry in real_format.ufine3c_entries()]
    real_format.write_ufine3c(root, entries)
    faults = verify(dataset, Place(root, "x"), workers=1).faults
    assert {"A train set, unlike the published UFine3C.", "No test set, unlike the published UFine3C."} <= {
        fault.what for fault in faults
    }


def test_caption_all_alone_is_explained(real_format, tmp_path):
    entries = [{key: e[key] for key in ("id", "file_path", "captions")} for e in real_format.cuhk_entries()]
    root = real_format.write_cuhk(tmp_path, entries, name="caption_all.json")
    with pytest.raises(DataError, match=r"caption_all\.json.*has no split.*\n?.*Download reid_raw\.json"):
        read_annotations(DATASETS.get("cuhk"), root)


def test_caption_all_renamed_is_explained(real_format, tmp_path):
    entries = [{key: e[key] for key in ("id", "file_path", "captions")} for e in real_format.cuhk_entries()]
    with pytest.raises(DataError, match=r"entry 0 .*no key split.*caption_all\.json"):
        read_annotations(DATASETS.get("cuhk"), real_format.write_cuhk(tmp_path, entries))


WRONG = {
    "early upload": (
        "rstp",
        {"train": (3901, 19505, 39010), "val": (100, 500, 1000), "test": (100, 500, 1000)},
    ),
    "cut to two": ("cuhk", {"train": (11003, 34054, 68108), "test": (1000, 3074, 6148)}),
    "single image": ("cuhk", {"train": (11000, 34051, 68120), "test": (1000, 3074, 6156)}),
    "10,000 entries": ("icfg", {"train": (3102, 34674, 34674), "test": (500, 10000, 10000)}),
    "is used as validation": ("icfg", {"train": (3102, 34674, 34674), "val": (1000, 19848, 19848)}),
}


@pytest.mark.parametrize("what", WRONG)
def test_known_wrong_files_are_recognised_by_their_counts(what):
    name, counts = WRONG[what]
    found = recognise(DATASETS.get(name), {split: Counts(*row) for split, row in counts.items()})
    assert [what in wrong.what for wrong in found] == [True]


@pytest.mark.parametrize("name", NAMES)
def test_the_right_counts_are_no_known_wrong_file(name):
    dataset = DATASETS.get(name)
    assert recognise(dataset, dataset.expected) == []


def test_a_run_on_a_known_wrong_file_is_warned_with_the_mend(real_format, tmp_path):
    entries = [
        {"id": index // 5, "img_path": f"{index}.jpg", "captions": ["a", "b"], "split": "train"}
        for index in range(3_901 * 5)
    ]
    real_format.write_json(tmp_path / "RSTPReid" / "data_captions.json", entries)
    dataset = DATASETS.get("rstp")
    found = faults_for_run(dataset, read_annotation(dataset, tmp_path), locate(dataset, tmp_path), ["train"])
    assert "early upload" in found[0].line()
    assert "Download data_captions.json again" in found[0].mend


@pytest.mark.parametrize("name", NAMES)
def test_missing_data_say_where_they_are_expected_and_what_was_found(tmp_path, name):
    (tmp_path / "notes.txt").touch()
    dataset = DATASETS.get(name)
    with pytest.raises(DataError) as caught:
        read_dataset(dataset, Place(tmp_path, "HARNESS_DATA"))
    message = str(caught.value)
    assert dataset.access in message
    assert f"{tmp_path} (from HARNESS_DATA)" in message
    assert str(tmp_path / dataset.folder / dataset.annotation_files[0]) in message
    assert "notes.txt" in message
    assert ("--synthetic" in message) == (dataset.twin is not None)


def test_missing_data_say_when_the_root_does_not_exist(tmp_path):
    with pytest.raises(DataError, match="nowhere does not exist"):
        read_annotations(DATASETS.get("icfg"), tmp_path / "nowhere")
