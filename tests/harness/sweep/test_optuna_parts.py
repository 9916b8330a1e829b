"""A search in Optuna's terms: the values of an axis, which sampler and pruner a name means, and who falls behind."""

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from harness.config.fields import Choice, Range
from harness.sweep.optuna_parts import (
    STARTUP_TRIALS,
    PatientMedian,
    build_pruner,
    build_sampler,
    distribution,
    suggest,
)
from harness.sweep.settings import PRUNERS, SAMPLERS, Search
from harness.sweep.space import Axis

AXES = {
    "float": (Axis(key="a", over=Range(low=0.5, high=2)), FloatDistribution(0.5, 2)),
    "log": (Axis(key="a", over=Range(low=1e-4, high=1, log=True)), FloatDistribution(1e-4, 1, log=True)),
    "whole": (Axis(key="a", over=Range(low=0, high=4), integer=True), IntDistribution(0, 4)),
    "log whole": (
        Axis(key="a", over=Range(low=1, high=64, log=True), integer=True),
        IntDistribution(1, 64, log=True),
    ),
    "named": (Axis(key="a", over=Choice(values=("x", 2, None))), CategoricalDistribution(("x", 2, None))),
}


@pytest.mark.parametrize("kind", AXES)
def test_an_axis_is_drawn_from_as_it_is_described(kind):
    axis, expected = AXES[kind]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [suggest(study.ask(), axis) for _ in range(60)]
    assert distribution(axis) == expected
    assert study.trials[0].distributions == {"a": expected}
    assert all(axis.holds(value) for value in drawn)
    assert all(type(value) is int for value in drawn) == ("whole" in kind)
    assert len(set(drawn)) >= 3


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_same_seed_draws_the_same_point_and_another_seed_another(name):
    def point(seed):
        study = optuna.create_study(sampler=build_sampler(Search(sampler=name), seed))
        return suggest(study.ask(), AXES["float"][0])

    assert point(3) == point(3) != point(4)


def test_every_name_of_a_sampler_means_one_of_optuna_s():
    kinds = {name: type(build_sampler(Search(sampler=name), 0)).__name__ for name in SAMPLERS}
    assert kinds == {
        "tpe": "TPESampler",
        "gp": "GPSampler",
        "cmaes": "CmaEsSampler",
        "nsga2": "NSGAIISampler",
        "random": "RandomSampler",
        "grid": "RandomSampler",
    }


def test_every_name_of_a_pruner_means_one():
    kinds = {name: type(build_pruner(Search(pruner=name), 10, 2)).__name__ for name in PRUNERS}
    assert kinds == {
        "median": "PatientMedian",
        "hyperband": "HyperbandPruner",
        "wilcoxon": "WilcoxonPruner",
        "none": "NopPruner",
    }


@pytest.mark.parametrize(("epochs", "warmup", "seeds"), [(0, 0, 1), (1, 5, 1), (60, 5, 2)])
def test_hyperband_can_be_built_for_any_number_of_epochs(epochs, warmup, seeds):
    pruner = build_pruner(Search(pruner="hyperband", seeds=seeds), epochs, warmup)
    most = max(epochs * seeds, 1)
    assert (pruner._min_resource, pruner._max_resource) == (min(warmup + 1, most), most)


def study_of(n_finished, last=10.0):
    """Return a study whose finished trials all reached the same at each of four validations."""
    study = optuna.create_study(direction="maximize")
    for _ in range(n_finished):
        reached = dict.fromkeys((1, 2, 3, 4), last)
        study.add_trial(optuna.trial.create_trial(value=last, intermediate_values=reached))
    return study


def falls_behind(pruner, values, n_finished=STARTUP_TRIALS):
    """Return at which validations a trial of these values would end."""
    study = study_of(n_finished)
    trial, behind = study.ask(), []
    for epoch, value in enumerate(values, start=1):
        trial.report(value, epoch)
        if pruner.prune(study, study.trials[trial.number]):
            behind.append(epoch)
    return behind


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        ([9, 9, 9, 9], [2, 3, 4]),
        ([11, 11, 11, 11], []),
        ([10, 10, 10, 10], []),
        ([9, 11, 9, 9], []),
        ([9], []),
        ([], []),
    ],
)
def test_a_trial_ends_once_its_best_is_behind_the_median_twice_in_a_row(values, ends):
    assert falls_behind(PatientMedian(warmup=0), values) == ends


def test_warm_up_patience_and_the_first_trials_put_the_end_off():
    assert falls_behind(PatientMedian(warmup=2), [9, 9, 9, 9]) == [3, 4]
    assert falls_behind(PatientMedian(warmup=3), [9, 9, 9, 9]) == [4]
    assert falls_behind(PatientMedian(warmup=0, patience=0), [9, 9, 9, 9]) == [1, 2, 3, 4]
    assert falls_behind(PatientMedian(warmup=0, patience=3), [9, 9, 9, 9]) == [4]
    assert falls_behind(PatientMedian(warmup=0), [9, 9, 9, 9], STARTUP_TRIALS - 1) == []
