"""A scored run goes to others like any other: its name is checked as scoring forms it, and its telling is sealed."""

import json

import numpy as np
import pytest

from harness.bundle import export_runs, import_bundle, verify_bundle
from harness.bundle.layout import CONTENTS
from harness.bundle.zips import unpack, write_zip
from harness.config.sections import DatasetConfig
from harness.files import file_hash, read_json, write_json
from harness.listener import Listener
from harness.record import RECORD, RunFolder
from harness.scoring.score import Given, lists, score
from harness.scoring.told import SCORES, told

pytestmark = pytest.mark.usefixtures("untracked")
NAME = "its name follows from what was told and scored, data and versions"


@pytest.fixture(scope="module")
def file(twins, tmp_path_factory):
    """Scores of the twin's test split by somebody's system."""
    own = lists(DatasetConfig(name="cuhk", synthetic=True, root=str(twins)), "test", Listener())
    right = np.array(
        [[owner == image for image in own["images"]] for _, owner in own["captions"]], np.float32
    )
    draws = np.random.default_rng(1)
    path = tmp_path_factory.mktemp("scores") / "scores.npz"
    np.savez(path, mine=right + 0.6 * draws.normal(size=right.shape), other=right)
    return path


@pytest.fixture
def scored(twins, file, tmp_path):
    """Score the file and return the record."""

    def make(key="mine", **known):
        dataset = DatasetConfig(name="cuhk", synthetic=True, root=str(twins))
        told_of = told(**({"method": "IRRA", "image_size": (384, 128), "rule": "val"} | known))
        return score(Given(similarity=file, key=key), dataset, told_of, runs=tmp_path / "runs")

    return make


def packed(record, tmp_path):
    export_runs([record.name], tmp_path / "b.zip", tmp_path / "runs")
    return tmp_path / "b.zip"


def of_name(bundle):
    (found,) = [check for check in verify_bundle(bundle).checks if check.what == NAME]
    return found


def test_it_verifies_and_is_imported_with_what_was_told(scored, tmp_path):
    record = scored()
    bundle = packed(record, tmp_path)
    assert verify_bundle(bundle).agrees
    assert of_name(bundle).agrees is True
    assert import_bundle(bundle, tmp_path / "theirs").put == [record.name]
    there = RunFolder(tmp_path / "theirs" / record.name).read()
    assert there.scored == record.scored
    assert there.config["method"] == record.config["method"]
    assert there.metrics == record.metrics
    (twice,) = import_bundle(bundle, tmp_path / "theirs").twice
    assert twice.queries == 1.0


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record["config"]["eval"].update(rule="untrained"),
        lambda record: record["config"]["eval"].update(unlabelled_test="no"),
        lambda record: record["data"][SCORES].update(sha256="0" * 64),
        lambda record: record["data"][SCORES]["read_as"].__setitem__(1, True),
        lambda record: record["versions"].update(protocol=2),
    ],
)
def test_what_was_told_or_scored_cannot_be_altered_under_the_same_name(scored, tmp_path, change):
    record = scored()
    unpack(packed(record, tmp_path), tmp_path / "open")
    file = tmp_path / "open" / "runs" / record.name / RECORD
    values = read_json(file)
    change(values)
    write_json(file, values)
    contents = read_json(tmp_path / "open" / CONTENTS)
    contents["files"][f"runs/{record.name}/{RECORD}"] = file_hash(file)
    write_json(tmp_path / "open" / CONTENTS, contents)
    files = [one for one in (tmp_path / "open").rglob("*") if one.is_file()]
    write_zip(tmp_path / "a.zip", {str(one.relative_to(tmp_path / "open")): one for one in files})
    assert of_name(tmp_path / "a.zip").agrees is False


def test_of_a_run_that_did_not_note_its_file_the_name_is_not_known(scored, tmp_path):
    record = scored()
    del record.data[SCORES]
    RunFolder(tmp_path / "runs" / record.name).write(record)
    found = of_name(packed(record, tmp_path))
    assert found.agrees is None
    assert "is not noted in it" in found.why


def test_an_array_whose_name_is_a_path_is_no_reason_to_refuse(twins, file, tmp_path):
    with np.load(file) as arrays:
        np.savez(tmp_path / "p.npz", **{"/home/ann/mine": arrays["mine"]})
    dataset = DatasetConfig(name="cuhk", synthetic=True, root=str(twins))
    given = Given(similarity=tmp_path / "p.npz", key="/home/ann/mine")
    record = score(given, dataset, told(method="IRRA"), runs=tmp_path / "runs")
    bundle = packed(record, tmp_path)
    assert of_name(bundle).agrees is None
    assert "/home/ann" not in json.dumps(verify_bundle(bundle).as_dict())
