"""A bundle verifies as written, and whatever is altered in it is found, even where the forger seals it anew."""

import json
import shutil

import numpy as np
import pytest

from harness.bundle.agreement import unlike
from harness.bundle.export import export_runs
from harness.bundle.layout import CONTENTS, PERSONS, RESULTS
from harness.bundle.verify import verify_bundle
from harness.bundle.zips import unpack, write_zip
from harness.config.sections import RunConfig
from harness.config.values import content_hash
from harness.errors import DataError, UsageError
from harness.files import CHECKSUM, file_hash, load_arrays, read_json, write_arrays, write_json
from harness.record import HISTORY, QUERIES, QUERIES_SHA256, RECORD, RunFolder
from harness.results import run_table
from tests import measured_runs

KEY = "test/icfg/t2i/R1"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A bundle of two seeds of one method and one of another, one of them tested elsewhere."""
    root = tmp_path_factory.mktemp("bundle")
    runs = [
        measured_runs.finished(root / "runs", seed=1, elsewhere=["cuhk"]),
        measured_runs.finished(root / "runs", seed=2),
        measured_runs.finished(root / "runs", "prompt_only", seed=3, skill=0.4),
    ]
    done = export_runs([run.name for run in runs], root / "b.zip", root / "runs")
    assert done.runs == [run.name for run in runs]
    return root / "b.zip"


@pytest.fixture
def opened(bundle, tmp_path):
    """The unpacked bundle: its folder, and that of the run tested elsewhere."""
    unpack(bundle, tmp_path / "open")
    (run,) = [path.parent for path in (tmp_path / "open").glob("runs/*/transfer")]
    return tmp_path / "open", run


def closed(folder):
    """Pack a folder with a list of contents that fits it, as one who hides an alteration would."""
    contents = read_json(folder / CONTENTS)
    files = {str(file.relative_to(folder)): file for file in folder.rglob("*") if file.is_file()}
    contents["files"] = {name: file_hash(file) for name, file in files.items() if name != CONTENTS}
    contents["runs"] = [{"name": path.name} for path in sorted((folder / "runs").iterdir())]
    write_json(folder / CONTENTS, contents)
    write_zip(folder.parent / "altered.zip", files)
    return folder.parent / "altered.zip"


def sealed(run):
    """Make the checksums of a run's folder fit its files."""
    record = read_json(run / RECORD)
    record["files"] = {name: file_hash(run / name) for name in (QUERIES, HISTORY)}
    write_json(run / RECORD, record)
    result = read_json(run / "transfer/cuhk.json")
    result[QUERIES_SHA256] = file_hash(run / "transfer/cuhk.npz")
    write_json(run / "transfer/cuhk.json", result)


def differing(path):
    return [check.line for check in verify_bundle(path).checks if check.agrees is False]


def test_what_was_written_verifies_and_says_what_was_checked(bundle):
    found = verify_bundle(bundle)
    assert found.agrees
    assert all(check.agrees for check in found.checks)
    of = {check.of for check in found.checks}
    assert of == {"bundle", *found.runs, f"{found.runs[0]} on cuhk"}
    assert len(found.checks) == 3 + 3 * 8 + 3


def test_it_verifies_once_the_harness_knows_more_settings(bundle, monkeypatch):
    known = run_table.later_defaults(RunConfig)
    monkeypatch.setattr(run_table, "later_defaults", lambda section: known | {"train.later": 0.5})
    monkeypatch.setattr(run_table, "content_hash", lambda value: content_hash([value, "hashed otherwise"]))
    assert verify_bundle(bundle).agrees


def test_it_combines_seeds_and_compares_results(opened):
    folder, _ = opened
    tables = {table["tested_on"]: table for table in read_json(folder / RESULTS)["tables"]}
    own = tables["icfg"]
    assert [len(row["runs"]) for row in own["results"]] == [2, 1]
    (pair,) = own["differences"]
    assert pair["difference"] == pytest.approx(own["results"][0]["R1"] - own["results"][1]["R1"])
    assert pair["p"] < 0.05
    assert pair["difference_low"] > 0


