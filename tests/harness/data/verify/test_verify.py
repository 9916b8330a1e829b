"""The check of a dataset: every kind of fault is told, with its severity, place and mend."""

import json
import os
import random
import shutil

import pytest
from PIL import Image

from harness.data.annotations import Location
from harness.data.verify.captions import check_captions
from harness.data.verify.faults import image_faults
from harness.data.verify.image_files import Checked, check_files
from harness.data.verify.verify import verify
from harness.datasets import DATASETS, Counts, Sample
from harness.errors import DataError
from harness.paths import Place

CUHK, ICFG = DATASETS.get("cuhk"), DATASETS.get("icfg")


@pytest.fixture
def cuhk(real_format, tmp_path, monkeypatch):
    """Return the image folder of a CUHK tree whose small counts are the expected ones."""
    counts = {split: Counts(*row) for split, row in real_format.COUNTS["cuhk"].items()}
    monkeypatch.setattr(CUHK, "expected", counts)
    return real_format.write_cuhk(tmp_path) / "CUHK-PEDES" / "imgs"


def check(folder, **options):
    return verify(CUHK, Place(folder.parents[1], "--data-root"), **options)


def faults(report, severity):
    return [fault for fault in report.faults if fault.severity == severity]


def test_a_good_dataset_is_usable(cuhk):
    report = check(cuhk)
    assert report.usable
    assert not report.synthetic
    assert report.found == report.expected
    assert not faults(report, "error") + faults(report, "warning")


def test_missing_files_are_grouped_by_folder(cuhk):
    shutil.rmtree(cuhk / "CUHK03")
    (cuhk / "CUHK01" / "0363004.png").unlink()
    report = check(cuhk, images="exist")
    assert not report.usable
    whole, part = faults(report, "error")
    assert whole.what == "CUHK03/: 2 of 2 image files missing."
    assert whole.examples == ["CUHK03/0001_c1_1.jpg", "CUHK03/0001_c2_2.jpg"]
    assert whole.mend.startswith("The whole folder is missing")
    assert (part.what, part.examples) == ("CUHK01/: 1 of 2 image files missing.", ["CUHK01/0363004.png"])


def test_an_image_found_under_another_extension_is_a_note(tmp_path):
    files = [str(tmp_path / "a.png")]
    (fault,) = image_faults(
        Location(tmp_path, {}, tmp_path), [Sample("a.jpg", 1, ("x",), "train")], files, Checked()
    )
    assert (fault.severity, fault.examples) == ("note", ["a.jpg"])


def test_missing_files_of_a_flat_folder_are_counted(real_format, tmp_path):
    root = real_format.write_rstp(tmp_path)
    files = sorted((root / "RSTPReid" / "imgs").iterdir())
    for file in files[:4]:
        file.unlink()
    report = verify(DATASETS.get("rstp"), Place(root, "--data-root"), images="exist")
    (fault,) = [fault for fault in report.faults if "missing" in fault.what]
    assert fault.what == "The image folder itself: 4 of 25 image files missing."
    assert fault.examples == [file.name for file in files[:3]]


def test_a_missing_image_folder_is_one_fault(cuhk):
    shutil.rmtree(cuhk)
    (fault,) = faults(check(cuhk), "error")
    assert fault.count == 10
    assert f"{cuhk} does not exist" in fault.what


def noisy_jpeg(file):
    pixels = bytes(random.Random(0).randbytes(60 * 160 * 3))
    Image.frombytes("RGB", (60, 160), pixels).save(file)
    return file.read_bytes()


def test_what_stands_in_a_pictures_place_is_counted_by_kind_and_never_opened(cuhk):
    taken = sorted(file for file in cuhk.rglob("*") if file.is_file())[:5]
    for file in taken:
        file.unlink()
    os.mkfifo(taken[0])
    os.mkfifo(taken[1])
    taken[2].mkdir()
    taken[3].symlink_to(taken[3].name)
    taken[4].write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    (error,) = faults(check(cuhk), "error")
    assert error.what.startswith("5 image files cannot be decoded: 2 are a named pipe")
    for kind in ("1 is a folder", "1 is a link that leads to itself", "1 is a PostScript program"):
        assert kind in error.what


