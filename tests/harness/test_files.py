"""Files are old or new and never half of one; broken ones, locks and folders that refuse are clear errors."""

import errno
import json
import os
import stat
import subprocess
import sys
import time

import numpy as np
import pytest

from harness.errors import DataError, HarnessError, UsageError
from harness.files import (
    BROKEN,
    Busy,
    held,
    load_arrays,
    locked,
    read_json,
    replaced,
    write_arrays,
    write_json,
    write_text,
)
from harness.places import place_fault, writable, writing


def _fail_half_way(file):
    with replaced(file) as temporary:
        temporary.write_text("half")
        assert temporary.parent == file.parent
        assert file.read_text() == "old"
        raise ValueError("boom")


def test_a_failing_write_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    file = tmp_path / "deep" / "a.txt"
    write_text(file, "old")
    with pytest.raises(ValueError, match="boom"):
        _fail_half_way(file)
    assert [each.name for each in file.parent.iterdir()] == ["a.txt"]
    assert file.read_text() == "old"


def test_a_write_that_ends_takes_the_place_of_the_old_file_in_one_step(tmp_path):
    file = tmp_path / "a.txt"
    write_text(file, "old")
    before = file.stat().st_ino
    write_text(file, "neu: ü")
    assert file.read_bytes() == "neu: ü".encode()
    assert file.stat().st_ino != before
    assert list(tmp_path.iterdir()) == [file]


def test_json_comes_back_and_what_json_does_not_know_becomes_text(tmp_path):
    write_json(tmp_path / "a.json", {"n": [1, None], "path": tmp_path})
    assert read_json(tmp_path / "a.json") == {"n": [1, None], "path": str(tmp_path)}
    assert (tmp_path / "a.json").read_text().endswith("}\n")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe{", None])
def test_broken_json_is_an_error_that_names_the_file(tmp_path, content):
    file = tmp_path / "a.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(HarnessError) as told:
        read_json(file)
    assert str(file) in str(told.value)


def test_equal_arrays_make_equal_files_and_only_wanted_ones_are_read(tmp_path):
    arrays = {"a": np.arange(3), "b/c": np.array(["x", "é"])}
    for name in ("one", "two"):
        write_arrays(tmp_path / f"{name}.npz", arrays)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    found = load_arrays(tmp_path / "one.npz")
    assert found.keys() == arrays.keys()
    assert found["b/c"].tolist() == ["x", "é"]
    assert list(load_arrays(tmp_path / "one.npz", lambda name: name.startswith("b"))) == ["b/c"]


def test_pickles_are_not_read_and_broken_archives_raise_what_is_announced(tmp_path):
    np.savez(tmp_path / "pickle.npz", a=np.array([{}], dtype=object))
    write_arrays(tmp_path / "whole.npz", {"a": np.arange(999)})
    whole = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "flipped.npz").write_bytes(whole.replace(whole[60:64], b"\x00\xff\x00\xff"))
    (tmp_path / "empty.npz").write_bytes(b"")
    for name in ("pickle", "half", "flipped", "empty", "none"):
        with pytest.raises(BROKEN):
            load_arrays(tmp_path / f"{name}.npz")


def test_a_folder_is_made_and_a_file_in_its_place_is_refused(tmp_path):
    writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="--out"):
        writable(tmp_path / "file" / "below")


def test_a_locked_folder_is_busy_for_others_and_free_afterwards(tmp_path):
    folder = tmp_path / "run"
    with locked(folder), pytest.raises(Busy, match="run"), locked(folder):
        pass
    with locked(folder):
        assert (folder / ".lock").is_file()


def test_a_held_lock_is_waited_for(tmp_path):
    program = (
        "import sys, time; from pathlib import Path; from harness.files import held\n"
        "with held(Path(sys.argv[1])):\n"
        "    print('held', flush=True); time.sleep(0.3); print(time.time(), flush=True)"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "lock")], stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "held\n"
    with held(tmp_path / "lock"):
        mine = time.time()
    assert json.loads(other.communicate(timeout=30)[0]) <= mine


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_a_file_has_the_mode_that_the_umask_gives_whatever_its_writer_sets(tmp_path, umask):
    before = os.umask(umask)
    try:
        with replaced(tmp_path / "a") as temporary:
            temporary.unlink()
            temporary.write_text("x")
            temporary.chmod(0o600)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~umask


def _refused(kind):
    def write(*args, **options):
        raise OSError(kind, os.strerror(kind))

    return write


@pytest.mark.parametrize(
    ("kind", "mend"),
    [
        (errno.ENOSPC, "free some space there"),
        (errno.EDQUOT, "free some of your quota"),
        (errno.EROFS, "make it writable"),
        (errno.EACCES, "let yourself read and write there"),
        (errno.EFBIG, "raise the limit on the size of files (`ulimit -f`)"),
        (errno.ENAMETOOLONG, "shorten its name"),
        (errno.EIO, "check the disk"),
    ],
)
@pytest.mark.parametrize(
    "write",
    [
        lambda place: write_text(place / "a.txt", "x"),
        lambda place: write_arrays(place / "a.npz", {"a": np.arange(3)}),
        lambda place: locked(place).__enter__(),
        lambda place: held(place / "lock").__enter__(),
    ],
    ids=["text", "arrays", "locked", "held"],
)
def test_a_place_that_refuses_is_one_line_with_the_place_the_reason_and_the_mend(
    tmp_path, monkeypatch, kind, mend, write
):
    monkeypatch.setattr("harness.files.os.fsync", _refused(kind))
    monkeypatch.setattr("harness.files.fcntl.flock", lambda *args: None)
    monkeypatch.setattr(type(tmp_path), "open", _refused(kind))
    with pytest.raises(UsageError) as told:
        write(tmp_path)
    text = str(told.value)
    assert text.startswith(str(tmp_path))
    assert "\n" not in text
    assert f"cannot be written to ({os.strerror(kind)}): {mend}" in text
    assert text.endswith("or choose another folder.")
    assert not [*tmp_path.glob(".a.*"), *tmp_path.glob("a.*")]


