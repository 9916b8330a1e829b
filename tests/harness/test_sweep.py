"""Sweeps: what is drawn, counted, repeated, pruned, refused, tested and written. Most use a stand-in for the run."""

import json
import math
import shutil
from collections import Counter
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from harness import run as run_module
from harness import sweep as sweep_module
from harness import trial_job
from harness.cli.common import INTERRUPTED
from harness.cli.main import cli, main
from harness.config import Choice, Range, content_hash
from harness.errors import DataError, HarnessError, Interrupted, TrainingError, UsageError
from harness.experiments import PARENT, Store
from harness.helper import help_with
from harness.queue import Queue
from harness.record import Record, RunFolder, all_runs, all_trials, trials_folder
from harness.resolve import resolve
from harness.space import Axis, grid
from harness.studies import best_preset
from harness.study_results import best_of
from harness.sweep import sweep
from harness.sweep_settings import FRESH_SEED, Constraint, Search, parse_constraint

RATE = Axis(key="method.lr", over=Range(low=1e-5, high=1e-1, log=True))
WARMUP = Axis(key="method.warmup_epochs", over=Range(low=0, high=10), integer=True)
N_EPOCHS = 3


class Killed(BaseException):
    """Stands for a process that is no more."""


class Runs:
    """Stands in for a run: its score on validation, what was asked of it, and at which call it breaks."""

    def __init__(self, score=None, breaks=None, fingerprint="data"):
        self.score = score or (lambda config: -abs(math.log10(config.method.lr) + 3))
        self.breaks, self.fingerprint = breaks or {}, fingerprint
        self.calls, self.studies = [], []

    def __call__(self, config, *, runs, device, listener, tags, study=None):
        self.calls.append(config)
        self.studies.append(study)
        error = self.breaks.get(len(self.calls), None)
        record = self.record(config, tags, study)
        folder = RunFolder((trials_folder(runs, study) if study else runs) / record.name)
        old = folder.read()
        if old is not None and old.status == "finished":
            return old
        listener.on_start(record.name, record)
        folder.file("checkpoint.safetensors").parent.mkdir(parents=True, exist_ok=True)
        for epoch in range(1, N_EPOCHS + 1):
            listener.on_epoch(epoch, {"epoch": epoch, "val/t2i/R1": self.reached(config, epoch)})
            if error is not None:
                raise error
        record.status = "finished"
        folder.write(record)
        return record

    def reached(self, config, epoch):
        return self.score(config)

    def record(self, config, tags, study):
        selection = {"epoch": N_EPOCHS, "val/t2i/R1": self.score(config), "val/t2i/mAP": 1.0}
        return Record(
            identity=content_hash([config, bool(study)]),
            config=config.model_dump(mode="json"),
            versions={"method": 1},
            fingerprint=self.fingerprint,
            backbone={"name": "tiny"},
            synthetic=True,
            selection=selection,
            tags=tags,
            study=study,
        )

    @property
    def rates(self):
        return [config.method.lr for config in self.calls]


@pytest.fixture
def config():
    return resolve("linear_probe", "icfg", synthetic=True)


@pytest.fixture
def search_with(untracked, monkeypatch, tmp_path, config, empty_storage):
    """Return a sweep in this test's folder that uses a stand-in for the run."""
    shutil.copy(empty_storage, tmp_path)

    def call(runs, trials=6, axes=(RATE,), config=config, **options):
        monkeypatch.setattr(sweep_module, "run", runs)
        monkeypatch.setattr(trial_job, "run", runs)
        keep = {key: options.pop(key) for key in ("study", "storage", "listener") if key in options}
        search = Search(trials=trials, **{"test_seeds": 0, **options})
        return sweep(config, list(axes), search, runs=tmp_path, **keep)

    return call


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


