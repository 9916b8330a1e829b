"""What `harness runs list` and `show` print of records: their values, in eighty columns, and JSON."""

import json
import socket
from typing import get_args

import pytest
from click.shell_completion import ShellComplete

from harness.analysis.reread import Outcome, Reread
from harness.cli.actions.runs.list import print_runs
from harness.cli.actions.runs.reread import print_reread
from harness.cli.actions.runs.show import print_run
from harness.cli.commands.runs import STATUSES
from harness.cli.main import cli
from harness.cli.options import run_safely
from harness.errors import UsageError
from harness.evaluate.intervals import METHOD
from harness.files import locked, write_json
from harness.presets.resolve import resolve
from harness.record import (
    BEFORE_PICTURES,
    BOOTSTRAP,
    EARLIER_INTERVALS,
    HISTORY,
    PROGRESS,
    RunFolder,
    Status,
)

BAD = "\x1b[31mno\x07"


def write(root, fake, method="cskt", rule="val", **more):
    made, _ = fake.record(method, "icfg", **more)
    made.selection = {"rule": rule, "epoch": 2, "epochs": 5}
    made.seconds = 1234.4
    folder = RunFolder(root / made.name)
    folder.write(made)
    return made, folder


def _by_name(text):
    return {line.split()[0]: line.split()[1:] for line in text.splitlines() if " finished " in line}


def test_each_run_is_a_line_of_its_values(fake, tmp_path, capsys, narrow, monkeypatch):
    made, _ = write(tmp_path, fake, train_pairs=68126, identity="0123456789ab")
    untrained, _ = write(tmp_path, fake, "zero_shot", "none", identity="ab0123456789")
    print_runs(str(tmp_path), None, False)
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines()[1:])) <= 80
    r1, (low, high) = (part["test/icfg/t2i/R1"] for part in (made.metrics, made.intervals))
    expected = f"val 68,126 {r1:.1f} [{low:.1f}, {high:.1f}] {made.metrics['test/icfg/t2i/mAP']:.1f} 1234 s"
    assert _by_name(out)[made.name] == ["finished", *expected.split()[:1], *expected.split()[2:-2]]
    assert "not shown at 80 columns: pairs, time, disk;" in out
    monkeypatch.delenv("COLUMNS")
    print_runs(str(tmp_path), None, False)
    whole = _by_name(capsys.readouterr().out)
    assert whole[made.name] == ["finished", *expected.split(), "0.0", "MB"]
    assert whole[untrained.name][2] == "–"


def test_a_status_narrows_and_what_is_asked_for_may_be_none(fake, tmp_path, capsys):
    made, _ = write(tmp_path, fake, status="failed")
    write(tmp_path, fake, "zero_shot")
    print_runs(str(tmp_path), "failed", False)
    out = capsys.readouterr().out
    assert made.name in out
    assert "zero_shot" not in out
    print_runs(str(tmp_path), "pruned", False)
    assert "None of the 2 runs" in capsys.readouterr().out
    print_runs(str(tmp_path / "empty"), None, False)
    assert "harness run --method" in capsys.readouterr().out


def test_json_holds_each_record_without_what_is_long(fake, tmp_path, capsys):
    made, _ = write(tmp_path, fake)
    print_runs(str(tmp_path), None, True)
    (one,) = json.loads(capsys.readouterr().out)
    assert one["metrics"] == made.metrics
    assert not {"sources", "environment"} & one.keys()
    print_runs(str(tmp_path / "none"), None, True)
    assert json.loads(capsys.readouterr().out) == []


