"""The queue: jobs taken once, in order, by the living; what the dead leave behind is taken up."""

import threading
import time
from collections import Counter
from contextlib import contextmanager

import optuna
import pytest
from optuna.trial import TrialState

from harness.errors import UsageError
from harness.queue import queue as queue_module
from harness.queue.jobs import ERROR, KILLED, MOST_KILLS, OVER, Changed, TakenAway, owned
from harness.queue.optuna_storage import shown
from harness.queue.queue import Queue
from harness.queue.recovery import requeue
from harness.queue.storage_place import DATABASE, storage_url
from harness.queue.worker_lock import Presence


@pytest.fixture
def url(empty_storage, tmp_path):
    (tmp_path / DATABASE).write_bytes(empty_storage.read_bytes())
    return f"sqlite:///{tmp_path / DATABASE}"


@pytest.fixture
def open_queue(url, tmp_path):
    return lambda name="jobs", **options: Queue(name, url, folder=tmp_path, **options)


@pytest.fixture
def worker(tmp_path):
    with Presence(tmp_path) as present:
        yield present


def numbers(queue, state):
    return [number for number, job in queue.jobs().items() if job.state is state]


def test_jobs_are_taken_in_order_and_only_as_many_as_are_wanted(open_queue, worker):
    queue = open_queue()
    queue.fill(5)
    queue.fill(5)
    taken = [queue.take(worker, total=3) for _ in range(4)]
    assert [job and job.number for job in taken] == [0, 1, 2, None]
    assert numbers(queue, TrialState.WAITING) == [3, 4]
    assert queue.take(worker).number == 3


def test_no_job_is_taken_twice_by_workers_at_once(open_queue, worker):
    open_queue().fill(24)
    taken = []

    def work():
        queue = open_queue()
        while (job := queue.take(worker)) is not None:
            taken.append(job.number)
            queue.end(job, TrialState.COMPLETE, [1.0])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(taken) == Counter(range(24))


def test_the_job_of_a_dead_worker_is_taken_up_first_with_what_it_knew(open_queue, worker, tmp_path):
    queue = open_queue()
    queue.fill(3)
    with Presence(tmp_path) as other:
        lost = queue.take(other)
        trial = queue.trial(lost)
        drawn = trial.suggest_float("rate", 0, 1)
        trial.report(7.0, 1)
        trial.set_user_attr("note", "kept")
        assert queue.recover() == []
    (tmp_path / "workers" / f"{other.token}.lock").touch()
    assert queue.recover() == [lost.number]
    again = queue.take(worker)
    assert (again.params, again.intermediate_values) == ({"rate": drawn}, {1: 7.0})
    assert again.user_attrs["note"] == "kept"
    assert queue.jobs()[0].number == again.number
    assert len(queue.jobs()) == 3


def test_the_job_of_a_living_worker_stays_its_own(open_queue, worker):
    queue = open_queue()
    queue.fill(1)
    job = queue.take(worker)
    assert open_queue().recover() == []
    assert queue.end(job, TrialState.COMPLETE, [1.0])


@pytest.mark.slow
def test_a_worker_of_another_machine_is_dead_after_its_heartbeats_stop(open_queue, worker):
    queue = open_queue(heartbeat=1)
    queue.storage.grace_period = 1
    queue.fill(2)
    worker.token = "elsewhere-1-00000000"
    job = queue.take(worker)
    with queue.alive(job):
        time.sleep(2.2)
        assert queue.recover() == []
    time.sleep(2.2)
    assert queue.recover() == [job.number]
    assert not queue.end(job, TrialState.COMPLETE, [1.0])
    assert not queue.fail(job, ValueError("too late"))
    assert numbers(queue, TrialState.WAITING) == [0, 1]
    assert queue.jobs()[0].user_attrs[KILLED] == 1


def test_a_job_that_kills_its_workers_is_given_up(open_queue, tmp_path):
    queue = open_queue()
    queue.fill(1)
    for _ in range(MOST_KILLS):
        with Presence(tmp_path) as doomed:
            assert queue.take(doomed) is not None
        (tmp_path / "workers" / f"{doomed.token}.lock").touch()
        queue.recover()
    (job,) = queue.jobs().values()
    assert job.state is TrialState.FAIL
    assert job.user_attrs[KILLED] == MOST_KILLS
    assert "died 3 times" in job.user_attrs[ERROR]["message"]


