"""The page of a run in MLflow: its note shows curves and gallery that are there, and pictures of people stay here."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from harness.datasets import Pairs
from harness.files import write_json
from harness.record import GALLERY, HISTORY, RunFolder
from harness.run.final_test import write_gallery
from harness.track.keeping import note_run
from harness.track.notes import NOTE
from harness.track.publish import publish
from harness.track.run_pictures import curves_of, send_page

HOSTILE = (
    "a [b](javascript:1) <script>alert(1)</script> | \x1b[31m![x](https://evil.example/?) " + "long " * 99
)


def with_files(made, arrays, root):
    """Return a run's folder with an epoch and a gallery whose captions are hostile."""
    folder = RunFolder(root / f"{made.name}-pictures")
    folder.write_queries(arrays)
    write_json(folder.file(HISTORY), [{"epoch": 1, "train/loss": 2.0, "val/t2i/R1": 3.0}])
    items = {"i2t/identity": np.arange(10), "t2i/top": np.tile(np.arange(10), (len(arrays["t2i/rank"]), 1))}
    split = SimpleNamespace(
        images=SimpleNamespace(read=lambda places: torch.zeros(len(places), 3, 8, 4, dtype=torch.uint8)),
        pairs=Pairs([], [], [HOSTILE] * len(arrays["t2i/rank"]), []),
    )
    write_gallery(folder, arrays | items, split)
    folder.write(made)
    return folder


@pytest.fixture
def sent(experiment, fake):
    made, arrays = fake.record("cskt", "icfg", 47)
    made.selection = {"rule": "val", "epoch": 1, "epochs": 1, "val/t2i/R1": 3.0}
    folder = with_files(made, arrays, experiment.runs)
    made.tracking = publish(made, folder, experiment)
    return made, folder


def test_the_note_shows_pictures_that_are_artifacts_of_the_run(experiment, sent):
    made, _ = sent
    row = experiment.run(made.tracking["run_id"])
    addresses = re.findall(r"!\[[^\]]*\]\(get-artifact\?path=([^&]+)&run_uuid=(\w+)\)", row.tags[NOTE])
    assert addresses == [("pictures%2Fcurves.svg", row.id), ("pictures%2Fgallery.jpg", row.id)]
    kept = {file.path for file in experiment.client.list_artifacts(row.id, "pictures")}
    assert kept == {"pictures/curves.svg", "pictures/gallery.jpg"}
    assert "no test result: R@1 3.0" in row.tags[NOTE]
    assert row.metrics["selection/val/t2i/R1"] == 3.0


def test_hostile_captions_are_text_and_cut(experiment, sent):
    made, _ = sent
    note = experiment.run(made.tracking["run_id"]).tags[NOTE]
    assert "<script" not in note
    assert "\x1b" not in note
    assert not re.search(r"(?<!\\)\]\(javascript", note)
    assert not re.search(r"(?<!\\)!\[x", note)
    assert max(map(len, note.splitlines())) < 500
    assert len(note) < 5000


def test_a_note_of_a_person_leaves_the_pictures_where_they_are(experiment, sent):
    made, folder = sent
    assert note_run(folder, made, "looked at") is None
    note = experiment.run(made.tracking["run_id"]).tags[NOTE]
    assert "Note: looked at" in note
    assert note.count("get-artifact?path=") == 2


@pytest.mark.parametrize(
    ("uri", "place", "synthetic", "goes"),
    [
        ("sqlite:///x.db", "file:///here/1", False, True),
        ("sqlite:///x.db", "/here/1", False, True),
        ("sqlite:///x.db", "s3://bucket/1", False, False),
        ("https://server", "mlflow-artifacts:/1", False, False),
        ("https://server", "file:///shared/1", False, False),
        ("https://server", "mlflow-artifacts:/1", True, True),
    ],
)
def test_pictures_of_people_are_sent_to_a_store_on_this_machine_alone(
    fake, tmp_path, uri, place, synthetic, goes
):
    made, arrays = fake.record("cskt", "icfg", 47, synthetic=synthetic)
    folder = with_files(made, arrays, tmp_path)
    files = []
    client = SimpleNamespace(
        get_run=lambda run_id: SimpleNamespace(info=SimpleNamespace(artifact_uri=place)),
        log_text=lambda run_id, text, name: files.append(name),
    )
    store = SimpleNamespace(
        uri=uri, client=client, log_file=lambda run_id, file, into: files.append(f"{into}/{file.name}")
    )
    note = send_page(store, "a1", made, folder)[NOTE]
    assert (f"pictures/{GALLERY}" in files) is goes
    assert ("best" in note) is goes
    assert (f"harness report run {made.name}" in note) is not goes


def test_values_that_are_no_number_are_no_point_and_no_epochs_no_curve(fake, tmp_path):
    made, _ = fake.record("cskt", "icfg", 47)
    folder = RunFolder(tmp_path)
    assert curves_of(made, folder) == []
    made.selection = {"epoch": 2}
    folder.write(made)
    write_json(
        folder.file(HISTORY),
        [{"epoch": 1, "val/t2i/R1": 3.0, "train/loss": 1e999}, {"epoch": 2, "val/t2i/R1": 4.0}],
    )
    (curve,) = curves_of(made, folder)
    assert (curve.points, curve.marked) == ([(1, 3.0), (2, 4.0)], 2)
