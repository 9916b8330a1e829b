"""Names are looked up before anything heavy: a result that a store surely lacks is told, all else is left alone."""

import pytest

from harness.cli.names import look_for_results
from harness.errors import UsageError
from harness.track import mlflow_opening


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
