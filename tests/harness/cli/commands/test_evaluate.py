"""`harness evaluate`: what is said below the table of results on other datasets."""

import pytest
from click.testing import CliRunner

from harness.cli.main import cli
from harness.evaluate.intervals import METHOD
from harness.record import EARLIER_INTERVALS


@pytest.mark.parametrize(("methods", "said"), [((METHOD, METHOD), []), ((METHOD, 1), ["rstp"])])
def test_a_found_result_whose_intervals_are_by_the_earlier_method_is_named(monkeypatch, methods, said):
    results = [
        {
            "run": "cskt-icfg-1",
            "dataset": name,
            "trained_on": "icfg",
            "synthetic": False,
            "left_out": 0,
            "metrics": {f"test/{name}/t2i/R1": 20.0},
            "intervals": {f"test/{name}/t2i/R1": (15.0, 25.0)},
            "interval_method": method,
        }
        for name, method in zip(("cuhk", "rstp"), methods, strict=True)
    ]
    monkeypatch.setattr("harness.cli.commands.evaluate.look_for_run", lambda run, runs: None)
    monkeypatch.setattr("harness.inference.transfer.evaluate_run", lambda *given, **options: results)
    shown = CliRunner().invoke(cli, ["evaluate", "cskt", "-d", "cuhk", "-d", "rstp"], obj={"quiet": True})
    lines = [line.strip() for line in shown.stdout.splitlines()]
    assert [line for line in lines if "earlier method" in line] == [
        f"{name}: {EARLIER_INTERVALS}" for name in said
    ]
    assert "met in training: icfg shows persons of rstp: both are cropped from MSMT17" in " ".join(lines)
    assert "persons of cuhk" not in shown.stdout
