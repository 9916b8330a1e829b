"""`harness suite`: run, plan, status, retry, list and show, and what is refused before anything runs."""

import json

import pytest
from click.testing import CliRunner

from harness.cli.commands.suite import run, status, suite
from harness.cli.main import cli
from harness.suites import run_suite as suite_module
from harness.sweep import list_studies as list_module
from tests.suite_runs import Runs


def invoke(*arguments):
    return CliRunner().invoke(cli, list(map(str, arguments)), obj={"quiet": False}, standalone_mode=False)


def test_the_command_runs_plans_tells_and_retries(untracked, monkeypatch, table, tmp_path):
    monkeypatch.setenv("HARNESS_RUNS", str(tmp_path / "runs"))
    broken = Runs(breaks={1: ValueError("no \x1b[31mmemory")})
    monkeypatch.setattr(suite_module, "run", broken)
    monkeypatch.setattr(suite_module, "evaluate_run", broken.evaluate)
    planned = invoke("suite", "plan", table, "--synthetic")
    assert planned.exit_code == 0, planned.output
    assert "8 cells: 8 missing" in planned.output
    ran = invoke("suite", "run", table, "--synthetic")
    assert ran.return_value == 1
    assert "8 cells: 7 done, 1 failed" in ran.output
    assert f"retry the failed cells by: harness suite retry {table} --synthetic\n" in ran.output
    assert "MLflow has not got 7 runs of these cells" in ran.stderr
    assert "harness runs sync" in ran.stderr
    status = invoke("suite", "status", table, "--synthetic")
    assert status.return_value == 1
    assert "failed: ValueError: no memory" in status.output
    again = invoke("suite", "retry", table, "--synthetic", "--json")
    assert again.return_value == 0, again.output
    assert json.loads(again.stdout)["counts"]["done"] == 8
    assert invoke("suite", "status", table, "--synthetic").return_value == 0
    monkeypatch.setattr(list_module, "list_studies", None)  # the listing was kept by who changed it
    (listed,) = json.loads(invoke("sweep", "list", "--json").stdout)
    assert (listed["kind"], listed["ended"], listed["waiting"]) == ("suite", 8, 0)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "main_result"], "Did you mean 'main_results'"),
        (["run", "main_results", "--set", "method.lrr=1"], "The keys of method are method.name."),
        (["run", "main_results", "--shard", "5/4"], "--shard takes i/n"),
        (["run", "main_results", "--dataset", "icgf"], "Did you mean 'icfg'"),
        (["run", "main_results", "-d", "ufine3c"], "ufine3c has no training split"),
        (["plan", "main_results", "--from-study", "cskt=none"], "no study storage"),
        (["run", "main_results", "--from-study", "cskd=x"], "Did you mean 'cskt'"),
        (["run", "main_results", "--report", "leaderbord"], "Unknown report"),
        (["plann"], "Did you mean 'plan'"),
    ],
)
def test_wrong_use_is_one_message_before_anything_runs(arguments, told, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_RUNS", str(tmp_path / "runs"))
    result = invoke("suite", *arguments, *(["--synthetic"] if len(arguments) > 1 else []))
    assert result.exit_code == 2 or getattr(result.exception, "exit_code", None) == 2
    assert told in result.output + str(result.exception)
    assert not (tmp_path / "runs").exists()


def test_suites_are_listed_and_shown():
    listed = invoke("suite", "list")
    names = [line.split()[0] for line in listed.output.splitlines()[3:]]
    assert names == sorted(names)
    assert "cross_dataset" in names
    shown = invoke("suite", "show", "cskt-ablation")
    assert shown.exit_code == 0, shown.output
    assert "cskt" in shown.output
    assert json.loads(invoke("suite", "show", "cskt_ablation", "--json").stdout)["name"] == "cskt_ablation"


def test_every_command_that_counts_cells_takes_the_same_options_and_those_that_run_them_more():
    names = {
        name: {parameter.name for parameter in command.params} for name, command in suite.commands.items()
    }
    cells = {
        "suite",
        "synthetic",
        "overrides",
        "datasets",
        "seeds",
        "from_studies",
        "shard",
        "runs",
        "storage",
        "data_root",
    }
    assert names["plan"] == names["status"] == cells | {"as_json"}
    more = {"report", "timeout", "heartbeat", "device", "workers", "slurm", "profile", "print_script"}
    assert names["run"] == names["retry"] == names["plan"] | more
    assert {p.name: p.default for p in run.params}["workers"] == 1
    assert [p.name for p in status.params if p.required] == ["suite"]


@pytest.mark.parametrize(("command", "retried"), [("run", False), ("retry", True)])
def test_retry_differs_from_run_in_one_argument(monkeypatch, command, retried):
    asked = []
    monkeypatch.setattr("harness.cli.actions.suite.execute", lambda o, **more: asked.append((o, more)) or 7)
    done = invoke(
        "suite", command, "main_results", "--seeds", "2", "--set", "a.b=1", "--set", "c.d=2", "--shard", "1/4"
    )
    ((options, more),) = asked
    assert done.return_value == 7
    assert more == {"quiet": False, "retry": retried}
    assert (options["suite"], options["seeds"], options["shard"]) == ("main_results", 2, "1/4")
    assert list(options["overrides"]) == ["a.b=1", "c.d=2"]
