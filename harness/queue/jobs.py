"""The states and marks of a queue's jobs, and what went wrong with one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from harness.errors import HarnessError, UsageError

REPEATS, ERROR, WORKER, KILLED = "repeats", "error", "worker", "killed"
STOPPED, OVER, BEAT = "stopped", "over", "heartbeat"
FIXED, SPEC = "fixed_params", "spec"
MOST_KILLS = 3


def part_note(shard: str) -> str:
    """Return the name by which a study notes which of its jobs a part `i/n` has."""
    return f"shard {shard}"


class Changed(UsageError):
    """A study was started with other settings, data, weights or versions."""


class TakenAway(HarnessError):
    """A job went to another worker, because this one sent no heartbeat for too long; its run continues there."""

    run_status = "interrupted"


@contextmanager
def owned(job: FrozenTrial) -> Iterator[None]:
    """Turn Optuna's refusal to change an ended trial into `TakenAway`."""
    try:
        yield
    except optuna.exceptions.UpdateFinishedTrialError as error:
        raise TakenAway(
            f"Job {job.number} was taken over by another worker, because this one sent no heartbeat for too long."
        ) from error


def is_cut_off(job: FrozenTrial) -> bool:
    """Whether a job ended without a reason: it is about to be queued again, or its worker died before it could be."""
    return job.state is TrialState.FAIL and ERROR not in job.user_attrs


def without_marks(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trial's system attributes without what constraints and pruners noted on its earlier attempt."""
    return {
        key: value for key, value in values.items() if not key.startswith(("constraints", "completed_rung"))
    }
