import os
import subprocess
import sys
import threading

import pytest

from harness.compute.claims import claimed, clear_abandoned

HOLD = """
import sys, time
from pathlib import Path
from harness.compute.claims import claimed
with claimed(Path(sys.argv[1]), folder=sys.argv[2] == "folder"):
    inside = Path(sys.argv[1]) / "x" if sys.argv[2] == "folder" else Path(sys.argv[1])
    inside.write_text("half")
    print("begun", flush=True)
    time.sleep(60)
"""
KINDS = pytest.mark.parametrize("kind", ["file", "folder"])


@pytest.fixture
def holder(tmp_path):
    """Return what starts a process that holds a draft and is killed at the end."""
    started = []

    def start(draft, kind):
        process = subprocess.Popen([sys.executable, "-c", HOLD, str(draft), kind], stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout.readline() == b"begun\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@KINDS
def test_a_draft_is_gone_unless_it_became_what_it_was_made_for(tmp_path, kind):
    draft, made = tmp_path / ".a.part", tmp_path / "a"
    with claimed(draft, folder=kind == "folder"):
        assert draft.exists()
    assert not draft.exists()
    with claimed(draft, folder=kind == "folder"):
        draft.rename(made)
    assert os.listdir(tmp_path) == ["a"]
    with pytest.raises(KeyError), claimed(draft, folder=kind == "folder"):
        raise KeyError
    assert os.listdir(tmp_path) == ["a"]


@KINDS
def test_a_living_process_keeps_its_draft_and_a_killed_ones_is_cleared(tmp_path, holder, kind):
    draft = tmp_path / ".a.part"
    process = holder(draft, kind)
    os.utime(draft, (0, 0))
    assert clear_abandoned(tmp_path, ".*.part") == []
    process.kill()
    process.wait()
    assert draft.exists()
    assert clear_abandoned(tmp_path, ".*.part") == [draft]
    assert not draft.exists()


@KINDS
def test_a_waiting_one_gets_the_draft_empty_when_its_holder_dies(tmp_path, holder, kind):
    draft, told, found = tmp_path / ".a.part", threading.Event(), []

    def wait():
        with claimed(draft, folder=kind == "folder", waiting=told.set):
            found.append(os.listdir(draft) if kind == "folder" else draft.read_text())

    process = holder(draft, kind)
    waiting = threading.Thread(target=wait)
    waiting.start()
    assert told.wait(20)
    assert not found
    process.kill()
    waiting.join(20)
    assert found == [[] if kind == "folder" else ""]
    assert not draft.exists()


@KINDS
def test_one_after_the_other_has_it(tmp_path, kind):
    draft, inside, most = tmp_path / ".a.part", [], []

    def work():
        for _ in range(20):
            with claimed(draft, folder=kind == "folder"):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert most == [1] * 80
    assert not draft.exists()


def test_a_link_in_place_of_a_draft_is_not_followed(tmp_path):
    (tmp_path / "mine").write_text("kept")
    (tmp_path / ".a.part").symlink_to(tmp_path / "mine")
    with pytest.raises(OSError, match="symbolic links"), claimed(tmp_path / ".a.part"):
        pass
    assert clear_abandoned(tmp_path, ".*.part") == []
    assert (tmp_path / "mine").read_text() == "kept"
