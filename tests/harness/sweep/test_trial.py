"""A trial's facts: the keys it is stored by, and what older summaries and reports hold of one."""

from harness.sweep.trial import TIE, Trial, best_of, front_of, params_text


def test_a_trial_is_stored_by_the_keys_of_every_summary_so_far():
    trial = Trial(number=0, state="finished", values=(1.0, 2.0), metrics={TIE: 3.0})
    assert list(trial.model_dump()) == [
        *("number", "state", "value", "values", "params", "feasible", "metrics", "runs"),
        *("seconds", "epochs", "planned", "error"),
    ]
    assert Trial.model_validate(trial.model_dump(mode="json")) == trial


def test_value_and_values_fill_one_another():
    assert Trial(number=0, state="finished", value=1.0).values == (1.0,)
    assert Trial(number=0, state="finished", values=(2.0, 3.0)).value == 2.0
    failed = Trial(number=0, state="failed")
    assert (failed.value, failed.values, failed.tie) == (None, (), None)


def test_the_tie_of_an_older_report_is_read_and_breaks_ties():
    older = [
        {"number": n, "state": "finished", "values": [5.0], "tie": tie} for n, tie in enumerate((1, 2, None))
    ]
    trials = [Trial.model_validate(one) for one in older]
    assert [trial.tie for trial in trials] == [1.0, 2.0, None]
    assert best_of(trials).number == 1


def test_the_front_holds_only_finished_trials_within_the_constraints():
    trials = [
        Trial(number=0, state="finished", values=(5.0, 2.0)),
        Trial(number=1, state="finished", values=(9.0, 1.0), feasible=False),
        Trial(number=2, state="pruned", values=(9.0,)),
        Trial(number=3, state="finished", values=(4.0, 3.0)),
        Trial(number=4, state="finished", values=(4.0, 1.0)),
    ]
    assert front_of(trials, ("maximize", "minimize")) == [0, 4]


def test_a_point_as_text():
    assert params_text({}) == ""
    assert params_text({"a": 123456.0, "b": 7, "c": None}) == "a=1.23e+05 b=7 c=None"