def test_three_equal_failures_in_a_row_stop_with_the_reason_and_are_tried_again(search_with):
    broken = Runs(breaks=dict.fromkeys(range(2, 9), RuntimeError("no more memory")))
    with pytest.raises(HarnessError, match=r"3 trials in a row failed alike\. RuntimeError: no more memory"):
        search_with(broken)
    assert len(broken.calls) == 4
    mended = Runs()
    summary = search_with(mended)
    assert summary.counts == {"finished": 6, "pruned": 0, "failed": 0}
    assert mended.rates[:3] == broken.rates[1:]


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


class Falling(Runs):
    """Gets worse with each epoch, and with each trial."""

    def __init__(self):
        super().__init__(score=lambda config: 100.0 - 10 * len(self.calls))

    def reached(self, config, epoch):
        return self.score(config) - 2 * (epoch - 1)


def test_a_trial_that_falls_and_is_behind_the_median_is_pruned(search_with, config):
    quick = config.model_copy(update={"method": config.method.model_copy(update={"warmup_epochs": 0})})
    summary = search_with(Falling(), trials=8, config=quick)
    assert [trial.state for trial in summary.trials] == ["finished"] * 5 + ["pruned"] * 3
    assert summary.trials[-1].value == 20.0 - 2
    kept = search_with(Falling(), trials=8, config=quick, pruner="none")
    assert kept.counts["finished"] == 8


def test_missing_data_stop_at_once_and_cost_no_trial(search_with):
    with pytest.raises(DataError, match="not there"):
        search_with(Runs(breaks={1: DataError("not there")}))
    assert search_with(Runs()).counts == {"finished": 6, "pruned": 0, "failed": 0}


def test_changed_data_are_not_mixed_into_a_study(search_with):
    search_with(Runs(), 3)
    with pytest.raises(UsageError, match="begun with other material"):
        search_with(Runs(fingerprint="other"), 6)
    assert search_with(Runs(), 6).counts["finished"] == 6


def test_a_study_begun_with_other_settings_is_refused_by_name(search_with, config):
    search_with(Runs(), study="mine")
    with pytest.raises(UsageError, match=r"other settings \(space\.method\.lr: .* before, .* now\)"):
        search_with(Runs(), study="mine", axes=[RATE.model_copy(update={"over": Range(low=1e-4, high=1e-2)})])
    other = config.model_copy(update={"seed": 2})
    assert search_with(Runs(), config=other).study != search_with(Runs()).study
    with pytest.raises(UsageError, match="name has letters"):
        search_with(Runs(), study="../elsewhere")


def test_the_best_is_trained_anew_with_a_fresh_seed_and_tested_once(search_with, tmp_path):
    runs = Runs()
    summary = search_with(runs, test_seeds=1)
    assert runs.studies == [summary.study] * 6 + [None]
    assert runs.calls[-1].seed == 1 + FRESH_SEED
    assert runs.calls[-1].method.lr == summary.best.params["method.lr"]
    assert summary.tests[0].tags == {"harness.study": summary.study, "harness.budget": "6"}
    assert [folder.path.name for folder in all_runs(tmp_path)] == [summary.tests[0].name]


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
    with pytest.raises(UsageError, match=r"cannot be opened|is no SQLAlchemy URL") as error:
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
    real = run_module.evaluate
    monkeypatch.setattr(
        run_module, "evaluate", lambda encoder, split: seen.append(split.name) or real(encoder, split)
    )
    summary = sweep(world.quick(twins), [RATE], Search(trials=2, test_seeds=0), runs=tmp_path)
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


def test_a_trial_is_never_found_in_place_of_a_tested_run(untracked, world, twins, tmp_path):
    config = world.quick(twins)
    trial = run_module.run(config, runs=tmp_path, study="some")
    tested = run_module.run(config, runs=tmp_path)
    assert trial.identity != tested.identity
    assert tested.metrics
    assert trial.selection == tested.selection


def invoke(*arguments):
    return CliRunner().invoke(cli, arguments, obj={"quiet": False})


