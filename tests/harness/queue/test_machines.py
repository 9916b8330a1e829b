"""A sweep by processes that share nothing but a PostgreSQL storage and an MLflow server over PostgreSQL."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from urllib.request import urlopen

import pytest
import torch
from mlflow import MlflowClient
from optuna.trial import TrialState

from harness.cli.main import cli
from harness.cli.options import run_safely
from harness.queue.jobs import ERROR, KILLED, REPEATS, WORKER
from harness.queue.queue import Queue
from harness.record import all_trials
from harness.track.mlflow_opening import EXPERIMENT
from harness.track.run_row import PARENT

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*is an experimental feature")]

STUDY, N_TRIALS = "together", 7
SETTINGS = ("train.epochs=25", "train.checkpoint_seconds=0.001")
PATIENCE = 240


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch):
    """Let each process have one thread, and give the command line's arguments back afterwards."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(sys, "argv", sys.argv)


@pytest.fixture
def mlflow_server(postgres, tmp_path):
    """Return the address of an MLflow server over PostgreSQL, and the file of its log."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    options = ["--host", "127.0.0.1", "--port", address.rpartition(":")[2], "--workers", "1"]
    log = tmp_path / "mlflow.log"
    with log.open("w") as said:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "mlflow",
                "server",
                *options,
                "--artifacts-destination",
                str(tmp_path / "art"),
            ],
            env={
                **os.environ,
                "MLFLOW_BACKEND_STORE_URI": postgres.create(),
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            },
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        until(lambda: answers(address) or process.poll() is not None)
        yield address, log
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


class Workers:
    """Processes of `harness worker`, each with a log of its own."""

    def __init__(self, folder, twins):
        self.folder, self.twins, self.processes = folder, twins, []

    def start(self, runs):
        log = self.folder / f"worker-{len(self.processes)}.log"
        places = ["--runs", str(runs), "--data-root", str(self.twins), "--device", "cpu", "--heartbeat", "1"]
        with log.open("w") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "harness", "worker", STUDY, *places], stdout=said, stderr=said
            )
        self.processes.append((process, log))
        return process

    def said(self):
        return "".join(log.read_text() for _, log in self.processes)


@pytest.fixture
def workers(twins, tmp_path):
    """Return what starts workers; those that are left are killed."""
    made = Workers(tmp_path, twins)
    yield made
    for process, _ in made.processes:
        process.kill()
        process.wait()


def answers(address):
    try:
        with urlopen(f"{address}/health", timeout=1) as answer:
            return answer.status == 200
    except OSError:
        return False


def until(condition):
    """Wait until a condition holds, and return its value."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.05)
    return value


def harness(*arguments):
    """Call the command line in this process and return its exit code."""
    sys.argv = ["harness", *arguments]
    return run_safely(cli, debug=False)


def arguments(world, twins, runs, trials=N_TRIALS):
    settings = [f"--set={value}" for value in (*world.without_epochs(), *SETTINGS)]
    return [
        *(
            "sweep",
            "--method=linear_probe",
            "--dataset=icfg",
            "--synthetic",
            *settings,
            f"--data-root={twins}",
        ),
        *(f"--study={STUDY}", f"--trials={trials}", "--sampler=random", "--pruner=none", "--test-seeds=0"),
        *(f"--runs={runs}", "--device=cpu", "--heartbeat=1", "--space=method.lr=1e-4:1e-1:log"),
    ]


def begin(given):
    """Begin a command in a thread; return the thread and the list that will hold its exit code."""
    codes = []
    thread = threading.Thread(target=lambda: codes.append(harness(*given)), daemon=True)
    thread.start()
    return thread, codes


def end(thread, codes):
    """Wait for a command's end and return its exit code."""
    thread.join(PATIENCE)
    return codes[0]


def busy(queue, process):
    """Return the job that a worker process is at."""
    jobs = [job for job in queue.running() if f"-{process.pid}-" in job.user_attrs.get(WORKER, "")]
    return jobs[0] if jobs else None


def checkpoint(queue, job, runs):
    """Return the checkpoint of the run that a job is at, once it has finished an epoch."""
    number = next(number for number, one in queue.jobs().items() if one.number == job.number)
    for folder in all_trials(runs, STUDY):
        file = folder.file("checkpoint.pt")
        if folder.read().tags["harness.trial"] == str(number) and file.is_file() and read_history(file):
            return file
    return None


def read_history(file):
    return torch.load(file, weights_only=True)["state"]["history"]


