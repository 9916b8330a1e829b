"""What `harness sweep` makes of its options, and what it prints of studies, trials, the best and its test."""

import json

import pytest

from harness.cli.actions import sweep as sweep_module
from harness.cli.actions.sweep import (
    TRIALS,
    _axes_from,
    _search_from,
    execute,
    export_study,
    show,
)
from harness.cli.listings import studies as studies_module
from harness.cli.listings.studies import show_studies
from harness.errors import UsageError
from tests.tracked_studies import BAD, MEMORY, R1, summary, trial
from tests.tracked_studies import TRIALS as MADE

OPTIONS = {
    "method": "linear_probe",
    "dataset": "icfg",
    "synthetic": True,
    "presets": (),
    "overrides": (),
    "space": (),
    "fix": (),
    "objectives": [R1],
    "constraints": (),
    "sampler": "tpe",
    "pruner": None,
    "trials": None,
    "seeds": 1,
    "timeout": None,
    "test_seeds": 3,
    "report": None,
}


METRIC = {"mean": 12.0, "low": 9.0, "high": 15.0, "sd": 1.0, "values": [11.0, 13.0]}
GROUP = {"title": "t", "note": "n", "seeds": [1, 2], "metrics": {"test/icfg/t2i/R1": METRIC}}


def rows_of(text):
    """Return the words of each trial's line, by its number."""
    body = text.split("─\n")[1].split("trials:")[0]
    return {line.split()[0]: line.split() for line in body.splitlines() if line.strip()[:1].isdigit()}


def test_defaults_follow_from_the_other_options():
    axes = _axes_from(OPTIONS)
    assert _search_from(OPTIONS, axes).trials == TRIALS
    assert _search_from(OPTIONS, axes).pruner == "median"
    assert _search_from({**OPTIONS, "objectives": [R1, MEMORY]}, axes).pruner == "none"
    assert _search_from({**OPTIONS, "pruner": "hyperband"}, axes).pruner == "hyperband"
    limits = _search_from({**OPTIONS, "constraints": ("peak_memory<=20GB",)}, axes).constraints
    assert [(one.cost, one.at_most) for one in limits] == [("peak_memory", 20e9)]


def test_a_grid_has_as_many_trials_as_points_and_never_more():
    given = {**OPTIONS, "sampler": "grid", "space": ("method.lr=0.1,0.2,0.3",), "fix": ()}
    axes = [axis for axis in _axes_from(given) if axis.key == "method.lr"]
    assert _search_from(given, axes).trials == 3
    assert _search_from({**given, "trials": 2}, axes).trials == 2
    with pytest.raises(UsageError, match="3 points"):
        _search_from({**given, "trials": 4}, axes)


@pytest.mark.parametrize(
    "wrong",
    [{"sampler": "tpf"}, {"pruner": "medan"}, {"objectives": []}, {"constraints": ("speed<=1",)}],
)
def test_an_impossible_search_is_a_usage_error(wrong):
    with pytest.raises(UsageError):
        _search_from({**OPTIONS, **wrong}, _axes_from(OPTIONS))


def test_the_space_is_the_method_s_changed_and_without_what_is_fixed():
    own = {axis.key for axis in _axes_from(OPTIONS)}
    given = {**OPTIONS, "space": ("train.batch_size=32,64",), "fix": ("method.lr=0.1",)}
    assert {axis.key for axis in _axes_from(given)} == own - {"method.lr"} | {"train.batch_size"}
    with pytest.raises(UsageError, match=r"method\.lr is set and searched"):
        _axes_from({**OPTIONS, "overrides": (" method.lr =0.1",)})


@pytest.mark.parametrize("missing", ["method", "dataset"])
def test_method_and_dataset_are_needed_and_a_report_about_a_run_is_refused(missing):
    with pytest.raises(UsageError, match=f"--{missing}"):
        execute({**OPTIONS, missing: None}, quiet=True)
    with pytest.raises(UsageError, match="RUN"):
        execute({**OPTIONS, "report": "run"}, quiet=True)


