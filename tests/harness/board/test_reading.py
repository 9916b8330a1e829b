"""A board's bundles are read with their runs and tests; what cannot be is one fault."""

import shutil
from pathlib import Path

import pytest

from harness.board import reading
from harness.board.reading import Fault, read_bundles, told_faults
from harness.errors import UsageError

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "board"


def test_runs_are_read_with_their_tests_and_what_is_none_is_a_fault(tmp_path):
    (tmp_path / "bundles").mkdir()
    shutil.copy(EXAMPLE / "bundles" / "colour-words.zip", tmp_path / "bundles")
    (tmp_path / "bundles" / "x.zip").write_bytes(b"x")
    (bundle,), (fault,) = read_bundles(tmp_path, tmp_path / "work", verify=False)
    assert [round(reading.tested(*run)["icfg"], 2) for run in bundle.runs] == [11.94]
    assert fault.where == "bundles/x.zip"


def test_more_bundles_than_a_board_may_have_are_refused_unread(tmp_path, monkeypatch):
    (tmp_path / "bundles").mkdir()
    for name in ("a", "b"):
        (tmp_path / "bundles" / f"{name}.zip").write_bytes(b"x")
    monkeypatch.setattr(reading, "MOST_BUNDLES", 1)
    with pytest.raises(UsageError, match="holds 2 files; a board has up to 1"):
        read_bundles(tmp_path, tmp_path / "work", verify=False)


def test_many_faults_are_one_line():
    assert told_faults([Fault("a", "b\nc")] * 5) == "a: b c; a: b c; a: b c and 2 more"
