"""Fixtures of the command line's tests."""

import pytest

from harness.cli.main import cli
from harness.cli.options import run_safely
from tests import measured_runs


@pytest.fixture
def narrow(monkeypatch):
    """Print as on a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def measured_run(tmp_path):
    """Return the name of a finished run in `runs` whose figures follow from its per-query results."""
    return measured_runs.finished(tmp_path / "runs").name


@pytest.fixture
def call_runs(tmp_path, capsys, monkeypatch):
    """Call `harness runs` in this test's folder; return exit code, standard output and error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_RUNS", str(tmp_path / "runs"))

    def call(*words):
        monkeypatch.setattr("sys.argv", ["harness", "runs", *words])
        return run_safely(cli, debug=False), *capsys.readouterr()

    return call