def test_the_reason_is_asked_for_where_a_writer_of_tensors_hides_it(tmp_path, monkeypatch):
    def full(file):
        with replaced(file) as temporary:
            temporary.write_text("half")
            raise RuntimeError("inline_container.cc: file write failed")

    with pytest.raises(RuntimeError, match="inline_container"):
        full(tmp_path / "a.pt")
    monkeypatch.setattr("harness.files.os.fsync", _refused(errno.ENOSPC))
    with pytest.raises(UsageError, match=r"a\.pt cannot be written to \(No space left on device\)"):
        full(tmp_path / "a.pt")
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_a_folder_is_needed_is_named_with_its_mend(tmp_path):
    (tmp_path / "runs").write_text("")
    for place in (tmp_path / "runs" / "a.txt", tmp_path / "runs" / "deep" / "a.txt"):
        with pytest.raises(UsageError, match="rename the file that stands where a folder is needed"):
            write_text(place, "x")
    with pytest.raises(UsageError, match="rename the file that stands where a folder is needed"):
        locked(tmp_path / "runs").__enter__()


def test_a_place_in_the_cache_names_the_setting_and_other_kinds_of_errors_stay(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    full = OSError(errno.ENOSPC, "No space left on device")
    assert "set HARNESS_CACHE to another folder" in str(place_fault(full, tmp_path / "cache" / "images"))
    assert "HARNESS_CACHE" not in str(place_fault(full, tmp_path / "runs"))
    assert str(place_fault(full)).startswith("The output cannot be written (No space left on device)")
    assert place_fault(OSError(errno.ECONNREFUSED, "refused"), tmp_path) is None
    assert place_fault(FileNotFoundError(errno.ENOENT, "gone", "a")) is None
    with pytest.raises(ConnectionError), writing(tmp_path):
        raise ConnectionError(errno.ECONNREFUSED, "refused")


def test_a_file_elsewhere_that_cannot_be_read_is_not_taken_for_the_one_to_be_written(tmp_path):
    with (
        pytest.raises(UsageError, match=r"/elsewhere/b cannot be used \(Permission denied\)"),
        writing(tmp_path),
    ):
        raise PermissionError(errno.EACCES, "Permission denied", "/elsewhere/b")


def test_a_json_object_carries_its_checksum_and_one_without_is_taken_as_it_is(tmp_path):
    file = tmp_path / "a.json"
    write_json(file, {"b": 0.1, "a": [1, None, float("nan")]})
    assert read_json(file)["b"] == 0.1
    text = file.read_text()
    file.write_text(text.replace("0.1", "0.3"))
    with pytest.raises(DataError, match=r"a\.json cannot be read \(its checksum is of other content"):
        read_json(file)
    file.write_text('{"b": 0.3}')
    assert read_json(file) == {"b": 0.3}


@pytest.mark.parametrize(("content", "what"), [("null", "null"), ("[]", "a list"), ("3", "a number")])
def test_another_kind_of_value_than_is_wanted_is_said(tmp_path, content, what):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(DataError, match=rf"a\.json cannot be read \(it holds {what}\)"):
        read_json(tmp_path / "a.json", of=dict)


def test_drafts_of_dead_processes_are_cleared_and_those_of_living_ones_stay(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    with replaced(tmp_path / "mine") as temporary:
        mine = temporary.name
    (tmp_path / "mine").unlink()
    _, numbers = mine.rsplit(".", 1)
    process, start, host = numbers.split("-")
    assert process == str(os.getpid())
    names = {
        "dead": f".a.txt.{dead.pid}-{start}-{host}",
        "of an earlier version": f".a.txt.{dead.pid}",
        "of an earlier process of my number": f".a.txt.{process}-{int(start) - 1}-{host}",
        "of a dead process": f".b.txt.{dead.pid}-{start}-{host}",
        "mine": f".a.txt.{process}-{start}-{host}.npz",
        "my own": f".b.txt.{process}-{start}-{host}",
        "of a machine": f".b.txt.{dead.pid}-{start}-00000000",
        "no draft": ".hidden.txt",
    }
    for name in names.values():
        (tmp_path / name).write_text("half")
    write_text(tmp_path / "a.txt", "x")
    left = {name.name for name in tmp_path.iterdir()}
    assert left == {"a.txt", *names.values()} - {
        names[kind] for kind in ("dead", "of an earlier version", "of an earlier process of my number")
    }
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / names["dead"]).write_text("half")
    os.utime(tmp_path / names["of a machine"], (1, 1))
    with locked(tmp_path):
        left = {name.name for name in tmp_path.rglob("*")}
    assert left == {"a.txt", "deep", ".lock", names["mine"], names["my own"], names["no draft"]}