def in_record(key, change):
    def alter(folder, run):
        record = read_json(run / RECORD)
        *before, last = key.split("|")
        place = record
        for name in before:
            place = place[name]
        place[last] = change(place[last])
        write_json(run / RECORD, record)

    return alter


def in_json(file, change, of_run=True):
    def alter(folder, run):
        path = (run if of_run else folder) / file
        values = read_json(path)
        change(values)
        write_json(path, values)

    return alter


def in_arrays(file, name, change, of_run=True):
    def alter(folder, run):
        path = (run if of_run else folder) / file
        arrays = load_arrays(path)
        arrays[name] = arrays[name].copy()
        change(arrays[name])
        write_arrays(path, arrays)

    return alter


def first(value):
    def change(array):
        array.flat[0] = value

    return change


def swap(array):
    array[[0, -1]] = array[[-1, 0]]


def best(result, key, value):
    result["tables"][0]["results"][0][key] = value


ALTERATIONS = {
    "R@1": in_record(f"metrics|{KEY}", lambda value: value + 0.2),
    "R@10": in_record("metrics|test/icfg/i2t/R10", lambda value: value + 1),
    "mAP": in_record("metrics|test/icfg/t2i/mAP", lambda value: value + 0.01),
    "Rsum": in_record("metrics|test/icfg/Rsum", lambda value: value + 1),
    "an interval": in_record(f"intervals|{KEY}", lambda ends: [ends[0] + 0.5, ends[1]]),
    "a metric that is not there": in_record("metrics", lambda values: values | {"test/icfg/t2i/R2": 99.0}),
    "the correlation": in_record("statistics|t2i/R1/intra_identity_correlation", lambda value: value / 2),
    "the seed": in_record("config|seed", lambda value: 7),
    "a setting": in_record("config|train|epochs", lambda value: 60),
    "the annotation": in_record("fingerprint", lambda value: "another"),
    "the pictures": in_record("pictures|test", lambda value: "another"),
    "the weights of the backbone": in_record("backbone|sha256", lambda value: "cd" * 32),
    "the version of the protocol": in_record("versions|protocol", lambda value: 2),
    "the state": in_record("status", lambda value: "failed"),
    "the chosen epoch": in_record("selection|epoch", lambda value: 1),
    "the validation of the chosen epoch": in_record("selection|val/t2i/R1", lambda value: 44.0),
    "the history": in_json(HISTORY, lambda rows: rows[0].update({"val/t2i/R1": 90.0})),
    "a rank": in_arrays(QUERIES, "t2i/rank", first(2)),
    "a precision": in_arrays(QUERIES, "t2i/AP", first(0.123)),
    "the persons of queries": in_arrays(QUERIES, "t2i/identity", swap),
    "the number of right items": in_arrays(QUERIES, "i2t/n_right", first(9)),
    "the best ten": in_arrays(QUERIES, "t2i/top", swap),
    "a result elsewhere": in_json("transfer/cuhk.json", lambda one: one["metrics"].update({"test/cuhk/t2i/R1": 99.0})),
    "a rank elsewhere": in_arrays("transfer/cuhk.npz", "t2i/rank", first(11)),
    "a mean over seeds": in_json(RESULTS, lambda all_: best(all_, "R1", 99.0), of_run=False),
    "a rank of a method": in_json(RESULTS, lambda all_: best(all_, "rank_high", 5), of_run=False),
    "a p-value": in_json(RESULTS, lambda all_: all_["tables"][0]["differences"][0].update(p=0.5), of_run=False),
    "sums of a person": in_arrays(PERSONS, "0/sums", first(2.5), of_run=False),
    "a run left out": lambda folder, run: shutil.rmtree(run),
}  # fmt: skip


# A quarter of a second each: the others are the same kinds again.
QUICK = (
    "R@1",
    "an interval",
    "a setting",
    "the chosen epoch",
    "a rank",
    "a rank elsewhere",
    "a p-value",
    "sums of a person",
)


