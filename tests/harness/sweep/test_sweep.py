"""Sweeps: what is drawn, counted, repeated, refused, tested and written. Most use a stand-in for the run."""

import json
from pathlib import Path

import pytest
import yaml

from harness.cli.actions.worker import help_with
from harness.cli.options import INTERRUPTED
from harness.config.fields import Choice, Range
from harness.errors import DataError, HarnessError, Interrupted, TrainingError, UsageError
from harness.evaluate.encoder import Encoder
from harness.presets.resolve import resolve
from harness.queue.queue import Queue
from harness.queue.work_setup import WorkSetup
from harness.record import all_runs, all_trials
from harness.run import run as run_module
from harness.run.several_seeds import FRESH_SEED
from harness.sweep.settings import Search
from harness.sweep.show_study import best_preset, find_summary
from harness.sweep.space import Axis, grid
from harness.sweep.sweep import sweep
from harness.sweep.trial import best_of
from harness.track.mlflow_store import Store
from tests.sweep_runs import RATE, WARMUP, Falling, Killed, Runs


def test_a_sweep_tries_the_total_number_of_points_and_starts_at_the_config(search_with, config):
    runs = Runs()
    summary = search_with(runs)
    assert len(runs.calls) == len(summary.trials) == 6
    assert runs.rates[0] == config.method.lr
    assert len(set(runs.rates)) == 6
    assert all(1e-5 <= rate <= 1e-1 for rate in runs.rates)
    assert set(runs.studies) == {summary.study}
    assert all(config.seed == 1 for config in runs.calls)


def test_the_same_command_goes_on_to_the_total_and_draws_what_it_would_have_drawn(search_with):
    whole = Runs()
    search_with(whole, 8, study="whole")
    first, second, third = Runs(), Runs(), Runs()
    search_with(first, 3, study="parts")
    search_with(second, 8, study="parts")
    assert len(search_with(third, 8, study="parts").trials) == 8
    assert first.rates + second.rates == whole.rates
    assert not third.calls


def test_another_start_goes_on_with_the_same_study_and_is_tried_next(search_with, config):
    first, second = Runs(), Runs()
    search_with(first, 2)
    moved = config.model_copy(update={"method": config.method.model_copy(update={"lr": 0.05})})
    assert len(search_with(second, 4, config=moved).trials) == 4
    assert second.rates[0] == 0.05
    assert len(second.calls) == 2


def test_whole_numbers_stay_whole(search_with):
    runs = Runs()
    search_with(runs, axes=[WARMUP])
    values = [config.method.warmup_epochs for config in runs.calls]
    assert all(type(value) is int and 0 <= value <= 10 for value in values)
    assert len(set(values)) > 1


def test_the_best_has_the_highest_value_then_the_highest_map_then_came_first(search_with):
    runs = Runs(score=lambda config: 50.0 if config.method.lr < 0.05 else 10.0)
    summary = search_with(runs, trials=4, axes=[Axis(key="method.lr", over=Choice(values=(0.1, 0.01)))])
    assert summary.best.number == next(t.number for t in summary.trials if t.value == 50.0)
    trials = [
        trial.model_copy(update={"number": number, "value": value, "metrics": {"val/t2i/mAP": mean}})
        for number, (trial, value, mean) in enumerate(
            zip(summary.trials, (50, 60, 60, 60), (9, 3, 4, 4), strict=True)
        )
    ]
    assert best_of(trials).number == 2
    assert best_of([trial.model_copy(update={"state": "pruned"}) for trial in trials]) is None


def test_first_points_are_tried_in_order(search_with):
    axes = [Axis(key="method.lr", over=Choice(values=(0.1, 0.01, 0.001)))]
    runs = Runs()
    search_with(runs, trials=3, axes=axes, points=tuple(grid(axes)))
    assert runs.rates == [0.1, 0.01, 0.001]


def test_an_equal_point_is_found_and_not_run_again(search_with, tmp_path):
    axes = [Axis(key="method.lr", over=Choice(values=(0.1, 0.01)))]
    summary = search_with(Runs(), trials=6, axes=axes)
    assert len(summary.trials) == 6
    assert len(all_trials(tmp_path, summary.study)) == 2


def test_a_failing_trial_is_kept_with_its_traceback_and_the_study_goes_on(search_with, tmp_path):
    summary = search_with(Runs(breaks={2: TrainingError("the loss is nan")}))
    assert summary.counts == {"finished": 5, "pruned": 0, "failed": 1}
    error = summary.trials[1].error
    assert error["type"] == "TrainingError"
    assert "in __call__" in error["traceback"]
    written = json.loads((tmp_path / "studies" / summary.study / "study.json").read_text())
    assert written["trials"][1]["error"] == error


