"""A dataset of a third party whose annotation is of a form of its own: its `read` is used wherever data are read."""

import sys
from importlib import import_module
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from PIL import Image

from harness.analysis.dataset_profile import measure
from harness.cli.actions.data_show import show_info, show_overview
from harness.cli.actions.data_verify import show_report
from harness.config.sections import BackboneConfig, DatasetConfig
from harness.data.annotations import annotation_fingerprint, read_annotations, read_dataset
from harness.data.loading import open_material
from harness.data.overview import _row, describe
from harness.data.reading import read_dataset as read_for_run
from harness.data.verify.verify import verify
from harness.datasets import DATASETS, Counts, PersonDataset, Sample
from harness.errors import DataError
from harness.listener import Listener
from harness.paths import Place
from harness.reports import REPORTS

PLUG_IN = '''
"""Photos of a street: one line of labels.csv an image."""

import csv

from harness.datasets import Counts, PersonDataset, Sample
from harness.errors import DataError


class Street(PersonDataset):
    title = "Street"
    folder = "Street"
    licence = "free"
    access = "Ask the authors."
    annotation_files = ("labels.csv",)
    image_folder = "photos"
    expected = {"train": Counts(2, 3, 3), "val": Counts(1, 1, 1), "test": Counts(1, 2, 2)}

    @DECORATOR
    def read(ARGUMENTS):
        inside = root / "Street" / "labels.csv"
        file = inside if inside.is_file() else root / "labels.csv"
        if not file.is_file():
            raise DataError(f"Street: there is no labels.csv in {root} or its folder Street.")
        with file.open(encoding="utf-8", newline="") as rows:
            samples = []
            for number, (image, identity, split, caption) in enumerate(csv.reader(rows), start=1):
                if not identity.isdigit():
                    raise DataError(f"{file}, line {number}: the identity {identity!r} is no number.")
                samples.append(Sample(image, int(identity), (caption,), split))
            return samples
'''
ROWS = (
    ("a.png", 7, "train", "a man in red"),
    ("b.png", 7, "train", "a man with a bag"),
    ("c.png", 20, "train", "a woman in blue"),
    ("d.png", 31, "val", "a child"),
    ("e.png", 42, "test", "a woman with a hat"),
    ("f.png", 42, "test", "a woman in black"),
)
SAMPLES = [Sample(image, identity, (caption,), split) for image, identity, split, caption in ROWS]


