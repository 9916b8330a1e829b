"""Slurm itself: submit a script, and say what it says of a study's jobs."""

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.config.values import content_hash
from harness.errors import UsageError, listed
from harness.queue.slurm_script import job_name
from harness.queue.storage_place import storage_url
from harness.secrets import without_secrets

_SUBMITTING, _LOOKING = 60, 10
# The states of a job that has not ended, as squeue says them.
_GOING = (
    "PENDING",
    "RUNNING",
    "SUSPENDED",
    "CONFIGURING",
    "COMPLETING",
    "REQUEUED",
    "REQUEUE_HOLD",
    "STOPPED",
)
COLUMNS = ("job", "state", "time", "limit", "where")


def name_of(study: str, root: Path, storage: str | None) -> str:
    """Return what the jobs of a study are called in Slurm: other runs or another storage, another name."""
    place = without_secrets(storage_url(storage, root))
    return job_name(study, content_hash([str(root.resolve()), place])[:6])


def submit(script: str, environment: Mapping[str, str]) -> str:
    """Give a script to sbatch and return the number of the job; raise `UsageError` with what Slurm says against it."""
    if shutil.which("sbatch") is None:
        raise UsageError(
            "Slurm's sbatch is not on this machine: submit where it is, or see the script by --print."
        )
    done = _ask(["sbatch", "--parsable"], script, environment, _SUBMITTING)
    number = done.stdout.strip().partition(";")[0] if done and not done.returncode else ""
    if not number:
        said = (done.stderr if done else f"no answer in {_SUBMITTING} s").strip().splitlines()
        reason = re.sub(
            r"^sbatch: \w+: (Batch job submission failed: )?", "", (said or ["no reason given"])[-1]
        )
        hint = f" Partitions here: {listed(partitions())}." if "partition" in reason.lower() else ""
        raise UsageError(
            f"Slurm refused the jobs: {without_secrets(reason.rstrip('.'))}.{hint} --print shows what was asked."
        )
    return number


def partitions() -> list[str]:
    """Return the names of the cluster's partitions."""
    done = _ask(["sinfo", "--noheader", "--format=%R"])
    return sorted(set(done.stdout.split())) if done and not done.returncode else []


def jobs_of(study: str, root: Path, storage: str | None) -> list[dict[str, str]]:
    """Return what Slurm says of a study's jobs, by `COLUMNS`; empty where there is no Slurm, or it does not answer.

    squeue knows what waits, runs and has just ended, sacct what ended before, where the cluster keeps accounts. Of what
    has ended, only the newest submission is told.
    """
    name = f"--name={name_of(study, root, storage)}"
    asked = (
        ["sacct", "-X", "-n", "-P", name, "--starttime=now-30days", "--format=JobID,State,Elapsed,Timelimit,NodeList"],
        ["squeue", "--me", "--noheader", "--array", "--states=all", name, "--format=%i|%T|%M|%l|%R"],
    )  # fmt: skip
    found: dict[str, dict[str, str]] = {}
    for command in asked:
        done = _ask(command)
        for line in done.stdout.splitlines() if done and not done.returncode else ():
            parts = line.strip().split("|")
            # sacct has what waits as one line, `12_[2-7]`, squeue as a line for each job.
            if len(parts) == len(COLUMNS) and "[" not in parts[0]:
                found[parts[0]] = dict(zip(COLUMNS, parts, strict=True))
    newest = max(map(_submission, found), default=0)
    return [one for job, one in found.items() if one["state"] in _GOING or _submission(job) == newest]


def _submission(job: str) -> int:
    """Return the number that all jobs of an array share."""
    number = job.partition("_")[0]
    return int(number) if number.isdecimal() else 0


def under_way(jobs: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the numbers of the jobs that have not ended."""
    return [one["job"] for one in jobs if one["state"] in _GOING]


def _ask(
    command: Sequence[str],
    text: str = "",
    environment: Mapping[str, str] | None = None,
    patience: float = _LOOKING,
) -> subprocess.CompletedProcess[str] | None:
    """Run one of Slurm's programs; None when it is not there or does not answer in time."""
    if shutil.which(command[0]) is None:
        return None
    try:
        return subprocess.run(
            command, input=text, capture_output=True, text=True, errors="replace", timeout=patience,
            env=None if environment is None else dict(environment), check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
