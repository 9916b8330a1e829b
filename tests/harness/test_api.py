"""`harness.runs()`: one row a run, with all that its results stand on."""

import os
import subprocess
import sys

import pytest

import harness
from harness.files import write_json
from harness.record import BOOTSTRAP, RunFolder


def test_a_row_has_identity_hashes_counts_intervals_faults_and_results_on_other_datasets(fake, tmp_path):
    made, _ = fake.record("cskt", "icfg")
    made.selection = {"rule": "val", "epoch": 3, "val/t2i/R1": 61.5}
    made.data["faults"] = ["3 captions are cut"]
    made.weights_sha256, made.command = "cd" * 32, "harness run"
    folder = RunFolder(tmp_path / made.name)
    folder.write(made)
    name = "test/cuhk/t2i/R1"
    result = {"dataset": "cuhk", "metrics": {name: 12.0}, "intervals": {name: (10.0, 15.0)}}
    write_json(folder.file("transfer/cuhk.json"), result)
    (row,) = harness.runs(tmp_path).to_dict("records")
    own = "test/icfg/t2i/R1"
    assert [row[own], row[f"{own}/low"], row[f"{own}/high"]] == [made.metrics[own], *made.intervals[own]]
    assert [row[name], row[f"{name}/low"], row[f"{name}/high"]] == [12.0, 10.0, 15.0]
    assert (row["identity"], row["fingerprint"]) == (made.identity, made.fingerprint)
    assert (row["backbone_sha256"], row["weights_sha256"]) == ("ab" * 32, "cd" * 32)
    assert row["data.faults"] == ["3 captions are cut"]
    assert (row["selection.epoch"], row["selection.val/t2i/R1"]) == (3, 61.5)
    assert row["command"] == "harness run"
    assert (row["interval_method"], row["interval_method.cuhk"]) == (made.interval_method, BOOTSTRAP)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ["passive", None]),
        ({"OMP_WAIT_POLICY": "active"}, ["active", None]),
        ({"GOMP_SPINCOUNT": "500"}, [None, "500"]),
    ],
)
def test_threads_that_wait_sleep_unless_the_user_has_said_how(given, expected):
    told = {name: value for name, value in os.environ.items() if name not in harness.WAITING}
    look = "import os, sys, harness; print([*map(os.environ.get, harness.WAITING), 'torch' in sys.modules])"
    said = subprocess.run([sys.executable, "-c", look], env=told | given, capture_output=True, check=True)
    assert said.stdout.decode().strip() == str([*expected, False])
