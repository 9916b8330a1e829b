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
from harness.config.fields import Choice, Range
from harness.errors import UsageError
from harness.reporting.make import make_report
from harness.reports import REPORTS
from harness.sweep.settings import Search
from harness.sweep.space import Axis, parse_axis_text
from harness.sweep.summary import Summary
from harness.sweep.trial import Trial, best_of, front_of
from harness.track.run_row import PARENT
from harness.track.tags import SEARCH

REPORT = REPORTS.get("sweep").__module__
R1, MEMORY = "val/t2i/R1", "peak_memory"
RATE = Axis(key="method.lr", over=Range(low=1e-5, high=1e-1, log=True))
LENGTH = Axis(key="method.prompt_length", over=Range(low=1, high=8), integer=True)
INIT = Axis(key="method.init", over=Choice(values=("zero", "released")))
AXES = (RATE, LENGTH, INIT)
TAGS = {
    "harness.method": "cskt",
    "harness.dataset": "icfg",
    "harness.synthetic": "true",
    "harness.seed": "1",
    "harness.objective": R1,
    "harness.sampler": "tpe",
    "harness.pruner": "median",
}
ERROR = {"type": "TrainingError", "message": "the loss is nan\nsecond line", "traceback": "Traceback ..."}


def trial(number, value=None, state="finished", **more):
    params = {
        "method.lr": 10 ** (-1 - number % 4),
        "method.prompt_length": 1 + number % 8,
        "method.init": "zero",
    }
    ran = {"finished": 5, "pruned": 3, "failed": 1}[state]
    known = {"value": value, "values": () if value is None else (value,), "seconds": 60.0, "epochs": ran}
    facts = {"number": number, "state": state, "params": params, "planned": 5, "runs": (f"run-{number}",)}
    return Trial(**{**facts, **known, "error": ERROR if state == "failed" else None, **more})


def summary(name, trials, fake, objectives=(R1,), **more):
    best = best_of(trials)
    search = Search(objectives=objectives, pruner="none")
    tests = []
    for seed, value in ((1001, 18.0), (1002, 20.0)):
        record, _ = fake.record("cskt", "icfg", 30, seed=seed, identity=f"{seed:012d}")
        record.selection = {R1: value}
        tests.append(record)
    known = {
        "study": name,
        "objectives": objectives,
        "synthetic": True,
        "space": [str(axis) for axis in AXES],
        "sampler": "tpe",
        "pruner": "median",
        "seeds": 1,
        "budget": len(trials),
        "trials": trials,
        "counts": {"finished": len(trials)},
        "best": best,
        "front": front_of(trials, search.directions),
        "importance": {"method.lr": 0.7, "method.prompt_length": 0.2, "method.init": 0.1},
        "command": "harness run --method cskt --preset 'my best.yaml'",
        "tests": tests if best else [],
        "test": {"metrics": {"test/icfg/t2i/R1": {"mean": 12.0, "low": 9.0, "high": 15.0}}} if best else None,
    }
    return Summary(**{**known, **more})


def open_study(store, name, axes=AXES, **tags):
    params = {axis.key: f"search: {axis}" for axis in axes} | {"train.epochs": 5}
    marks = {"harness.kind": "study", "harness.study": name, **TAGS, **tags}
    return store.open(name, marks, params)


def send_study(store, name, trials, fake, axes=AXES, tags=None, **more):
    """Publish a study that came to its end."""
    run_id = open_study(store, name, axes, **(tags or {}))
    found = summary(name, trials, fake, **more)
    store.client.log_dict(run_id, found.model_dump(mode="json"), "study.json")
    store.client.log_text(run_id, "method:\n  lr: 0.01\n", "best.yaml")
    store.client.set_tag(run_id, "harness.status", "finished")
    store.client.set_terminated(run_id, "FINISHED")
    return run_id


def send_trial(store, study, number, parent=None, status="finished", value=None, **params):
    """Publish the run of one trial, as a sweep under way has it."""
    marks = {"harness.kind": "trial", "harness.study": study, "harness.trial": str(number)}
    marks |= {"harness.status": status} | ({PARENT: parent} if parent else {})
    marks |= {"harness.error": "TrainingError: it broke"} if status == "failed" else {}
    run_id = store.open(f"trial-{number}", marks, {"method.lr": 0.01, "method.init": "zero", **params})
    if value is not None:
        store.log(run_id, [{"epoch": 1, R1: value - 2}, {"epoch": 2, R1: value}])
        if parent and status == "finished":
            store.log(parent, [{"epoch": number, f"trial/{R1}": value + 1}])
    if status != "running":
        store.client.set_terminated(
            run_id, {"finished": "FINISHED", "failed": "FAILED"}.get(status, "KILLED")
        )


