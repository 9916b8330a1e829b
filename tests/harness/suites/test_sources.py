"""Rows that start from another row's runs: order, waiting, failing, parts, plan, and how their results are read."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.main import cli
from harness.errors import UsageError
from harness.queue.work_setup import WorkSetup
from harness.record import RunFolder
from harness.results.run_table import run_rows
from harness.suites import run_suite as suite_module
from harness.suites.cell_jobs import cell_key, shard_of
from harness.suites.cells import expand
from harness.suites.plan import make_suite_plan
from harness.suites.run_suite import run_suite
from harness.suites.suite_files import load_suite
from harness.track.run_row import RunRow
from tests.suite_runs import finished

TABLE = """
datasets: [icfg, cuhk]
seeds: 2
rows:
  - {name: first, method: full_finetune}
  - {name: other, method: linear_probe}
  - {name: second, method: full_finetune, init_from: first, set: {method.loss: itc}}
"""


class Runs:
    """Stands in for a run: notes the configs, breaks where told, and leaves a record behind."""

    def __init__(self, breaks=()):
        self.breaks, self.calls = breaks, []

    def __call__(self, config, *, runs, device, listener, tags):
        self.calls.append(config)
        if len(self.calls) in self.breaks:
            raise ValueError("no memory")
        record = finished(config, tags)
        RunFolder(Path(runs) / record.name).write(record)
        return record


@pytest.fixture
def table(tmp_path, empty_storage):
    file = tmp_path / "small.yaml"
    (tmp_path / "runs").mkdir()
    shutil.copy(empty_storage, tmp_path / "runs")
    file.write_text(TABLE)
    return file


@pytest.fixture
def run_with(untracked, monkeypatch, tmp_path, expansion):
    def call(runs, expansion=expansion, **options):
        monkeypatch.setattr(suite_module, "run", runs)
        return run_suite(expansion, WorkSetup(runs=tmp_path / "runs"), **options)

    return call


def plan_of(expansion, runs):
    return {cell.name: cell for cell in make_suite_plan(expansion, runs).cells}


def test_a_cell_starts_from_the_run_of_the_same_dataset_and_seed(run_with, cells):
    assert {cell.name: cell.source for cell in cells if cell.source} == {
        f"second/{dataset}/{seed}": f"first/{dataset}/{seed}"
        for dataset in ("icfg", "cuhk")
        for seed in (1, 2)
    }
    runs = Runs()
    done = run_with(runs)
    assert done.counts()["done"] == 12
    names = {state.name: state.run for state in done.states()}
    starts = [(config.dataset.name, config.seed, config.backbone.init_from) for config in runs.calls]
    for dataset in ("icfg", "cuhk"):
        for seed in (1, 2):
            assert (dataset, seed, names[f"first/{dataset}/{seed}"]) in starts
    assert sum(start is not None for _, _, start in starts) == 4


@pytest.mark.slow
def test_a_source_that_was_queued_later_is_waited_for(run_with, expansion):
    runs = Runs()
    run_with(runs, replace(expansion, cells=expansion.cells[::-1]))
    begun = [(config.dataset.name, config.seed) for config in runs.calls if config.backbone.init_from]
    assert len(begun) == 4


def test_a_cell_whose_source_failed_says_so_and_both_are_retried(run_with):
    done = run_with(Runs(breaks={1}))
    failed = {state.name: state.error for state in done.states() if state.state == "failed"}
    assert set(failed) == {"first/icfg/1", "second/icfg/1"}
    assert failed["second/icfg/1"]["message"] == (
        "It starts from first/icfg/1, which failed: fix that, then run both by `harness suite retry` with the "
        "options of `suite run`."
    )
    again = Runs()
    assert run_with(again, retry=True).counts()["done"] == 12
    assert [config.backbone.init_from is None for config in again.calls] == [True, False]


@pytest.mark.slow
def test_nothing_is_run_twice(run_with):
    run_with(Runs())
    again = Runs()
    run_with(again)
    assert not again.calls


def test_a_part_holds_a_cell_and_the_one_that_it_starts_from(cells):
    parts = [shard_of(cells, f"{part}/3") for part in (1, 2, 3)]
    assert sorted(cell.name for part in parts for cell in part) == sorted(cell.name for cell in cells)
    for part in parts:
        names = {cell.name for cell in part}
        assert all(cell.source in names for cell in part if cell.source)


@pytest.mark.slow
def test_the_plan_knows_a_done_cell_by_the_run_it_started_from(run_with, expansion, tmp_path):
    before = plan_of(expansion, tmp_path / "runs")
    assert {cell.state for cell in before.values()} == {"missing"}
    done = run_with(Runs())
    shutil.rmtree(tmp_path / "runs" / "studies")
    (tmp_path / "runs" / "optuna.db").unlink()
    after = plan_of(expansion, tmp_path / "runs")
    assert {name: cell.run for name, cell in after.items()} == {
        state.name: state.run for state in done.states()
    }
    assert {cell.state for cell in after.values()} == {"done"}


def test_the_plan_says_what_a_cell_waits_for(table, tmp_path):
    options = ["suite", "plan", str(table), "--synthetic", "--runs", str(tmp_path / "runs")]
    shown = CliRunner(env={"COLUMNS": "250"}).invoke(cli, options)
    assert shown.exit_code == 0, shown.output
    assert "missing, starts from first/cuhk/2" in shown.output
    shown = CliRunner(env={"COLUMNS": "250"}).invoke(cli, ["suite", "show", str(table)])
    assert "starts from first" in shown.output


def test_a_source_is_part_of_what_a_cell_is(cells):
    (second, *_) = [cell for cell in cells if cell.source]
    assert cell_key(second) != cell_key(second.started_from("a"))
    assert len({cell_key(cell) for cell in cells}) == len(cells)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "{name: a, method: cskt, init_from: b}",
            r"'a' starts from 'b', which must be the name of a row above",
        ),
        (
            "{name: a, method: cskt, init_from: a}",
            r"'a' starts from 'a', which must be the name of a row above",
        ),
        ("{name: a, method: cskt, init_from: ../x}", r"init_from: a name has 1 to 100 printable characters"),
    ],
)
def test_a_row_starts_from_a_row_above_it(tmp_path, row, message):
    file = tmp_path / "mine.yaml"
    file.write_text(f"datasets: [icfg]\nrows: [{row}]\n")
    with pytest.raises(UsageError, match=message):
        load_suite(str(file))


def test_a_source_with_other_seeds_is_refused_before_anything_runs(table, tmp_path):
    preset = tmp_path / "best.yaml"
    preset.write_text("method: {lr: 0.1}\n")
    table.write_text(TABLE.replace("method: full_finetune}", "method: full_finetune, from_study: s}"))
    with pytest.raises(
        UsageError, match=r"second/icfg/1 starts from first/icfg/1, which is not a run of the suite"
    ):
        expand(load_suite(str(table)), synthetic=True, study_preset=lambda row, dataset: str(preset))


def tracked(name, seed, init_from=None, weights="clip", lr="0.1"):
    """Return what MLflow says of a run, as far as its rows need it."""
    params = {"seed": str(seed), "method.lr": lr} | ({"backbone.init_from": init_from} if init_from else {})
    tags = {"harness.method": name.partition("-")[0], "harness.weights": weights, "harness.seed": str(seed)}
    return RunRow(name, name, "FINISHED", 0, 1, tags, params, {"test/icfg/t2i/R1": 50.0})


def rows_of(*runs):
    known = {run.name: run for run in runs}
    return {run.name: next(run_rows(run, known)) for run in runs}


def test_seeds_that_start_from_seeds_of_one_condition_are_one_condition():
    sources = [tracked(f"tbps-{seed}", seed) for seed in (1, 2)]
    rest = [tracked(f"irra-{seed}", seed, f"tbps-{seed}", weights=f"of tbps-{seed}") for seed in (1, 2)]
    rows = rows_of(*sources, *rest, tracked("irra-0", 1), tracked("tbps-3", 1, lr="0.2"))
    assert rows["irra-1"]["condition"] == rows["irra-2"]["condition"] != rows["irra-0"]["condition"]
    assert rows["irra-1"]["config"]["backbone.init_from"].startswith("tbps ")
    assert {row["weights"] for row in rows.values()} == {"clip"}
    other = rows_of(tracked("tbps-1", 1, lr="0.2"), rest[0])
    assert other["irra-1"]["condition"] != rows["irra-1"]["condition"]


def test_a_start_that_is_not_tracked_keeps_its_name_and_weights_and_a_circle_ends():
    row = rows_of(tracked("irra-1", 1, "gone", weights="unknown"))["irra-1"]
    assert (row["config"]["backbone.init_from"], row["weights"]) == ("gone", "unknown")
    rows = rows_of(tracked("a", 1, "b"), tracked("b", 1, "a"), tracked("c", 1, "c"))
    assert len(rows) == 3


def test_a_later_setting_that_a_record_leaves_out_is_read_as_its_default():
    row = rows_of(tracked("a", 1))["a"]
    assert (row["config"]["train.augment.recipe"], row["config"]["backbone.init_from"]) == (
        "flip_crop_erase",
        "None",
    )
