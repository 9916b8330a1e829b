"""Sweeps and studies on the command line and in MLflow: told, listed, shown, exported."""

import json
import signal
from collections import Counter

import pytest
import yaml
from click.testing import CliRunner

from harness.cli.main import cli, main
from harness.cli.options import INTERRUPTED
from harness.paths import cache_root
from harness.presets.resolve import resolve
from harness.queue.work_setup import WorkSetup
from harness.sweep import list_studies as list_module
from harness.sweep import sweep as sweep_module
from harness.sweep import trial_job
from harness.sweep.settings import Search
from harness.sweep.sweep import sweep
from harness.track.mlflow_store import Store
from harness.track.run_row import PARENT
from tests.sweep_runs import RATE, Runs


def invoke(*arguments):
    return CliRunner().invoke(cli, arguments, obj={"quiet": False})


def test_the_command_sweeps_tests_and_says_how_to_reuse_the_best(world, twins, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_DATA", str(twins))
    settings = [part for text in world.QUICK for part in ("--set", text)]
    command = [
        "sweep",
        "-m",
        "linear-probe",
        "-d",
        "icfg",
        "--synthetic",
        "--trials",
        "2",
        "--test-seeds",
        "1",
        "--runs",
        str(tmp_path),
    ]
    shown = invoke(*command, *settings, "--space", "method.lr=1e-4,1e-2", "--fix", "method.temperature=0.05")
    assert shown.exit_code == 0, shown.output
    assert "2 trials: 2 finished, 0 pruned, 0 failed" in shown.output
    assert "SYNTHETIC TWIN" in shown.output
    assert "reuse:  harness run --method linear_probe --dataset icfg --synthetic --preset" in shown.output
    runs = {run.name: run for run in Store(tmp_path).search("")}
    (study,) = [run for run in runs.values() if run.tags["harness.kind"] == "study"]
    kinds = Counter(run.tags["harness.kind"] for run in runs.values())
    assert kinds == {"study": 1, "trial": 2, "run": 1}
    assert {run.status for run in runs.values()} == {"FINISHED"}
    children = [run for run in runs.values() if run is not study]
    assert {run.tags[PARENT] for run in children} == {study.id}
    assert study.metrics["trials/finished"] == 2
    assert study.tags["harness.best.method.lr"] in ("0.0001", "0.01")
    again = invoke(
        *command, "--json", *settings, "--space", "method.lr=1e-4,1e-2", "--fix", "method.temperature=0.05"
    )
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["tests"][0]["tags"]["harness.budget"] == "2"
    assert len(Store(tmp_path).search("")) == len(runs)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--space", "method.lrr=1:2"], "Did you mean 'method.lr'"),
        (["--set", "method.lr=1e-3"], "set and searched"),
        (["--set", "eval.test_each_epoch=true"], "must never see"),
        (["--trials", "0"], "0 is not in the range"),
        (["--timeout", "-3"], "not in the range"),
    ],
)
def test_wrong_use_is_one_message_before_anything_runs(arguments, told, tmp_path):
    result = invoke("sweep", "-m", "cskt", "-d", "icfg", "--synthetic", "--runs", str(tmp_path), *arguments)
    assert result.exit_code == 2 or getattr(result.exception, "exit_code", None) == 2
    assert told in (result.output + str(result.exception))
    assert not list(tmp_path.iterdir())


