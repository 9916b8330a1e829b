"""Suites: cells run once, found, failed, retried, planned and told. A stand-in takes the place of the run."""

from dataclasses import replace

import pytest

from harness.cli.actions.worker import help_with
from harness.errors import DataError, Interrupted, UsageError
from harness.queue.work_setup import WorkSetup
from harness.queue.worker_lock import Presence
from harness.record import all_runs
from harness.suites import cell_jobs
from harness.suites import run_suite as suite_module
from harness.suites.cell_jobs import shard_of
from harness.suites.cells import expand
from harness.suites.plan import make_suite_plan
from harness.suites.run_suite import run_suite
from harness.suites.suite_files import load_suite
from harness.track.run_row import PARENT
from tests.suite_runs import TABLE, Runs


@pytest.fixture
def run_with(untracked, monkeypatch, tmp_path, expansion):
    def call(runs, expansion=expansion, **options):
        monkeypatch.setattr(suite_module, "run", runs)
        monkeypatch.setattr(suite_module, "evaluate_run", runs.evaluate)
        return run_suite(expansion, WorkSetup(runs=tmp_path / "runs"), **options)

    return call


def test_every_cell_is_run_and_tested_once(run_with, cells, tmp_path):
    runs = Runs()
    done = run_with(runs)
    assert done.counts() == {"done": 8, "failed": 0, "running": 0, "waiting": 0}
    assert [(c.method.loss, c.dataset.name, c.seed) for c in runs.calls] == [
        (cell.config.method.loss, cell.dataset, cell.seed) for cell in cells
    ]
    assert {datasets for _, datasets in runs.tests} == {("cuhk",), ("icfg",)}
    records = [folder.read() for folder in all_runs(tmp_path / "runs")]
    assert {record.tags["harness.suite.small"] for record in records} == {"linear_probe", "probe itc"}
    assert {record.tags["harness.suite_place.small"] for record in records} == {"0", "1"}
    again = Runs()
    run_with(again)
    assert not again.calls


def test_runs_that_did_not_arrive_in_mlflow_are_sent_by_the_same_command(
    world, experiment, expansion, monkeypatch, tmp_path
):
    def finish():
        runs = Runs()
        monkeypatch.setattr(suite_module, "run", runs)
        monkeypatch.setattr(suite_module, "evaluate_run", lambda *given, **options: [])
        run_suite(expansion, WorkSetup(runs=tmp_path / "runs"))
        records = [folder.read() for folder in all_runs(tmp_path / "runs")]
        return len(runs.calls), {record.name: record.tracking.get("run_id") for record in records}

    monkeypatch.setenv("MLFLOW_TRACKING_URI", experiment.uri)
    with world.untracked():
        n_calls, sent = finish()
        assert (n_calls, len(sent), set(sent.values())) == (8, 8, {None})
    n_calls, sent = finish()
    assert n_calls == 0
    (suite,) = experiment.search("tags.`harness.kind` = 'suite'")
    children = experiment.search(f"tags.`{PARENT}` = '{suite.id}'")
    assert {row.name: row.id for row in children} == sent


@pytest.mark.slow
def test_a_failing_cell_does_not_stop_the_rest_and_is_kept_until_retried(run_with):
    broken = Runs(breaks={2: ValueError("no memory"), 3: DataError("not there")})
    done = run_with(broken)
    assert len(broken.calls) == 8
    assert done.counts() == {"done": 6, "failed": 2, "running": 0, "waiting": 0}
    (first, second) = [state for state in done.states() if state.state == "failed"]
    assert (first.error["type"], second.error["message"]) == ("ValueError", "not there")
    assert "in __call__" in first.error["traceback"]
    left = Runs()
    assert run_with(left).counts()["failed"] == 2
    assert not left.calls
    retried = Runs()
    assert run_with(retried, retry=True).counts()["done"] == 8
    assert [c.seed for c in retried.calls] == [2, 1]


@pytest.mark.slow
@pytest.mark.parametrize("stop", [KeyboardInterrupt(), Interrupted("by a signal")])
def test_an_interrupted_suite_goes_on_with_the_cell_it_was_at(run_with, cells, stop):
    cut = Runs(breaks={3: stop})
    with pytest.raises(Interrupted, match="2 of 8 cells are done"):
        run_with(cut)
    rest = Runs()
    assert run_with(rest).counts()["done"] == 8
    assert len(rest.calls) == 6
    assert rest.calls[0] == cells[2].config