def report_on(store, name, out):
    experiment = store.client.get_experiment(store.experiment_id).name
    return make_report("sweep", subjects=[name], out=out, runs=str(store.runs), experiment=experiment)


def call(store, name, out):
    experiment = store.client.get_experiment(store.experiment_id).name
    places = ["--out", str(out), "--runs", str(store.runs), "--experiment", experiment]
    return CliRunner().invoke(cli, ["report", "sweep", name, *places], standalone_mode=False)


TRIALS = [
    trial(0, 20.0),
    trial(1, 30.0, feasible=False),
    trial(2, 8.0, state="pruned"),
    trial(3, state="failed"),
    trial(4, 25.0, params={"method.lr": 0.099, "method.prompt_length": 4, "method.init": "zero"}),
    trial(5, 22.0),
]


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


def test_the_facts_say_how_it_searched_and_how_its_trials_ended(experiment, fake):
    send_study(experiment, "first", TRIALS, fake)
    table = study_tables.facts_table(read_study(experiment, "first"))
    facts = dict(zip(table.cells["fact"], table.cells["value"], strict=True))
    assert facts["trials"] == "6: 4 finished, 1 pruned, 1 failed"
    assert facts["pruned"] == "17% of trials, which saved 2 of 30 epochs (6.7%)"
    assert facts["trial time"] == "6 min, median 60 s"
    assert facts["sampler, pruner"] == "tpe, median"
    assert "SYNTHETIC TWIN" in table.title
    assert "SYNTHETIC TWIN" in " ".join(table.notes)


def test_the_best_so_far_passes_over_what_is_beyond_a_limit_ended_early_or_failed(experiment, fake):
    send_study(experiment, "first", TRIALS, fake)
    study = read_study(experiment, "first")
    rows = study_tables.trials_frame(study)
    assert rows[f"{R1} best so far"].tolist() == [20, 20, 20, 20, 25, 25]
    assert rows["state"].tolist() == [
        "finished",
        "beyond a limit",
        "pruned (last value)",
        "failed",
        "finished",
        "finished",
    ]
    assert study.best_number == 4
    assert best_trials.best_table(study).cells.columns.tolist() == ["trial", "4", "5", "0"]


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


def test_the_winners_value_stands_beside_what_it_reached_anew_and_on_test(experiment, fake):
    send_study(experiment, "first", TRIALS, fake)
    table = best_trials.worth_table(read_study(experiment, "first"))
    shown = table.cells[["what", "metric", "value", "seeds"]].to_numpy().tolist()
    assert shown == [
        ["the search, as chosen", R1, "25.0", "1"],
        ["the search, median trial", R1, "23.5", "1"],
        ["retrained, validation", R1, "19.0 [18.0, 20.0]", "2"],
        ["retrained, test", "test/icfg/t2i/R1", "12.0 [9.0, 15.0]", "2"],
    ]
    assert "biased upwards" in " ".join(table.notes)


def test_the_best_configuration_stands_beside_defaults_and_names_the_edge_of_its_range(experiment, fake):
    send_study(experiment, "first", TRIALS, fake)
    study = read_study(experiment, "first")
    rows = best_trials.configuration_table(study).values.set_index("key")
    assert rows.loc["method.lr", ["best", "edge"]].tolist() == [0.099, "at the upper edge"]
    assert rows.loc["method.prompt_length", "edge"] == ""
    assert rows["default"].notna().all()
    assert "'my best.yaml'" in best_trials.reuse_table(study).cells["command"].tolist()[1]


def test_edges_are_of_the_scale_that_was_searched():
    assert best_trials.edge(RATE, 1.1e-5) == "at the lower edge"
    assert best_trials.edge(RATE, 1e-3) == ""
    assert best_trials.edge(Axis(key="x", over=Range(low=1e-5, high=1e-1)), 1e-3) == "at the lower edge"
    assert best_trials.edge(INIT, "zero") == best_trials.edge(LENGTH, None) == ""