def test_a_run_is_shown_with_its_results_on_other_datasets_and_details(fake, tmp_path, capsys):
    made, folder = write(tmp_path, fake)
    made.environment = {"packages": {"torch": f"2.0{BAD}"}}
    folder.write(made)
    name = "test/cuhk/t2i/R1"
    transfer = {"dataset": "cuhk", "metrics": {name: 12.34}, "intervals": {name: (10.0, 15.06)}}
    write_json(folder.file("transfer/cuhk.json"), transfer)
    print_run(made.name, str(tmp_path), False)
    out = capsys.readouterr().out
    (row,) = [line.split() for line in out.splitlines() if line.split()[:2] == ["cuhk", "t2i"]]
    assert row[2:5] == ["12.3", "[10.0,", "15.1]"]
    assert f"identity  {made.identity}" in out
    assert "".join(str(folder.path).split()) in "".join(out.split())
    assert "\x1b" not in out
    print_run(made.name, str(tmp_path), True)
    found = json.loads(capsys.readouterr().out)
    assert (found["history"], found["transfer"]) == ([], [transfer | {"intervals": {name: [10.0, 15.06]}}])


def test_faults_of_the_data_are_shown_with_the_run_and_named_in_the_list(fake, tmp_path, capsys):
    made, folder = write(tmp_path, fake, faults=["2 records are there twice"])
    result = {
        "dataset": "cuhk",
        "metrics": {},
        "intervals": {},
        "left_out": 0,
        "faults": ["Known wrong file: x"],
    }
    write_json(folder.file("transfer/cuhk.json"), result)
    print_run(made.name, str(tmp_path), False)
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.count("data: 2 records are there twice") == 1
    assert "data: Known wrong file: x" in shown
    print_runs(str(tmp_path), None, False)
    assert f"faults of the data, by harness runs show RUN: {made.name}" in " ".join(
        capsys.readouterr().out.split()
    )


def test_images_left_out_stand_beside_the_figures(fake, tmp_path, capsys, narrow):
    made, folder = write(tmp_path, fake, left_out={"train": 3, "val": 0, "test": 48})
    whole, _ = write(tmp_path, fake, "zero_shot")
    result = {"dataset": "cuhk", "metrics": {}, "intervals": {}, "pictures": "x", "left_out": 7}
    write_json(folder.file("transfer/cuhk.json"), result)
    words = "without 3 train images, 48 test images"
    print_runs(str(tmp_path), None, False)
    out = capsys.readouterr().out
    assert out.count("3 train, 48 test") == 1
    assert "left out" in out
    print_run(made.name, str(tmp_path), False)
    out = capsys.readouterr().out
    assert words in " ".join(out.split())
    assert "on cuhk without 7 unreadable images" in out
    print_run(whole.name, str(tmp_path), False)
    assert "without" not in capsys.readouterr().out


def test_pictures_are_shown_and_a_run_made_before_they_were_part_of_it_is_marked(fake, tmp_path, capsys):
    new, _ = write(tmp_path, fake)
    print_runs(str(tmp_path), None, False)
    assert BEFORE_PICTURES not in capsys.readouterr().out
    old, _ = write(tmp_path, fake, "coop", pictures={})
    print_runs(str(tmp_path), None, False)
    out = capsys.readouterr().out
    assert f"{old.name} *" in out
    assert f"{new.name} *" not in out
    assert out.rstrip().endswith(f"* {BEFORE_PICTURES}")
    print_run(old.name, str(tmp_path), False)
    assert f"pictures  unknown: {BEFORE_PICTURES}" in capsys.readouterr().out
    print_run(new.name, str(tmp_path), False)
    out = capsys.readouterr().out
    assert "pictures  test-of-icfg of test" in out
    assert BEFORE_PICTURES not in out


def test_intervals_by_the_earlier_method_are_marked_in_the_list_and_said_of_each_result(
    fake, tmp_path, capsys
):
    new, folder = write(tmp_path, fake)
    print_runs(str(tmp_path), None, False)
    print_run(new.name, str(tmp_path), False)
    assert "earlier method" not in capsys.readouterr().out
    old, _ = write(tmp_path, fake, "coop", interval_method=BOOTSTRAP)
    print_runs(str(tmp_path), None, False)
    out = capsys.readouterr().out
    assert ["‡" in line for line in out.splitlines() if " finished " in line] == [False, True]
    assert out.rstrip().endswith(f"‡ {EARLIER_INTERVALS}")
    print_run(old.name, str(tmp_path), False)
    assert capsys.readouterr().out.count(EARLIER_INTERVALS) == 1
    name = "test/cuhk/t2i/R1"
    transfer = {
        "dataset": "cuhk",
        "metrics": {name: 12.3},
        "intervals": {name: (10.0, 15.0)},
        "pictures": "x",
    }
    write_json(folder.file("transfer/cuhk.json"), transfer)
    print_run(new.name, str(tmp_path), False)
    assert capsys.readouterr().out.count(EARLIER_INTERVALS) == 1
    print_runs(str(tmp_path), None, True)
    found = {one["identity"]: one["interval_method"] for one in json.loads(capsys.readouterr().out)}
    assert found == {new.identity: METHOD, old.identity: BOOTSTRAP}


