"""Zip files of others: what is no bundle is refused in one line, and nothing of it is left."""

import io
import json
import stat
import struct
import zipfile

import numpy as np
import pytest

from harness.bundle import layout
from harness.bundle.layout import CONTENTS
from harness.bundle.put_beside import import_bundle
from harness.bundle.verify import verify_bundle
from harness.errors import DataError

LIST = json.dumps(
    {"format": 1, "harness": "0", "created": "2026", "runs": [{"name": "cskt-icfg-1a2b"}], "files": {}}
)
QUERIES = "runs/cskt-icfg-1a2b/queries.npz"


def zipped(path, entries, contents=LIST):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in [*entries, *([(CONTENTS, contents)] if contents is not None else [])]:
            archive.writestr(name, content)
    return path


def link(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


HOSTILE = {
    "outside": ([("../../evil.json", "{}")], "no name of a file in a bundle"),
    "from the root": ([("/etc/passwd", "x")], "no name of a file in a bundle"),
    "of Windows": ([("runs\\..\\..\\x.json", "x")], "no name of a file in a bundle"),
    "a folder of dots": ([("runs/../record.json", "{}")], "no name of a file in a bundle"),
    "hidden": ([("runs/.x/record.json", "{}")], "no name of a file in a bundle"),
    "a program": ([("runs/cskt-icfg-1a2b/run.py", "x")], "no name of a file in a bundle"),
    "a pickle": ([("runs/cskt-icfg-1a2b/weights.pt", "x")], "no name of a file in a bundle"),
    "escapes of the terminal": ([("\x1b[31mrecord.json", "{}")], r"'\\x1b\[31mrecord.json' is no name"),
    "a link": ([(link(QUERIES), "/etc/passwd")], "is a link"),
    "twice": ([("results.json", "{}"), ("results.json", "[]")], "is in it twice"),
    "a bomb": ([(QUERIES, bytes(64 << 20))], "is packed more than any result can be"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("what", HOSTILE)
def test_what_no_bundle_holds_is_refused(tmp_path, what):
    entries, why = HOSTILE[what]
    path = zipped(tmp_path / "b.zip", entries)
    for work in (verify_bundle, lambda path: import_bundle(path, tmp_path / "runs")):
        with pytest.raises(DataError, match=why):
            work(path)
    assert [one.name for one in tmp_path.rglob("*")] == ["b.zip"]


def test_more_than_a_bundle_may_take_is_not_unpacked(tmp_path, monkeypatch):
    path = zipped(tmp_path / "b.zip", [(QUERIES, bytes(5000))])
    monkeypatch.setattr("harness.bundle.zips.MOST_BYTES", 4000)
    with pytest.raises(DataError, match="would take 5,000 bytes, more than 4,000"):
        verify_bundle(path)
    monkeypatch.setattr("harness.bundle.zips.MOST_BYTES", 6000)
    monkeypatch.setattr("harness.bundle.zips.MOST_IN_ALL", 4000)
    with pytest.raises(DataError, match="GiB unpacked"):
        verify_bundle(path)
    monkeypatch.setattr("harness.bundle.zips.MOST_FILES", 1)
    with pytest.raises(DataError, match="holds 2 files; a bundle has up to 1"):
        verify_bundle(path)


def test_a_file_longer_than_its_entry_says_is_not_unpacked(tmp_path):
    path = zipped(tmp_path / "b.zip", [("ABOUT.txt", b"a" * 5000)])
    whole = path.read_bytes()
    central = whole.index(b"PK\x01\x02")
    said = whole[central + 24 : central + 28]
    assert struct.unpack("<I", said) == (5000,)
    path.write_bytes(whole[: central + 24] + struct.pack("<I", 10) + whole[central + 28 :])
    with pytest.raises(DataError, match=r"longer than the zip says|Bad CRC|cannot be read"):
        verify_bundle(path)


@pytest.mark.parametrize(
    ("contents", "why"),
    [
        (None, r"no bundle: it has no bundle.json"),
        ("{", "bundle.json cannot be read"),
        ("[]", "bundle.json that is none"),
        (LIST.replace("1", "9", 1), "format 9, and this harness reads up to 1: install a newer harness"),
        (
            LIST.replace('"runs": [{"name": "cskt-icfg-1a2b"}]', '"runs": []'),
            "runs: List should have at least 1",
        ),
        ("[" * 100_000, "bundle.json cannot be read"),
    ],
)
def test_a_list_of_contents_that_is_none(tmp_path, contents, why):
    with pytest.raises(DataError, match=why):
        verify_bundle(zipped(tmp_path / "b.zip", [("ABOUT.txt", "x")], contents))


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04" + bytes(40)])
def test_what_is_no_zip_is_refused(tmp_path, content):
    (tmp_path / "b.zip").write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as a bundle"):
        verify_bundle(tmp_path / "b.zip")


def pickled():
    file = io.BytesIO()
    np.savez(file, **{"t2i/rank": np.array([print], dtype=object)})
    return file.getvalue()


def test_a_pickle_inside_of_arrays_is_not_run(tmp_path):
    record = {"config": {"method": {"name": "cskt"}, "dataset": {"name": "icfg"}}}
    path = zipped(
        tmp_path / "b.zip",
        [(QUERIES, pickled()), ("runs/cskt-icfg-1a2b/record.json", json.dumps(record))],
    )
    found = verify_bundle(path)
    assert not found.agrees


def test_names_take_what_runs_are_called_and_nothing_else():
    fits = layout.NAMES.fullmatch
    assert fits("runs/tbps_clip-icfg-twin-20be57c7c8c5/record.json")
    assert fits("runs/x-1/transfer/own-1a2b.npz")
    assert not fits("runs/x-1/transfer/../a.npz")
    assert not fits("runs//record.json")