@pytest.fixture
def signals():
    """Give the signals that a command takes over back to the tests after it."""
    taken = {sign: signal.getsignal(sign) for sign in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for sign, handler in taken.items():
        signal.signal(sign, handler)


def test_an_interrupted_command_says_how_to_go_on(untracked, signals, monkeypatch, capsys):
    monkeypatch.setattr(trial_job, "run", Runs(breaks={2: KeyboardInterrupt()}))
    monkeypatch.setattr("sys.argv", ["harness", "sweep", "-m", "linear_probe", "-d", "icfg", "--synthetic"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == INTERRUPTED
    assert "1 of 20 trials" in (told := capsys.readouterr().err)
    assert "Run the same command to resume." in told


def test_studies_are_listed_shown_and_exported(search_with, tmp_path):
    summary = search_with(Runs(), trials=6, study="mine")
    listed = json.loads(invoke("sweep", "list", "--runs", str(tmp_path), "--json").stdout)
    assert [(one["study"], one["kind"], one["ended"], one["waiting"]) for one in listed] == [
        ("mine", "sweep", 6, 0)
    ]
    assert listed[0]["best"] == summary.best.value
    shown = invoke("sweep", "show", "mine", "--runs", str(tmp_path))
    assert shown.exit_code == 0, shown.output
    assert "6 trials: 6 finished" in shown.output
    assert "importance: method.lr 100 %" in shown.output
    again = json.loads(invoke("sweep", "show", "mine", "--runs", str(tmp_path), "--json").stdout)
    assert again["best"] == summary.best.model_dump(mode="json")
    file = tmp_path / "best.yaml"
    assert invoke("sweep", "export", "mine", "--runs", str(tmp_path), "--out", str(file)).exit_code == 0
    exported = invoke("sweep", "export", "mine", "--runs", str(tmp_path)).stdout
    assert yaml.safe_load(file.read_text()) == yaml.safe_load(exported)
    best = resolve("linear_probe", "icfg", synthetic=True, presets=[str(file)])
    assert best.method.lr == summary.best.params["method.lr"]


def test_after_a_sweep_or_a_worker_the_listing_is_kept(untracked, tmp_path, monkeypatch):
    monkeypatch.setattr(trial_job, "run", Runs())
    at = ["--runs", str(tmp_path)]
    command = [
        "sweep",
        "-m",
        "linear_probe",
        "-d",
        "icfg",
        "--synthetic",
        "--study",
        "mine",
        "--test-seeds",
        "0",
        *at,
    ]

    def listed():
        """Return what `sweep list` shows of the study when it may not open the storage."""
        with monkeypatch.context() as patch:
            patch.setattr(list_module, "list_studies", None)
            (one,) = json.loads(invoke("sweep", "list", *at, "--json").stdout)
        return one["ended"]

    for trials in (2, 3):
        assert invoke(*command, "--trials", str(trials)).exit_code == 0
        assert listed() == trials
    for answer in (cache_root().path / "answers").iterdir():
        answer.unlink()
    assert invoke("worker", "mine", *at).exit_code == 0
    assert listed() == 3


@pytest.mark.slow
def test_looking_at_a_study_does_not_change_how_it_goes_on(search_with, tmp_path):
    whole, parts = Runs(), Runs()
    search_with(whole, 8, study="whole")
    search_with(parts, 4, study="parts")
    assert invoke("sweep", "show", "parts", "--runs", str(tmp_path)).exit_code == 0
    search_with(parts, 8, study="parts")
    assert parts.rates == whole.rates


@pytest.mark.parametrize("command", ["show", "export"])
def test_a_study_that_is_not_there_is_one_message(search_with, tmp_path, command):
    before = invoke("sweep", command, "mine", "--runs", str(tmp_path / "empty"))
    assert "no study storage" in str(before.exception)
    search_with(Runs(), trials=1, study="mine")
    after = invoke("sweep", command, "mime", "--runs", str(tmp_path))
    assert "Did you mean 'mine'" in str(after.exception)


def test_an_empty_storage_lists_nothing(tmp_path):
    assert json.loads(invoke("sweep", "list", "--runs", str(tmp_path), "--json").stdout) == []
    assert "no study yet" in invoke("sweep", "list", "--runs", str(tmp_path)).output


@pytest.mark.slow
def test_mlflow_shows_study_trials_and_seeds_as_three_generations(monkeypatch, world, twins, tmp_path):
    monkeypatch.setattr(sweep_module, "run", None)
    summary = sweep(world.quick(twins), [RATE], Search(trials=2, seeds=2, test_seeds=0), WorkSetup(tmp_path))
    runs = {run.id: run for run in Store(tmp_path).search("")}
    kinds = {key: run.tags["harness.kind"] for key, run in runs.items()}
    parents = {key: kinds.get(run.tags.get(PARENT)) for key, run in runs.items()}
    assert Counter((kinds[key], parents[key]) for key in runs) == {
        ("study", None): 1,
        ("trial", "study"): 2,
        ("trial_seed", "trial"): 4,
    }
    (study,) = [run for key, run in runs.items() if kinds[key] == "study"]
    assert study.metrics["mean/val/t2i/R1"] == summary.mean
    assert {run.status for run in runs.values()} == {"FINISHED"}
    trials = [run for key, run in runs.items() if kinds[key] == "trial"]
    assert {run.metrics["val/t2i/R1"] for run in trials} == {trial.value for trial in summary.trials}