@pytest.mark.parametrize(
    "what", [what if what in QUICK else pytest.param(what, marks=pytest.mark.slow) for what in ALTERATIONS]
)
def test_an_alteration_is_found_though_every_checksum_was_made_anew(opened, what):
    folder, run = opened
    ALTERATIONS[what](folder, run)
    if run.is_dir():
        sealed(run)
    assert differing(closed(folder))


def test_what_cannot_be_computed_anew_is_found_by_its_checksum(opened):
    folder, run = opened
    file = run / RECORD
    file.write_text(file.read_text().replace('"train_seconds": 50.0', '"train_seconds": 5.0'))
    files = {str(one.relative_to(folder)): one for one in folder.rglob("*") if one.is_file()}
    write_zip(folder.parent / "altered.zip", files)
    lines = differing(folder.parent / "altered.zip")
    assert f"runs/{run.name}/record.json has other content than was listed" in lines[0]
    assert any("its checksum is of other content" in line for line in lines)


def test_earlier_intervals_are_said_not_to_be_known(tmp_path):
    record = measured_runs.finished(tmp_path / "runs")
    folder = RunFolder(tmp_path / "runs" / record.name)
    record.interval_method = 1
    folder.write(record)
    export_runs([record.name], tmp_path / "b.zip", tmp_path / "runs")
    (check,) = [one for one in verify_bundle(tmp_path / "b.zip").checks if one.agrees is not True]
    assert check.agrees is None
    assert "harness runs reread" in check.line


def test_figures_that_do_not_follow_are_not_exported(tmp_path):
    record = measured_runs.finished(tmp_path / "runs")
    record.metrics[KEY] += 1
    RunFolder(tmp_path / "runs" / record.name).write(record)
    with pytest.raises(DataError, match=r"Nothing was written.*metrics: test/icfg/t2i/R1"):
        export_runs([record.name], tmp_path / "b.zip", tmp_path / "runs")
    assert not (tmp_path / "b.zip").exists()


def test_only_what_can_be_checked_is_exported(tmp_path):
    record = measured_runs.finished(tmp_path / "runs")
    folder = RunFolder(tmp_path / "runs" / record.name)
    folder.file(QUERIES).unlink()
    with pytest.raises(UsageError, match="no per-query results"):
        export_runs([record.name], tmp_path / "b.zip", tmp_path / "runs")
    record.status = "failed"
    folder.write(record)
    with pytest.raises(UsageError, match="is failed: a bundle holds what can be checked"):
        export_runs([record.name], tmp_path / "b.zip", tmp_path / "runs")


def test_nothing_says_where_it_was_made(opened, monkeypatch):
    folder, _ = opened
    text = "".join(file.read_text() for file in folder.rglob("*.json"))
    assert "laboratory-7" not in text
    assert "/tmp" not in text
    assert not [name for name in folder.rglob("*") if name.suffix in (".jpg", ".png", ".safetensors")]
    captions = [
        key for file in folder.rglob("*.npz") for key, one in np.load(file).items() if one.dtype.kind == "U"
    ]
    assert set(captions) <= {"names"}


def test_equal_runs_give_equal_files(bundle, tmp_path):
    files = {}
    for number in (1, 2):
        unpack(bundle, tmp_path / str(number))
        names = {
            str(one.relative_to(tmp_path / str(number))): one for one in (tmp_path / str(number)).rglob("*")
        }
        write_zip(tmp_path / f"{number}.zip", {name: one for name, one in names.items() if one.is_file()})
        files[number] = (tmp_path / f"{number}.zip").read_bytes()
    assert files[1] == files[2]


def test_a_value_is_compared_as_what_it_is():
    assert list(unlike({"a": True}, {"a": 1})) == ["a: True is said, 1 follows"]
    assert list(unlike({"a": 1}, {})) == ["a: said, and nothing gives it"]
    assert list(unlike({}, {"a": 1})) == ["a: not said"]
    assert not list(unlike([1.0, None, "x"], (1, None, "x")))


def test_a_checksum_is_no_part_of_the_list(bundle, tmp_path):
    unpack(bundle, tmp_path)
    assert CHECKSUM in json.loads((tmp_path / CONTENTS).read_text())
