"""What a trial's progress becomes: reports by step, early ends, held material, and costs."""

from types import SimpleNamespace

import pytest

from harness.listener import Listener
from harness.record import Record
from harness.record.time_left import VALIDATION_SECONDS
from harness.sweep.settings import COSTS
from harness.sweep.trial_listener import Pruned, TrialListener, costs

OBJECTIVE = "val/t2i/R1"


class Trial:
    """Notes what is reported; ends at a chosen step."""

    def __init__(self, ends_at=None):
        self.reports, self.ends_at = [], ends_at

    def report(self, step, value):
        self.reports.append((step, value))
        return step == self.ends_at


class Inner(Listener):
    """Notes what is passed on."""

    def __init__(self):
        self.calls = []

    def on_count(self, *given):
        self.calls.append(("count", *given))

    def on_note(self, *given):
        self.calls.append(("note", *given))

    def on_step(self, *given):
        self.calls.append(("step", *given))

    def on_epoch(self, *given):
        self.calls.append(("epoch", *given))

    def on_resume(self, *given):
        self.calls.append(("resume", *given))


@pytest.fixture
def make():
    """Return the maker of a listener on a trial; runs take three epochs."""

    def call(ends_at=None, pruner="median"):
        held = []
        search = SimpleNamespace(objective=OBJECTIVE, pruner=pruner)
        queue = SimpleNamespace(hold=lambda what, values: held.append((what, values)))
        study = SimpleNamespace(name="mine", search=search, queue=queue, held=held)
        return TrialListener(Inner(), study, Trial(ends_at), epochs=3)

    return call


def row(value=None, epoch=1):
    return {"epoch": epoch, "train/loss": 1.0} | ({} if value is None else {OBJECTIVE: value})


def test_each_validation_is_reported_and_an_epoch_without_one_is_not(make):
    listener = make()
    listener.on_epoch(1, row(5.0))
    listener.on_epoch(2, row())
    listener.on_epoch(3, row(6.0))
    assert listener.trial.reports == [(1, 5.0), (3, 6.0)]
    assert listener.n_epochs == 3
    assert listener.inner.calls == []


def test_further_seeds_count_on(make):
    listener = make()
    for seed in range(3):
        for epoch in (1, 2, 3):
            listener.on_epoch(epoch, row(float(seed)))
        listener.on_seed(float(seed), seed == 2)
    assert [step for step, _ in listener.trial.reports] == list(range(1, 10))
    assert (listener.n_ended, listener.n_epochs) == (3, 9)


def test_a_trial_that_falls_behind_ends_with_study_and_epoch(make):
    listener = make(ends_at=2)
    listener.on_epoch(1, row(5.0))
    with pytest.raises(Pruned, match=r"mine.* 2\b") as caught:
        listener.on_epoch(2, row(4.0))
    assert caught.value.run_status == "pruned"
    assert listener.n_epochs == 2


def test_by_seeds_only_the_values_of_whole_seeds_are_reported_and_the_last_ends_nothing(make):
    listener = make(ends_at=1, pruner="wilcoxon")
    listener.on_epoch(1, row(5.0))
    listener.on_seed(7.0, False)
    assert listener.trial.reports == [(0, 7.0)]
    with pytest.raises(Pruned, match=r"mine.* 2\b"):
        listener.on_seed(8.0, False)
    last = make(ends_at=0, pruner="wilcoxon")
    last.on_seed(7.0, True)
    assert last.trial.reports == [(0, 7.0)]


def test_what_was_reached_before_an_interruption_is_reported_and_ends_nothing(make):
    listener = make(ends_at=2)
    listener.on_resume([row(5.0, 1), row(4.0, 2), row(None, 3)], 6)
    assert listener.trial.reports == [(1, 5.0), (2, 4.0)]
    assert listener.n_epochs == 3
    assert [call[0] for call in listener.inner.calls] == ["resume"]


def test_a_trial_took_the_seconds_before_its_interruption_too(make):
    listener = make()
    listener.on_resume([row(5.0, 1) | {"seconds": 60.0, VALIDATION_SECONDS: 5.0}, row(None, 2)], 6)
    assert 65 <= listener.seconds() < 125
    listener.on_resume([row(4.0, 1) | {"seconds": 100.0}], 0)
    assert 165 <= listener.seconds() < 225, "the seeds of a trial are resumed one by one"


def test_progress_is_passed_on_but_for_epochs(make):
    listener = make()
    listener.on_count(1, 2)
    listener.on_note("text")
    listener.on_step(1, 2, 3)
    assert listener.inner.calls == [("count", 1, 2), ("note", "text"), ("step", 1, 2, 3)]
    assert 0 <= listener.seconds() < 60


def record(**accounting):
    return Record(
        identity="a",
        config={},
        versions={"method": 1},
        fingerprint="print",
        pictures={"train": "shown"},
        backbone={"name": "tiny", "seed": 4},
        synthetic=True,
        accounting=accounting,
    )


def test_all_trials_share_data_pictures_weights_and_versions_and_not_the_seed(make):
    listener = make()
    listener.on_start("name", record())
    material = {"fingerprint": "print", "backbone": {"name": "tiny"}, "versions": {"method": 1}}
    assert listener.study.held == [("material", material), ("pictures", {"train": "shown"})]
    assert [known.identity for known in listener.records] == ["a"]


def test_trials_of_a_joint_training_share_what_each_further_dataset_holds(make):
    listener, joint = make(), record()
    joint.further = {"cuhk": {"fingerprint": "theirs"}}
    listener.on_start("name", joint)
    assert listener.study.held[-1] == ("further data", joint.further)


def test_costs_are_those_that_were_measured():
    assert costs(record()) == {}
    measured = record(parameters={"trainable": 12}, train_peak_bytes=3, step_seconds=None)
    assert costs(measured) == {"trainable_parameters": 12.0, "peak_memory": 3.0}
    assert set(costs(record(parameters={"trainable": 0}, train_peak_bytes=0, step_seconds=0.5))) == set(COSTS)
