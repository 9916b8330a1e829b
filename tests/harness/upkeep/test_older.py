"""What is older of a record than what is here: versions, data, drawing, intervals and tests elsewhere."""

import shutil

import pytest

from harness.cli.actions.runs.list import print_runs
from harness.cli.actions.runs.show import print_run
from harness.cli.actions.runs.stale import older_records
from harness.data.reading import read_dataset
from harness.files import read_json, write_json
from harness.listener import Listener
from harness.presets.resolve import resolve
from harness.record import BEFORE_PICTURES, BOOTSTRAP, SCORED, RunFolder
from harness.results.versions import BEFORE_VERSIONS
from harness.twins.marker import MARKER_FILE
from harness.upkeep import data_now
from harness.upkeep.data_now import DataNow
from harness.upkeep.older import older
from tests import measured_runs


@pytest.fixture(scope="module")
def twin(world, tmp_path_factory):
    """A folder with the twin of ICFG-PEDES alone."""
    return world.make_twins(tmp_path_factory.mktemp("data"))


@pytest.fixture
def made(twin, tmp_path, monkeypatch):
    """Make a finished run of the twin as it is, with some of its record changed; return its folder and record."""
    monkeypatch.setenv("HARNESS_DATA", str(twin))
    reading = read_dataset(resolve("linear_probe", "icfg", synthetic=True).dataset, Listener())

    def make(**more):
        shutil.rmtree(tmp_path / "runs", ignore_errors=True)
        record = measured_runs.finished(tmp_path / "runs", elsewhere=more.pop("elsewhere", ()))
        own = {
            "fingerprint": reading.fingerprint,
            "pictures": reading.pictures,
            "command": "harness run -m mine",
        }
        record = record.model_copy(update={**own, **more})
        folder = RunFolder(tmp_path / "runs" / record.name)
        folder.write(record)
        return folder, record

    return make


def found(folder, record, data=None):
    return older(folder, record, DataNow(data))


def test_a_run_of_today_is_not_older(made):
    done = found(*made())
    assert (done.why, done.repeat, done.unknown) == ([], [], [])


@pytest.mark.parametrize(
    ("versions", "why"),
    [
        ({"method": 0, "dataset": 1, "protocol": 1}, ["version 0 of the method linear_probe, today 1"]),
        ({"method": 1, "dataset": 2, "protocol": 1}, ["version 2 of the dataset icfg, today 1"]),
        ({"method": 1, "dataset": 1, "protocol": 0}, ["version 0 of the protocol of the metrics, today 1"]),
        ({"dataset": 1, "protocol": 1}, []),
        ({}, [BEFORE_VERSIONS]),
    ],
)
def test_another_version_is_named_with_the_command_that_repeats_the_run(made, versions, why):
    done = found(*made(versions=versions))
    assert done.why == why
    assert done.repeat == ["harness run -m mine"] * bool(why)


def test_other_data_than_those_here_are_named_by_split(made, twin, tmp_path):
    folder, record = made()
    changed = tmp_path / "changed"
    shutil.copytree(twin, changed)
    pictures = record.pictures | {"val": "0" * 64}
    assert found(*made(pictures=pictures)).why == ["not of the data that are here: other pictures in val"]
    file = next((changed / "synthetic").rglob("*.json"))
    assert file.name != MARKER_FILE
    entries = read_json(file)
    entries[0]["captions"] = ["A man in red."]
    write_json(file, entries)
    assert found(folder, record, str(changed)).why == ["not of the data that are here: another annotation"]
    assert found(*made(pictures={})).why == [BEFORE_PICTURES]


def test_a_twin_that_is_not_here_is_not_made_and_a_run_of_it_counts_as_not_compared(made, tmp_path):
    done = found(*made(), data=str(tmp_path / "none"))
    assert (done.why, done.unknown) == ([], ["icfg is not here"])
    assert not (tmp_path / "none").exists()


def test_a_twin_of_an_earlier_drawing_is_named(made, monkeypatch):
    monkeypatch.setattr(data_now, "GENERATOR_VERSION", 2)
    assert found(*made()).why == ["a twin of version 1 of the drawing, today 2"]


def test_scores_are_compared_by_their_test_alone(made):
    folder, record = made()
    section = {"name": "icfg", "synthetic": True, "root": None, "val": "not told", "train_on": "not told"}
    more = {
        "config": record.config | {"dataset": section | {"trained_on": None}},
        "tags": {SCORED: "a.npy"},
        "versions": {"dataset": 1, "protocol": 1},
    }
    scored = record.model_copy(update=more | {"pictures": {"test": record.pictures["test"]}})
    assert found(folder, scored).why == []
    scored.pictures["test"] = "0" * 64
    assert found(folder, scored).why == ["not of the data that are here: other pictures in test"]


def test_what_a_worker_made_is_repeated_by_a_command_of_its_config(made):
    done = found(*made(command="harness worker suite-x --runs r", versions={}))
    assert done.repeat == [
        "harness run --method linear_probe --dataset icfg --synthetic --seed 1 --set backbone.text_length=77"
    ]


def test_intervals_and_tests_elsewhere_have_commands_of_their_own(made):
    folder, record = made(elsewhere=["cuhk"], interval_method=BOOTSTRAP)
    result = folder.file("transfer/cuhk.json")
    write_json(result, read_json(result) | {"protocol": 0})
    done = found(folder, record)
    assert done.why == [
        "intervals by the earlier method",
        "its test on cuhk: version 0 of the protocol of the metrics, today 1",
    ]
    assert done.repeat == [
        f"harness runs reread {record.name}",
        f"harness evaluate {record.name} --dataset cuhk",
    ]


def test_the_list_names_what_is_older_and_a_run_says_its_versions(made, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    runs = str(tmp_path / "runs")
    _, record = made()
    print_runs(runs, None, False, stale=True)
    assert f"No finished run in {runs}" in " ".join(capsys.readouterr().out.split())
    made(versions={"method": 0, "dataset": 1, "protocol": 1})
    print_runs(runs, None, False, stale=True)
    out = capsys.readouterr().out
    assert f"{record.name}: version 0 of the method linear_probe, today 1" in " ".join(out.split())
    assert "next: harness run -m mine" in out
    assert max(map(len, out.splitlines())) <= 80
    print_runs(runs, None, True, stale=True)
    assert '"version 0 of the method linear_probe, today 1"' in capsys.readouterr().out
    print_run(record.name, runs, False)
    assert "older     version 0 of the method linear_probe, today 1" in capsys.readouterr().out
    made(command=None, versions={})
    print_runs(runs, None, False, stale=True)
    assert "(its command was not recorded)" in capsys.readouterr().out
    assert older_records(tmp_path / "runs", [record.model_copy(update={"status": "failed"})]) == {}