@pytest.fixture(params=["classmethod", "staticmethod"])
def street(request, tmp_path, monkeypatch):
    """The dataset, as an installed package would bring it: by an entry point."""
    arguments = {"classmethod": "cls, root", "staticmethod": "root"}[request.param]
    module = f"street_{request.param}"
    text = PLUG_IN.replace("DECORATOR", request.param).replace("ARGUMENTS", arguments)
    (tmp_path / f"{module}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    entry = EntryPoint("street", f"{module}:Street", "harness.datasets")
    monkeypatch.setattr(DATASETS, "_entries", {"street": entry})
    monkeypatch.setattr(DATASETS, "_classes", dict(DATASETS._classes))
    yield DATASETS.get("street")
    sys.modules.pop(module, None)


@pytest.fixture
def root(tmp_path):
    """A data root that holds the dataset's folder."""
    folder = tmp_path / "data" / "Street"
    (folder / "photos").mkdir(parents=True)
    write(folder.parent, ROWS)
    for place, (image, *_) in enumerate(ROWS):
        Image.new("RGB", (8, 24), (40 * place, 0, 0)).save(folder / "photos" / image)
    return folder.parent


def write(root, rows):
    lines = [",".join(map(str, row)) for row in rows]
    (root / "Street" / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_the_shipped_datasets_have_no_reader_of_their_own():
    assert PersonDataset.read is None
    assert DATASETS.get("icfg").read is None


def test_its_own_reader_is_called_with_the_root(street, root):
    assert street.name == "street"
    assert read_annotations(street, root) == SAMPLES
    assert read_annotations(street, root / "Street") == SAMPLES
    assert read_dataset(street, Place(root, "--data-root")) == SAMPLES


def test_a_run_reads_arranges_and_opens_it(street, root):
    config = DatasetConfig(name="street", root=str(root), store="off")
    reading = read_for_run(config, Listener())
    assert reading.dataset is street
    assert reading.samples == SAMPLES
    assert reading.train_counts == Counts(2, 3, 3)
    assert reading.fingerprint == annotation_fingerprint(street, root, SAMPLES)
    assert (reading.has_val, reading.synthetic) == (True, False)
    backbone = BackboneConfig(name="tiny", pretrained=None, image_size=(24, 8), interpolation="bilinear")
    material = open_material(reading, config, backbone, tokens, Listener())
    assert material.describe() == {
        "train_pairs": 3,
        "train_images": 3,
        "train_identities": 2,
        "val_captions": 1,
        "test_captions": 2,
        "test_images": 2,
        "test_identities": 1,
        "bad_images": 0,
        "left_out": {"train": 0, "val": 0, "test": 0},
        "faults": [
            "pictures of one single colour: 3 of 3 in train, 1 of 1 in val, 2 of 2 in test; they show nobody"
        ],
    }
    reds = material.test.images.read(range(2))[:, 0].float().mean(dim=(1, 2))
    assert reds.tolist() == [160, 200], "the images of its own folder, in its order"


def tokens(captions, length=None):
    import torch

    return torch.zeros(len(captions), length or 77, dtype=torch.int32)


def test_verify_checks_it_like_any_other(street, root):
    report = verify(street, Place(root, "--data-root"), workers=1)
    assert report.usable
    assert report.found == report.expected == street.expected
    assert report.annotations == [str(root / "Street" / "labels.csv")]
    (root / "Street" / "photos" / "e.png").unlink()
    write(root, ROWS[1:])
    report = verify(street, Place(root, "--data-root"), workers=1)
    assert [fault.what for fault in report.faults if fault.severity == "error"] == [
        "Not the published train set: 2 images, published 3; 2 captions, published 3.",
        "The image folder itself: 1 of 5 image files missing.",
    ]


def test_without_published_counts_none_are_wrong_anywhere(street, root, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(street, "expected", {})
    report = verify(street, Place(root, "--data-root"), workers=1)
    assert report.usable
    assert not [fault for fault in report.faults if "counts" in fault.what]
    show_report(report)
    out = capsys.readouterr().out
    assert "counts: found (none are published)" in out
    assert out.count("not published") == 3
    assert "differs" not in out
    row = _row("street", Place(root, "--data-root"))
    assert (row["identities"], row["images"], row["captions"]) == (None, None, None)
    show_overview(Place(root, "--data-root"), [row])
    show_info(describe(street, Place(root, "--data-root")))
    out = capsys.readouterr().out
    assert "–" in out.splitlines()[2]
    assert "Published counts: none" in out
    assert "its own; default --val own" in out
    monkeypatch.setenv("HARNESS_DATA", str(root))
    profile = measure("street", tmp_path)
    assert profile.expected == {}
    rows = _splits(profile)
    assert rows["counts"].tolist() == ["none published"] * 3
    assert rows["images"].tolist() == ["3", "1", "2"]


def _splits(profile):
    report = import_module(REPORTS.get("dataset").__module__)
    captions = {"split": np.array([]), "n_words": np.array([])}
    images = {"person_split": np.array([]), "person_images": np.array([]), "split": np.array([])}
    table = report.splits_table(profile, captions, images | {"n_captions": np.array([])})
    assert table.notes[0] == "Counts: found. In brackets: minimum to maximum."
    return table.cells


def test_its_errors_come_through_with_their_own_words(street, root):
    write(root, [*ROWS, ("g.png", "seven", "test", "a boy")])
    message = r"labels\.csv, line 7: the identity 'seven' is no number\."
    with pytest.raises(DataError, match=message):
        read_for_run(DatasetConfig(name="street", root=str(root)), Listener())
    report = verify(street, Place(root, "--data-root"))
    assert not report.usable
    (fault,) = report.faults
    assert fault.severity == "error"
    assert fault.what.endswith("line 7: the identity 'seven' is no number.")
    assert report.found == {}


def test_where_it_is_missing_its_reader_says_what_it_looked_for(street, tmp_path):
    with pytest.raises(DataError, match=r"there is no labels\.csv in .*nowhere or its folder Street"):
        read_dataset(street, Place(tmp_path / "nowhere", "--data-root"))
    report = verify(street, Place(tmp_path / "nowhere", "--data-root"))
    assert [fault.what.split(":")[0] for fault in report.faults] == ["Street"]
    assert not report.usable
