"""The settings of a sweep: several seeds a trial, pruners, constraints, objectives and samplers."""

import json
import math

import pytest

from harness.config.fields import Choice, Range
from harness.errors import HarnessError, UsageError
from harness.queue.work_setup import WorkSetup
from harness.record import all_trials
from harness.sweep.settings import Constraint, parse_constraint, space_of
from harness.sweep.space import Axis, grid
from tests.sweep_runs import RATE, WARMUP, Falling, Killed, Runs, with_costs


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


@pytest.mark.slow
def test_hyperband_ends_trials_early(search_with):
    runs = Runs(score=lambda config: 100.0 - 10 * len(runs.calls))
    summary = search_with(runs, trials=8, pruner="hyperband", study="band")
    assert summary.counts["pruned"] > 0
    assert summary.counts["failed"] == 0


@pytest.mark.slow
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


@pytest.mark.parametrize(
    "sampler",
    ["tpe", *(pytest.param(name, marks=pytest.mark.slow) for name in ("random", "gp", "cmaes", "nsga2"))],
)
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


@pytest.mark.slow
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


def test_what_tells_a_space_from_others_is_its_text_wherever_that_does():
    def told(over):
        return space_of([Axis(key="a", over=over)])["a"]

    assert told(Choice(values=(8, 16))) == "a in 8, 16"
    assert told(Choice(values=("both", "none", "n_itc"))) == "a in both, none, n_itc"
    assert told(Range(low=1e-5, high=0.01, log=True)) == "a from 1e-05 to 0.01 (log)"
    apart = [
        *(Choice(values=values) for values in ((8, 16), ("8", "16"), ("8, 16",), (8, "16"))),
        *(Choice(values=values) for values in ((None, 1), ("None", 1), (True, 1), ("True", 1))),
        *(Range(low=low, high=1.0) for low in (0.1, 0.1000001, 0.1000002)),
    ]
    assert len({told(over) for over in apart}) == len(apart)


def test_a_study_whose_space_an_earlier_harness_noted_by_its_text_alone_goes_on(search_with, tmp_path):
    rates = Range(low=0.1000001, high=0.2)
    axis = Axis(key="method.lr", over=rates)
    name = search_with(Runs(), trials=1, axes=[axis], study="linear_probe-icfg-twin-sweep-earlier").study
    queue = WorkSetup(tmp_path).open_queue(name)
    queue.remember("settings", queue.notes["settings"] | {"space": {"method.lr": str(axis)}})
    again = search_with(Runs(), trials=2, axes=[axis])
    assert (again.study, len(again.trials)) == (name, 2)
    other = Axis(key="method.lr", over=rates.model_copy(update={"low": 0.1000002}))
    assert search_with(Runs(), trials=1, axes=[other]).study != name
