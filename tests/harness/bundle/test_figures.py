"""The tables of a bundle are those that the reports of the same runs make from MLflow."""

import shutil

import pytest

from harness.bundle.figures import figures
from harness.results.method_ranks import ranked
from harness.results.panels import dataset_facts, split_panels
from harness.results.run_source import Source
from harness.run.resume import sync_runs
from tests import measured_runs

_SHARED = ("R1", "R1_low", "R1_high", "mAP", "rank_low", "rank_high")


@pytest.mark.slow
def test_they_are_those_of_the_tracked_runs(tmp_path):
    runs = [measured_runs.finished(tmp_path, seed=seed, skill=0.8) for seed in (1, 2)]
    runs += [measured_runs.finished(tmp_path, "prompt_only", seed=seed, skill=0.5) for seed in (1, 2)]
    (tmp_path / "bundle" / "runs").mkdir(parents=True)
    for run in runs:
        shutil.copytree(tmp_path / run.name, tmp_path / "bundle" / "runs" / run.name)
    sync_runs(tmp_path)
    source = Source(runs=str(tmp_path))
    (panel,) = split_panels(*_swapped(*source.combined(source.single_runs)))
    tracked = ranked(panel).to_dict("records")
    (table,) = figures(tmp_path / "bundle")[0]["tables"]
    assert [row["label"] for row in table["results"]] == [row["label"] for row in tracked]
    for one, other in zip(table["results"], tracked, strict=True):
        assert {name: one[name] for name in _SHARED} == pytest.approx({name: other[name] for name in _SHARED})


def _swapped(rows, persons):
    return rows, dataset_facts, persons
