"""A suite on a real cluster of one node: a job reaches its time limit, queues itself again, and the run resumes."""

import json
import re
import time
from itertools import product
from pathlib import Path

import pytest
from click.testing import CliRunner
from optuna.trial import TrialState

from harness.cli.main import cli
from harness.methods import METHODS
from harness.queue.jobs import ERROR, KILLED
from harness.queue.work_setup import WorkSetup
from harness.record import RunFolder, all_runs
from tests.slurm import serving
from tests.world import without_epochs

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]
EPOCHS, PATIENCE = 12, 300
# Slurm looks at time limits every 30 seconds, and sends the signal up to so much earlier. From its third epoch on, a
# step is slow until another process was there: the time is over before the training. It notes who did it.
METHOD = """
import os, time
from pathlib import Path
from harness.methods import Method, TrainedConfig, register

@register
class Slow(Method):
    Config = TrainedConfig

    def adapt(self):
        self.clip.model.text_projection.requires_grad_(True)
        self.clip.model.visual.proj.requires_grad_(True)

    def on_step_start(self, at):
        if self.clip.model.text_projection.is_meta:
            return  # its operations are counted
        steps = Path(os.environ["SLOW_STEPS"])
        me = os.environ["SLURM_ARRAY_TASK_ID"] + ":" + os.environ.get("SLURM_RESTART_COUNT", "0")
        known = [line.split() for line in steps.read_text().splitlines()] if steps.exists() else []
        if at.epoch > 2 and not any(who != me and int(epoch) > 2 for who, epoch, _ in known):
            time.sleep(4)
        with steps.open("a") as file:
            file.write(f"{me} {at.epoch} {at.step}\\n")
"""
SUITE = """
title: Two cells
question: Do both end?
datasets: [icfg]
seeds: 1
rows:
  - method: slow
  - method: linear_probe
"""
PROFILE = 'time: "1"\nstop_before: 10\njobs: 2\nsetup:\n  - echo "set up on $(hostname -s)"\nnode: {host}\n'


@pytest.fixture
def cluster(monkeypatch):
    """Return a running cluster that the programs of this process find."""
    with serving() as one:
        monkeypatch.setenv("SLURM_CONF", str(one.config))
        yield one


@pytest.fixture
def folder(tmp_path, twins, monkeypatch):
    """Go to a folder, with a space in its name, that has a suite and a method of its own; return it."""
    here = tmp_path / "my work"
    (here / "own" / "methods").mkdir(parents=True)
    (here / "own" / "methods" / "slow.py").write_text(METHOD)
    (here / "two.yaml").write_text(SUITE)
    monkeypatch.chdir(here)
    places = {
        "HARNESS_DATA": twins,
        "HARNESS_INCLUDE": here / "own",
        "HARNESS_RUNS": here / "runs",
        "SLOW_STEPS": here / "steps",
        "PYTHONPATH": ROOT,
        "OMP_NUM_THREADS": "1",
    }
    for name, value in places.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.delenv("HARNESS_STORAGE", raising=False)
    # This process knows its methods already; the jobs find them by HARNESS_INCLUDE.
    monkeypatch.setattr(METHODS, "path", [*METHODS.path, str(here / "own" / "methods")])
    monkeypatch.setattr(METHODS, "_classes", dict(METHODS._classes))
    monkeypatch.syspath_prepend(str(here / "own" / "methods"))
    __import__("slow")
    return here


def harness(*words):
    done = CliRunner().invoke(cli, words, obj={"quiet": False}, standalone_mode=False)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


def test_a_job_at_its_time_limit_is_queued_again_and_its_run_resumes(cluster, folder):
    (folder / "cluster.yaml").write_text(PROFILE.format(host=cluster.host))
    cells = ("--synthetic", *(f"--set={text}" for text in without_epochs()), f"--set=train.epochs={EPOCHS}")
    told = harness("suite", "run", "two.yaml", *cells, "--slurm", "--profile", "cluster.yaml")
    job = re.search(r"as job (\d+)", told)[1]
    status = ("suite", "status", "two.yaml", *cells, "--json")
    begun = json.loads(harness(*status))["slurm"]
    assert {one["job"] for one in begun} == {f"{job}_0", f"{job}_1"}

    until(lambda: trains(cluster, folder, job))
    requeued = n_requeued(cluster)
    until(lambda: n_requeued(cluster) > requeued)
    limit(cluster, job, 20)
    until(lambda: not cluster.ask("squeue", "--noheader"))
    logs = "\n".join(file.read_text() for file in sorted((folder / "runs" / "slurm").iterdir()))
    facts = {task: cluster.ask("scontrol", "show", "job", f"{job}_{task}") for task in (0, 1)}
    assert all("JobState=COMPLETED" in text for text in facts.values()), (facts, logs)
    restarts = [int(re.search(r"Restarts=(\d+)", text)[1]) for text in facts.values()]
    assert max(restarts) >= 1
    ends = re.findall(r"JobState=(\w+)", accounts(cluster))
    assert sorted(ends) == ["COMPLETED"] * 2 + ["PENDING"] * sum(restarts)
    assert logs.count(f"set up on {cluster.host}") == len(ends)

    after = json.loads(harness(*status))
    assert after["counts"]["done"] == len(after["cells"]) == 2
    assert {one["state"] for one in after["slurm"]} == {"COMPLETED"}
    nothing_is_lost_or_doubled(folder)


def trains(cluster, folder, job):
    """Whether the third epoch has begun; on a busy machine each restart has a minute more to come so far."""
    limit(cluster, job, 1 + n_requeued(cluster))
    return " 3 " in steps(folder)


def n_requeued(cluster):
    return accounts(cluster).count("JobState=PENDING")


def limit(cluster, job, minutes):
    for task in (0, 1):
        if f"TimeLimit=00:{minutes:02}:00" not in cluster.ask("scontrol", "show", "job", f"{job}_{task}"):
            cluster.ask("scontrol", "update", f"JobId={job}_{task}", f"TimeLimit={minutes}")


def accounts(cluster):
    return cluster.accounting.read_text() if cluster.accounting.exists() else ""


def steps(folder):
    return (folder / "steps").read_text() if (folder / "steps").exists() else ""


def nothing_is_lost_or_doubled(folder):
    taken = [line.split() for line in steps(folder).splitlines()]
    assert len({who for who, _, _ in taken}) > 1, "the run was not resumed"
    done = sorted((int(epoch), int(step)) for _, epoch, step in taken)
    assert done == sorted(product(range(1, EPOCHS + 1), range(max(step for _, step in done) + 1)))
    runs = [RunFolder(one.path) for one in all_runs(folder / "runs")]
    assert [len(run.history()) for run in runs] == [EPOCHS, EPOCHS]
    queue = WorkSetup(runs=folder / "runs").open_queue("suite-two-twin", directions=None)
    jobs = list(queue.jobs().values())
    assert [one.state for one in jobs] == [TrialState.COMPLETE] * 2
    assert not [one for one in jobs if {ERROR, KILLED} & one.user_attrs.keys()]


def until(condition):
    """Wait until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.5)
