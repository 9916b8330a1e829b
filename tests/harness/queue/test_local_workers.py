"""Worker processes of this machine: their share of it, and how they are stopped."""

import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from harness.listener import Listener
from harness.queue.local_workers import LocalWorkers, _options_of, share, visible_gpus
from harness.queue.work_setup import WorkSetup


def test_cores_and_gpus_are_divided_among_the_workers(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,3")
    shares = [share(index, 3) for index in range(3)]
    assert [one["OMP_NUM_THREADS"] for one in shares] == ["2", "2", "2"]
    assert [one["CUDA_VISIBLE_DEVICES"] for one in shares] == ["0", "3", "0"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []
    assert share(0, 16)["OMP_NUM_THREADS"] == "1"
    assert share(0, 1)["CUDA_VISIBLE_DEVICES"] == ""


def test_workers_are_told_which_part_of_a_suite_is_theirs(tmp_path):
    setup = WorkSetup(runs=tmp_path, data_root="/data", shard="2/4")
    work = SimpleNamespace(setup=setup, queue=SimpleNamespace(heartbeat=30))
    assert _options_of(work)[-4:] == ["--data-root", "/data", "--shard", "2/4"]
    work.setup = WorkSetup(runs=tmp_path)
    assert "--shard" not in _options_of(work)


STARTING = """
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
"""
SWALLOWING = """
import signal, sys
swallowed = []
def end(sign, frame):
    if swallowed: sys.exit(130)
    swallowed.append(sign)
signal.signal(signal.SIGTERM, end)
"""
DEAF = """
import signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
"""
READY = """
print("ready", flush=True)
while True: signal.pause()
"""


@pytest.mark.parametrize(
    ("program", "code"), [(STARTING, -signal.SIGTERM), (SWALLOWING, 130), (DEAF, -signal.SIGKILL)]
)
def test_a_worker_stops_while_it_starts_when_it_swallows_a_signal_and_when_it_is_deaf(
    program, code, monkeypatch
):
    """In the background of a script a process begins deaf to Ctrl-C, and what is sent to it then is lost."""
    monkeypatch.setattr("harness.queue.local_workers.AGAIN", 0.3)
    monkeypatch.setattr("harness.queue.local_workers._STOP_WAIT", 20.0 if code != -signal.SIGKILL else 1.0)
    recovered = []
    queue = SimpleNamespace(recover=lambda: recovered.append(True))
    workers = LocalWorkers(
        SimpleNamespace(queue=queue, setup=SimpleNamespace(workers=1, listener=Listener())), deadline=None
    )
    process = subprocess.Popen([sys.executable, "-c", program + READY], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    workers.processes[0] = process
    begun = time.monotonic()
    workers.stop()
    assert process.poll() == code
    assert time.monotonic() - begun < 10
    assert recovered
    assert not workers.processes