@pytest.mark.slow
def test_a_suite_begun_when_there_were_more_settings_goes_on(
    run_with, cells, expansion, tmp_path, monkeypatch
):
    plain = cell_jobs._plain

    def earlier(cell, key):
        found = plain(cell, key)
        found["config"]["eval"]["replicates"] = 200
        return found | {"key": f"old {key}"}

    begun, rest = Runs(breaks={3: KeyboardInterrupt()}), Runs()
    monkeypatch.setattr(cell_jobs, "_plain", earlier)
    with pytest.raises(Interrupted):
        run_with(begun)
    monkeypatch.setattr(cell_jobs, "_plain", plain)
    states = make_suite_plan(expansion, tmp_path / "runs").cells
    assert [cell.state for cell in states] == ["done"] * 2 + ["waiting"] * 6
    assert run_with(rest).counts()["done"] == 8
    assert len(rest.calls) == 6
    assert rest.calls[0] == begun.calls[2]


def test_a_queued_cell_that_cannot_be_read_any_more_keeps_its_key(cells):
    cell = cell_jobs._plain(cells[0], "key")
    assert cell_jobs.stored_key(cell) == "key"
    cell["config"]["eval"]["replicates"] = 200
    assert cell_jobs.stored_key(cell) == cell_jobs.cell_key(cells[0])
    cell["config"]["eval"]["no_such_key"] = 1
    assert cell_jobs.stored_key(cell) == "key"


def test_a_run_that_is_gone_is_made_again(run_with, tmp_path):
    run_with(Runs())
    folder = all_runs(tmp_path / "runs")[3]
    folder.file("record.json").unlink()
    again = Runs()
    run_with(again)
    assert len(again.calls) == 1


@pytest.mark.slow
def test_cells_that_a_suite_gains_are_run_and_those_it_loses_are_left_alone(run_with, table):
    run_with(Runs())
    table.write_text(TABLE.replace("seeds: 2", "seeds: 3"))
    more = Runs()
    run_with(more, expand(load_suite(str(table)), synthetic=True))
    assert [c.seed for c in more.calls] == [3, 3, 3, 3]
    fewer = expand(load_suite(str(table)), synthetic=True, seeds=1)
    assert run_with(Runs(), fewer).counts()["done"] == 4


def test_the_plan_says_what_is_done_what_is_left_and_what_it_takes(run_with, expansion, tmp_path):
    root = tmp_path / "runs"
    before = make_suite_plan(expansion, root)
    assert before.counts["missing"] == before.unknown == 8
    assert before.weights == 8 * 32_768 * 4
    run_with(Runs(breaks={8: ValueError("no memory")}))
    plan = make_suite_plan(expansion, root)
    assert plan.counts == {"done": 7, "failed": 1, "running": 0, "waiting": 0, "missing": 0}
    assert plan.cells[-1].error["message"] == "no memory"
    assert plan.seconds == plan.cells[-1].seconds == 10.0
    assert (plan.weights, plan.unknown) == (32_768 * 4, 0)


def test_the_plan_says_what_is_wrong_with_real_data_that_are_there(table, tmp_path, real_format):
    cells = expand(load_suite(str(table)), data_root=str(tmp_path / "data"))
    assert make_suite_plan(cells, tmp_path / "runs").faults == {}
    real_format.write_icfg(tmp_path / "data")
    faults = make_suite_plan(cells, tmp_path / "runs").faults
    assert faults.keys() == {"icfg"}
    assert faults["icfg"][1].startswith("Not the published test set: 2 images, published 19,848")
    file = tmp_path / "data" / "ICFG-PEDES" / "ICFG-PEDES.json"
    file.write_text("<!doctype html>")
    assert "It is a web page" in make_suite_plan(cells, tmp_path / "runs").faults["icfg"][0]


