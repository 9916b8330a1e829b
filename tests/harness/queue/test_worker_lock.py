"""Who counts as dead: only a worker whose lock is there and held by nobody."""

import signal
import subprocess
import sys

import pytest

from harness.queue.worker_lock import Presence, is_dead

HOLD = """
import sys, time
from pathlib import Path
from harness.queue.queue import Presence
with Presence(Path(sys.argv[1])) as worker:
    print(worker.token, flush=True)
    time.sleep(600)
"""


def test_a_living_worker_with_another_runs_folder_is_not_dead_for_those_of_this_one(tmp_path):
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    with Presence(here), Presence(elsewhere) as other:
        assert not is_dead(here / "workers", other.token)
        assert not is_dead(elsewhere / "workers", other.token)


def test_a_killed_worker_is_dead_at_once_for_those_who_see_its_lock(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    token = process.stdout.readline().strip()
    assert not is_dead(tmp_path / "workers", token)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert is_dead(tmp_path / "workers", token)
    assert not is_dead(tmp_path / "none", token)
    assert not is_dead(tmp_path / "workers", f"elsewhere-{token}")


def test_a_worker_that_ends_leaves_no_lock_and_one_that_breaks_leaves_a_free_one(tmp_path):
    with Presence(tmp_path) as done:
        pass
    broken = Presence(tmp_path)
    with pytest.raises(ZeroDivisionError), broken:
        raise ZeroDivisionError
    assert [file.name for file in (tmp_path / "workers").iterdir()] == [f"{broken.token}.lock"]
    assert is_dead(tmp_path / "workers", broken.token)
    assert not is_dead(tmp_path / "workers", done.token)
