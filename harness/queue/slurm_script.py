"""The script of an array of Slurm jobs: one begins and ends the work, the others help it.

A job that nears its time limit gets USR1 from Slurm. Its worker is told to stop by TERM, which writes a checkpoint and
gives the queue's job back, no failure counted; then the job queues itself again. What Slurm stops for other reasons
(`scancel`, preemption) gets TERM from Slurm, and it is Slurm's business what comes after.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from harness.queue.slurm_profile import Profile
from harness.queue.storage_place import VARIABLE
from harness.secrets import without_secrets

PATIENCE = 600
_WORK = """\
again() { scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"; }
near_end= signalled=
trap 'near_end=1 signalled=1; kill -TERM "$worker"' USR1
# Slurm sends TERM to the worker, too. After USR1 it means that the time is over before the worker could stop.
trap 'signalled=1; [ -z "$near_end" ] || again' TERM
"${command[@]}" &
worker=$!
while :; do
    wait "$worker"; code=$?
    [ -n "$signalled" ] || break
    signalled=
done

# Stopped before the time limit, by its own word (130) or by TERM while it started (143): resume in another job.
if [ -n "$near_end" ] && { [ "$code" -eq 130 ] || [ "$code" -eq 143 ]; }; then
    if [ "${SLURM_RESTART_COUNT:-0}" -ge RESTARTS ]; then
        echo "This job was queued again RESTARTS times, as often as \\`restarts\\` in the profile allows." >&2
        exit "$code"
    fi
    again && exit 0
fi
exit "$code"
"""


@dataclass(frozen=True)
class Batch:
    """An array of jobs.

    Attributes:
        name: of the jobs in Slurm.
        jobs: how many there are.
        leader: the command, behind `harness`, that makes the study, works, and ends with test or report.
        helper: that of all others.
        folder: where the jobs start.
        logs: folder of what they print.
        profile: what they ask of Slurm.
        storage: URL of the study; one with a password comes from the environment.
        python: the interpreter that works where the profile names none.
    """

    name: str
    jobs: int
    leader: Sequence[str]
    helper: Sequence[str]
    folder: Path
    logs: Path
    profile: Profile
    storage: str
    python: str

    def script(self) -> str:
        """Return the text of the script; raise `UsageError` for a folder that sbatch would read otherwise."""
        lines = ["#!/bin/bash", *(f"#SBATCH {line}" for line in self._directives()), "", self._storage(), ""]
        if self.profile.setup:
            lines += [*self.profile.setup, ""]
        lines += [
            "# Job 0 makes the study, works, and ends with the test or the report; the others help.",
            'if [ "$SLURM_ARRAY_TASK_ID" -eq 0 ]; then',
            f"    command=({self._command(self.leader)})",
            "else",
            f"    command=({self._command(self.helper)})",
            "fi",
            "",
        ]
        return "\n".join(lines) + _WORK.replace("RESTARTS", str(self.profile.restarts))

    def _directives(self) -> list[str]:
        at_once = f"%{self.profile.at_once}" if self.profile.at_once else ""
        return [
            f"--job-name={self.name}",
            f"--array=0-{self.jobs - 1}{at_once}",
            f"--chdir={_path(self.folder)}",
            f"--output={_path(self.logs, '%x-%A_%a.log')}",
            "--open-mode=append",
            "--requeue",
            f"--signal=B:USR1@{self.profile.stop_before}",
            *self.profile.directives(),
        ]

    def _storage(self) -> str:
        """Return the line that says where the study is: a command, so that sbatch reads no directive below it."""
        if without_secrets(self.storage) == self.storage:
            return f"export {VARIABLE}={shlex.quote(_printable(self.storage))}"
        return f": ${{{VARIABLE}:?must be set where sbatch is called}}"

    def _command(self, words: Sequence[str]) -> str:
        program = self.profile.python or shlex.quote(_printable(self.python))
        return f"{program} -m harness {shlex.join(map(_printable, words))}"


def job_name(study: str, mark: str) -> str:
    """Return what a study's jobs are called in Slurm; the mark keeps those of other folders apart.

    >>> job_name("suite-main results", "1a2b3c")
    'suite-main-results-1a2b3c'
    """
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '-', study).strip('-') or 'harness'}-{mark}"


def _path(folder: Path, pattern: str = "") -> str:
    """Return a path as sbatch reads it in a directive; raise `UsageError` for one that cannot stand there."""
    text = _printable(str(folder))
    if set(text) & set('"\\`$') or (pattern and "%" in text):
        raise UsageError(
            f'{text!r} cannot stand in a Slurm script because of a sign like % " $ ` or \\: use another folder.'
        )
    return f'"{folder / pattern}"'


def _printable(text: str) -> str:
    """Return a text that stands in one line; raise `UsageError` for another."""
    if not text.isprintable():
        raise UsageError(f"{text!r} cannot stand in a Slurm script: it has signs that cannot be printed.")
    return text
