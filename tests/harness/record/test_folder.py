"""The record of a run and its folder: names, files, finding one by its beginning, setting one aside."""

import os
import socket

import numpy as np
import pytest

from harness.config.sections import BackboneConfig
from harness.errors import UsageError
from harness.evaluate.intervals import METHOD
from harness.files import locked, write_json
from harness.record import (
    BACKBONE,
    BOOTSTRAP,
    HISTORY,
    PROGRESS,
    QUERIES,
    RECORD,
    Record,
    RunFolder,
    all_runs,
    all_trials,
    find_run,
    now,
    trials_folder,
)
from harness.record.record import has_earlier_intervals, left_out_words, run_name, twin_name


def write(root, fake, method="cskt", identity="0123456789abcdef", **more):
    made, _ = fake.record(method, "icfg", identity=identity, **more)
    folder = RunFolder(root / made.name)
    folder.write(made)
    return folder


def test_a_name_tells_method_dataset_and_twin_and_twelve_letters_of_the_identity():
    assert run_name("cskt", "icfg", True, "0123456789abcdef") == "cskt-icfg-twin-0123456789ab"
    assert run_name("cskt", "icfg", False, "0123") == "cskt-icfg-0123"
    assert [twin_name("rstp", synthetic) for synthetic in (True, False)] == ["rstp-twin", "rstp"]


def test_a_record_comes_back_as_it_was_written(fake, tmp_path):
    made, _ = fake.record("cskt", "icfg", seed=7)
    made.intervals["x"] = (1.0, float(2))
    folder = RunFolder(tmp_path / made.name)
    assert folder.read() is None
    folder.write(made)
    assert folder.read() == made
    assert folder.read().intervals["x"] == (1.0, 2.0)


def test_a_file_that_the_record_notes_and_the_folder_lacks_is_missing(fake, tmp_path):
    made, arrays = fake.record("cskt", "icfg")
    folder = RunFolder(tmp_path / made.name)
    folder.write_queries(arrays)
    folder.note(made, QUERIES)
    folder.write(made)
    assert folder.states() == {QUERIES: "whole"}
    folder.file(QUERIES).unlink()
    assert folder.states() == {QUERIES: "missing"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, ""),
        ({"bad_images": 0}, ""),
        ({"bad_images": 1}, "without 1 image of unknown splits"),
        ({"left_out": {"train": 0, "val": 0, "test": 0}, "bad_images": 2}, ""),
        (
            {"left_out": {"train": 3, "val": 1, "test": 48}, "train_images": 1000, "test_images": 47},
            "without 3 of 1,003 train images, 1 val images, 48 of 95 test images",
        ),
    ],
)
def test_images_left_out_are_said_with_how_many_there_are(data, words):
    assert left_out_words(data) == words


def test_a_running_run_is_interrupted_once_its_lock_is_free_on_this_machine(fake, tmp_path):
    made, _ = fake.record("cskt", "icfg", status="running")
    folder = RunFolder(tmp_path / made.name)
    made.environment = {"host": socket.gethostname()}
    with locked(folder.path):
        folder.write(made)
        write_json(folder.file(PROGRESS), {"epoch": 3, "step": 2, "epochs": 9, "seconds": 1.5})
        assert folder.read().status == "running"
    found = folder.read()
    assert (found.status, found.seconds) == ("interrupted", 1.5)
    assert found.progress == {"epoch": 3, "step": 2, "epochs": 9}
    for environment in ({"host": "elsewhere"}, {}):
        folder.write(made.model_copy(update={"environment": environment}))
        assert folder.read().status == "running"


def test_an_unknown_field_and_an_unknown_status_are_refused(fake):
    values = fake.record("cskt", "icfg")[0].model_dump()
    for change in ({"more": 1}, {"status": "lost"}):
        with pytest.raises(ValueError, match=next(iter(change))):
            Record(**values | change)