def test_an_unknown_study_gets_the_nearest_match_and_of_two_the_newest_is_taken(experiment, fake):
    with pytest.raises(UsageError, match=r"No study is tracked here.*harness sweep"):
        read_study(experiment, "first")
    send_study(experiment, "first", TRIALS[:1], fake)
    newest = send_study(experiment, "first", TRIALS, fake)
    experiment.client.log_metric(newest, "x", 1.0)
    with pytest.raises(UsageError, match="Did you mean 'first'"):
        read_study(experiment, "frist")
    study = read_study(experiment, "first")
    assert len(study.trials) == 6
    assert "2 studies of this name are tracked; this is the newest." in study.notes
    assert "2 studies of this name" in study._repr_html_()


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


def test_a_study_taken_up_again_shows_what_its_last_summary_does_not_know_yet(experiment, fake):
    parent = send_study(experiment, "again", TRIALS[:2], fake)
    experiment.client.update_run(parent, status="RUNNING")
    send_trial(experiment, "again", 0, parent, value=1.0)
    send_trial(experiment, "again", 2, parent, value=40.0)
    study = read_study(experiment, "again")
    assert study.status == "running"
    assert [(t.number, t.value) for t in study.trials] == [(0, 20.0), (1, 30.0), (2, 41.0)]
    assert study.importance
    assert study.best_number == 2


def test_a_broken_summary_leaves_the_runs_of_the_trials_and_says_so(experiment, fake):
    parent = send_study(experiment, "broken", TRIALS, fake)
    experiment.client.log_text(parent, '{"study": [', "study.json")
    send_trial(experiment, "broken", 0, parent, value=20.0)
    study = read_study(experiment, "broken")
    assert [(t.number, t.value) for t in study.trials] == [(0, 21.0)]
    assert "has no summary" in " ".join(study.notes)


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


def test_a_study_whose_trials_all_break_the_limits_has_no_best_and_says_so(
    experiment, fake, tmp_path, no_kernel
):
    send_study(experiment, "dear", [trial(0, 5.0, feasible=False), trial(1, 6.0, feasible=False)], fake)
    made = report_on(experiment, "dear", tmp_path)
    assert made.n_results == 2
    assert "keeps within its limits" in made.gaps[0].what
    assert not (tmp_path / "tables" / "best_trials.csv").exists()


def test_failures_of_one_error_stand_together_with_its_first_line(experiment, fake):
    other = {"type": "DataError", "message": "no file", "traceback": ""}
    trials = [trial(0, state="failed"), trial(1, state="failed", error=other), trial(2, state="failed")]
    send_study(experiment, "bad", [*trials, trial(3, 4.0)], fake)
    rows = study_tables.failures_table(read_study(experiment, "bad")).cells.to_numpy().tolist()
    assert rows == [["0, 2", "2", "TrainingError: the loss is nan"], ["1", "1", "DataError: no file"]]


BAD = "=1+1 <script>alert(1)</script> \\input{x} $\\frac$ \x1b[31m|`"


def send_hostile(store, fake):
    """Publish a study whose every text is hostile."""
    axes = (Axis(key=f"method.{BAD}", over=Choice(values=(BAD, "b"))), RATE)
    error = {"type": BAD, "message": BAD, "traceback": BAD}
    trials = [
        trial(0, 20.0, params={f"method.{BAD}": BAD, "method.lr": 0.1}),
        trial(1, 10.0, params={f"method.{BAD}": "b", "method.lr": float("nan")}),
        trial(2, state="failed", error=error),
    ]
    parent = open_study(store, BAD, axes=(RATE,), **{"harness.method": BAD, "harness.dataset": BAD})
    spec = {"axes": [axis.model_dump(mode="json") for axis in axes], "search": {"trials": 3}}
    store.client.log_dict(parent, spec, SEARCH)
    found = summary(BAD, trials, fake, importance={f"method.{BAD}": 1.0}, command=BAD)
    store.client.log_dict(parent, found.model_dump(mode="json"), "study.json")
    store.client.log_text(parent, BAD, "best.yaml")
    store.client.set_terminated(parent, "FINISHED")


def hostile_files(out):
    return [f for ending in ("*.ipynb", "*.html", "*/*.md", "*/*.svg") for f in out.glob(ending)]


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