def test_the_command_sweeps_tests_and_says_how_to_reuse_the_best(world, twins, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_DATA", str(twins))
    settings = [part for text in world.QUICK for part in ("--set", text)]
    command = [
        "sweep",
        "-m",
        "linear-probe",
        "-d",
        "icfg",
        "--synthetic",
        "--trials",
        "2",
        "--test-seeds",
        "1",
        "--runs",
        str(tmp_path),
    ]
    shown = invoke(*command, *settings, "--space", "method.lr=1e-4,1e-2", "--fix", "method.temperature=0.05")
    assert shown.exit_code == 0, shown.output
    assert "2 trials: 2 finished, 0 pruned, 0 failed" in shown.output
    assert "SYNTHETIC TWIN" in shown.output
    assert "reuse:  harness run --method linear_probe --dataset icfg --synthetic --preset" in shown.output
    runs = {run.info.run_name: run for run in Store(tmp_path).search("")}
    (study,) = [run for run in runs.values() if run.data.tags["harness.kind"] == "study"]
    kinds = Counter(run.data.tags["harness.kind"] for run in runs.values())
    assert kinds == {"study": 1, "trial": 2, "run": 1}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    children = [run for run in runs.values() if run is not study]
    assert {run.data.tags[PARENT] for run in children} == {study.info.run_id}
    assert study.data.metrics["trials/finished"] == 2
    assert study.data.tags["harness.best.method.lr"] in ("0.0001", "0.01")
    again = invoke(
        *command, "--json", *settings, "--space", "method.lr=1e-4,1e-2", "--fix", "method.temperature=0.05"
    )
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["tests"][0]["tags"]["harness.budget"] == "2"
    assert len(Store(tmp_path).search("")) == len(runs)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--space", "method.lrr=1:2"], "Did you mean 'method.lr'"),
        (["--set", "method.lr=1e-3"], "set and searched"),
        (["--set", "eval.test_each_epoch=true"], "must never see"),
        (["--trials", "0"], "0 is not in the range"),
        (["--timeout", "-3"], "not in the range"),
    ],
)
def test_wrong_use_is_one_message_before_anything_runs(arguments, told, tmp_path):
    result = invoke("sweep", "-m", "cskt", "-d", "icfg", "--synthetic", "--runs", str(tmp_path), *arguments)
    assert result.exit_code == 2 or getattr(result.exception, "exit_code", None) == 2
    assert told in (result.output + str(result.exception))
    assert not list(tmp_path.iterdir())