def test_failures_that_differ_or_are_not_in_a_row_do_not_stop_a_study(search_with):
    same = TrainingError("same")
    summary = search_with(
        Runs(breaks={1: same, 2: same, 4: same, 5: TrainingError("other"), 6: same}), trials=8
    )
    assert summary.counts == {"finished": 3, "pruned": 0, "failed": 5}


@pytest.mark.slow
def test_three_equal_failures_in_a_row_stop_with_the_reason_and_are_tried_again(search_with):
    broken = Runs(breaks=dict.fromkeys(range(2, 9), RuntimeError("no more memory")))
    with pytest.raises(
        HarnessError, match=r"3 trials in a row failed with the same error\. RuntimeError: no more memory"
    ):
        search_with(broken)
    assert len(broken.calls) == 4
    mended = Runs()
    summary = search_with(mended)
    assert summary.counts == {"finished": 6, "pruned": 0, "failed": 0}
    assert mended.rates[:3] == broken.rates[1:]


@pytest.mark.slow
@pytest.mark.parametrize("stop", [KeyboardInterrupt(), Interrupted("by a signal")])
def test_an_interrupted_trial_is_taken_up_first_when_the_study_goes_on(search_with, stop):
    cut = Runs(breaks={3: stop})
    with pytest.raises(Interrupted, match="2 of 6 trials") as error:
        search_with(cut)
    assert error.value.exit_code == INTERRUPTED
    rest, whole = Runs(), Runs()
    summary = search_with(rest)
    search_with(whole, study="whole")
    assert summary.counts == {"finished": 6, "pruned": 0, "failed": 0}
    assert cut.rates[:2] + rest.rates == whole.rates


def test_a_killed_trial_is_taken_up_first_when_the_study_goes_on(search_with):
    cut = Runs(breaks={2: Killed()})
    with pytest.raises(Killed):
        search_with(cut)
    again = Runs(breaks={1: Killed()})
    with pytest.raises(Killed):
        search_with(again)
    rest = Runs()
    summary = search_with(rest)
    assert cut.rates[1] == again.rates[0] == rest.rates[0]
    assert len(rest.calls) == 5
    assert summary.counts == {"finished": 6, "pruned": 0, "failed": 0}


@pytest.mark.slow
def test_a_trial_that_falls_and_is_behind_the_median_is_pruned(search_with, config):
    quick = config.model_copy(update={"method": config.method.model_copy(update={"warmup_epochs": 0})})
    summary = search_with(Falling(), trials=8, config=quick)
    assert [trial.state for trial in summary.trials] == ["finished"] * 5 + ["pruned"] * 3
    assert summary.trials[-1].value == 20.0 - 2
    kept = search_with(Falling(), trials=8, config=quick, pruner="none")
    assert kept.counts["finished"] == 8


@pytest.mark.slow
def test_missing_data_stop_at_once_and_cost_no_trial(search_with):
    with pytest.raises(DataError, match="not there"):
        search_with(Runs(breaks={1: DataError("not there")}))
    assert search_with(Runs()).counts == {"finished": 6, "pruned": 0, "failed": 0}


@pytest.mark.slow
def test_changed_data_are_not_mixed_into_a_study(search_with):
    search_with(Runs(), 3)
    with pytest.raises(UsageError, match="started with other material"):
        search_with(Runs(fingerprint="other"), 6)
    assert search_with(Runs(), 6).counts["finished"] == 6


@pytest.mark.slow
def test_a_study_begun_with_other_settings_is_refused_by_name(search_with, config):
    search_with(Runs(), study="mine")
    with pytest.raises(UsageError, match=r"other settings \(space\.method\.lr: .* before, .* now\)"):
        search_with(Runs(), study="mine", axes=[RATE.model_copy(update={"over": Range(low=1e-4, high=1e-2)})])
    other = config.model_copy(update={"seed": 2})
    assert search_with(Runs(), config=other).study != search_with(Runs()).study
    with pytest.raises(UsageError, match="name has letters"):
        search_with(Runs(), study="../elsewhere")


