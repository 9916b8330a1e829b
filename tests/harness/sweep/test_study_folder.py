"""What a study's folder holds: its best configuration as a preset, with all that was searched."""

from pathlib import Path

import pytest
import yaml

from harness.config.fields import Choice
from harness.evaluate.intervals import METHOD
from harness.files import read_json, write_json, write_text
from harness.presets.resolve import build
from harness.record import BOOTSTRAP, RECORD, RunFolder
from harness.sweep.space import Axis
from harness.sweep.study_folder import BEST, SUMMARY, keep_tests, preset_text
from tests.sweep_runs import WARMUP, Runs


@pytest.fixture
def tested(search_with, fake):
    """Return the summary of a study, its folder, and the record of a test of its best by the earlier method."""
    made, _ = fake.record("linear_probe", "icfg", interval_method=BOOTSTRAP)
    summary = search_with(Runs(), trials=1)
    folder = Path(summary.preset).parent
    group = {"name": "seeds", "metrics": {"x": {"mean": 1.0, "low": 0.0, "high": 2.0}}}
    written = read_json(folder / SUMMARY) | {"tests": [made.model_dump(mode="json")], "test": group}
    write_json(folder / SUMMARY, written)
    return summary, folder, made


def test_tests_of_a_summary_have_the_intervals_that_their_runs_have_now(tested):
    summary, folder, made = tested
    keep_tests(summary, folder)
    assert summary.tests == [made]
    assert "interval_method" not in summary.test
    root, key = folder.parent.parent, next(iter(made.intervals))
    new = made.model_copy(update={"intervals": {key: (1.0, 2.0)}, "interval_method": METHOD})
    RunFolder(root / made.name).write(new)
    write_json(root / "groups" / "seeds.json", summary.test | {"interval_method": METHOD})
    keep_tests(summary, folder)
    assert summary.tests == [new]
    assert summary.test["interval_method"] == METHOD
    RunFolder(root / made.name).write(new.model_copy(update={"metrics": {key: 1.0}}))
    keep_tests(summary, folder)
    assert summary.tests == [made]


@pytest.mark.parametrize("broken", ["{", '{"identity": "x"}'])
def test_a_run_or_group_that_cannot_be_read_leaves_what_the_summary_holds(tested, broken):
    summary, folder, made = tested
    root = folder.parent.parent
    write_text(root / made.name / RECORD, broken)
    write_text(root / "groups" / "seeds.json", "{")
    keep_tests(summary, folder)
    assert summary.tests == [made]
    assert summary.test["name"] == "seeds"


def test_the_exported_preset_has_every_searched_value_even_where_the_default_is_best(config, search_with):
    default = config.method.lr
    summary = search_with(
        Runs(), trials=1, axes=[Axis(key="method.lr", over=Choice(values=(default,))), WARMUP], sampler="grid"
    )
    folder = Path(summary.preset).parent
    assert folder.name == summary.study
    assert (folder / BEST).read_text() == preset_text(build(summary.config), summary)
    written = yaml.safe_load((folder / BEST).read_text())
    assert written["method"] == {"lr": default, "warmup_epochs": summary.best.params["method.warmup_epochs"]}
