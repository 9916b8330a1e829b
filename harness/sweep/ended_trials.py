"""What a queue knows of the trials that have ended; needs no config, so that listing studies is quick."""

from optuna.trial import FrozenTrial, TrialState

from harness.queue.jobs import ERROR, is_cut_off
from harness.queue.queue import Queue
from harness.sweep.trial import State, Trial

STATES: dict[TrialState, State] = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}
# What a queue that a sweep made notes as its kind.
KIND, FACTS = "sweep", "facts"


def ended_trials(queue: Queue) -> list[Trial]:
    """Return all ended trials in order."""
    return [ended_trial(*item) for item in ended_jobs(queue)]


def ended_jobs(queue: Queue) -> list[tuple[int, FrozenTrial]]:
    """Return the jobs of all ended trials with their numbers; what will be resumed has not ended."""
    jobs = queue.jobs().items()
    return [item for item in jobs if item[1].state in STATES and not is_cut_off(item[1])]


def ended_trial(number: int, job: FrozenTrial) -> Trial:
    """Return what is known of a trial that has ended."""
    known = job.user_attrs
    values = job.values or []
    return Trial(
        number=number,
        state=STATES[job.state],
        values=tuple(values),
        params=job.params,
        feasible=all(excess <= 0 for excess in job.constraints.values()),
        error=known.get(ERROR),
        **known.get(FACTS, {}),
    )