def test_four_workers_on_postgresql_of_which_two_are_killed_do_every_trial_once(
    world, twins, database, mlflow_server, workers, tmp_path, monkeypatch, capsys
):
    tracking, log = mlflow_server
    here, there = tmp_path / "here", tmp_path / "there"
    monkeypatch.setenv("HARNESS_STORAGE", database)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking)
    coordinator = begin([*arguments(world, twins, here), "--workers=0"])
    until(lambda: (here / "studies" / STUDY).is_dir())
    queue = Queue(STUDY, database, folder=here / "studies" / STUDY)
    until(lambda: len(queue.jobs()) == N_TRIALS)

    near, far = workers.start(here), workers.start(there)
    others = [workers.start(here), workers.start(here)]
    file = until(lambda: (job := busy(queue, near)) and checkpoint(queue, job, here))
    near.kill()
    begun, killed = read_history(file), busy(queue, near)
    until(lambda: (job := busy(queue, far)) and checkpoint(queue, job, there))
    far.kill()
    moment, silent = time.monotonic(), busy(queue, far)
    until(lambda: queue.storage.get_trial(queue._id(silent)).state is TrialState.FAIL)
    assert time.monotonic() - moment > 2.5, "it was not its heartbeats that told of its death"

    assert end(*coordinator) == 0, workers.said()
    assert [process.wait(PATIENCE) for process in others] == [0, 0], workers.said()
    jobs = queue.study.get_trials()
    assert Counter(job.state for job in jobs) == {TrialState.COMPLETE: N_TRIALS, TrialState.FAIL: 2}
    assert {job.user_attrs[REPEATS]: job.user_attrs[KILLED] for job in jobs if REPEATS in job.user_attrs} == {
        killed.number: 1,
        # The second may have been at the repeat of the first one's trial.
        silent.number: 1 + silent.user_attrs.get(KILLED, 0),
    }
    assert not any(ERROR in job.user_attrs for job in jobs)
    history = json.loads(file.with_name("history.json").read_text())
    assert begun == history[: len(begun)], "the killed trial was not taken up from its checkpoint"

    capsys.readouterr()
    assert harness("sweep", "show", STUDY, "--json", f"--runs={here}") == 0
    shown = capsys.readouterr().out
    trials = json.loads(shown)["trials"]
    assert [(trial["number"], trial["state"]) for trial in trials] == [
        (n, "finished") for n in range(N_TRIALS)
    ]
    check_tracking(tracking)
    for text in (shown, log.read_text(), workers.said(), *texts(here), *texts(there)):
        assert "hush" not in text


def test_a_server_that_goes_away_stops_all_workers_and_the_same_command_goes_on(
    world, twins, postgres, database, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("HARNESS_STORAGE", database)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////dev/null/none.db")
    folder = tmp_path / "studies" / STUDY
    command = [*arguments(world, twins, tmp_path, trials=4), "--workers=2"]
    stopped = begin(command)
    until(folder.is_dir)
    queue = Queue(STUDY, database, folder=folder)
    until(lambda: any(checkpoint(queue, job, tmp_path) for job in queue.running()))
    postgres.stop()
    assert end(*stopped) == 1
    said = capsys.readouterr().err
    (line,) = [line for line in said.splitlines() if line.startswith("Error:")]
    assert f"{queue.place} was lost" in line
    assert "run the same command to resume" in line

    postgres.start()
    assert harness(*command, "--json") == 0
    again = capsys.readouterr()
    trials = json.loads(again.out)["trials"]
    assert [(trial["number"], trial["state"]) for trial in trials] == [(n, "finished") for n in range(4)]
    assert sum(job.state is TrialState.COMPLETE for job in queue.study.get_trials()) == 4
    for text in (said, again.out, again.err, *texts(tmp_path)):
        assert "hush" not in text
        assert "Traceback" not in text


def check_tracking(tracking):
    """Check that MLflow has one study, and each of its trials once, finished."""
    client = MlflowClient(tracking)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    runs = client.search_runs([experiment.experiment_id])
    (study,) = [run for run in runs if run.data.tags["harness.kind"] == "study"]
    trials = [run for run in runs if run.data.tags["harness.kind"] == "trial"]
    assert study.info.status == "FINISHED"
    finished = [run for run in trials if run.info.status == "FINISHED"]
    assert Counter(run.data.tags["harness.trial"] for run in finished) == Counter(map(str, range(N_TRIALS)))
    assert {run.data.tags[PARENT] for run in trials} == {study.info.run_id}
    assert [run.info.status for run in trials if run not in finished] == ["KILLED"]


def texts(folder):
    return [
        file.read_text() for file in folder.rglob("*") if file.suffix in (".json", ".yaml", ".log", ".lock")
    ]
