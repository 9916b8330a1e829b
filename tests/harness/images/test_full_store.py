"""An image store whose disk is full, or whose builder is killed, leaves nothing wrong, and the next command goes on."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from harness.cli.main import cli
from harness.errors import DataError
from harness.images import store_build
from harness.images.decoding import decode
from tests.small_icfg import ENTRIES, write_icfg

SIZE = (384, 128)


@pytest.fixture
def icfg(tmp_path, monkeypatch):
    """Return the image files of a small dataset, whose store is in a folder of its own."""
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    folder = write_icfg(tmp_path / "data", ENTRIES) / "imgs"
    return sorted(folder.glob("*.png"))


def cache():
    return CliRunner().invoke(cli, ["-q", "data", "cache", "icfg"])


def left(folder):
    return sorted(path.name for path in (folder / "images").glob("*") if ".sqlite" not in path.name)


def is_right(folder, files):
    """Whether the one store there holds the pixels of all files."""
    (name,) = left(folder)
    rows = (folder / "images" / name).read_bytes()
    return all(
        np.array_equal(
            np.frombuffer(rows, np.uint8, 3 * 384 * 128, place * 3 * 384 * 128), decode(file, SIZE).ravel()
        )
        for place, file in enumerate(files)
    )


def test_a_disk_that_is_full_in_the_middle_leaves_nothing(icfg, tmp_path, monkeypatch):
    """Five pictures take 737,280 bytes, and the disk has half a megabyte, which another process took meanwhile."""
    folder = tmp_path / "cache"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("file systems cannot be mounted here")
    try:
        plenty = shutil.disk_usage(folder)._replace(free=2**30)
        monkeypatch.setattr(store_build.shutil, "disk_usage", lambda path: plenty)
        refused = cache()
        assert isinstance(refused.exception, DataError)
        assert "No space left" in str(refused.exception)
        assert len(str(refused.exception).splitlines()) == 1
        assert left(folder) == []
        subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True)
        done = cache()
        assert done.exit_code == 0, done.output
        assert is_right(folder, icfg)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.slow
def test_after_a_kill_in_the_middle_the_same_command_goes_on(icfg, tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(
        "import os, signal\n"
        "from harness.images import store_build\n"
        "decode, done = store_build.decode_marked, []\n"
        "def die(*given):\n"
        "    done.append(given)\n"
        "    return decode(*given) if len(done) < 3 else os.kill(os.getpid(), signal.SIGKILL)\n"
        "store_build.decode_marked = die\n"
        "from harness.cli.main import cli\n"
        "cli(['-q', 'data', 'cache', 'icfg'])\n"
    )
    folder = tmp_path / "cache"
    assert subprocess.run([sys.executable, str(script)], capture_output=True, check=False).returncode == -9
    assert [name[0] + name[-5:] for name in left(folder)] == ["..part"]
    done = cache()
    assert done.exit_code == 0, done.output
    assert is_right(folder, icfg)
