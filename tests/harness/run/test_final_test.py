"""The one look at the test split: what goes into the record and the folder, by whom."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from harness.errors import UsageError
from harness.evaluate.intervals import METHOD
from harness.files import read_json
from harness.record import EMBEDDINGS, GALLERY, GALLERY_WORDS, Record, RunFolder
from harness.run import final_test, import_checkpoint
from harness.run.final_test import take_own_test, take_test, write_gallery

QUERIES = {"t2i/identity": np.array([1, 1, 2]), "t2i/rank": np.array([1, 1, 2])}


class Folder:
    """A run's folder that keeps what is written to it."""

    def __init__(self):
        self.written = {}

    def write_queries(self, arrays, name="queries.npz"):
        self.written[name] = arrays

    def note(self, record, *names):
        record.files |= dict.fromkeys(names, "sum")


class Encoder:
    """An encoder that notes that it was folded."""

    def __init__(self, main):
        self.engine = SimpleNamespace(device="cpu", is_main_process=main)
        self.method, self.folded = "the method", []

    def fold(self, split):
        self.folded.append(split)


@pytest.fixture
def take(monkeypatch):
    """Test a run on four pictures and three captions; return record, folder, encoder and metrics."""

    def call(main=True, seconds=(2.0, 0.5)):
        folder, encoder = Folder(), Encoder(main)
        split = SimpleNamespace(dataset="icfg", images=[0] * 4, owners=[0, 1, 2], identities=[1, 1, 2, 2])
        embeddings = SimpleNamespace(
            image="images", text="texts", image_seconds=seconds[0], text_seconds=seconds[1]
        )
        found = SimpleNamespace(metrics={"t2i/R1": 66.7}, queries=QUERIES)

        def evaluate(given, on, *, detail):
            assert (given, on, detail, given.folded) == (encoder, split, True, [split])
            return found, embeddings

        monkeypatch.setattr(final_test, "evaluate", evaluate)
        monkeypatch.setattr(final_test, "inference_flops", lambda method: {"forward": len(method)})
        monkeypatch.setattr(final_test, "intervals", lambda queries: {"t2i/R1": (0.0, len(queries))})
        monkeypatch.setattr(final_test, "correlation", lambda queries: 0.25)
        monkeypatch.setattr(final_test, "sample_embeddings", lambda *given: given)
        monkeypatch.setattr(final_test, "write_gallery", lambda folder, *_: folder.written.update(gallery=1))
        record = Record(identity="a", config={}, versions={}, fingerprint="", backbone={}, synthetic=True)
        record.accounting["flops"] = {"training": 7}
        metrics = take_test(record, folder, encoder, split)
        return record, folder, metrics

    return call


def test_the_record_has_metrics_intervals_costs_and_speeds_of_the_folded_method(take):
    record, folder, metrics = take()
    assert metrics == {"t2i/R1": 66.7}
    assert record.metrics == {"test/icfg/t2i/R1": 66.7}
    assert record.intervals == {"test/icfg/t2i/R1": (0.0, 2)}
    assert record.interval_method == METHOD
    assert record.statistics["t2i/R1/intra_identity_correlation"] == 0.25
    assert record.accounting["flops"] == {"training": 7, "forward": len("the method")}
    assert record.accounting["images_per_second"] == pytest.approx(4 / 2.0)
    assert record.accounting["captions_per_second"] == pytest.approx(3 / 0.5)
    assert record.accounting["test_peak_bytes"] > 0
    assert folder.written["queries.npz"] is QUERIES
    assert folder.written["gallery"]
    assert GALLERY in record.files
    assert folder.written[EMBEDDINGS] == ("images", "texts", [1, 1, 2, 2], [0, 1, 2])


def test_a_clock_that_did_not_move_divides_nothing_by_nought(take):
    record, _, _ = take(seconds=(0.0, 0.0))
    assert record.accounting["images_per_second"] == pytest.approx(4e9)
    assert record.accounting["captions_per_second"] == pytest.approx(3e9)


def test_only_the_main_process_writes(take):
    record, folder, metrics = take(main=False)
    assert metrics == {"t2i/R1": 66.7}
    assert (record.intervals, folder.written) == ({}, {})


def test_the_gallery_shows_the_first_pictures_of_one_caption_of_each_kind(tmp_path):
    queries = {
        "t2i/identity": np.array([7, 8, 9]),
        "t2i/rank": np.array([1, 2, 3]),
        "t2i/AP": np.array([1.0, 0.5, 0.3]),
        "t2i/top": np.array([[0, 1], [0, 1], [0, 1]]),
        "i2t/identity": np.array([7, 8, 9]),
    }
    read = []
    images = SimpleNamespace(
        read=lambda places: (read.append(places), torch.zeros(len(places), 3, 8, 4, dtype=torch.uint8))[1]
    )
    split = SimpleNamespace(images=images, pairs=SimpleNamespace(captions=["one", "two", "three"]))
    write_gallery(RunFolder(tmp_path), queries, split)
    rows = read_json(tmp_path / GALLERY_WORDS, of=dict)["rows"]
    assert [(row["kind"], row["caption"], row["first_rank"], row["right"]) for row in rows] == [
        ("best", "one", 1, [True, False]),
        ("median", "two", 2, [False, True]),
        ("worst", "three", 3, [False, False]),
    ]
    assert read == [[0, 1]] * 3
    assert Image.open(tmp_path / GALLERY).format == "JPEG"


def test_a_twin_is_refused_for_a_checkpoint_of_real_data_at_both_doors(monkeypatch):
    config = SimpleNamespace(dataset=SimpleNamespace(name="icfg", synthetic=False, on_bad_image="skip"))
    twin = SimpleNamespace(synthetic=True, root="there")
    with pytest.raises(UsageError, match="there holds a synthetic twin of icfg"):
        take_own_test(None, None, None, twin, config, None)
    monkeypatch.setattr(import_checkpoint, "read_dataset", lambda *_, **__: twin)
    with pytest.raises(UsageError, match="there holds a synthetic twin of icfg"):
        import_checkpoint._read_own(config, True, None)
