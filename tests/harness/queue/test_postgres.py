"""Studies on a real PostgreSQL server: tables made once, jobs taken once, the dead found, no password told."""

import socket
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import optuna
import pytest
from optuna.trial import TrialState
from sqlalchemy import create_engine, text

from harness.cli.main import cli
from harness.cli.options import run_safely
from harness.config.fields import Range
from harness.errors import HarnessError, UsageError
from harness.listener import Listener
from harness.queue import optuna_storage
from harness.queue.jobs import KILLED, REPEATS
from harness.queue.optuna_storage import open_storage
from harness.queue.queue import Queue
from harness.queue.work_setup import WorkSetup
from harness.queue.worker_lock import Presence
from harness.sweep import trial_job
from harness.sweep.settings import Search
from harness.sweep.space import Axis
from harness.sweep.sweep import sweep

pytestmark = pytest.mark.filterwarnings("ignore:.*is an experimental feature")
PASSWORD, QUOTED = "hush:p@ss", "hush%3Ap%40ss"


def at_once(n, work):
    """Call `work` in `n` threads that begin together; return what they returned or raised."""
    start, results = threading.Barrier(n), []

    def one():
        start.wait()
        try:
            results.append(work())
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=one) for _ in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def ask(url, statement):
    """Put a statement to a database and return the rows of its answer."""
    engine = create_engine(url)
    with engine.begin() as connection:
        answer = connection.execute(text(statement))
        rows = answer.all() if answer.returns_rows else []
    engine.dispose()
    return rows


