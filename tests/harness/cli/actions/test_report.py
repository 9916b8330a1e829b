"""What is said on the terminal once a report is made."""

from pathlib import Path

import pytest

from harness.cli.actions.report import check_report, show_made
from harness.errors import UsageError
from harness.reporting.make import Made
from harness.reports import Gap


def made(n_results=2, files=(), verdicts=("A beats B.",)):
    gaps = [Gap("a \x1b[31mfloor", ("harness run x",))]
    return Made("leaderboard", Path("out"), n_results, "2 results", list(verdicts), [], gaps, list(files))


def test_the_verdict_is_said_before_what_is_missing_and_where_to_look(capsys):
    show_made(made())
    assert capsys.readouterr().out.splitlines() == [
        "leaderboard: 2 results",
        "A beats B.",
        "missing: a floor",
        "    harness run x",
        "page: out/leaderboard.html",
        "also there: leaderboard.ipynb, tables/, figures/, data/",
    ]
    show_made(made(files=["paper/x.tex"]))
    assert capsys.readouterr().out.endswith("data/, paper/\n")


def test_of_no_result_nothing_is_claimed(capsys):
    show_made(made(0, verdicts=["Nothing can be said yet."]))
    said = capsys.readouterr()
    assert said.err == "leaderboard: nothing to report yet\n"
    assert "can be said" not in said.out


def test_a_report_after_a_run_is_checked_before_it(capsys):
    check_report(None, {})
    check_report("run", {"run": 1})
    with pytest.raises(UsageError, match="among 2 runs: `harness report run RUN` afterwards"):
        check_report("run", {"run": 2})