@pytest.fixture
def reread(monkeypatch, tmp_path):
    """Return a function that prints an outcome as `harness runs reread` does."""

    def call(found, as_json=False):
        monkeypatch.setattr("harness.analysis.reread.reread_runs", lambda names, root: found)
        print_reread((), str(tmp_path), as_json)

    return call


def test_what_was_re_read_is_shown_with_both_intervals_and_what_was_not_with_its_reason(
    reread, capsys, narrow
):
    one = Reread("cskt-icfg-1 on cuhk", 41.25, (38.0, 44.0), (37.9, 44.6))
    reread(Outcome([one], 1, {"coop-icfg-2": f"it has no results{BAD}"}, ["cskt-icfg-1"]))
    out = capsys.readouterr().out
    words = [line.split() for line in out.splitlines()]
    assert [*["cskt-icfg-1", "on", "cuhk", "41.2", "[38.0,", "44.0]", "41.2", "[37.9,", "44.6]"]] in words
    assert ["coop-icfg-2", *["it", "has", "no", "resultsno"]] in words
    assert "re-read 1 result by method 2; 1 is by it already; 1 left alone" in out
    assert "MLflow has not got the new intervals of 1 of them: " in out
    assert "runs sync --runs" in out
    assert "\x1b" not in out
    reread(Outcome(left=2))
    assert capsys.readouterr().out == "re-read 0 results by method 2; 2 are by it already; 0 left alone\n"


def test_nothing_to_re_read_is_said_and_json_holds_all(reread, capsys, tmp_path):
    reread(Outcome())
    assert capsys.readouterr().out == f"No finished runs in {tmp_path} (from --runs): nothing to re-read.\n"
    found = Outcome([Reread("a", None, None, (1.0, 2.0))], 3, {"b": "why"})
    reread(found, True)
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(found.as_dict()))


def test_the_command_takes_runs_refuses_unknown_ones_and_is_completed(fake, tmp_path, capsys, monkeypatch):
    made, _ = write(tmp_path, fake)
    monkeypatch.setattr("sys.argv", ["harness", "runs", "reread", made.name, "--runs", str(tmp_path)])
    assert run_safely(cli, debug=False) == 0
    assert "0 left alone" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["harness", "runs", "reread", "ckst", "--runs", str(tmp_path)])
    assert run_safely(cli, debug=False) == 2
    assert "No run 'ckst'" in capsys.readouterr().err
    completed = ShellComplete(cli, {}, "harness", "_HARNESS_COMPLETE").get_completions(["runs"], "re")
    assert [one.value for one in completed] == ["reread", "restore", "resume"]


def test_a_failed_run_shows_its_error_and_no_table_and_an_unknown_one_is_an_error(fake, tmp_path, capsys):
    made, folder = write(tmp_path, fake, status="failed")
    made.error = {"type": "E", "message": f"broken{BAD}", "traceback": "Traceback: here"}
    folder.write(made)
    print_run(made.name[:9], str(tmp_path), False)
    out = capsys.readouterr().out
    first, second = out.splitlines()[:2]
    assert first == f"{made.name}: failed"
    assert second.endswith(f" runs resume {made.name} --runs {tmp_path}")
    assert "Traceback: here" in out
    assert "\x1b" not in out
    with pytest.raises(UsageError):
        print_run("nothing", str(tmp_path), False)


