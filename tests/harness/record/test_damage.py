"""A damaged record or file is one line that names it, stops nothing else, and `--force` works on it."""

import json
from types import SimpleNamespace

import pandas
import pytest

import harness
from harness.analysis.reread import reread_runs
from harness.cli.main import cli
from harness.cli.options import run_safely
from harness.errors import DataError
from harness.files import write_json
from harness.record import (
    EMBEDDINGS,
    HISTORY,
    QUERIES,
    QUERIES_SHA256,
    RECORD,
    BrokenRecord,
    RunFolder,
    find_run,
    readable,
)
from harness.run.estimate import finished_runs
from harness.run.resume import resume_run, sync_runs
from harness.run.several_seeds import groups
from tests.fake_experiment import queries, record

BROKEN = {
    "null": "null",
    "list": "[]",
    "empty object": "{}",
    "number": "7",
    "cut": '{"identity": "1", "config": {',
    "nothing": "",
    "no text": b"\xff\xfe\x00",
    "deep": "[" * 100_000,
    "status": lambda values: values | {"status": "lost"},
    "more": lambda values: values | {"more": 1},
    "types": lambda values: values | {"seconds": "long"},
    "config": lambda values: values | {"config": {"method": "cskt"}},
    "folder": None,
}


def make(root, method="cskt", **more):
    made, arrays = record(method, "icfg", **more)
    folder = RunFolder(root / made.name)
    folder.write_queries(arrays)
    write_json(folder.file(HISTORY), [{"epoch": 1.0}])
    folder.note(made, QUERIES, HISTORY)
    folder.write(made)
    return folder


def spoil(folder, kind):
    file, content = folder.file(RECORD), BROKEN[kind]
    values = json.loads(file.read_text())
    file.unlink()
    if content is None:
        file.mkdir()
    elif callable(content):
        write_json(file, content(values))
    else:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_record_is_one_line_and_the_others_are_read(tmp_path, kind, caplog):
    broken, whole = make(tmp_path, "cskt"), make(tmp_path, "irra")
    spoil(broken, kind)
    with pytest.raises(BrokenRecord) as told:
        find_run(broken.path.name, tmp_path).read()
    text = str(told.value)
    assert text.startswith(str(broken.file(RECORD)))
    assert "\n" not in text
    assert "--force" in text
    lines = []
    found = readable([broken, whole], lambda file, why: lines.append((file, why)))
    assert [folder.path for folder, _ in found] == [whole.path]
    assert lines == [(broken.file(RECORD), text)]
    assert harness.runs(tmp_path)["run"].tolist() == [whole.path.name]
    assert text in caplog.text
    assert [one.name for one in finished_runs(tmp_path)] == [whole.path.name]


def test_the_doors_name_it_and_go_on(tmp_path, untracked, monkeypatch, capsys):
    broken, whole = make(tmp_path, "cskt"), make(tmp_path, "irra")
    spoil(broken, "null")
    monkeypatch.setattr("sys.argv", ["harness", "runs", "list", "--json", "--runs", str(tmp_path)])
    assert run_safely(cli, debug=False) == 0
    out, err = capsys.readouterr()
    assert [one["identity"] for one in json.loads(out)] == [whole.read().identity]
    assert err.count("\n") == 1
    assert str(broken.file(RECORD)) in err
    found = reread_runs((), tmp_path)
    assert found.left == 1
    assert found.skipped[broken.path.name].startswith("its record cannot be read")
    with pytest.raises(BrokenRecord):
        resume_run(broken.path.name, tmp_path)
    monkeypatch.setattr("sys.argv", ["harness", "runs", "show", broken.path.name, "--runs", str(tmp_path)])
    assert run_safely(cli, debug=False) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_what_is_damaged_is_not_sent(tmp_path, monkeypatch, caplog):
    sent = []
    store = SimpleNamespace(place="here", search=lambda query: [])
    monkeypatch.setattr("harness.run.resume.Store", lambda root: store)
    monkeypatch.setattr("harness.run.resume.resend", lambda record, *more: sent.append(record.name))
    broken, flipped, whole = (make(tmp_path, name) for name in ("cskt", "irra", "coop"))
    spoil(broken, "cut")
    flip(flipped.file(HISTORY))
    (tmp_path / "groups").mkdir()
    (tmp_path / "groups" / "bad.json").write_text('{"name": "x", "runs": 3}')
    assert sync_runs(tmp_path)["sent"] == sent == [whole.path.name]
    for file in (broken.file(RECORD), flipped.file(HISTORY), tmp_path / "groups" / "bad.json"):
        assert str(file) in caplog.text


