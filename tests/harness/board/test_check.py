"""A board is checked: for each kind of fault one line that says where, and what was expected and found."""

import io
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from harness.board.check import check_board
from harness.board.facts import board_facts
from harness.errors import DataError, UsageError
from harness.results.panels import conflicts
from harness.results.run_table import UNTRAINED

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "board"
SMALL, FIELD = "colour-words.zip", "tiny-field.zip"


@pytest.fixture
def board(tmp_path):
    """A board with the scored run of the example alone, which is checked in a moment."""
    (tmp_path / "board" / "bundles").mkdir(parents=True)
    shutil.copy(EXAMPLE / "board.yaml", tmp_path / "board")
    shutil.copy(EXAMPLE / "bundles" / SMALL, tmp_path / "board" / "bundles")
    return tmp_path / "board"


def changed(file, change):
    """Write a bundle anew with other members: `change` takes and returns a dictionary of their bytes."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members = change(members)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def lines(folder, since=None):
    return [fault.line for fault in check_board(folder, since).faults]


def test_a_sound_board_has_no_fault_and_a_protocol_for_each_result(board):
    found = check_board(board)
    assert found.faults == []
    assert [protocol.name for protocol, _ in found.panels] == ["icfg-twin-tiny"]
    assert found.as_dict()["runs"] == [record.name for _, record in found.runs]


@pytest.mark.parametrize(
    ("yaml", "said"),
    [
        ("title: A\n", "contact"),
        ("title: [\n", "not valid YAML"),
        ("title: A\ncontact: B\nprotocols: []\n", "protocols"),
        ("title: A\ncontact: B\nprotocols: [{name: ../x, title: T, dataset: icfg}]\n", "small letters"),
        ("title: A\ncontact: B\ncolour: red\nprotocols: [{name: x, title: T, dataset: icfg}]\n", "colour"),
    ],
)
def test_a_board_file_that_is_none_is_one_line(board, yaml, said):
    (board / "board.yaml").write_text(yaml)
    (line,) = lines(board)
    assert line.startswith("board.yaml: ")
    assert said in line
    assert "\n" not in line


def test_a_figure_that_does_not_follow_is_named(board):
    def better(members):
        name = next(name for name in members if name.endswith("record.json"))
        record = json.loads(members[name])
        record["metrics"]["test/icfg/t2i/R1"] += 1
        return members | {name: json.dumps(record).encode()}

    changed(board / "bundles" / SMALL, better)
    found = lines(board)
    assert any("record.json has other content than was listed" in line for line in found)
    assert all(line.startswith(f"bundles/{SMALL}: ") and "\n" not in line for line in found)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: (folder / "notes.txt").write_text("x"), "ends otherwise than .zip"),
        (lambda folder: (folder / "more.zip").symlink_to("/etc/passwd"), "is a link"),
        (lambda folder: (folder / "deep").mkdir(), "is no file"),
        (lambda folder: (folder / "none.zip").write_bytes(b"PK no zip"), "cannot be read as a bundle"),
    ],
)
def test_what_is_no_bundle_is_one_line(board, make, said):
    make(board / "bundles")
    (line,) = lines(board)
    assert said in line


@pytest.mark.parametrize("name", ["../out.txt", "/abs.txt", "runs/x/queries.pkl"])
def test_a_hostile_zip_is_one_line_and_writes_nothing(board, name):
    changed(board / "bundles" / SMALL, lambda members: members | {name: b"x"})
    before = sorted(board.parent.rglob("*"))
    (line,) = lines(board)
    assert "is no name of a file in a bundle" in line
    assert sorted(board.parent.rglob("*")) == before


def test_a_bomb_is_one_line_and_writes_nothing(board):
    def bomb(members):
        return {
            name: bytes(64 << 20) if name.endswith("queries.npz") else content
            for name, content in members.items()
        }

    changed(board / "bundles" / SMALL, bomb)
    before = sorted(board.parent.rglob("*"))
    (line,) = lines(board)
    assert "is packed more than any result can be" in line
    assert sorted(board.parent.rglob("*")) == before


class Told:
    """Notes in a file that it was unpickled."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return (Path.touch, (self.file,))


