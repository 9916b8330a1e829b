"""Queue again what a dead worker, a person or a stop left behind; the queue decides when, under its locks."""

from collections.abc import Callable
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from harness.queue.jobs import ERROR, KILLED, MOST_KILLS, REPEATS, WORKER, is_cut_off, without_marks
from harness.queue.optuna_storage import experimental
from harness.queue.worker_lock import is_dead

End = Callable[[FrozenTrial], FrozenTrial | None]


def requeue(study: optuna.Study, trial: FrozenTrial, *, killed: bool, fresh: bool = False) -> None:
    """Append a trial's point as a waiting job; one that killed its worker three times is left as failed instead.

    Args:
        study: what the trial belongs to.
        trial: has ended; the new job notes that it repeats it.
        killed: whether its worker died.
        fresh: forget the values that the trial reported so far, and how often it killed a worker.
    """
    kills = 0 if fresh else trial.user_attrs.get(KILLED, 0) + killed
    if killed and kills >= MOST_KILLS:
        _give_up(study, trial, kills)
        return
    notes = {key: value for key, value in trial.user_attrs.items() if key not in (WORKER, ERROR, KILLED)}
    notes |= {REPEATS: trial.number} | ({KILLED: kills} if kills else {})
    study.add_trial(
        optuna.create_trial(
            state=TrialState.WAITING,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs=notes,
            system_attrs=without_marks(trial.system_attrs),
            intermediate_values={} if fresh else trial.intermediate_values,
        )
    )


def recover(study: optuna.Study, locks: Path, end: End) -> list[int]:
    """Queue again the running trials whose worker died; return their numbers.

    Args:
        study: whose trials are looked at.
        locks: folder of the locks of this machine's workers; one that nobody holds is of a dead worker. Optuna finds
            the dead of other machines by their missing heartbeats.
        end: ends a running trial and returns it as it is then, None where another process came first.
    """
    dead = []
    for trial in _running(study):
        if was_killed(trial, locks) and (ended := end(trial)) is not None:
            requeue(study, ended, killed=True)
            dead.append(trial.number)
    before = {trial.number for trial in _running(study)}
    with experimental():
        optuna.storages.fail_stale_trials(study)
    gone = before - {trial.number for trial in _running(study)}
    trials = study.get_trials(deepcopy=False)
    return dead + [number for number in sorted(gone) if is_cut_off(trials[number])]


def was_killed(trial: FrozenTrial, locks: Path) -> bool:
    """Whether a job's worker left a lock here that no process holds; of all others only heartbeats show it."""
    token = trial.user_attrs.get(WORKER)
    return token is not None and is_dead(locks, token)


def _give_up(study: optuna.Study, trial: FrozenTrial, kills: int) -> None:
    """Append a failed trial in place of one that killed its workers."""
    text = f"its worker died {kills} times during it: out of memory, or killed by the system?"
    error = {"type": "WorkerDied", "message": text, "traceback": text}
    notes = {key: value for key, value in trial.user_attrs.items() if key != WORKER}
    study.add_trial(
        optuna.create_trial(
            state=TrialState.FAIL,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs={**notes, REPEATS: trial.number, KILLED: kills, ERROR: error},
            intermediate_values=trial.intermediate_values,
        )
    )


def _running(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
