"""`--slurm`: what is submitted, printed, warned of and refused, with stand-ins for Slurm's programs."""

import json
import re
import subprocess
import time

import pytest
from click.testing import CliRunner

from harness.cli import slurm as action
from harness.cli.main import cli
from harness.errors import UsageError
from harness.queue.slurm import name_of
from tests.fake_slurm import FakeSlurm
from tests.small_suites import written

SUITE = """
title: A table
question: Which?
datasets: [icfg]
seeds: 3
rows:
  - method: linear_probe
"""
SWEEP = ("sweep", "-m", "linear-probe", "-d", "icfg", "--synthetic", "--trials", "5", "--slurm")


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Return a cluster's programs before those of this machine, in a folder with a suite."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("HARNESS_STORAGE", raising=False)
    programs = FakeSlurm(tmp_path / "bin")
    programs.answers("sbatch", "4711\n")
    programs.answers("squeue")
    programs.answers("sacct", code=1)
    monkeypatch.setenv("PATH", str(programs.folder), prepend=":")
    written(tmp_path, SUITE)
    return programs


def invoke(*words):
    return CliRunner().invoke(cli, words, obj={"quiet": False}, standalone_mode=False, prog_name="harness")


def refused(*words):
    done = invoke(*words)
    assert isinstance(done.exception, UsageError), done.output
    return str(done.exception)


def suite(*words, command="run"):
    return ("suite", command, "mine.yaml", "--synthetic", *words)


def test_a_suite_is_submitted_and_the_command_returns_with_what_to_do_next(fake, tmp_path):
    written(tmp_path, "partition: gpu\njobs: 2\nnode: one\n", "cluster.yaml")
    done = invoke(*suite("--set=train.epochs=1", "--slurm", "--profile", "cluster.yaml"))
    assert done.exit_code == done.return_value == 0, done.output
    assert done.stderr == ""
    first, second = done.stdout.splitlines()
    assert first.startswith("submitted suite-mine-twin to Slurm as job 4711: 2 workers, logs in ")
    assert second == "next: harness suite status mine.yaml --synthetic --set=train.epochs=1"
    script = fake.given("sbatch")
    assert "#SBATCH --partition=gpu\n" in script
    assert "#SBATCH --array=0-1\n" in script
    runs = tmp_path / "runs"
    assert f"suite run --runs={runs} --synthetic --set=train.epochs=1 -- mine.yaml)" in script
    helper = re.search(
        rf"worker --runs={runs} --device=auto --wait=600 --since=(\d+) -- suite-mine-twin\)", script
    )
    assert 0 <= time.time() - int(helper[1]) < 60
    assert fake.environment("sbatch")["HARNESS_STORAGE"] == f"sqlite:///{runs}/optuna.db"
    assert (runs / "slurm").is_dir()
    assert not (runs / "optuna.db").exists(), "nothing but the script is written here"


def test_the_workers_of_a_part_of_a_suite_know_which(fake):
    invoke(*suite("--slurm", "--workers", "2", "--shard", "1/2"))
    script = fake.given("sbatch")
    assert "--shard=1/2 -- mine.yaml)" in script
    assert re.search(r"worker .*--shard=1/2 .*-- suite-mine-twin\)", script)


def test_the_script_is_printed_and_nothing_is_submitted(fake, tmp_path):
    done = invoke(*suite("--slurm", "--print"))
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("#!/bin/bash\n#SBATCH --job-name=suite-mine-twin-")
    assert subprocess.run(["bash", "-n"], input=done.stdout, text=True).returncode == 0
    assert fake.calls("sbatch") == []
    assert not (tmp_path / "runs" / "optuna.db").exists()


def test_more_jobs_than_cells_are_not_asked_for_and_sqlite_on_several_machines_is_warned_of(fake):
    done = invoke(*suite("--slurm", "--workers", "8"))
    assert "#SBATCH --array=0-2\n" in fake.given("sbatch")
    assert "3 jobs in place of 8" in done.stderr
    assert "warning: the studies are in an SQLite file" in done.stderr
    assert "PostgreSQL" in done.stderr
    assert invoke(*suite("--slurm", "--workers", "1")).stderr == ""
    storage = "postgresql+psycopg://me:pass-w0rd-1@host/a"
    done = invoke(*SWEEP, "--workers", "8", "--study", "s", "--storage", storage, "--print")
    assert "pass-w0rd-1" not in done.output


def test_a_sweep_is_submitted_under_the_name_that_it_will_have(fake, tmp_path):
    done = invoke(*SWEEP, "--workers", "2", "--json", "--space", "method.lr=1e-4,1e-2")
    told = json.loads(done.stdout)
    assert (told["job"], told["jobs"]) == ("4711", 2)
    assert told["name"] == name_of(told["study"], tmp_path / "runs", None)
    script = fake.given("sbatch")
    assert f"-- {told['study']})" in script
    assert (
        "--method=linear-probe --dataset=icfg --trials=5 --synthetic --space=method.lr=1e-4,1e-2)" in script
    )
    named = invoke(*SWEEP, "--study", "mine", "--runs", "others")
    assert named.stdout.splitlines()[-1] == "next: harness sweep show mine --runs others"


def test_a_study_that_slurm_works_on_is_not_submitted_twice_and_is_shown(fake):
    fake.answers("squeue", "4711_0|PENDING|0:00|1:00:00|(Priority)\n4700_0|COMPLETED|1:00|1:00:00|one\n")
    assert "Slurm has jobs of suite-mine-twin already: 4711_0." in refused(*suite("--slurm"))
    assert fake.calls("sbatch") == []
    shown = invoke(*suite(command="status"))
    assert "in Slurm" in shown.stdout
    assert "(Priority)" in shown.stdout
    assert json.loads(invoke(*suite("--json", command="status")).stdout)["slurm"][0]["state"] == "PENDING"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (suite("--print"), "--print belongs to --slurm"),
        (suite("--profile", "cluster.yaml", command="retry"), "--profile belongs to --slurm"),
        (suite("--slurm", "--workers", "0"), "at least 1"),
        (suite("--slurm", "--profile", "nowhere.yaml"), "nowhere.yaml"),
        (("suite", "run", "mine.yml", "--slurm"), "mine.yml"),
        ((*SWEEP, "--set", "method.lr=1"), "set and searched"),
        ((*SWEEP[:-1], "--print"), "--print belongs to --slurm"),
        ((*SWEEP, "--study", "a b"), "study's name"),
    ],
)
def test_wrong_use_is_told_before_anything_is_submitted(fake, tmp_path, words, said):
    assert said in refused(*words)
    assert fake.calls("sbatch") == []
    assert not (tmp_path / "runs").exists()


def test_what_slurm_refuses_is_one_line(fake):
    fake.answers(
        "sbatch", code=1, said="sbatch: error: Batch job submission failed: Invalid qos specification\n"
    )
    assert "Slurm refused the jobs: Invalid qos specification." in refused(*suite("--slurm"))


def test_options_that_the_jobs_get_in_another_way_are_not_passed_on(fake):
    assert {"slurm", "profile", "print_script", "as_json", "storage"} <= set(action._NOT_PASSED)
    invoke(
        *suite(
            "--slurm",
            "--json",
            "--workers",
            "2",
            "--timeout",
            "60",
            "--report",
            "leaderboard",
            command="retry",
        )
    )
    line = next(line for line in fake.given("sbatch").splitlines() if "suite retry" in line)
    assert "--timeout=60.0" in line
    assert "--report=leaderboard" in line
    assert not {"--slurm", "--json", "--workers"} & {word.partition("=")[0] for word in line.split()}