def test_a_job_that_a_person_stopped_is_not_counted_as_a_kill(open_queue, worker):
    queue = open_queue()
    queue.fill(1)
    for _ in range(MOST_KILLS + 1):
        queue.put_back(queue.take(worker))
    (job,) = queue.jobs().values()
    assert job.state is TrialState.WAITING
    assert KILLED not in job.user_attrs


def test_a_stopped_queue_says_why_and_tries_the_failed_jobs_again(open_queue, worker):
    queue = open_queue()
    queue.fill(2)
    queue.fail(queue.take(worker), ValueError("no memory"))
    assert queue.jobs()[0].user_attrs[ERROR]["type"] == "ValueError"
    queue.stop("three alike", [0])
    assert open_queue().stopped == "three alike"
    queue.resume()
    assert queue.stopped is None
    assert numbers(queue, TrialState.WAITING) == [0, 1]
    assert queue.take(worker).number == 2


def test_what_all_jobs_share_cannot_change(open_queue):
    queue = open_queue()
    queue.hold("data", {"icfg": {"sha": "a"}, "n": 1})
    queue.hold("data", {"icfg": {"sha": "a"}, "n": 1})
    with pytest.raises(Changed, match=r"\(icfg\.sha: a before, b now\)"):
        queue.hold("data", {"icfg": {"sha": "b"}, "n": 1})
    with pytest.raises(Changed, match=r"\(cuhk: None before, 3 now; n: 1 before, None now\)"):
        queue.hold("data", {"icfg": {"sha": "a"}, "cuhk": 3})
    with pytest.raises(Changed) as told:
        queue.hold("data", {"icfg": {"sha": "a"}, "n": 1} | dict.fromkeys("abcdefg", 0))
    assert str(told.value).count(" before, ") == 5


def test_a_job_keeps_its_first_number_and_what_was_noted_with_it(open_queue, worker):
    queue = open_queue()
    queue.fill(1)
    queue.add({"cell": "b"})
    for attempt in range(3):
        job = queue.take(worker, fits=lambda job: "cell" in job.user_attrs)
        assert queue.number_of(job) == 1
        assert (job.number == 1, job.user_attrs["cell"]) == (attempt == 0, "b")
        assert [one.number for one in queue.running()] == [job.number]
        queue.put_back(job)


def test_a_word_that_does_not_fit_is_an_error_and_the_job_goes_on(open_queue, worker):
    queue = open_queue()
    queue.fill(1)
    job = queue.take(worker)
    with pytest.raises(ValueError, match="number of the values"):
        queue.end(job, TrialState.COMPLETE, [1.0, 2.0])
    assert queue.end(job, TrialState.COMPLETE, [1.0]) is True


def test_an_unknown_study_gets_the_nearest_name(open_queue):
    open_queue("cskt-icfg")
    with pytest.raises(UsageError, match="Did you mean 'cskt-icfg'"):
        open_queue("cskt-icgf", directions=None)


def test_the_storage_is_the_option_then_the_variable_then_a_file_beside_the_runs(monkeypatch, tmp_path):
    monkeypatch.delenv("HARNESS_STORAGE", raising=False)
    assert storage_url(None, tmp_path) == f"sqlite:///{tmp_path / 'optuna.db'}"
    monkeypatch.setenv("HARNESS_STORAGE", "postgresql://host/a")
    assert storage_url(None, tmp_path) == "postgresql://host/a"
    assert storage_url("sqlite:///b", tmp_path) == "sqlite:///b"
    assert shown("postgresql://me:secret@host/a") == "postgresql://me:***@host/a"


def test_a_worker_that_lost_its_job_is_told_so_and_changes_nothing(open_queue, worker):
    queue = open_queue()
    queue.fill(1)
    job = queue.take(worker)
    queue.put_back(job)
    for late in (lambda: queue.note(job, "a", 1), lambda: queue.trial(job).set_user_attr("a", 1)):
        with pytest.raises(TakenAway, match="taken over by another worker"), owned(job):
            late()
    assert not queue.fail(job, ValueError("late"))
    assert numbers(queue, TrialState.WAITING) == [0]


def test_what_was_cut_off_before_it_could_be_queued_again_is_taken_up(open_queue, worker):
    queue = open_queue()
    queue.fill(2)
    queue.end(queue.take(worker), TrialState.FAIL)
    assert numbers(queue, TrialState.WAITING) == [1]
    assert queue.recover() == [0]
    assert numbers(queue, TrialState.WAITING) == [0, 1]
    assert KILLED not in queue.jobs()[0].user_attrs, "its worker lives: a person stopped it"
    assert queue.recover() == []