def test_unreadable_and_cut_off_images_are_told_apart(cuhk):
    (cuhk / "Market" / "0002_c1s1_000451_03.jpg").write_bytes(b"\xff\xd8\x00 no picture \x1b[31m")
    cut = cuhk / "test_query" / "p2703_s3526.jpg"
    whole = noisy_jpeg(cut)
    cut.write_bytes(whole[: len(whole) * 2 // 3])
    report = check(cuhk)
    (error,), (warning,) = faults(report, "error"), faults(report, "warning")
    assert error.what == "1 image file cannot be decoded: 1 is no picture of the kinds that are read."
    assert error.examples[0].startswith("Market/0002_c1s1_000451_03.jpg: ")
    assert warning.what.startswith("1 image file cut off")
    assert warning.examples == ["test_query/p2703_s3526.jpg"]
    assert check(cuhk, images="exist").usable


def test_headers_without_data_single_colours_and_turned_images_are_counted(cuhk):
    files = [cuhk / name for name in ("Market/0002_c1s1_000451_03.jpg", "test_query/p2703_s3526.jpg")]
    whole = noisy_jpeg(files[0])
    files[0].write_bytes(whole[: whole.index(b"\xff\xda") + 20])
    Image.new("RGB", (60, 160), "navy").save(files[1])
    turned = next(file for file in sorted(cuhk.rglob("*.jpg")) if file not in files)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.effect_noise((60, 160), 50).save(turned, exif=exif)
    report = check(cuhk)
    (error,), (colour, exif) = faults(report, "error"), faults(report, "warning")
    assert error.what == "1 image file cannot be decoded."
    assert "ends before its picture begins" in error.examples[0]
    assert (colour.what, colour.examples) == (
        "1 image file of one single colour, which show nobody.",
        ["test_query/p2703_s3526.jpg"],
    )
    assert exif.what.startswith("1 image file turned by their EXIF")
    assert "-auto-orient" in exif.mend


def test_several_processes_find_the_same_as_one(tmp_path):
    files = []
    for index in range(1_100):
        file = tmp_path / f"{index}.bmp"
        file.write_bytes(b"no picture")
        files.append(str(file))
    for index in range(0, 1_100, 7):
        Image.new("RGB", (3, 5)).save(files[index])
    seen = []
    several = check_files(files, "decode", 2, lambda done, total: seen.append((done, total)))
    assert several == check_files(files, "decode", 1)
    assert len(several.unreadable) == 1_100 - 158
    assert seen == [(256, 1100), (512, 1100), (768, 1100), (1024, 1100), (1100, 1100)]


def test_another_extension_is_only_noted(cuhk):
    file = cuhk / "cam_a" / "000_45.bmp"
    file.rename(file.with_suffix(".PNG"))
    report = check(cuhk)
    assert report.usable
    assert any("another extension" in fault.what for fault in faults(report, "note"))


def test_a_person_in_two_splits_is_an_error(real_format, tmp_path):
    entries = real_format.icfg_entries()
    entries[3]["id"] = 0
    report = verify(ICFG, Place(real_format.write_icfg(tmp_path, entries), "--data-root"))
    (fault,) = [fault for fault in report.faults if "more than one split" in fault.what]
    assert (fault.severity, fault.examples) == ("error", ["0 in test, train"])


def test_an_image_in_two_splits_is_an_error(real_format, tmp_path):
    entries = real_format.icfg_entries()
    entries[3]["file_path"] = entries[0]["file_path"]
    report = verify(ICFG, Place(real_format.write_icfg(tmp_path, entries), "--data-root"))
    assert any(fault.what.startswith("1 image in more than one split") for fault in faults(report, "error"))


def test_persons_with_one_image_are_counted(cuhk):
    (note,) = [fault for fault in check(cuhk).faults if "single image" in fault.what]
    assert (note.count, note.severity) == (2, "note")


def test_a_faulty_annotation_is_reported_and_not_raised(cuhk):
    (cuhk.parent / "reid_raw.json").write_text("[{]")
    report = check(cuhk)
    assert not report.usable
    assert "not valid JSON" in report.faults[0].what


def test_missing_data_are_raised(tmp_path):
    with pytest.raises(DataError, match=r"from HARNESS_DATA"):
        verify(ICFG, Place(tmp_path, "HARNESS_DATA"))


def test_a_twin_is_checked_against_its_own_counts(real_format, tmp_path):
    root = real_format.write_icfg(tmp_path)
    counts = {split: Counts(*row)._asdict() for split, row in real_format.COUNTS["icfg"].items()}
    marker = {"version": 1, "dataset": "icfg", "seed": 0, "identities": 4, "counts": counts}
    file = real_format.write_json(root / "ICFG-PEDES" / "SYNTHETIC.json", marker)
    report = verify(ICFG, Place(root, "--data-root"))
    assert report.usable
    assert report.synthetic
    assert "synthetic twin" in report.title
    counts["test"]["images"] += 1
    real_format.write_json(file, marker)
    report = verify(ICFG, Place(root, "--data-root"))
    assert faults(report, "error")[0].what == (
        "Not the test set that the synthetic twin was made with: 2 images, made 3."
    )
    assert faults(report, "error")[0].mend.endswith("harness data make icfg --force")


def test_the_report_is_plain_json(cuhk):
    report = check(cuhk)
    values = json.loads(json.dumps(report.as_dict()))
    assert values["usable"] is True
    assert values["found"]["test"] == {"identities": 2, "images": 3, "captions": 14}
    assert values["faults"][0].keys() == {"severity", "what", "mend", "count", "examples"}


ODD = {
    "": "empty",
    " \t": "empty",
    "a coat ": "with spaces at an end",
    "a  coat": "with doubled spaces",
    "A RED COAT": "all upper case",
    "a coat，red": "with full-width or East Asian characters",
    "他 wears a coat": "with full-width or East Asian characters",
    "a café owner": "with other characters beyond ASCII",
    "a <b>red</b> coat": "with fragments of markup or code",
    "a coat &nbsp; red": "with fragments of markup or code",
    "see https://a.b": "with fragments of markup or code",
    "print(x) {y}": "with fragments of markup or code",
    "a shirt.His coat": "without a space after a full stop or comma",
}


@pytest.mark.parametrize("caption", ODD)
def test_an_odd_caption_is_found_as_what_it_is(caption):
    (odd,) = check_captions([Sample("a.jpg", 1, ("A man in a T-shirt (red).", caption), "train")])
    assert (odd.what, odd.count) == (ODD[caption], 1)
    assert odd.examples[0].startswith("a.jpg: ")


def test_good_captions_are_not_odd():
    good = "The man, about 1.75 m tall, wears a black-and-white T-shirt; he's holding an A4 bag & walks."
    assert check_captions([Sample("a.jpg", 1, (good,), "train")]) == []


def test_a_text_shared_by_persons_is_odd_but_not_by_images_of_one():
    rows = [
        ("a", 1, "x"),
        ("b", 1, "x"),
        ("c", 2, "y"),
        ("d", 3, "y"),
        ("e", 4, "y"),
        ("f", 5, ""),
        ("g", 6, ""),
    ]
    samples = [Sample(image, identity, (text,), "train") for image, identity, text in rows]
    shared = check_captions(samples)[-1]
    assert (shared.count, shared.examples) == (1, ["3 persons: 'y'"])
