"""The report on a search: what is read of a study in any state, the numbers beside the best, hostile text."""

import re
from itertools import combinations
from statistics import fmean

import pytest
from click.testing import CliRunner

from harness.analysis.studies import best_trials
from harness.analysis.studies import tables as study_tables
from harness.analysis.studies.read_study import read_study
from harness.cli.main import cli
from harness.config.fields import Range
from harness.errors import UsageError
from harness.reporting.make import make_report
from harness.reports import REPORTS
from harness.sweep.space import Axis, parse_axis_text
from harness.track.tags import SEARCH
from tests.tracked_studies import (
    AXES,
    BAD,
    MEMORY,
    R1,
    TRIALS,
    open_study,
    send_hostile,
    send_study,
    send_trial,
    trial,
)

REPORT = REPORTS.get("sweep").__module__


def report_on(store, name, out):
    experiment = store.client.get_experiment(store.experiment_id).name
    return make_report("sweep", subjects=[name], out=out, runs=str(store.runs), experiment=experiment)


def call(store, name, out):
    experiment = store.client.get_experiment(store.experiment_id).name
    places = ["--out", str(out), "--runs", str(store.runs), "--experiment", experiment]
    return CliRunner().invoke(cli, ["report", "sweep", name, *places], standalone_mode=False)


def test_a_study_is_read_whole_and_its_report_holds_every_figure(experiment, fake, tmp_path, no_kernel):
    send_study(experiment, "first", TRIALS, fake)
    made = report_on(experiment, "first", tmp_path)
    assert made.n_results == 4
    assert "SYNTHETIC TWIN" in made.summary
    assert "best val/t2i/R1 25.00" in made.summary
    drawn = {file.stem for file in (tmp_path / "figures").glob("*.png")}
    assert drawn == {"history", "importance", "slices", "parallel", "expected_best"}
    tables = {file.stem for file in (tmp_path / "tables").glob("*.csv")}
    assert tables == {"study", "best_trials", "best_configuration", "reuse", "tested", "failures"}
    assert {table["name"] for table in made.tables} == tables
    assert (tmp_path / "data" / "best.yaml").read_text() == "method:\n  lr: 0.01\n"
    assert made.gaps == []


@pytest.mark.slow
def test_of_several_objectives_costs_fall_and_the_front_is_drawn(experiment, fake, tmp_path, no_kernel):
    pairs = [(20.0, 4e9), (30.0, 5e9), (25.0, 3e9), (10.0, 2e9)]
    trials = [trial(n, value, values=(value, cost)) for n, (value, cost) in enumerate(pairs)]
    trials.append(trial(4, 5.0, state="pruned"))
    send_study(experiment, "two", trials, fake, objectives=(R1, MEMORY))
    made = report_on(experiment, "two", tmp_path)
    assert (tmp_path / "figures" / "front.png").is_file()
    study = read_study(experiment, "two")
    assert study.front == [1, 2, 3]
    assert study_tables.trials_frame(study)[f"{MEMORY} best so far"].tolist() == [4e9, 4e9, 3e9, 2e9, 2e9]
    assert "peak_memory" in made.tables[1]["rows"][0]


def test_the_expected_best_is_that_of_every_choice_of_n_trials():
    from importlib import import_module

    values = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0]
    found = import_module(REPORT).expected_best(values)
    for row in found.to_dict("records"):
        tops = sorted(max(chosen) for chosen in combinations(values, row["n"]))
        assert row["expected"] == pytest.approx(fmean(tops))
        assert (
            sum(top <= row["low"] for top in tops) >= 0.1 * len(tops) > sum(top < row["low"] for top in tops)
        )
        assert (
            sum(top <= row["high"] for top in tops)
            >= 0.9 * len(tops)
            > sum(top < row["high"] for top in tops)
        )


def test_a_trial_that_was_ended_early_is_never_the_best_of_n(experiment, fake):
    from importlib import import_module

    send_study(experiment, "first", [*TRIALS, trial(6, 99.0, state="pruned")], fake)
    expected = import_module(REPORT).expected_best_frame(read_study(experiment, "first"))
    assert expected["n"].tolist() == [1, 2, 3, 4, 5]
    assert expected["expected"].iloc[0] == pytest.approx(fmean([20, 8, 25, 22, 25]))
    assert expected["expected"].iloc[-1] == expected["high"].max() == 25