def test_what_a_worker_cut_off_before_it_died_itself_counts_as_a_death(open_queue, tmp_path):
    queue = open_queue()
    queue.fill(1)
    with Presence(tmp_path) as doomed:
        queue.end(queue.take(doomed), TrialState.FAIL)
    (tmp_path / "workers" / f"{doomed.token}.lock").touch()
    assert queue.recover() == [0]
    assert queue.jobs()[0].user_attrs[KILLED] == 1


def test_of_two_that_queue_one_job_again_the_first_counts(open_queue, worker):
    queue = open_queue()
    queue.fill(2)
    queue.end(queue.take(worker), TrialState.FAIL)
    lost = queue.jobs()[0]
    requeue(queue.study, lost, killed=False)
    requeue(queue.study, lost, killed=True)
    assert [queue.take(worker).number for _ in range(2)] == [2, 1]
    assert queue.take(worker) is None
    assert [job.number for job in queue.jobs().values()] == [2, 1]


def test_a_stop_is_forgotten_only_once_its_jobs_are_queued_again(open_queue, worker, monkeypatch):
    queue = open_queue()
    queue.fill(1)
    queue.fail(queue.take(worker), ValueError("no memory"))
    queue.stop("three alike", [0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queue.study, "add_trial", lambda trial: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            queue.resume()
    assert queue.stopped == "three alike"
    queue.resume()
    queue.repeat([0])
    assert (queue.stopped, numbers(queue, TrialState.WAITING), len(queue.study.trials)) == (None, [0], 2)


def test_a_job_that_was_given_up_has_all_its_tries_again_when_a_person_asks(open_queue, worker, tmp_path):
    queue = open_queue()
    queue.fill(1)
    for _ in range(MOST_KILLS):
        with Presence(tmp_path) as doomed:
            queue.take(doomed)
        (tmp_path / "workers" / f"{doomed.token}.lock").touch()
        queue.recover()
    assert queue.jobs()[0].state is TrialState.FAIL
    queue.repeat([0])
    assert queue.jobs()[0].state is TrialState.WAITING
    assert KILLED not in queue.jobs()[0].user_attrs


def test_only_jobs_that_fit_are_taken(open_queue, worker):
    queue = open_queue()
    queue.fill(3)
    assert queue.take(worker, fits=lambda job: job.number == 1).number == 1
    assert queue.take(worker, fits=lambda job: job.number == 1) is None


def test_on_a_file_a_job_ends_under_the_lock_of_those_that_look_for_the_dead(open_queue, worker, monkeypatch):
    queue = open_queue()
    queue.fill(1)
    job, held = queue.take(worker), []

    @contextmanager
    def alone(url):
        held.append(True)
        yield
        held.pop()

    tell = queue.study.tell
    monkeypatch.setattr(queue_module, "alone", alone)
    monkeypatch.setattr(queue.study, "tell", lambda *given, **more: held[0] and tell(*given, **more))
    assert queue.end(job, TrialState.COMPLETE, [1.0])
    assert held == []


def test_a_host_whose_name_begins_like_another_is_not_that_one(open_queue, tmp_path, monkeypatch):
    with Presence(tmp_path) as other:
        monkeypatch.setattr("socket.gethostname", lambda: other.token.split("-")[0][:-1])
        assert not Presence.is_of_this_machine(other.token)


def test_after_a_crew_ended_the_next_takes_jobs_again(open_queue, worker):
    queue = open_queue()
    queue.fill(2)
    queue.remember(OVER, True)
    assert queue.notes[OVER] is True
    queue.resume()
    assert queue.notes[OVER] is False


def test_a_job_that_waits_takes_the_values_that_are_fixed_for_it(open_queue, worker):
    queue = open_queue()
    queue.fill(2)
    queue.fix(queue.jobs()[1], {"rate": 0.125})
    taken = [queue.take(worker) for _ in range(2)]
    trials = [optuna.trial.Trial(queue.study, queue._id(job)) for job in taken]
    assert trials[1].suggest_float("rate", 0, 1) == 0.125


def test_a_job_that_ends_elsewhere_between_the_look_and_the_word_is_not_one_s_own(
    open_queue, worker, monkeypatch
):
    queue = open_queue()
    queue.fill(1)
    job = queue.take(worker)

    def told_first(number, values=None, state=None):
        tell(number, values=[7.0], state=TrialState.COMPLETE)
        return tell(number, values=values, state=state)

    tell = queue.study.tell
    monkeypatch.setattr(queue.study, "tell", told_first)
    assert queue.end(job, TrialState.COMPLETE, [1.0]) is False
    assert queue.jobs()[0].values == [7.0]
