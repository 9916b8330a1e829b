"""The script for sbatch as text, and what its bash does with the signals of Slurm."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.queue.slurm_profile import Profile
from harness.queue.slurm_script import Batch, job_name
from tests.fake_slurm import FakeSlurm

HEAD = """\
#!/bin/bash
#SBATCH --job-name=suite-mine-1a2b3c
#SBATCH --array=0-7%4
#SBATCH --chdir="/home/me/my work"
#SBATCH --output="/home/me/my work/runs/slurm/%x-%A_%a.log"
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=B:USR1@180
#SBATCH --partition=gpu
#SBATCH --gres=gpu:1
#SBATCH --time=04:00:00

export HARNESS_STORAGE=postgresql+psycopg://me@host/optuna

module load cuda
source ~/.venv/bin/activate

# Job 0 makes the study, works, and ends with the test or the report; the others help.
if [ "$SLURM_ARRAY_TASK_ID" -eq 0 ]; then
    command=(/usr/bin/python -m harness suite run '--set=dataset.root=/my data' -- mine.yaml)
else
    command=(/usr/bin/python -m harness worker -- suite-mine)
fi
"""
PROFILE = Profile(
    partition="gpu",
    gpus=1,
    time="04:00:00",
    at_once=4,
    setup=["module load cuda", "source ~/.venv/bin/activate"],
)


def batch(profile=PROFILE, **changes):
    values = {
        "name": "suite-mine-1a2b3c",
        "jobs": 8,
        "leader": ["suite", "run", "--set=dataset.root=/my data", "--", "mine.yaml"],
        "helper": ["worker", "--", "suite-mine"],
        "folder": Path("/home/me/my work"),
        "logs": Path("/home/me/my work/runs/slurm"),
        "storage": "postgresql+psycopg://me@host/optuna",
        "python": "/usr/bin/python",
    }
    return Batch(profile=profile, **values | changes)


def test_the_script_says_what_the_profile_asks_and_what_each_job_does():
    script = batch().script()
    assert script.startswith(HEAD + "again() {")
    assert script.endswith('exit "$code"\n')
    assert "-ge 100 ]" in script


def test_a_password_comes_from_the_environment_and_the_interpreter_from_the_profile():
    script = batch(Profile(python="python"), storage="postgresql://me:secret@host/optuna").script()
    assert "secret" not in script
    assert ": ${HARNESS_STORAGE:?must be set where sbatch is called}\n" in script
    assert "command=(python -m harness worker" in script


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"folder": Path('/a"b')}, "use another folder"),
        ({"folder": Path("/a$(id)")}, "use another folder"),
        ({"logs": Path("/a%j/slurm")}, "use another folder"),
        ({"folder": Path("/a\n#SBATCH --account=x")}, "cannot be printed"),
        ({"leader": ["suite", "run", "--set=a=b\n#SBATCH --account=x"]}, "cannot be printed"),
        ({"storage": "sqlite:////a\nb"}, "cannot be printed"),
        ({"python": "/a\nb"}, "cannot be printed"),
    ],
)
def test_what_sbatch_would_read_otherwise_is_refused(changes, said):
    with pytest.raises(UsageError, match=said):
        batch(**changes).script()


def test_sbatch_reads_no_directive_below_the_first_command():
    lines = batch(Profile(setup=["echo '#SBATCH'"]), leader=["run", "#SBATCH"]).script().splitlines()
    first = next(n for n, line in enumerate(lines) if line and not line.startswith("#"))
    assert lines[first].startswith("export ")
    assert not [line for line in lines[first:] if line.startswith("#SBATCH")]


def test_hostile_words_are_one_word_each_in_bash():
    hostile = ["a b", "$(touch x)", "`id`", "it's", '"', "*", ";", "&&", "#SBATCH"]
    script = batch(leader=hostile).script()
    command = re.search(r"^    command=(\(.*\))$", script, re.MULTILINE)[1]
    done = subprocess.run(
        ["bash", "-c", f'command={command}; printf "%s\\n" "${{command[@]:3}}"'],
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == hostile


def test_a_name_of_slurm_has_plain_signs_alone():
    assert job_name("a/../b $(x)\n", "12") == "a-..-b-x-12"


WORKER = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda sign, frame: sys.exit(CODE))
print("works", flush=True)
time.sleep(SECONDS)
sys.exit(CODE)
"""


@pytest.mark.parametrize(
    ("signs", "code", "restarts", "requeued", "ends"),
    [
        (["USR1"], 130, 0, True, 0),
        (["USR1"], 143, 0, True, 0),
        (["USR1"], 130, 100, False, 130),
        (["USR1"], 1, 0, False, 1),
        ([], 130, 0, False, 130),
        ([], 3, 0, False, 3),
    ],
    ids=[
        "stops",
        "is killed while it starts",
        "too often",
        "fails",
        "was stopped by another",
        "ends by itself",
    ],
)
def test_a_job_that_stopped_before_its_limit_queues_itself_again(
    tmp_path, signs, code, restarts, requeued, ends
):
    script, slurm = tmp_path / "script", FakeSlurm(tmp_path / "bin")
    slurm.answers("scontrol")
    worker = WORKER.replace("CODE", str(code)).replace("SECONDS", "20" if signs else "0")
    (tmp_path / "harness.py").write_text(worker)
    script.write_text(batch(Profile(), python=sys.executable).script())
    env = {
        "PATH": f"{slurm.folder}:{os.environ['PATH']}",
        "PYTHONPATH": str(tmp_path),
        "SLURM_ARRAY_JOB_ID": "7",
        "SLURM_ARRAY_TASK_ID": "2",
        "SLURM_RESTART_COUNT": str(restarts),
    }
    job = subprocess.Popen(
        [shutil.which("bash"), script], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    )
    assert job.stdout.readline() == b"works\n"
    for sign in signs:
        subprocess.run(["kill", f"-{sign}", str(job.pid)], check=True)
    said = job.communicate(timeout=10)
    assert job.returncode == ends, said
    assert slurm.calls("scontrol") == ["requeue 7_2"] * requeued
    assert (b"as often as `restarts`" in said[1]) == (restarts == 100)


def test_a_worker_that_does_not_stop_in_time_is_queued_again_by_the_end_of_its_time(tmp_path):
    slurm = FakeSlurm(tmp_path / "bin")
    slurm.answers("scontrol")
    script = batch(Profile(), python="sleep 20; echo").script()
    script = re.sub(r"command=\(.*\)", "command=(bash -c 'trap \"\" TERM; echo works; sleep 0.3')", script)
    env = {
        "PATH": f"{slurm.folder}:{os.environ['PATH']}",
        "SLURM_ARRAY_JOB_ID": "7",
        "SLURM_ARRAY_TASK_ID": "0",
    }
    job = subprocess.Popen(["bash", "-c", script], env=env, stdout=subprocess.PIPE)
    assert job.stdout.readline() == b"works\n"
    for sign in ("USR1", "TERM"):
        subprocess.run(["kill", f"-{sign}", str(job.pid)], check=True)
        time.sleep(0.1)
    assert job.wait(10) == 0
    assert slurm.calls("scontrol") == ["requeue 7_0"]