@pytest.mark.slow
def test_a_study_under_way_is_told_from_the_runs_of_its_trials(experiment, tmp_path, no_kernel):
    parent = open_study(experiment, "live")
    spec = {"axes": [axis.model_dump(mode="json") for axis in AXES], "search": {"trials": 9, "seeds": 2}}
    experiment.client.log_dict(parent, spec, SEARCH)
    send_trial(experiment, "live", 0, parent, value=20.0, **{"method.prompt_length": 3})
    send_trial(experiment, "live", 1, parent, status="pruned", value=9.0)
    send_trial(experiment, "live", 2, parent, status="failed")
    send_trial(experiment, "live", 3, status="running", value=4.0)
    send_trial(experiment, "live", 4, open_study(experiment, "live-2"), value=50.0)
    send_trial(experiment, "other", 5, parent, value=50.0)
    study = read_study(experiment, "live")
    assert [(t.number, t.state, t.value) for t in study.trials] == [
        (0, "finished", 21.0),
        (1, "pruned", 9.0),
        (2, "failed", None),
    ]
    assert (study.running, study.wanted, study.seeds, study.best_number) == (1, 9, 2, 0)
    assert study.trials[0].params == {"method.lr": 0.01, "method.prompt_length": 3.0, "method.init": "zero"}
    made = report_on(experiment, "live", tmp_path)
    assert "still runs, or was killed" in made.gaps[0].what
    page = (tmp_path / "sweep.html").read_text()
    assert "This study still runs, or was killed" in study._repr_html_()
    facts = study_tables.facts_table(study).cells["value"].tolist()
    assert "3 of 9 asked for: 1 finished, 1 pruned, 1 failed, 1 running" in facts
    assert "no importance yet" in page.lower()


def test_a_study_without_a_finished_trial_makes_a_clear_page_and_exit_code_two(
    experiment, fake, tmp_path, no_kernel
):
    send_study(experiment, "nothing", [trial(0, state="failed"), trial(1, 5.0, state="pruned")], fake)
    done = call(experiment, "nothing", tmp_path)
    assert done.return_value == 2
    assert "No trial of the study nothing finished" in done.stdout
    page = (tmp_path / "sweep.html").read_text()
    assert "TrainingError: the loss is nan" in (tmp_path / "tables" / "failures.md").read_text()
    assert "What failed" in page
    assert "The best trials" not in page


@pytest.mark.slow
def test_a_study_whose_trials_all_break_the_limits_has_no_best_and_says_so(
    experiment, fake, tmp_path, no_kernel
):
    send_study(experiment, "dear", [trial(0, 5.0, feasible=False), trial(1, 6.0, feasible=False)], fake)
    made = report_on(experiment, "dear", tmp_path)
    assert made.n_results == 2
    assert "keeps within its limits" in made.gaps[0].what
    assert not (tmp_path / "tables" / "best_trials.csv").exists()


def hostile_files(out):
    return [f for ending in ("*.ipynb", "*.html", "*/*.md", "*/*.svg") for f in out.glob(ending)]


@pytest.mark.slow
def test_hostile_text_stays_text_everywhere(experiment, fake, tmp_path, no_kernel):
    send_hostile(experiment, fake)
    made = report_on(experiment, BAD, tmp_path)
    assert made.n_results == 2
    for file in hostile_files(tmp_path):
        assert "<script" not in file.read_text(), file
    for file in tmp_path.glob("tables/*.csv"):
        assert not re.search(r"(^|,)\"?=", file.read_text(), re.MULTILINE), file
    for file in tmp_path.glob("tables/*.tex"):
        assert r"\input" not in file.read_text(), file
    study = read_study(experiment, BAD)
    made_of = (study_tables.facts_table, best_trials.configuration_table, study_tables.failures_table)
    shown = "".join(make(study)._repr_html_() for make in made_of)
    assert "<script" not in shown + study._repr_html_()
    assert "&lt;script&gt;" in shown
    assert "\x1b" not in shown + made.summary


@pytest.mark.slow
def test_a_page_of_hostile_text_made_by_a_kernel_runs_nothing(experiment, fake, tmp_path):
    send_hostile(experiment, fake)
    report_on(experiment, BAD, tmp_path)
    page = (tmp_path / "sweep.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert page.count("data:image/png;base64,") == 5
    assert "Warning" not in page


def test_the_words_of_an_axis_give_the_axis_back():
    for axis in AXES:
        read = parse_axis_text(str(axis))
        assert (read.key, read.over) == (axis.key, axis.over)


@pytest.mark.slow
def test_a_search_of_two_hundred_trials_with_twenty_keys_is_drawn(experiment, fake, tmp_path, no_kernel):
    axes = tuple(Axis(key=f"method.k{n}", over=Range(low=0, high=1)) for n in range(30))
    params = {axis.key: 0.5 for axis in axes}
    trials = [trial(n, 10.0 + n % 17, params=params) for n in range(200)]
    send_study(experiment, "large", trials, fake, axes=axes, importance={})
    assert report_on(experiment, "large", tmp_path).n_results == 200
    assert "14 of 30 keys" not in (tmp_path / "sweep.html").read_text()


def test_filters_that_mean_nothing_for_one_study_are_refused(experiment, fake, tmp_path, no_kernel):
    with pytest.raises(UsageError, match="leave out --dataset and --suite"):
        make_report("sweep", subjects=["first"], out=tmp_path, runs=str(experiment.runs), datasets=["icfg"])
    with pytest.raises(UsageError, match="harness report sweep STUDY"):
        make_report("sweep", out=tmp_path, runs=str(experiment.runs))