@pytest.mark.slow
def test_a_study_begun_when_there_were_more_settings_goes_on_under_its_own_name(search_with, tmp_path):
    begun = "linear_probe-icfg-twin-sweep-00000000"
    search_with(Runs(), 2, study=begun)
    queue = WorkSetup(tmp_path).open_queue(begun, None)
    held = queue.notes["settings"]
    queue.remember("settings", held | {"config": held["config"] | {"eval.replicates": 200}})
    spec = queue.notes["spec"]
    spec["config"]["eval"]["replicates"] = 200
    queue.remember("spec", spec)
    assert find_summary(begun, tmp_path).best is not None
    for study, total in ((None, 3), (begun, 4)):
        runs = Runs()
        summary = search_with(runs, total, study=study)
        assert (summary.study, len(summary.trials), len(runs.calls)) == (begun, total, 1)
    assert search_with(Runs(), 2, axes=(WARMUP,)).study != begun


def test_the_best_is_trained_anew_with_a_fresh_seed_and_tested_once(search_with, tmp_path):
    runs = Runs()
    summary = search_with(runs, test_seeds=1)
    assert runs.studies == [summary.study] * 6 + [None]
    assert runs.calls[-1].seed == 1 + FRESH_SEED
    assert runs.calls[-1].method.lr == summary.best.params["method.lr"]
    assert summary.tests[0].tags == {"harness.study": summary.study, "harness.budget": "6"}
    assert [folder.path.name for folder in all_runs(tmp_path)] == [summary.tests[0].name]


@pytest.mark.slow
def test_a_larger_budget_is_noted_on_a_tested_run_that_is_found(search_with, tmp_path):
    runs = Runs(score=lambda config: 1.0)
    search_with(runs, test_seeds=1)
    summary = search_with(runs, trials=8, test_seeds=1)
    (folder,) = all_runs(tmp_path)
    assert summary.tests[0].tags["harness.budget"] == folder.read().tags["harness.budget"] == "8"


def test_a_study_without_a_finished_trial_says_so(search_with):
    with pytest.raises(HarnessError, match="No trial of the study"):
        search_with(Runs(breaks={1: ValueError("a"), 2: ValueError("b")}), trials=2, test_seeds=1)


def test_no_trial_begins_after_the_time_is_over(search_with):
    runs = Runs()
    assert search_with(runs, timeout=1e-9).trials == []
    assert not runs.calls


@pytest.mark.parametrize(
    ("overrides", "objective", "told"),
    [
        (["eval.test_each_epoch=true"], "val/t2i/R1", "must never see"),
        (["eval.rule=last"], "val/t2i/R1", "must be val"),
        ([], "val/t2i/R2", "Did you mean"),
        ([], "test/icfg/t2i/R1", "Unknown objective"),
    ],
)
def test_what_would_not_choose_on_validation_is_refused(search_with, overrides, objective, told):
    config = resolve("linear_probe", "icfg", synthetic=True, overrides=overrides)
    with pytest.raises(UsageError, match=told):
        search_with(Runs(), config=config, objectives=(objective,))


def test_a_sweep_of_several_processes_is_refused(search_with, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="one process"):
        search_with(Runs())


@pytest.mark.parametrize("url", ["sqlite:////nowhere/at/all.db", "nonsense", "dialect://me:secret@host/db"])
def test_a_storage_that_cannot_be_opened_is_one_message_without_its_password(search_with, url):
    with pytest.raises(
        UsageError, match=r"cannot be opened|is not an SQLAlchemy URL|give another --storage"
    ) as error:
        search_with(Runs(), storage=url)
    assert "secret" not in str(error.value)


def test_two_sweeps_do_not_work_on_one_study_at_once(search_with):
    class Second(Runs):
        def __call__(self, config, **options):
            with pytest.raises(HarnessError, match="Another process"):
                search_with(Runs(), study="shared")
            return super().__call__(config, **options)

    search_with(Second(), trials=1, study="shared")


def test_the_exported_preset_gives_the_best_configuration(search_with):
    config = resolve(
        "linear_probe", "icfg", synthetic=True, overrides=["train.epochs=2", "backbone.pretrained=null"]
    )
    summary = search_with(Runs(), config=config, axes=[RATE, WARMUP])
    again = resolve("linear_probe", "icfg", synthetic=True, presets=[summary.preset])
    assert again.model_dump(mode="json") == summary.config
    assert again.method.lr == summary.best.params["method.lr"]
    assert f"--preset {summary.preset}" in summary.command
    assert yaml.safe_load(Path(summary.preset).read_text())["train"] == {"epochs": 2}


def test_a_sweep_never_touches_the_test_split(untracked, world, twins, tmp_path, monkeypatch):
    seen = []
    real = Encoder.encode
    monkeypatch.setattr(Encoder, "encode", lambda self, split: seen.append(split.name) or real(self, split))
    summary = sweep(world.quick(twins), [RATE], Search(trials=2, test_seeds=0), WorkSetup(tmp_path))
    assert set(seen) == {"val"}
    for folder in all_trials(tmp_path, summary.study):
        record = folder.read()
        assert record.status == "finished"
        assert not record.metrics
        assert record.study == summary.study
        assert sorted(file.suffix for file in folder.path.iterdir()).count(".safetensors") == 0
    assert not all_runs(tmp_path)


