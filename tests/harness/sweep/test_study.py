"""A study on a queue: which points are tried, in which order, what its trials say, and what importance needs."""

import shutil

import pytest
from optuna.trial import TrialState

from harness.config.fields import Choice, Range
from harness.queue.jobs import ERROR
from harness.queue.queue import Queue
from harness.queue.worker_lock import Presence
from harness.sweep.optuna_parts import STARTUP_TRIALS
from harness.sweep.settings import Search
from harness.sweep.space import Axis
from harness.sweep.study import Study

AXES = [
    Axis(key="rate", over=Range(low=1e-4, high=1, log=True)),
    Axis(key="depth", over=Range(low=1, high=9), integer=True),
]


@pytest.fixture
def make(empty_storage, tmp_path):
    """Return the maker of studies in one storage."""
    shutil.copy(empty_storage, tmp_path)

    def call(name="study", trials=4, seed=1, directions=("maximize",), axes=AXES, **search):
        url = f"sqlite:///{tmp_path / empty_storage.name}"
        queue = Queue(name, url, folder=tmp_path, directions=directions)
        return Study(queue, axes, Search(trials=trials, **{"sampler": "random"} | search), seed, (10, 0))

    return call


@pytest.fixture
def worker(tmp_path):
    with Presence(tmp_path) as present:
        yield present


def points(study, worker, n):
    """Take and finish trials; return their points."""
    taken = []
    for _ in range(n):
        trial = study.take(worker)
        taken.append(trial.params)
        trial.finish([float(len(taken))])
    return taken


def test_points_given_come_first_and_drawn_ones_fill_up_to_the_total(make, worker):
    study = make()
    first = [{"rate": 0.5, "depth": 3}, {"rate": 0.25, "depth": 4}]
    study.prepare(first)
    study.prepare(first)
    found = points(study, worker, 4)
    assert found[:2] == first
    assert all(AXES[0].holds(point["rate"]) and type(point["depth"]) is int for point in found)
    assert study.take(worker) is None
    assert study.n_done == 4


def test_more_points_than_trials_are_cut_and_later_ones_go_to_jobs_that_have_none(make, worker):
    study = make(trials=2)
    many = [{"rate": 0.5, "depth": depth} for depth in range(1, 6)]
    study.prepare(many)
    assert points(study, worker, 2) == many[:2]
    assert study.take(worker) is None
    larger = make(trials=4)
    larger.prepare([])
    larger.prepare(many[1:3])
    assert points(larger, worker, 2)[0] == many[2]


def test_the_same_seed_draws_the_same_points_however_often_it_was_stopped(make, worker):
    whole = make("whole")
    whole.prepare([])
    expected = points(whole, worker, 4)
    found = []
    for _ in range(4):
        part = make("parts")
        part.prepare([])
        found += points(part, worker, 1)
    assert found == expected
    other = make("other", seed=2)
    other.prepare([])
    assert points(other, worker, 4) != expected


def test_a_trial_that_was_put_back_keeps_number_and_point(make, worker):
    study = make()
    study.prepare([])
    trial = study.take(worker)
    trial.put_back()
    again = study.take(worker)
    assert (again.number, again.params) == (trial.number, trial.params)
    assert again.job.number != trial.job.number
    assert study.n_done == 0


def test_a_trial_that_ended_without_a_reason_does_not_count(make, worker):
    study = make()
    study.prepare([])
    study.queue.end(study.take(worker).job, TrialState.FAIL)
    study.take(worker).finish([1.0])
    assert [row.number for row in study.trials()] == [1]


def test_rows_tell_how_each_trial_ended_in_order(make, worker):
    study = make()
    study.prepare([])
    first, second, third = (study.take(worker) for _ in range(3))
    third.note(runs=["a"], metrics={"val/t2i/mAP": 3.0}, seconds=2.0, epochs=4, planned=10)
    third.finish([7.0])
    second.fail(ValueError("too much"))
    assert not first.report(1, 5.0)
    first.prune()
    rows = study.trials()
    assert [(row.number, row.state, row.value) for row in rows] == [
        (0, "pruned", 5.0),
        (1, "failed", None),
        (2, "finished", 7.0),
    ]
    assert (rows[2].runs, rows[2].tie, rows[2].seconds, rows[2].epochs) == (("a",), 3.0, 2.0, 4)
    assert rows[1].error["type"] == study.queue.jobs()[1].user_attrs[ERROR]["type"] == "ValueError"
    assert [row.number for row in study.last_ended(2)] == [1, 0]
    assert [row.number for row in study.last_ended(9)] == [2, 1, 0]
    assert study.n_done == 3


def test_a_trial_beyond_a_limit_is_not_feasible(make, worker):
    study = make()
    study.prepare([])
    for excess in ({"memory": 0.0, "time": -1.0}, {"memory": -1.0, "time": 0.5}, {}):
        trial = study.take(worker)
        trial.weigh(excess)
        trial.finish([1.0])
    assert [row.feasible for row in study.trials()] == [True, False, True]


def test_with_several_objectives_nothing_is_ended_early_and_all_values_are_kept(make, worker):
    study = make(
        directions=("maximize", "minimize"),
        objectives=("val/t2i/R1", "peak_memory"),
        pruner="none",
    )
    study.prepare([])
    trial = study.take(worker)
    assert trial.report(1, 0.0) is False
    trial.finish([3.0, 4.0])
    assert (study.trials()[0].value, study.trials()[0].values) == (3.0, (3.0, 4.0))


def test_a_value_reported_twice_for_one_step_is_no_matter(make, worker):
    study = make()
    study.prepare([])
    trial = study.take(worker)
    assert [trial.report(1, value) for value in (1.0, 2.0)] == [False, False]


def test_importance_is_that_of_the_key_that_matters_and_needs_enough_trials_that_differ(make, worker):
    axes = [Axis(key=key, over=Choice(values=(0, 1, 2))) for key in ("matters", "idle")]
    study = make(trials=9, axes=axes)
    study.prepare([{"matters": a, "idle": b} for a in range(3) for b in range(3)])
    assert study.importance() == {}
    for n in range(9):
        trial = study.take(worker)
        trial.finish([10.0 * trial.params["matters"]])
        if n + 1 < STARTUP_TRIALS:
            assert study.importance() == {}
    found = study.importance()
    assert set(found) == {"matters", "idle"}
    assert found["matters"] > 0.95
    assert sum(found.values()) == pytest.approx(1)


def test_importance_of_equal_values_is_not_known(make, worker):
    study = make(trials=STARTUP_TRIALS + 1)
    study.prepare([])
    for _ in range(STARTUP_TRIALS + 1):
        study.take(worker).finish([1.0])
    assert study.importance() == {}