def test_arrays_come_back_by_name_and_there_may_be_no_history(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_queries({"t2i/rank": np.array([3, 1])})
    folder.write_queries({"t2i/rank": np.array([9])}, "transfer/cuhk.npz")
    assert folder.queries()["t2i/rank"].tolist() == [3, 1]
    assert folder.queries("transfer/cuhk.npz")["t2i/rank"].tolist() == [9]
    assert folder.history() == []
    folder.file(HISTORY).write_text('[{"epoch": 1}]')
    assert folder.history() == [{"epoch": 1}]


def test_a_backbone_in_the_folder_goes_before_the_config_s(tmp_path):
    config, folder = BackboneConfig(weights="elsewhere"), RunFolder(tmp_path)
    assert folder.backbone(config).weights == "elsewhere"
    folder.file(BACKBONE).touch()
    assert folder.backbone(config).weights == str(tmp_path / BACKBONE)
    assert config.weights == "elsewhere"


def test_a_run_set_aside_is_numbered_and_no_longer_listed(fake, tmp_path):
    for _ in range(2):
        folder = write(tmp_path, fake)
        folder.set_aside()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"{folder.path.name}~{n}" for n in (1, 2)]
    assert all_runs(tmp_path) == []


def test_runs_are_listed_oldest_first_without_trials_and_folders_without_a_record(fake, tmp_path):
    folders = [write(tmp_path, fake, method) for method in ("z", "a")]
    for folder in folders:
        os.utime(folder.file(RECORD))
    (tmp_path / "no-record").mkdir()
    trial = write(trials_folder(tmp_path, "mine"), fake)
    listed = [folder.path for folder in all_runs(tmp_path)]
    assert sorted(listed) == sorted(folder.path for folder in folders)
    assert listed == sorted(listed, key=lambda path: (path / RECORD).stat().st_ctime_ns)
    assert [folder.path for folder in all_trials(tmp_path)] == [trial.path]
    assert [folder.path for folder in all_trials(tmp_path, "mine")] == [trial.path]
    assert all_trials(tmp_path, "other") == []


def test_a_run_is_found_by_folder_name_beginning_and_identity(fake, tmp_path):
    one, two = (write(tmp_path, fake, identity=f"{n}23456789abcdef") for n in "12")
    for text in (str(one.path), one.path.name, one.path.name[:-3], "123"):
        assert find_run(text, tmp_path).path == one.path
    assert find_run("223", tmp_path).path == two.path


def test_a_whole_name_goes_before_longer_ones_that_begin_with_it(fake, tmp_path):
    short, long = (write(tmp_path, fake, identity=identity) for identity in ("12", "123"))
    assert find_run(short.path.name, tmp_path).path == short.path
    assert find_run(long.path.name, tmp_path).path == long.path


def test_none_and_several_are_errors_that_name_what_there_is(fake, tmp_path):
    names = [write(tmp_path, fake, identity=f"1{n}").path.name for n in "23"]
    with pytest.raises(UsageError) as told:
        find_run("cskt", tmp_path)
    assert all(name in str(told.value) for name in names)
    with pytest.raises(UsageError, match=f"Did you mean '{names[0]}'"):
        find_run(names[0].replace("cskt", "cstk"), tmp_path)
    with pytest.raises(UsageError):
        find_run("x", tmp_path / "nowhere")


def test_a_record_that_names_no_method_of_its_intervals_has_the_first_and_a_new_one_says_its_own(fake):
    made, _ = fake.record("cskt", "icfg")
    values = made.model_dump(mode="json")
    assert (made.interval_method, values.pop("interval_method")) == (METHOD, METHOD)
    old = Record.model_validate(values)
    assert old.interval_method == BOOTSTRAP < METHOD
    assert [has_earlier_intervals(one) for one in (old, made)] == [True, False]
    assert not has_earlier_intervals(old.model_copy(update={"intervals": {}}))


@pytest.mark.parametrize(
    ("result", "earlier"),
    [
        ({"metrics": {"x": 1.0}, "intervals": {"x": (0.0, 2.0)}}, True),
        ({"metrics": {"x": 1.0}, "intervals": {"x": (0.0, 2.0)}, "interval_method": METHOD}, False),
        ({"metrics": {"x": 1.0}, "intervals": {}}, False),
        ({"metrics": {"x": {"mean": 1.0, "low": 0.0, "high": 2.0}}}, True),
        ({"metrics": {"x": {"mean": 1.0, "low": 0.0, "high": 2.0}}, "interval_method": METHOD}, False),
    ],
)
def test_tests_elsewhere_and_groups_of_seeds_say_it_likewise(result, earlier):
    assert has_earlier_intervals(result) == earlier


def test_the_imported_checkpoint_is_a_tag_and_now_is_utc_to_the_second(fake):
    made, _ = fake.record("cskt", "icfg", tags={"harness.imported": "best.pth"})
    assert (made.imported, fake.record("cskt", "icfg")[0].imported) == ("best.pth", None)
    assert now().endswith("+00:00")
    assert len(now()) == len("2026-01-01T00:00:00+00:00")
