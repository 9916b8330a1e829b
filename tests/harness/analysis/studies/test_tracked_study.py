"""A study as a value: its best trial, its world, its file, and its panel on a page."""

import json

import pytest

from harness.analysis.studies.tracked_study import TrackedStudy, Trial, load_study, write_study
from harness.errors import HarnessError
from harness.record import REAL, TWIN
from tests.tracked_studies import BAD, MEMORY, R1, TRIALS, tracked, trial


def test_the_file_gives_the_study_back(tmp_path):
    study = tracked(TRIALS, test={"a": (1.0, None, 2.0)}, notes=["odd"], importance={"method.lr": 1.0})
    write_study(tmp_path / "data" / "study.json", study)
    assert load_study(tmp_path / "data" / "study.json") == study
    assert json.loads((tmp_path / "data" / "study.json").read_text())["best_number"] == 4


@pytest.mark.parametrize("text", ["", "{", "[1]"])
def test_a_broken_file_is_an_error(tmp_path, text):
    (tmp_path / "study.json").write_text(text)
    with pytest.raises((HarnessError, ValueError)):
        load_study(tmp_path / "study.json")


def test_the_best_is_found_by_number_and_there_may_be_none():
    study = tracked(TRIALS)
    assert study.best.value == 25.0
    assert [trial.number for trial in study.finished] == [0, 1, 4, 5]
    assert tracked([trial(0, state="failed")]).best is None
    assert study.model_copy(update={"best_number": 99}).best is None


def test_the_first_objective_decides_and_a_trial_without_values_has_none():
    assert tracked([], (MEMORY, R1)).objective == MEMORY
    assert Trial(number=0, state="pruned", values=(3.0, 9.0)).value == 3.0
    assert Trial(number=0, state="failed").value is None
    with pytest.raises(ValueError, match="state"):
        Trial(number=0, state="lost")


def test_the_title_names_the_world_and_the_panel_escapes_its_texts():
    assert tracked([]).title.endswith(TWIN)
    assert tracked([], synthetic=False).title.endswith(REAL)
    html = TrackedStudy(name=BAD, status="finished", objectives=(R1,), notes=[BAD, "b"])._repr_html_()
    assert html.count("<p>") == 2
    assert "<script" not in html
    assert "\x1b" not in html
