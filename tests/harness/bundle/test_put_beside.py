"""Importing a bundle: all of it or nothing, what is here stays, and tables have the runs afterwards."""

import shutil

import pytest

from harness import files
from harness.bundle import export_runs, import_bundle
from harness.bundle.put_beside import in_words
from harness.errors import DataError, UsageError
from harness.record import BUNDLE, RunFolder, all_runs
from harness.results.run_source import Source
from tests import measured_runs


@pytest.fixture
def bundle(tmp_path):
    runs = [
        measured_runs.finished(tmp_path / "theirs", seed=seed, elsewhere=["cuhk"][: seed == 1])
        for seed in (1, 2)
    ]
    export_runs([run.name for run in runs], tmp_path / "b.zip", tmp_path / "theirs")
    return tmp_path / "b.zip", runs


def test_runs_are_beside_ones_own_and_in_tables(bundle, tmp_path):
    path, runs = bundle
    own = measured_runs.finished(tmp_path / "ours", "prompt_only", seed=5)
    done = import_bundle(path, tmp_path / "ours")
    assert sorted(done.put) == sorted(run.name for run in runs)
    assert (done.twice, done.unsent) == ([], "")
    assert {folder.path.name for folder in all_runs(tmp_path / "ours")} == {own.name, *done.put}
    record = RunFolder(tmp_path / "ours" / runs[0].name).read()
    assert len(record.tags[BUNDLE]) == 64
    assert record.metrics == runs[0].metrics
    table = Source(runs=str(tmp_path / "ours")).single_runs
    assert set(table["run"]) == {own.name, *done.put}
    assert set(table["tested_on"]) == {"icfg", "cuhk"}


def test_what_is_here_already_stays_and_is_compared(bundle, tmp_path):
    path, runs = bundle
    shutil.copytree(tmp_path / "theirs", tmp_path / "ours")
    kept = RunFolder(tmp_path / "ours" / runs[0].name)
    arrays = kept.queries()
    arrays["t2i/rank"] = arrays["t2i/rank"] + 1
    kept.write_queries(arrays)
    record = kept.read()
    record.metrics["test/icfg/t2i/R1"] = 12.0
    kept.note(record, "queries.npz")
    kept.write(record)
    shutil.rmtree(tmp_path / "ours" / runs[1].name)
    done = import_bundle(path, tmp_path / "ours")
    assert done.put == [runs[1].name]
    (twice,) = done.twice
    assert (twice.name, twice.here, twice.there) == (runs[0].name, 12.0, runs[0].metrics["test/icfg/t2i/R1"])
    assert twice.queries == 0.5
    assert "50.00 % of the ranks are the same" in in_words(twice)
    assert kept.read().metrics["test/icfg/t2i/R1"] == 12.0


def test_a_bundle_that_does_not_verify_leaves_nothing(bundle, tmp_path, monkeypatch):
    path, _ = bundle
    monkeypatch.setattr("harness.bundle.verify.metrics_of", lambda queries: {"t2i/R1": 1.0})
    with pytest.raises(DataError, match="not imported, for it does not verify"):
        import_bundle(path, tmp_path / "ours")
    assert not (tmp_path / "ours").exists()


def test_a_folder_that_fills_up_keeps_nothing_of_it(bundle, tmp_path, monkeypatch):
    path, runs = bundle
    copy = files.copy_file

    def full(source, to):
        if runs[1].name in str(to):
            raise OSError(28, "No space left on device", str(to))
        return copy(source, to)

    monkeypatch.setattr("harness.bundle.put_beside.copy_file", full)
    with pytest.raises(UsageError, match="free some space"):
        import_bundle(path, tmp_path / "ours")
    assert list((tmp_path / "ours").iterdir()) == []


@pytest.mark.slow
def test_a_store_that_does_not_answer_is_told(bundle, tmp_path, monkeypatch):
    path, runs = bundle
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    done = import_bundle(path, tmp_path / "ours")
    assert len(done.put) == len(runs)
    assert done.unsent
