"""Which files are read again: new ones, changed ones, and ones that another took the place of."""

import errno
import os
import shutil
import sqlite3
from contextlib import closing
from hashlib import sha256

import pytest

from harness.images import file_hashes
from harness.images.file_hashes import MISSING, content_hashes, file_state


@pytest.fixture
def files(tmp_path):
    files = [tmp_path / f"{place}.png" for place in range(4)]
    for file in files:
        file.write_bytes(file.name.encode())
    return files


@pytest.fixture
def hashed(tmp_path, monkeypatch):
    """Return a function that hashes files, counting each as settled, and returns which were read."""
    monkeypatch.setattr(file_hashes, "_SETTLED_NS", 0)
    read = []

    def spy(path, plain=file_hashes._sha256):
        read.append(os.path.basename(path))
        return plain(path)

    monkeypatch.setattr(file_hashes, "_sha256", spy)

    def call(files):
        read.clear()
        return content_hashes(files, tmp_path / "cache" / "index"), sorted(read)

    return call


def expected(files):
    return [sha256(file.read_bytes()).hexdigest() for file in files]


def test_a_file_is_read_once(files, hashed):
    assert hashed(files) == (expected(files), [file.name for file in files])
    assert hashed(files) == (expected(files), [])


def replaced_with_size_and_time_kept(file):
    before = file.stat()
    file.unlink()
    file.write_bytes(b"x" * before.st_size)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def rewritten_with_size_and_time_kept(file):
    before = file.stat()
    with file.open("r+b") as open_file:
        open_file.write(b"y")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("change", [replaced_with_size_and_time_kept, rewritten_with_size_and_time_kept])
def test_other_content_of_the_same_size_and_time_is_noticed(files, hashed, change):
    hashed(files)
    change(files[2])
    assert hashed(files) == (expected(files), [files[2].name])


def test_another_file_renamed_into_its_place_is_noticed_by_its_inode(files, hashed, monkeypatch):
    stay = (1, 2, 3)
    monkeypatch.setattr(file_hashes, "file_state", lambda path: (*stay, os.stat(path).st_ino))
    hashed(files)
    other = shutil.copy(files[0], files[0].with_name("other"))
    os.replace(other, files[1])
    assert hashed(files) == (expected(files), [files[1].name])


def test_a_missing_file_is_called_so(files, hashed):
    files[1].unlink()
    hashes, read = hashed(files)
    assert hashes[1] == MISSING
    assert files[1].name not in read
    assert file_state(files[1]) is None


def test_a_file_that_could_not_be_read_once_is_read_again(files, hashed, tmp_path, monkeypatch):
    plain = file_hashes.file_hash

    def stale(path):
        if path == files[1]:
            raise OSError(errno.ESTALE, "Stale file handle")
        return plain(path)

    with monkeypatch.context() as once:
        once.setattr(file_hashes, "file_hash", stale)
        assert hashed(files)[0][1] == MISSING
    assert hashed(files) == (expected(files), [files[1].name])
    with closing(sqlite3.connect(tmp_path / "cache" / "index")) as base, base:
        base.execute("UPDATE contents SET sha256 = ? WHERE path = ?", (MISSING, str(files[2])))
    assert hashed(files) == (expected(files), [files[2].name])


def test_what_an_older_version_remembered_is_dropped(files, hashed, tmp_path):
    index = tmp_path / "cache" / "index"
    index.parent.mkdir()
    with closing(sqlite3.connect(index)) as base, base:
        base.execute("CREATE TABLE files (path TEXT PRIMARY KEY, size INTEGER, mtime INTEGER, sha256 TEXT)")
        found = files[0].stat()
        base.execute(
            "INSERT INTO files VALUES (?, ?, ?, 'old')", (str(files[0]), found.st_size, found.st_mtime_ns)
        )
    assert hashed(files)[0] == expected(files)
    with closing(sqlite3.connect(index)) as base:
        assert [name for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")] == [
            "contents"
        ]
    assert hashed(files)[1] == []


def test_a_file_that_may_change_within_one_tick_of_the_clock_is_read_again(files, tmp_path, monkeypatch):
    index = tmp_path / "index"
    content_hashes(files, index)
    read = []
    monkeypatch.setattr(file_hashes, "_sha256", lambda path: read.append(path) or "new")
    for file in files:
        os.utime(file, (0, 0))
    assert content_hashes(files, index) == ["new"] * 4
    assert len(read) == 4
