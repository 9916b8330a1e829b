from math import sqrt

import pytest
from scipy import stats

from harness.presets.resolve import resolve
from harness.record import Record
from harness.sweep.settings import Search
from harness.sweep.summary import Summary, summarise
from tests.tracked_studies import MEMORY, R1, RATE, trial

CONFIG = resolve("linear_probe", "icfg", synthetic=True)


def at(number, lr, value=None, **more):
    return trial(number, value, params={"method.lr": lr}, **more)


def summary(trials, **search):
    return summarise("study", CONFIG, [RATE], Search(**{"pruner": "none", **search}), trials)


def test_what_pruning_saved_counts_the_epochs_that_did_not_run():
    found = summary(
        [at(0, 0.1, 20.0), at(1, 0.01, 8.0, state="pruned"), at(2, 0.001, state="failed")], pruner="median"
    )
    assert found.counts == {"finished": 1, "pruned": 1, "failed": 1}
    assert found.pruned_share == pytest.approx(1 / 3)
    assert found.epochs_saved == pytest.approx((5 - 3) / 15)
    assert found.seconds_saved == pytest.approx(60.0 / 3 * 2)


def test_the_mean_is_of_finished_trials_and_one_alone_has_no_interval():
    values = [10.0, 14.0, 21.0]
    found = summary(
        [*(at(n, 0.1, value) for n, value in enumerate(values)), at(3, 0.1, 90.0, state="pruned")]
    )
    mean, sd = 15.0, sqrt(((10 - 15) ** 2 + 1 + 36) / 2)
    half = stats.t.ppf(0.975, 2) * sd / sqrt(3)
    assert found.mean == mean
    assert found.interval == pytest.approx((mean - half, mean + half))
    assert summary([at(0, 0.1, 10.0)]).interval is None


def test_the_best_configuration_is_the_config_with_the_best_trials_values():
    found = summary([at(0, 0.1, 10.0), at(1, 0.02, 30.0), at(2, 0.03, 40.0, feasible=False)])
    assert (found.best.number, found.config["method"]["lr"]) == (1, 0.02)
    assert found.marks() == {"harness.budget": "3", "harness.best.method.lr": "0.02"}
    assert found.numbers()[f"best/{R1}"] == 30.0


def test_an_empty_study_and_one_of_failures_have_no_best_and_divide_by_nothing():
    for trials in ([], [at(0, 0.1, state="failed")]):
        found = summary(trials)
        assert (found.best, found.config, found.mean, found.front) == (None, None, None, [])
        assert (found.pruned_share, found.epochs_saved, found.seconds_saved) == (0.0, 0.0, 0.0)
        assert found.marks() == {"harness.budget": str(len(trials))}


def test_costs_fall_on_the_front_and_a_summary_is_read_back_as_it_was_written():
    trials = [at(0, 0.1, values=(20.0, 4e9)), at(1, 0.2, values=(30.0, 6e9)), at(2, 0.3, values=(19.0, 5e9))]
    found = summary(trials, objectives=(R1, MEMORY))
    assert found.front == [0, 1]
    assert Summary.model_validate_json(found.model_dump_json()) == found


def test_tests_are_the_group_where_there_is_one_and_else_the_single_run():
    found = summary([at(0, 0.1, 10.0)])
    one = Record(
        identity="ab" * 32,
        config=CONFIG.model_dump(mode="json"),
        versions={},
        fingerprint="f",
        backbone={},
        synthetic=True,
        metrics={"test/icfg/t2i/R1": 12.0},
        intervals={"test/icfg/t2i/R1": (9.0, 15.0)},
    )
    found.tests = [one]
    assert {key: found.numbers()[f"test/icfg/t2i/R1{key}"] for key in ("", "/low", "/high")} == {
        "": 12.0,
        "/low": 9.0,
        "/high": 15.0,
    }
    assert found.marks()["harness.tested_run"] == one.name
    found.test = {"metrics": {"test/icfg/t2i/R1": {"mean": 13.0, "low": 10.0, "high": 16.0}}}
    assert found.numbers()["test/icfg/t2i/R1"] == 13.0
