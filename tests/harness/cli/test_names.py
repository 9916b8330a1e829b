"""Names are looked up before anything heavy: results that a store surely lacks, and studies that wait in Slurm."""

import pytest

from harness.cli.names import look_for_results, look_for_study
from harness.errors import UsageError
from harness.track import mlflow_opening
from tests.fake_slurm import FakeSlurm


@pytest.fixture
def known(monkeypatch):
    """Let the store beside the records know two runs and a group of seeds."""
    found = {"run": ["cskt-icfg-1", "irra-icfg-2"], "group": ["cskt-icfg seeds 1-3"]}
    monkeypatch.setattr(mlflow_opening, "finished_names", lambda runs: found)
    return found


@pytest.mark.parametrize("name", ["cskt-icfg-1", "irra", "cskt-icfg seeds 1-3"])
def test_a_run_its_beginning_and_a_group_are_known(known, name):
    look_for_results((name, "irra"), None, None)


@pytest.mark.parametrize("name", ["csk-icfg-1", "cskt-icfg seeds", "cskt-icfg-11"])
def test_another_name_gets_the_nearest(known, name):
    with pytest.raises(UsageError, match=r"Unknown run .* Did you mean 'cskt-icfg-1'\?"):
        look_for_results(("irra", name), None, None)


def test_no_run_at_all_is_told_with_a_first_command(known):
    known["run"].clear()
    with pytest.raises(UsageError, match="No finished run is tracked yet: `harness run"):
        look_for_results(("cskt", "irra"), None, None)


def test_a_named_experiment_and_a_store_that_cannot_be_told_are_left_to_who_reads_them(known, monkeypatch):
    look_for_results(("nothing",), None, "mine")
    monkeypatch.setattr(mlflow_opening, "finished_names", lambda runs: None)
    look_for_results(("nothing",), None, None)


def test_a_study_that_waits_in_slurm_is_told_from_one_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.delenv("HARNESS_STORAGE", raising=False)
    slurm = FakeSlurm(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(slurm.folder), prepend=":")
    slurm.answers("sacct", code=1)
    slurm.answers("squeue", "12_0|PENDING|0:00|1:00:00|(Priority)\n")
    with pytest.raises(
        UsageError, match=r"mine has not begun yet\. Its jobs in Slurm: 12_0 is PENDING \(Priority\)\."
    ):
        look_for_study("mine", str(tmp_path), None)
    slurm.answers("squeue", "12_0|FAILED|0:10|1:00:00|node-1\n")
    with pytest.raises(UsageError, match="There is no study storage"):
        look_for_study("mine", str(tmp_path), None)
