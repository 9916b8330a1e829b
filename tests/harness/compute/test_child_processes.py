import os
import subprocess
import sys
import time

SCRIPT = """
import os, time
from harness.compute.child_processes import process_pool
if __name__ == "__main__":
    with process_pool(2) as pool:
        print(*{pool.submit(os.getpid).result() for _ in range(8)}, flush=True)
        time.sleep(60)
"""
UNGUARDED = """
from harness.config.sections import DatasetConfig
from harness.data.reading import read_dataset
from harness.listener import Listener
read_dataset(DatasetConfig(name="icfg", synthetic=True, root={root!r}), Listener())
"""


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] != "Z"


def test_the_processes_of_a_killed_command_end(tmp_path):
    (tmp_path / "work.py").write_text(SCRIPT)
    with subprocess.Popen([sys.executable, str(tmp_path / "work.py")], stdout=subprocess.PIPE) as command:
        children = [int(pid) for pid in command.stdout.readline().split()]
        command.kill()
    assert children
    end = time.monotonic() + 20
    while any(map(alive, children)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(alive, children))


def test_a_script_that_begins_its_work_when_it_is_imported_ends_and_hears_why(tmp_path):
    (tmp_path / "work.py").write_text(UNGUARDED.format(root=str(tmp_path)))
    done = subprocess.run(
        [sys.executable, str(tmp_path / "work.py")], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    assert 'put what it does under `if __name__ == "__main__":`' in done.stderr
