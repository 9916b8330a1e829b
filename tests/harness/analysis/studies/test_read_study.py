"""A study read back from MLflow: whole, under way, resumed, broken, unknown."""

import pytest

from harness.analysis.studies.read_study import read_study
from harness.errors import UsageError
from tests.tracked_studies import AXES, METRICS, R1, TRIALS, open_study, send_study, send_trial


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


def test_a_study_is_read_whole_with_its_best_its_tests_and_its_preset(experiment, fake):
    send_study(experiment, "whole", TRIALS, fake)
    study = read_study(experiment, "whole")
    assert (study.status, study.objectives, study.seeds, study.best_number) == ("finished", (R1,), 1, 4)
    assert [(t.number, t.state, t.value, t.feasible) for t in study.trials][:3] == [
        (0, "finished", 20.0, True),
        (1, "finished", 30.0, False),
        (2, "pruned", 8.0, True),
    ]
    assert sorted(study.anew.values()) == [18.0, 20.0]
    assert study.test == {"test/icfg/t2i/R1": (12.0, 9.0, 15.0)}
    assert study.preset == "method:\n  lr: 0.01\n"
    assert [(axis.key, axis.over) for axis in study.axes] == [(axis.key, axis.over) for axis in AXES]
    assert study.defaults.keys() == {"method.lr", "method.prompt_length", "method.init"}
    assert study.notes == []
    send_study(experiment, "old", TRIALS, fake, test={"metrics": METRICS})
    assert read_study(experiment, "old").notes == [
        "The intervals of its tests are by the earlier method, a bootstrap."
    ]


def test_a_study_of_a_method_that_is_not_installed_has_no_defaults(experiment, fake):
    send_study(experiment, "alien", TRIALS[:1], fake, tags={"harness.method": "nobody's"})
    assert read_study(experiment, "alien").defaults == {}


def test_without_a_store_there_is_no_study():
    with pytest.raises(UsageError):
        read_study(None, "first")


def test_of_runs_of_one_trial_the_newest_that_ended_counts_and_odd_numbers_are_left_out(experiment):
    parent = open_study(experiment, "odd")
    send_trial(experiment, "odd", 0, parent, value=20.0)
    send_trial(experiment, "odd", 0, parent, status="running", value=3.0)
    for value in (5.0, 7.0):
        send_trial(experiment, "odd", 1, parent, status="pruned", value=value)
    send_trial(experiment, "odd", -1, parent, value=50.0)
    send_trial(experiment, "odd", "x", parent, status="pruned", value=50.0)
    study = read_study(experiment, "odd")
    assert [(t.number, t.value) for t in study.trials] == [(0, 21.0), (1, 7.0)]
    assert study.running == 0