def test_a_run_that_two_studies_chose_names_both_and_bears_the_larger_budget(search_with, tmp_path):
    runs = Runs(score=lambda config: 1.0)
    for study, trials in (("large", 3), ("small", 2)):
        search_with(runs, trials=trials, study=study, test_seeds=1)
    (tested,) = (folder.read() for folder in all_runs(tmp_path))
    assert (tested.tags["harness.study"], tested.tags["harness.budget"]) == ("large small", "3")


@pytest.mark.parametrize(
    ("method", "synthetic", "message"),
    [
        ("cskt", True, "searched linear_probe, not cskt"),
        ("linear_probe", False, "on synthetic twins, not on real"),
    ],
)
def test_the_best_of_a_study_serves_only_its_method_and_its_world(
    search_with, tmp_path, method, synthetic, message
):
    search_with(Runs(), trials=2, study="mine")
    text = best_preset("mine", tmp_path, method="linear_probe", synthetic=True)
    assert "# Study mine: trial" in text
    with pytest.raises(UsageError, match=message):
        best_preset("mine", tmp_path, method=method, synthetic=synthetic)


@pytest.mark.slow
def test_a_study_does_not_go_on_over_other_pictures_of_training_and_validation(untracked, world, tmp_path):
    data = world.make_twins(tmp_path / "data")
    arguments = (world.quick(data), [RATE], Search(trials=1, test_seeds=0), WorkSetup(tmp_path / "runs"))
    before = sweep(*arguments)
    files = sorted(data.rglob("*.jpg"))
    contents = [file.read_bytes() for file in files]
    entries = json.loads(next(data.rglob("ICFG-PEDES.json")).read_text())
    tested = {Path(entry["file_path"]).name for entry in entries if entry["split"] == "test"}
    for file, content in zip(files, contents[1:], strict=False):
        if file.name in tested:
            file.write_bytes(content)
    assert sweep(*arguments).trials == before.trials
    for file, content in zip(files, contents[1:], strict=False):
        file.write_bytes(content)
    with pytest.raises(UsageError, match="started with other pictures"):
        sweep(*arguments)


def test_a_trial_is_never_found_in_place_of_a_tested_run(untracked, world, twins, tmp_path):
    config = world.quick(twins)
    trial = run_module.run(config, runs=tmp_path, study="some")
    tested = run_module.run(config, runs=tmp_path)
    assert trial.identity != tested.identity
    assert tested.metrics
    assert trial.selection == tested.selection


def test_a_sweep_does_not_take_over_the_queue_of_a_suite(search_with, tmp_path):
    queue = Queue("suite-x", f"sqlite:///{tmp_path / 'optuna.db'}", folder=tmp_path)
    queue.remember("kind", "suite")
    with pytest.raises(UsageError, match="is not a study of `harness sweep`"):
        search_with(Runs(), study="suite-x")
    foreign = Queue("foreign", queue.url, folder=tmp_path)
    foreign.fill(1)
    with pytest.raises(UsageError, match="is not a study of `harness sweep`"):
        search_with(Runs(), study="foreign")


def test_a_sweep_in_which_nothing_finished_fails_without_a_test_too(search_with):
    with pytest.raises(HarnessError, match="No trial of the study"):
        search_with(Runs(breaks={1: ValueError("a"), 2: ValueError("b")}), trials=2)


@pytest.mark.slow
def test_the_tests_of_a_best_that_stays_are_kept(search_with, tmp_path):
    runs = Runs(score=lambda config: 1.0)
    tested = search_with(runs, trials=2, study="kept", test_seeds=1)
    again = search_with(Runs(score=lambda config: 1.0), trials=4, study="kept")
    assert [record.name for record in again.tests] == [record.name for record in tested.tests]
    better = search_with(Runs(score=lambda config: 2.0), trials=8, study="kept")
    assert better.best.params != tested.best.params
    assert better.tests == []


@pytest.mark.slow
def test_a_helper_leaves_the_state_of_a_finished_study_alone(world, twins, tmp_path):
    summary = sweep(world.quick(twins), [RATE], Search(trials=1, test_seeds=0), WorkSetup(tmp_path))
    help_with(summary.study, WorkSetup(tmp_path))
    (study,) = [run for run in Store(tmp_path).search("") if run.tags["harness.kind"] == "study"]
    assert study.status == "FINISHED"