def test_an_interrupted_command_says_how_to_go_on(untracked, monkeypatch, capsys):
    monkeypatch.setattr(trial_job, "run", Runs(breaks={2: KeyboardInterrupt()}))
    monkeypatch.setattr("sys.argv", ["harness", "sweep", "-m", "linear_probe", "-d", "icfg", "--synthetic"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == INTERRUPTED
    assert "1 of 20 trials" in (told := capsys.readouterr().err)
    assert "The same command goes on from there." in told


def with_costs(runs, trainable):
    """Let a stand-in's records tell what a run costs."""
    plain = runs.record

    def record(config, tags, study):
        made = plain(config, tags, study)
        made.accounting = {
            "parameters": {"trainable": trainable(config)},
            "train_peak_bytes": 2e9,
            "step_seconds": 0.5,
        }
        return made

    runs.record = record
    return runs


def test_a_trial_of_several_seeds_has_their_mean(search_with):
    runs = Runs(score=lambda config: 10.0 * config.seed)
    summary = search_with(runs, trials=2, seeds=3)
    assert [config.seed for config in runs.calls] == [1, 2, 3] * 2
    assert [trial.value for trial in summary.trials] == [20.0, 20.0]
    assert [len(trial.runs) for trial in summary.trials] == [3, 3]
    assert summary.trials[0].planned == 3 * 5


def test_a_killed_trial_of_several_seeds_goes_on_at_the_seed_it_was_at(search_with, tmp_path):
    cut = Runs(breaks={2: Killed()})
    with pytest.raises(Killed):
        search_with(cut, trials=1, seeds=3)
    rest = Runs()
    summary = search_with(rest, trials=1, seeds=3)
    assert [config.seed for config in rest.calls] == [1, 2, 3]
    assert summary.counts["finished"] == 1
    assert len(all_trials(tmp_path, summary.study)) == 3


def test_wilcoxon_ends_a_trial_that_is_behind_the_best_over_its_seeds(search_with):
    def score(config):
        return (50.0 if config.method.lr == 0.1 else 10.0) + config.seed

    axes = [Axis(key="method.lr", over=Choice(values=(0.1, 0.01)))]
    runs = Runs(score=score)
    summary = search_with(runs, trials=2, axes=axes, seeds=8, pruner="wilcoxon", points=tuple(grid(axes)))
    assert [trial.state for trial in summary.trials] == ["finished", "pruned"]
    assert 2 < len(summary.trials[1].runs) < 8
    assert summary.pruned_share == 0.5
    with pytest.raises(UsageError, match="never be significant"):
        search_with(Runs(), seeds=3, pruner="wilcoxon")


def test_hyperband_ends_trials_early(search_with):
    runs = Runs(score=lambda config: 100.0 - 10 * len(runs.calls))
    summary = search_with(runs, trials=8, pruner="hyperband", study="band")
    assert summary.counts["pruned"] > 0
    assert summary.counts["failed"] == 0


def test_what_pruning_saved_is_counted_in_epochs(search_with, config):
    quick = config.model_copy(update={"method": config.method.model_copy(update={"warmup_epochs": 0})})
    summary = search_with(Falling(), trials=8, config=quick)
    pruned = [trial for trial in summary.trials if trial.state == "pruned"]
    saved = sum(trial.planned - trial.epochs for trial in pruned)
    assert saved > 0
    assert summary.epochs_saved == saved / sum(trial.planned for trial in summary.trials)
    assert summary.pruned_share == 3 / 8
    assert summary.seconds_saved > 0


def test_a_constraint_keeps_what_costs_too_much_from_being_the_best(search_with):
    def trainable(config):
        return 1e6 if config.method.lr > 1e-3 else 10.0

    runs = with_costs(Runs(score=lambda config: math.log10(config.method.lr)), trainable)
    limit = (Constraint(cost="trainable_parameters", at_most=100),)
    summary = search_with(runs, trials=12, constraints=limit)
    over = [trial for trial in summary.trials if not trial.feasible]
    assert {trial.params["method.lr"] > 1e-3 for trial in over} == {True}
    assert summary.best.feasible
    assert summary.best.value < max(trial.value for trial in over)
    assert summary.best.metrics["trainable_parameters"] == 10.0
    none = (Constraint(cost="peak_memory", at_most=1),)
    with pytest.raises(HarnessError, match="keeps within peak_memory <= 1"):
        search_with(with_costs(Runs(), trainable), trials=2, constraints=none, test_seeds=1)


def test_several_objectives_give_a_front(search_with):
    runs = with_costs(
        Runs(score=lambda config: 50 + math.log10(config.method.lr)), lambda c: 1e6 * c.method.lr
    )
    objectives = ("val/t2i/R1", "trainable_parameters")
    summary = search_with(runs, trials=6, objectives=objectives, sampler="nsga2", pruner="none")
    assert all(len(trial.values) == 2 for trial in summary.trials)
    assert sorted(summary.front) == list(range(6))
    assert summary.best.value == max(trial.value for trial in summary.trials)
    with pytest.raises(UsageError, match="use --pruner none"):
        search_with(Runs(), objectives=objectives)
    with pytest.raises(UsageError, match="first objective"):
        search_with(Runs(), objectives=objectives[::-1], pruner="none")


def test_a_cost_that_no_run_tells_cannot_be_an_objective(search_with, tmp_path):
    with pytest.raises(HarnessError, match="No trial of the study"):
        search_with(Runs(), trials=1, study="costly", objectives=("val/t2i/R1", "peak_memory"), pruner="none")
    summary = json.loads((tmp_path / "studies" / "costly" / "study.json").read_text())
    assert "peak_memory" in summary["trials"][0]["error"]["message"]


@pytest.mark.parametrize("sampler", ["tpe", "gp", "random", "cmaes", "nsga2"])
def test_every_sampler_draws_within_the_space_and_the_same_again(search_with, sampler):
    first, second = Runs(), Runs()
    search_with(first, trials=8, axes=[RATE, WARMUP], sampler=sampler, study="first", points=())
    search_with(second, trials=4, axes=[RATE, WARMUP], sampler=sampler, study="second", points=())
    search_with(second, trials=8, axes=[RATE, WARMUP], sampler=sampler, study="second", points=())
    assert first.rates == second.rates
    assert len(set(first.rates)) > 4
    assert all(RATE.holds(rate) for rate in first.rates)


def test_a_grid_tries_every_point_once(search_with):
    axes = [RATE, Axis(key="method.loss", over=Choice(values=("sdm", "itc")))]
    runs = Runs()
    search_with(runs, trials=8, axes=axes, sampler="grid")
    tried = {(config.method.lr, config.method.loss) for config in runs.calls}
    assert tried == {(point["method.lr"], point["method.loss"]) for point in grid(axes)}
    part = Runs()
    search_with(part, trials=3, axes=axes, sampler="grid", study="part")
    assert len({(config.method.lr, config.method.loss) for config in part.calls}) == 3


def test_importance_names_the_key_that_matters(search_with):
    summary = search_with(Runs(), trials=12, axes=[RATE, WARMUP], sampler="random")
    assert summary.importance["method.lr"] > summary.importance["method.warmup_epochs"]
    assert sum(summary.importance.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("trainable<=1", "Unknown cost 'trainable'"),
        ("peak_memory=1", "--constraint takes COST<=LIMIT"),
        ("peak_memory<=1XB", "--constraint takes COST<=LIMIT"),
        ("peak_memory<=1.1.1GB", "is not a number"),
    ],
)
def test_a_wrong_constraint_is_one_message(text, told):
    with pytest.raises(UsageError, match=told):
        parse_constraint(text)


def test_limits_are_read_with_their_units():
    assert parse_constraint("peak_memory <= 20GB").at_most == 20e9
    assert parse_constraint("step_seconds<=0.25").at_most == 0.25
    assert parse_constraint("trainable_parameters<=1e7").at_most == 1e7


def test_studies_are_listed_shown_and_exported(search_with, tmp_path):
    summary = search_with(Runs(), trials=6, study="mine")
    listed = json.loads(invoke("sweep", "list", "--runs", str(tmp_path), "--json").stdout)
    assert [(one["study"], one["kind"], one["ended"], one["waiting"]) for one in listed] == [
        ("mine", "sweep", 6, 0)
    ]
    assert listed[0]["best"] == summary.best.value
    shown = invoke("sweep", "show", "mine", "--runs", str(tmp_path))
    assert shown.exit_code == 0, shown.output
    assert "6 trials: 6 finished" in shown.output
    assert "importance: method.lr 100 %" in shown.output
    again = json.loads(invoke("sweep", "show", "mine", "--runs", str(tmp_path), "--json").stdout)
    assert again["best"] == summary.best.model_dump(mode="json")
    file = tmp_path / "best.yaml"
    assert invoke("sweep", "export", "mine", "--runs", str(tmp_path), "--out", str(file)).exit_code == 0
    exported = invoke("sweep", "export", "mine", "--runs", str(tmp_path)).stdout
    assert yaml.safe_load(file.read_text()) == yaml.safe_load(exported)
    best = resolve("linear_probe", "icfg", synthetic=True, presets=[str(file)])
    assert best.method.lr == summary.best.params["method.lr"]


def test_looking_at_a_study_does_not_change_how_it_goes_on(search_with, tmp_path):
    whole, parts = Runs(), Runs()
    search_with(whole, 8, study="whole")
    search_with(parts, 4, study="parts")
    assert invoke("sweep", "show", "parts", "--runs", str(tmp_path)).exit_code == 0
    search_with(parts, 8, study="parts")
    assert parts.rates == whole.rates


@pytest.mark.parametrize("command", ["show", "export"])
def test_a_study_that_is_not_there_is_one_message(search_with, tmp_path, command):
    before = invoke("sweep", command, "mine", "--runs", str(tmp_path / "empty"))
    assert "no study storage" in str(before.exception)
    search_with(Runs(), trials=1, study="mine")
    after = invoke("sweep", command, "mime", "--runs", str(tmp_path))
    assert "Did you mean 'mine'" in str(after.exception)


def test_an_empty_storage_lists_nothing(tmp_path):
    assert json.loads(invoke("sweep", "list", "--runs", str(tmp_path), "--json").stdout) == []
    assert "no study yet" in invoke("sweep", "list", "--runs", str(tmp_path)).output


def test_mlflow_shows_study_trials_and_seeds_as_three_generations(monkeypatch, world, twins, tmp_path):
    monkeypatch.setattr(sweep_module, "run", None)
    summary = sweep(world.quick(twins), [RATE], Search(trials=2, seeds=2, test_seeds=0), runs=tmp_path)
    runs = {run.info.run_id: run for run in Store(tmp_path).search("")}
    kinds = {key: run.data.tags["harness.kind"] for key, run in runs.items()}
    parents = {key: kinds.get(run.data.tags.get(PARENT)) for key, run in runs.items()}
    assert Counter((kinds[key], parents[key]) for key in runs) == {
        ("study", None): 1,
        ("trial", "study"): 2,
        ("trial_seed", "trial"): 4,
    }
    (study,) = [run for key, run in runs.items() if kinds[key] == "study"]
    assert study.data.metrics["mean/val/t2i/R1"] == summary.mean
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    trials = [run for key, run in runs.items() if kinds[key] == "trial"]
    assert {run.data.metrics["val/t2i/R1"] for run in trials} == {trial.value for trial in summary.trials}


def test_a_sweep_does_not_take_over_the_queue_of_a_suite(search_with, tmp_path):
    queue = Queue("suite-x", f"sqlite:///{tmp_path / 'optuna.db'}", folder=tmp_path)
    queue.remember("kind", "suite")
    with pytest.raises(UsageError, match="is no study of `harness sweep`"):
        search_with(Runs(), study="suite-x")
    foreign = Queue("foreign", queue.url, folder=tmp_path)
    foreign.fill(1)
    with pytest.raises(UsageError, match="is no study of `harness sweep`"):
        search_with(Runs(), study="foreign")


def test_a_sweep_in_which_nothing_finished_fails_without_a_test_too(search_with):
    with pytest.raises(HarnessError, match="No trial of the study"):
        search_with(Runs(breaks={1: ValueError("a"), 2: ValueError("b")}), trials=2)


def test_the_tests_of_a_best_that_stays_are_kept(search_with, tmp_path):
    runs = Runs(score=lambda config: 1.0)
    tested = search_with(runs, trials=2, study="kept", test_seeds=1)
    again = search_with(Runs(score=lambda config: 1.0), trials=4, study="kept")
    assert [record.name for record in again.tests] == [record.name for record in tested.tests]
    better = search_with(Runs(score=lambda config: 2.0), trials=8, study="kept")
    assert better.best.params != tested.best.params
    assert better.tests == []


def test_a_helper_leaves_the_state_of_a_finished_study_alone(world, twins, tmp_path):
    summary = sweep(world.quick(twins), [RATE], Search(trials=1, test_seeds=0), runs=tmp_path)
    help_with(summary.study, runs=tmp_path)
    (study,) = [run for run in Store(tmp_path).search("") if run.data.tags["harness.kind"] == "study"]
    assert study.info.status == "FINISHED"
