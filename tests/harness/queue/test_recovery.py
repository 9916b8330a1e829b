"""What a job takes with it when it is queued again, and when it is given up."""

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from harness.queue import recovery
from harness.queue.jobs import ERROR, KILLED, MOST_KILLS, REPEATS, WORKER, is_cut_off
from harness.queue.recovery import recover, requeue


@pytest.fixture
def study():
    return optuna.create_study()


@pytest.fixture
def add(study):
    """Add a trial in a state with marks of its own; return it."""

    def call(state=TrialState.FAIL, **notes):
        study.add_trial(
            optuna.create_trial(
                state=state,
                params={"rate": 0.25},
                distributions={"rate": FloatDistribution(0, 1)},
                user_attrs={"facts": {"runs": ["a"]}, WORKER: "here-1-x", **notes},
                system_attrs={"fixed_params": {"rate": 0.25}, "constraints": [1.0], "completed_rung_0": 2.0},
                intermediate_values={1: 5.0, 2: 6.0},
            )
        )
        return study.trials[-1]

    return call


@pytest.mark.parametrize("killed", [False, True])
def test_a_job_keeps_its_point_and_notes_and_loses_worker_error_and_marks(study, add, killed):
    lost = add(**{ERROR: {"type": "ValueError"}})
    requeue(study, lost, killed=killed)
    again = study.trials[-1]
    assert (again.state, again.params) == (TrialState.WAITING, {"rate": 0.25})
    assert again.distributions == lost.distributions
    assert again.user_attrs == {"facts": {"runs": ["a"]}, REPEATS: lost.number} | (
        {KILLED: 1} if killed else {}
    )
    assert again.system_attrs == {"fixed_params": {"rate": 0.25}}
    assert again.intermediate_values == {1: 5.0, 2: 6.0}
    assert len(study.trials) == 2


def test_a_fresh_start_forgets_what_was_reported(study, add):
    requeue(study, add(), killed=False, fresh=True)
    assert study.trials[-1].intermediate_values == {}
    assert study.trials[-1].params == {"rate": 0.25}


def test_kills_are_counted_up_and_the_last_one_gives_the_job_up(study, add):
    job = add()
    for kills in range(1, MOST_KILLS):
        requeue(study, job, killed=True)
        job = study.trials[-1]
        assert (job.state, job.user_attrs[KILLED]) == (TrialState.WAITING, kills)
    requeue(study, job, killed=False)
    assert study.trials[-1].state is TrialState.WAITING
    assert study.trials[-1].user_attrs[KILLED] == MOST_KILLS - 1
    requeue(study, study.trials[-1], killed=True)
    given_up = study.trials[-1]
    assert given_up.state is TrialState.FAIL
    assert given_up.user_attrs[KILLED] == MOST_KILLS
    assert given_up.user_attrs[ERROR]["type"] == "WorkerDied"
    assert str(MOST_KILLS) in given_up.user_attrs[ERROR]["message"]
    assert WORKER not in given_up.user_attrs
    assert given_up.user_attrs["facts"] == {"runs": ["a"]}
    assert given_up.user_attrs[REPEATS] == given_up.number - 1
    assert not is_cut_off(given_up)
    assert given_up.intermediate_values == {1: 5.0, 2: 6.0}


def test_only_running_jobs_of_dead_workers_are_queued_again(study, add, tmp_path, monkeypatch):
    dead, taken = add(TrialState.RUNNING, **{WORKER: "dead"}), add(TrialState.RUNNING, **{WORKER: "taken"})
    alive, over = add(TrialState.RUNNING, **{WORKER: "alive"}), add(TrialState.FAIL, **{WORKER: "dead"})
    nobody = add(TrialState.RUNNING, **{WORKER: None})
    asked = []
    monkeypatch.setattr(
        recovery, "is_dead", lambda folder, token: asked.append((folder, token)) or token in ("dead", "taken")
    )

    def end(trial):
        """End a job; another process was first with the one that is taken."""
        if trial.number == taken.number:
            return None
        study.tell(trial.number, state=TrialState.FAIL)
        return study.trials[trial.number]

    assert recover(study, tmp_path, end) == [dead.number]
    assert asked == [(tmp_path, token) for token in ("dead", "taken", "alive")]
    assert [trial.user_attrs[REPEATS] for trial in study.trials if REPEATS in trial.user_attrs] == [
        dead.number
    ]
    states = {trial.number: trial.state for trial in study.trials}
    assert states[alive.number] is states[nobody.number] is TrialState.RUNNING
    assert states[over.number] is TrialState.FAIL
    monkeypatch.setattr(recovery, "is_dead", lambda folder, token: False)
    assert recover(study, tmp_path, end) == []