@pytest.mark.slow
def test_the_plan_finds_runs_that_others_made_but_not_those_without_the_tests(expansion, tmp_path):
    runs = Runs()
    for cell in expansion.cells[:2]:
        runs(cell.config, runs=tmp_path, device="cpu", listener=None, tags={})
    plan = make_suite_plan(expansion, tmp_path)
    assert plan.counts["missing"] == 8
    name = all_runs(tmp_path)[0].path.name
    runs.evaluate(name, ["cuhk"], data_root=None, runs=tmp_path, device="cpu", listener=None)
    plan = make_suite_plan(expansion, tmp_path)
    assert (plan.counts["done"], plan.cells[0].run) == (1, name)


def test_real_stores_are_counted_once_a_dataset_and_size(table, tmp_path):
    plan = make_suite_plan(expand(load_suite(str(table))), tmp_path)
    assert plan.stores == (54_522 + 40_206) * 3 * 384 * 128


def test_shards_are_disjoint_and_make_the_whole(cells):
    parts = [shard_of(cells, f"{index}/3") for index in (1, 2, 3)]
    assert sorted(cell.name for part in parts for cell in part) == sorted(cell.name for cell in cells)
    assert [len(part) for part in parts] == [3, 3, 2]
    for wrong in ("0/3", "4/3", "1", "a/b", "-1/2"):
        with pytest.raises(UsageError, match="--shard takes i/n"):
            shard_of(cells, wrong)


@pytest.mark.slow
def test_shards_of_one_storage_do_their_own_part(run_with, cells):
    first, second = Runs(), Runs()
    assert run_with(first, shard="1/2").counts()["done"] == 4
    assert run_with(second, shard="2/2").counts()["done"] == 4
    names = [config.seed for config in first.calls] + [config.seed for config in second.calls]
    assert len(names) == 8
    assert run_with(Runs()).counts()["done"] == 8


def test_a_shard_leaves_what_other_shards_left_waiting_or_have_under_way(
    run_with, cells, tmp_path, monkeypatch
):
    second = [cell.config for cell in shard_of(cells, "2/2")]
    with pytest.raises(Interrupted):
        run_with(Runs(breaks={2: KeyboardInterrupt()}), shard="2/2")
    setup = WorkSetup(runs=tmp_path / "runs")
    queue = setup.open_queue("suite-small-twin")
    with Presence(tmp_path) as other:
        assert queue.take(other) is not None
        first = Runs()
        assert run_with(first, shard="1/2").counts()["done"] == 4
        assert not [config for config in first.calls if config in second]
        queue.leave(other)
    helper = Runs()
    monkeypatch.setattr(suite_module, "run", helper)
    help_with("suite-small-twin", replace(setup, shard="1/2"))
    assert not helper.calls
    with pytest.raises(UsageError, match="Nobody began the part 1/3"):
        help_with("suite-small-twin", replace(setup, shard="1/3"))
    help_with("suite-small-twin", replace(setup, shard="2/2"))
    assert helper.calls == second[1:]


def test_a_shard_without_cells_runs_none(run_with, cells):
    runs = Runs()
    assert not run_with(runs, shard="9/9").states()
    assert not runs.calls


def test_a_helper_without_the_data_leaves_the_cells_to_others(run_with, cells, tmp_path, monkeypatch):
    with pytest.raises(Interrupted):
        run_with(Runs(breaks={1: KeyboardInterrupt()}))
    bare = Runs(breaks=dict.fromkeys(range(1, 9), DataError("not here")))
    monkeypatch.setattr(suite_module, "run", bare)
    with pytest.raises(DataError, match="not here"):
        help_with("suite-small-twin", WorkSetup(runs=tmp_path / "runs"))
    assert len(bare.calls) == 1
    assert run_with(Runs()).counts() == {"done": 8, "failed": 0, "running": 0, "waiting": 0}


def test_a_row_on_a_study_bears_its_budget(run_with, table, tmp_path):
    table.write_text(TABLE.replace("method: linear_probe", "method: linear_probe\n    from_study: mine", 1))
    preset = tmp_path / "best.yaml"
    preset.write_text("method: {lr: 0.5}")
    studied = expand(load_suite(str(table)), synthetic=True, study_preset=lambda row, dataset: str(preset))
    run_with(Runs(), studied, budgets={"mine": 30})
    tags = {
        r.config["method"]["loss"]: r.tags for r in (folder.read() for folder in all_runs(tmp_path / "runs"))
    }
    assert (tags["sdm"]["harness.study"], tags["sdm"]["harness.budget"]) == ("mine", "30")
    assert "harness.budget" not in tags["itc"]
