"""A tracked run as a typed row: what text becomes which value, in one place."""

import math
from types import SimpleNamespace

import pytest

from harness.track.run_row import PARENT, RunRow, as_budget, as_flag, as_number, as_sizes, as_whole


def mlflow_run(**changes):
    """Return what MLflow's client says of a run."""
    info = {"run_id": "a1", "run_name": "cskt-1", "status": "FINISHED", "start_time": 1000, "end_time": 3500}
    data = {"tags": {}, "params": {}, "metrics": {}}
    info |= {key: value for key, value in changes.items() if key in info}
    data |= {key: value for key, value in changes.items() if key in data}
    return SimpleNamespace(info=SimpleNamespace(**info), data=SimpleNamespace(**data))


def test_a_run_of_mlflow_becomes_a_row():
    tags = {"harness.method": "cskt", "harness.synthetic": "true", PARENT: "p"}
    row = RunRow.from_mlflow(mlflow_run(tags=tags, params={"seed": "1"}, metrics={"a": 1.5}))
    assert (row.id, row.name, row.status, row.params) == ("a1", "cskt-1", "FINISHED", {"seed": "1"})
    assert (row.tag("method"), row.tag("gone"), row.parent, row.synthetic) == ("cskt", "", "p", True)
    assert (row.seconds, row.running, row.metric("a"), row.metric("gone")) == (2.5, False, 1.5, None)


@pytest.mark.parametrize("end", [None, 0])
def test_a_run_without_an_end_has_taken_no_known_time(end):
    row = RunRow.from_mlflow(mlflow_run(end_time=end, status="RUNNING"))
    assert (row.ended, row.seconds, row.running, row.parent, row.synthetic) == (None, 0.0, True, None, False)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_metric_that_is_no_finite_number_is_none(value):
    assert RunRow.from_mlflow(mlflow_run(metrics={"a": value})).metric("a") is None


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (as_flag, "true", True),
        (as_flag, "True", False),
        (as_flag, "", False),
        (as_whole, "007", 7),
        (as_whole, "-3", -3),
        (as_whole, "1.0", None),
        (as_whole, " 1", None),
        (as_whole, None, None),
        (as_number, "0.1", 0.1),
        (as_number, "", None),
        (as_number, None, None),
        (as_sizes, "[384, 128]", (384, 128)),
        (as_sizes, "(96, 32)", (96, 32)),
        (as_sizes, None, ()),
        (as_budget, "0", "0 trials"),
        (as_budget, "as published", "as published"),
        (as_budget, None, "none"),
    ],
)
def test_text_becomes_a_value(read, text, value):
    assert read(text) == value