def test_every_state_of_a_run_can_be_asked_for():
    assert set(STATUSES) == set(get_args(Status))


def test_a_run_shows_command_settings_epochs_selection_and_how_often_test_was_read(fake, tmp_path, capsys):
    made, folder = write(tmp_path, fake)
    made.command = f"harness run -m cskt{BAD}"
    made.config = resolve("cskt", "icfg", overrides=["train.epochs=7"]).model_dump(mode="json")
    made.selection |= {"val/t2i/R1": 61.23}
    folder.write(made)
    row = {"lr": 1e-3, "seconds": 2.5, "train/loss": 0.12345}
    history = [row | {"epoch": 1.0}, row | {"epoch": 2.0, "val/t2i/R1": 61.23, "val/t2i/mAP": 50.0}]
    write_json(folder.file(HISTORY), history)
    print_run(made.name, str(tmp_path), False)
    out = capsys.readouterr().out
    words = [line.split() for line in out.splitlines()]
    assert ["2", "0.1235", "61.2", "50.0", "1.00e-03", "2.5", "s"] in words
    assert ["command", "harness", "run", "-m", "csktno"] in words
    assert ["config", "train.epochs=7", "(default", "60)"] in words
    assert "epoch     2 of 5 by the rule val, validation R@1 61.2" in out
    assert "test      read once, with the chosen weights" in out
    made.oracle = {"epoch": 1, "optimism_gap": 1.0}
    folder.write(made)
    print_run(made.name, str(tmp_path), False)
    assert "read after each epoch (eval.test_each_epoch)" in capsys.readouterr().out


def test_what_trains_nothing_says_so(fake, tmp_path, capsys):
    made, _ = write(tmp_path, fake, "zero_shot", "none", trainable=0)
    print_run(made.name, str(tmp_path), False)
    out = capsys.readouterr().out
    assert "trained on nothing" in out
    assert "pairs" not in out
    assert "epoch     none: the method trains nothing" in out


def test_a_run_at_work_is_listed_with_its_epoch_and_time_left_and_a_killed_one_as_interrupted(
    fake, tmp_path, capsys
):
    made, folder = write(tmp_path, fake, status="running")
    made.environment = {"host": socket.gethostname()}
    noted = {"epoch": 12, "step": 4, "epochs": 60, "left": 1980, "seconds": 77.0}
    with locked(folder.path):
        folder.write(made)
        write_json(folder.file(PROGRESS), noted)
        print_runs(str(tmp_path), None, False)
        assert "running 12/60, 33 min left" in capsys.readouterr().out
        print_run(made.name, str(tmp_path), False)
        shown = " ".join(capsys.readouterr().out.split())
        assert "running, 12 of 60 epochs and 4 steps done, 33 min left" in shown
    print_runs(str(tmp_path), None, False)
    out = capsys.readouterr().out
    assert "interrupted 12/60" in out
    assert "left" not in out.replace("left out", "")


@pytest.mark.parametrize(
    ("host", "said"),
    [("elsewhere", "running on elsewhere (or gone), 3 of 9 epochs and 4 steps done"), (None, "interrupted")],
)
def test_what_did_not_finish_says_how_far_it_came_and_how_to_go_on(fake, tmp_path, capsys, host, said):
    made, folder = write(tmp_path, fake, status="running")
    made.environment = {"host": host or socket.gethostname()}
    with locked(folder.path):
        folder.write(made)
    write_json(folder.file(PROGRESS), {"epoch": 3, "step": 4, "epochs": 9, "seconds": 77.0})
    print_runs(str(tmp_path), None, False)
    out = capsys.readouterr().out
    assert f"{said.partition(',')[0]} 3/9 " in out
    assert "77 s" in out
    print_run(made.name, str(tmp_path), False)
    shown = capsys.readouterr().out
    assert f"{said.partition(',')[0]}, 3 of 9 epochs and 4 steps done" in " ".join(shown.split())
    assert (f" runs resume {made.name} --runs {tmp_path}" in shown) == (host is None)