def main(arguments):
    """Call the command line in this process and return its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["harness", *arguments])
        return run_safely(cli, debug=False)


@pytest.fixture
def open_queue(database, tmp_path):
    return lambda name="jobs", folder=tmp_path, **options: Queue(name, database, folder=folder, **options)


@pytest.mark.slow
def test_four_that_open_an_empty_database_at_once_make_its_tables_once(database):
    opened = at_once(4, lambda: open_storage(database).get_all_studies())
    assert opened == [[]] * 4
    assert len(ask(database, "SELECT * FROM alembic_version")) == 1
    assert len(ask(database, "SELECT * FROM version_info")) == 1


def test_a_password_may_have_braces(database):
    plain = database.replace("%7B", "{").replace("%7D", "}")
    assert plain.count("{") == plain.count("}") == 1
    assert open_storage(plain).get_all_studies() == []


def test_a_study_that_several_begin_at_once_is_one(open_queue):
    opened = at_once(4, lambda: open_queue("one").study.study_name)
    assert opened == ["one"] * 4


def test_jobs_that_several_queue_at_once_are_queued_once(open_queue):
    def fill():
        queue = open_queue()
        with queue.exclusive():
            wanted = 4 - len(queue.jobs())
            time.sleep(0.2)
            for _ in range(wanted):
                queue.add()

    assert at_once(3, fill) == [None] * 3
    assert len(open_queue().jobs()) == 4


@pytest.mark.slow
def test_no_job_is_taken_twice_by_workers_at_once(open_queue, tmp_path):
    open_queue().fill(40)
    taken = []

    def work():
        queue = open_queue()
        with Presence(tmp_path) as worker:
            while (job := queue.take(worker)) is not None:
                taken.append(job.number)
                assert queue.end(job, TrialState.COMPLETE, [1.0])

    assert at_once(6, work) == [None] * 6
    assert Counter(taken) == Counter(range(40))


@pytest.mark.slow
def test_what_a_dead_worker_left_is_taken_up_once_however_many_find_it(open_queue, tmp_path):
    queue = open_queue()
    queue.fill(6)
    with Presence(tmp_path) as worker:
        for _ in range(6):
            queue.take(worker)
    (tmp_path / "workers" / f"{worker.token}.lock").touch()
    found = at_once(5, lambda: open_queue().recover())
    assert Counter(number for numbers in found for number in numbers) == Counter(range(6))
    assert len(queue.study.get_trials()) == 12
    assert [job.state for job in queue.jobs().values()] == [TrialState.WAITING] * 6
    assert [job.user_attrs[REPEATS] for job in queue.jobs().values()] == list(range(6))


@pytest.mark.parametrize("how", ["dead", "silent", "stopped by a person", "stopped queue"])
def test_nobody_looks_between_the_end_of_a_job_and_its_new_attempt(
    how, database, open_queue, tmp_path, monkeypatch
):
    queue = open_queue()
    queue.fill(1)
    with Presence(tmp_path) as worker:
        job = queue.take(worker)
    if how == "dead":
        (tmp_path / "workers" / f"{worker.token}.lock").touch()
    elif how == "silent":
        ask(database, "UPDATE trial_heartbeats SET heartbeat = heartbeat - interval '1 hour'")
    elif how == "stopped queue":
        assert queue.fail(job, ValueError("broken"))
        queue.stop("broken", [0])
    add, ended = optuna.Study.add_trial, threading.Event()

    def add_late(study, trial):
        ended.set()
        time.sleep(0.5)
        add(study, trial)

    other = open_queue()
    first, second = {
        "stopped by a person": (lambda: queue.put_back(job), other.recover),
        "stopped queue": (queue.resume, other.resume),
    }.get(how, (queue.recover, other.recover))
    monkeypatch.setattr(optuna.Study, "add_trial", add_late)
    late = threading.Thread(target=first)
    late.start()
    assert ended.wait(30)
    second()
    late.join()
    assert len(queue.study.get_trials()) == 2


def test_a_worker_out_of_sight_is_dead_after_four_heartbeats_are_missing_and_not_before(
    database, open_queue, tmp_path
):
    queue, other = open_queue(), open_queue(folder=tmp_path / "elsewhere")
    queue.fill(1)
    with Presence(tmp_path / "elsewhere") as worker:
        job = other.take(worker)
    silence = "UPDATE trial_heartbeats SET heartbeat = heartbeat - interval '{} seconds'"
    assert queue.recover() == []
    ask(database, silence.format(100))
    assert queue.recover() == []
    with other.alive(job):
        ask(database, silence.format(100))
        assert queue.recover() == []
    ask(database, silence.format(25))
    assert queue.recover() == [0]
    assert not other.end(job, TrialState.COMPLETE, [1.0])


def test_a_worker_that_dies_while_it_takes_a_job_is_found_by_its_first_heartbeat(
    database, open_queue, tmp_path, monkeypatch
):
    queue = open_queue()
    queue.fill(1)
    with Presence(tmp_path) as worker, pytest.MonkeyPatch.context() as patch:
        patch.setattr(queue.storage, "set_trial_user_attr", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            queue.take(worker)
    assert queue.recover() == []
    ask(database, "UPDATE trials SET datetime_start = datetime_start - interval '1 day'")
    assert queue.recover() == [], "a clock told of its death, not its silence"
    ask(database, "UPDATE trial_heartbeats SET heartbeat = heartbeat - interval '121 seconds'")
    assert queue.recover() == [0]


def test_heartbeats_keep_one_time_whatever_the_server_calls_local(database, open_queue, tmp_path):
    queue = open_queue()
    queue.fill(1)
    with Presence(tmp_path) as worker:
        queue.take(worker)
    ((zone,),) = ask(database, "SHOW timezone")
    ((age,),) = ask(database, "SELECT now() AT TIME ZONE 'UTC' - heartbeat FROM trial_heartbeats")
    assert zone == "Asia/Tokyo"
    assert abs(age) < timedelta(minutes=1)


def test_a_server_that_comes_back_is_not_missed_and_heartbeats_go_on(
    postgres, database, open_queue, tmp_path
):
    queue, other = open_queue(heartbeat=1), open_queue()
    queue.fill(1)
    assert len(other.jobs()) == 1
    with Presence(tmp_path) as worker, queue.alive(queue.take(worker)):
        postgres.stop()
        time.sleep(1.3)
        postgres.start()
        assert len(other.jobs()) == 1
        ask(database, "UPDATE trial_heartbeats SET heartbeat = heartbeat - interval '1 hour'")
        deadline = time.monotonic() + 30
        while ask(
            database,
            "SELECT now() AT TIME ZONE 'UTC' - heartbeat > interval '1 minute' FROM trial_heartbeats",
        )[0][0]:
            assert time.monotonic() < deadline, "no heartbeat came any more"
            time.sleep(0.1)


@pytest.mark.slow
def test_workers_that_come_before_the_study_say_so(database, tmp_path, capsys):
    command = ["worker", "cskt-icfg", "--storage", database, "--runs", str(tmp_path)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["harness", *command])
        assert at_once(4, lambda: run_safely(cli, debug=False)) == [2] * 4
    assert capsys.readouterr().err == "Error: Unknown study 'cskt-icfg'. Known: none.\n" * 4


def test_a_storage_that_is_not_there_is_one_quick_message_without_its_password(capsys, monkeypatch):
    assert optuna_storage.PATIENCE["connect_timeout"] <= 10
    monkeypatch.setitem(optuna_storage.PATIENCE, "connect_timeout", 2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        for port in (1, silent.getsockname()[1]):
            url = f"postgresql+psycopg://me:hush@127.0.0.1:{port}/x"
            begun = time.monotonic()
            arguments = [
                "sweep",
                "--method",
                "linear_probe",
                "--dataset",
                "icfg",
                "--synthetic",
                "--storage",
                url,
            ]
            assert main(arguments) == 2
            assert time.monotonic() - begun < 8
            said = "".join(capsys.readouterr())
            (line,) = [line for line in said.splitlines() if line.startswith("Error:")]
            assert f"me:***@127.0.0.1:{port}/x cannot be opened" in line
            assert "hush" not in said
            assert "Traceback" not in said


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg:/me:hush@host/x",
        "postgresql+psycopg://me:hush@host:hush/x",
        "postgresql+psycopg://me:hush",
        "postgresql+psycopg://me:hu@hush@127.0.0.1:1/x",
        "postgresql+psycopg://127.0.0.1:1/x?user=me&password=hush",
        "postgresql+psycopg://me:hush{0}@127.0.0.1:1/x",
        "nothing://me:hush@host/x",
        "mysql+nothing://me:hush@host/x",
    ],
)
def test_what_is_no_url_of_a_storage_is_said_without_its_password(url):
    with pytest.raises(UsageError) as told:
        open_storage(url)
    assert "hush" not in str(told.value)
    assert "study storage" in str(told.value)


class Outage(Listener):
    """Stops the server in the middle of a trial, after some steps of training."""

    def __init__(self, postgres, after):
        self.postgres, self.left, self.steps = postgres, after, 0

    def on_step(self, epoch, step, n_steps):
        self.steps += 1
        if self.steps == self.left:
            self.postgres.stop()


@pytest.mark.slow
@pytest.mark.usefixtures("untracked")
def test_a_server_that_goes_away_stops_the_sweep_and_the_same_call_goes_on(
    world, twins, postgres, database, tmp_path
):
    config = world.quick(twins, "linear_probe", "icfg", "train.checkpoint_seconds=0.001", "train.epochs=4")
    axes = [Axis(key="method.lr", over=Range(low=1e-4, high=1e-1, log=True))]
    search = Search(trials=3, sampler="random", pruner="none", test_seeds=0)
    place = WorkSetup(runs=tmp_path, storage=database, device="cpu")
    steps = Outage(postgres, after=10**6)
    whole = sweep(config, axes, search, replace(place, listener=steps), "whole")
    outage = Outage(postgres, after=steps.steps // 2)
    with pytest.raises(HarnessError, match=r"was lost.*run the same command to resume") as told:
        sweep(config, axes, search, replace(place, listener=outage), "outage")
    assert PASSWORD not in str(told.value)
    assert QUOTED not in str(told.value)
    postgres.start()
    rest = Outage(postgres, after=10**6)
    summary = sweep(config, axes, search, replace(place, listener=rest), "outage")
    assert [(trial.number, trial.state) for trial in summary.trials] == [(n, "finished") for n in range(3)]
    assert [trial.value for trial in summary.trials] == [trial.value for trial in whole.trials]
    assert outage.steps + rest.steps <= steps.steps + 1


@pytest.mark.slow
@pytest.mark.usefixtures("untracked")
def test_a_server_that_is_back_before_its_loss_is_told_costs_no_trial(
    world, twins, postgres, database, tmp_path, monkeypatch
):
    config = world.quick(twins)
    axes = [Axis(key="method.lr", over=Range(low=1e-4, high=1e-1, log=True))]
    search = Search(trials=2, sampler="random", pruner="none", test_seeds=0)
    place = WorkSetup(runs=tmp_path, storage=database, device="cpu")
    real = trial_job.run

    def run_until_it_is_back(*arguments, **options):
        try:
            return real(*arguments, **options)
        finally:
            postgres.start()

    monkeypatch.setattr(trial_job, "run", run_until_it_is_back)
    with pytest.raises(HarnessError, match="was lost"):
        sweep(config, axes, search, replace(place, listener=Outage(postgres, after=2)), "blip")
    summary = sweep(config, axes, search, place, "blip")
    assert [trial.state for trial in summary.trials] == ["finished"] * 2
    assert not any(
        KILLED in job.user_attrs for job in Queue("blip", database, folder=tmp_path).jobs().values()
    )