def flip(file, place=-7):
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("name", [QUERIES, HISTORY])
def test_a_flipped_bit_of_a_result_is_found_when_it_is_read_and_shown(tmp_path, name, monkeypatch, capsys):
    folder = make(tmp_path)
    assert set(folder.states().values()) == {"whole"}
    flip(folder.file(name))
    with pytest.raises(DataError, match=rf"{name} is damaged: .*--force"):
        folder.whole(name)
    with pytest.raises(DataError, match=name):
        folder.queries() if name == QUERIES else folder.history()
    assert folder.faults() == [
        f"{folder.file(name)} is damaged. Put a copy of it back, or repeat the run with --force, "
        "which sets the folder aside."
    ]
    monkeypatch.setattr("sys.argv", ["harness", "runs", "show", folder.path.name, "--runs", str(tmp_path)])
    assert run_safely(cli, debug=False) == 0
    assert f"{name} is damaged" in " ".join(capsys.readouterr().out.split())
    folder.file(name).unlink()
    assert folder.states()[name] == "missing"
    with pytest.raises(DataError, match=rf"{name} is missing"):
        folder.whole(name)


def test_a_changed_figure_of_a_record_is_found(tmp_path):
    folder = make(tmp_path)
    text = folder.file(RECORD).read_text()
    folder.file(RECORD).write_text(text.replace('"total": 2000000', '"total": 2000001'))
    with pytest.raises(BrokenRecord, match="checksum is of other content"):
        folder.read()


def test_a_record_without_checksums_is_read_and_its_files_are_said_to_be_unknown(tmp_path):
    made, arrays = record("cskt", "icfg")
    folder = RunFolder(tmp_path / made.name)
    folder.write_queries(arrays)
    folder.file(RECORD).write_text(made.model_dump_json(exclude={"files"}))
    assert folder.read() == made
    assert folder.whole(QUERIES) == folder.file(QUERIES)
    assert folder.states() == {QUERIES: "unknown: made before checksums were noted"}
    assert EMBEDDINGS not in folder.states()


@pytest.mark.parametrize(
    "content", ["null", "[]", "{}", '{"dataset": "other", "metrics": {}, "intervals": {}}']
)
def test_a_broken_result_elsewhere_is_named_and_the_other_ones_are_there(tmp_path, content, caplog):
    folder = make(tmp_path)
    result = {"dataset": "cuhk", "metrics": {}, "intervals": {}}
    write_json(folder.file("transfer/cuhk.json"), result)
    folder.file("transfer/rstp.json").write_text(content)
    assert [one["dataset"] for one in folder.results()] == ["cuhk"]
    assert caplog.text.count("rstp.json") == 1
    assert isinstance(harness.runs(tmp_path), pandas.DataFrame)


def test_the_queries_of_a_result_elsewhere_are_checked_by_the_result(tmp_path):
    folder, name = make(tmp_path), "transfer/cuhk.npz"
    folder.write_queries(queries(40, 1), name)
    values = {"dataset": "cuhk", "metrics": {}, "intervals": {}, QUERIES_SHA256: "0" * 64}
    write_json(folder.file("transfer/cuhk.json"), values)
    with pytest.raises(DataError, match=r"cuhk\.npz is damaged.*`harness evaluate` with --force"):
        folder.queries(name)


@pytest.mark.parametrize("content", ["null", "[]", "{}", '{"name": "a", "runs": null, "metrics": {}}', "{"])
def test_a_broken_group_of_seeds_is_named_and_the_others_are_there(tmp_path, content):
    (tmp_path / "groups").mkdir()
    write_json(tmp_path / "groups" / "good.json", {"name": "good", "runs": ["a"], "metrics": {}})
    (tmp_path / "groups" / "bad.json").write_text(content)
    lines = []
    found = [group["name"] for _, group in groups(tmp_path, lambda file, why: lines.append(why))]
    assert found == ["good"]
    assert len(lines) == 1
    assert str(tmp_path / "groups" / "bad.json") in lines[0]