def test_a_pickle_within_the_arrays_is_one_line_and_never_run(board, tmp_path):
    file = io.BytesIO()
    np.savez(file, **{"t2i/rank": np.array([Told(tmp_path / "run")], dtype=object)})

    def pickled(members):
        return {
            name: file.getvalue() if name.endswith("queries.npz") else content
            for name, content in members.items()
        }

    changed(board / "bundles" / SMALL, pickled)
    found = lines(board)
    assert found
    assert all(line.startswith(f"bundles/{SMALL}: ") and "\n" not in line for line in found)
    assert not (tmp_path / "run").exists()
    np.load(io.BytesIO(file.getvalue()), allow_pickle=True)["t2i/rank"]
    assert (tmp_path / "run").exists(), "it would have been, had it been unpickled"


def test_a_link_within_a_zip_is_one_line(board):
    with zipfile.ZipFile(board / "bundles" / SMALL, "a") as archive:
        info = zipfile.ZipInfo("runs/link/record.json")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    (line,) = lines(board)
    assert "is a link" in line


def test_a_run_in_two_bundles_is_one_line(board):
    shutil.copy(board / "bundles" / SMALL, board / "bundles" / "again.zip")
    (line,) = lines(board)
    assert line.startswith("bundles/colour-words.zip: colour_words-icfg-twin-")
    assert "is in again.zip already" in line


def test_a_result_that_fits_no_protocol_is_one_line(board):
    file = board / "board.yaml"
    file.write_text(file.read_text().replace("dataset: icfg", "dataset: rstp"))
    (line,) = lines(board)
    assert "fits no protocol of board.yaml" in line
    assert "dataset is icfg, not rstp" in line


def test_a_protocols_facts_are_held_to_results(board):
    file = board / "board.yaml"
    file.write_text(file.read_text().replace('protocol version: "1"', 'protocol version: "7"'))
    (line,) = lines(board)
    assert "protocol version is 1, not 7" in line


def test_what_an_earlier_state_had_may_not_be_gone(board, tmp_path):
    shutil.copytree(board, tmp_path / "base")
    assert lines(board, tmp_path / "base") == []
    (board / "bundles" / SMALL).unlink()
    (line,) = lines(board, tmp_path / "base")
    assert "was on the board and is gone" in line


def test_a_test_set_that_is_gone_or_changed_is_named(board, tmp_path, monkeypatch):
    import harness.board.check as checked

    shutil.copytree(board, tmp_path / "base")
    tests = checked.tested
    more = {"cuhk": 12.5, "icfg": 99.0}
    monkeypatch.setattr(
        checked, "tested", lambda run, record: more if "since" in str(run.path) else tests(run, record)
    )
    gone, other = sorted(lines(board, tmp_path / "base"), key=lambda line: "cuhk" not in line)
    assert "was tested on cuhk, and that test is gone" in gone
    assert "R@1 on icfg was 99.00 and is 11.94" in other


def test_a_folder_that_is_no_board_is_refused(board, tmp_path):
    with pytest.raises(UsageError, match="no folder bundles"):
        check_board(tmp_path)
    with pytest.raises(UsageError, match="There is no folder"):
        check_board(tmp_path / "none")
    with pytest.raises(UsageError, match="--since"):
        check_board(board, tmp_path)
    shutil.copytree(board, tmp_path / "base")
    (tmp_path / "base" / "bundles" / SMALL).write_bytes(b"x")
    with pytest.raises(DataError, match="cannot be compared"):
        check_board(board, tmp_path / "base")


def test_a_transfer_is_apart_from_a_result_in_its_own_domain(board):
    found = check_board(board)
    row = found.panels[0][1].records[0]
    assert row["rule"] == UNTRAINED
    assert "trained on" not in board_facts(row)
    trained = row | {"rule": "val", "scored": "", "val": "official", "train_on": "train", "train_pairs": 9}
    one, other = (board_facts(trained | {"trained_on": name}) for name in ("icfg", "cuhk"))
    assert "trained on" in conflicts(one, other)