def test_each_trial_is_a_line_with_its_value_and_the_best_so_far(fake, capsys):
    counts = {"finished": 4, "pruned": 1, "failed": 1}
    numbers = {"mean": 24.25, "interval": (18.0, 30.5), "epochs_saved": 0.25, "pruned_share": 1 / 6}
    found = summary("first", MADE, fake, counts=counts, test=GROUP, **numbers)
    show(found, False)
    out = capsys.readouterr().out
    rows = rows_of(out)
    assert rows["0"][1:2] + rows["0"][-4:] == ["finished", "20.00", "20.00", "60.0", "s"]
    assert rows["3"][1:3] == ["failed:", "TrainingError"]
    assert rows["3"][-4:] == ["–", "20.00", "60.0", "s"]
    assert (rows["4"][1], rows["4"][-3]) == ("*", "25.00")
    assert "limit" in " ".join(rows["1"])
    assert rows["5"][-3] == "25.00"
    assert "24.25 [18.00, 30.50]" in out
    assert "17 %" in out
    assert "25 %" in out
    assert "method.lr 70 %" in out
    assert f"best: trial 4, {R1} 25.00" in out
    assert "method.lr=0.099" in out


def test_the_test_of_the_best_is_a_group_or_its_single_record(fake, capsys):
    whole = summary("first", MADE, fake, counts={"pruned": 0})
    whole.test = GROUP
    show(whole, False)
    assert "12.0 [9.0, 15.0]" in capsys.readouterr().out
    show(summary("first", MADE, fake, counts={"pruned": 0}, test=None), False)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert len([line for line in lines if line[:2] == ["icfg", "t2i"]]) == 2


def test_several_objectives_have_a_column_each_and_the_front_is_named(fake, capsys):
    trials = [trial(n, a, values=(a, b)) for n, (a, b) in enumerate([(20.0, 4e9), (30.0, 5e9), (10.0, 5e9)])]
    show(summary("two", trials, fake, objectives=(R1, MEMORY), counts={"pruned": 0}, test=GROUP), False)
    out = capsys.readouterr().out
    assert rows_of(out)["0"][-5:] == ["20", "4e+09", "20.00", "60.0", "s"]
    (front,) = [line for line in out.splitlines() if line.startswith("Pareto front")]
    assert front.endswith("0, 1")


def test_no_finished_trial_has_no_best_and_hostile_text_stays_text(fake, capsys):
    params = {"method.init": BAD}
    show(
        summary(BAD, [trial(0, state="failed", params=params)], fake, counts={"pruned": 0}, command=None),
        False,
    )
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert not [line for line in out.splitlines() if line.startswith("best:")]
    assert "reuse:" not in out


def test_json_is_the_summary(fake, capsys):
    found = summary("first", MADE, fake)
    show(found, True)
    assert json.loads(capsys.readouterr().out) == json.loads(found.model_dump_json())


def test_studies_are_a_line_each(monkeypatch, capsys):
    one = {"study": "mine", "kind": "sweep", "ended": 6, "running": 0, "waiting": 2, "best": 41.23456}
    other = one | {"study": "suite-x", "kind": "suite", "best": None}
    monkeypatch.setattr(studies_module, "_found", lambda runs, storage: [one, other])
    monkeypatch.setattr(studies_module, "not_begun", lambda storage, root: False)
    show_studies(None, None, False)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["mine", "sweep", "6", "0", "2", "41.23"] in lines
    assert ["suite-x", "suite", "6", "0", "2", "–"] in lines
    monkeypatch.setattr(studies_module, "_found", lambda runs, storage: [])
    show_studies(None, None, False)
    out, err = capsys.readouterr()
    assert (out, "harness sweep" in err) == ("", True)


def test_the_best_is_exported_to_a_file_or_printed_alone(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sweep_module, "best_preset", lambda *a: "method: {lr: 1}\n")
    export_study("mine", None, None, None)
    assert capsys.readouterr() == ("method: {lr: 1}\n", "")
    file = tmp_path / "best.yaml"
    export_study("mine", str(file), None, None)
    assert file.read_text() == "method: {lr: 1}\n"
    out, err = capsys.readouterr()
    assert (out, str(file) in err) == ("", True)
