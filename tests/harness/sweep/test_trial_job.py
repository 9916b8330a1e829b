"""One trial: its runs, the mean over seeds, and how each kind of end reaches study and tracker."""

from types import SimpleNamespace

import pytest

from harness.config.fields import Choice
from harness.config.values import content_hash
from harness.errors import DataError, Interrupted, TrainingError, UsageError
from harness.queue.jobs import Changed, TakenAway
from harness.queue.work_setup import WorkSetup
from harness.record import Record, RunFolder, trials_folder
from harness.sweep import trial_job
from harness.sweep.settings import Constraint, Search
from harness.sweep.space import Axis
from harness.sweep.trial_job import _TRIAL_RUN, TrialJob
from harness.sweep.trial_listener import Pruned

R1, MAP = "val/t2i/R1", "val/t2i/mAP"


class Trial:
    """Notes how it ended."""

    number = 4
    job = SimpleNamespace(user_attrs={})

    def __init__(self):
        self.params, self.ended, self.facts, self.excess = {"method.lr": 0.05}, [], {}, None

    def __getattr__(self, name):
        return lambda *given: self.ended.append((name, *given))

    def note(self, **facts):
        self.facts = facts

    def weigh(self, excess):
        self.excess = excess


class Tracker:
    """Notes what the study's run is told."""

    key = "the study's"

    def __init__(self):
        self.sent, self.adopted, self.ended = [], [], []

    def begin_trial(self, number, known, values):
        return f"run-of-{number}"

    def end_trial(self, run_id, status, values):
        self.ended.append((run_id, status, values))

    def send(self, record, folder):
        assert folder.path.name == record.name
        self.sent.append(record.name)

    def adopt(self, records, parent=None):
        self.adopted.append(([record.name for record in records], parent))


@pytest.fixture
def make(config, tmp_path, monkeypatch):
    """Return the maker of a trial's job whose runs score by seed, or raise."""

    def call(scores, **search):
        broken, notes, seen = [], {}, []

        def run(one, *, runs, device, listener, tags, study):
            seen.append((one, tags, study))
            score = scores[one.seed]
            if isinstance(score, BaseException):
                raise score
            record = Record(
                identity=content_hash(one),
                config=one.model_dump(mode="json"),
                versions={},
                fingerprint="data",
                backbone={},
                synthetic=True,
                selection={R1: score, MAP: score / 2, "epochs": 3},
                seconds=100.0,
                accounting={"train_peak_bytes": 100.0 * one.seed},
            )
            folder = RunFolder(trials_folder(runs, study) / record.name)
            folder.path.mkdir(parents=True)
            folder.file("checkpoint.pt").touch()
            return record

        monkeypatch.setattr(trial_job, "run", run)
        queue = SimpleNamespace(note=lambda job, key, value: notes.update({key: value}))
        study = SimpleNamespace(name="mine", search=Search(**search), queue=queue, axes=[])
        job = TrialJob(study, Trial(), config, WorkSetup(tmp_path), Tracker(), broken=broken.append)
        job.broke, job.notes, job.seen = broken, notes, seen
        return job

    return call


def test_a_run_with_the_trial_s_values_ends_it_with_its_score(make, config, tmp_path):
    job = make({1: 40.0})
    job.do()
    (one, tags, study) = job.seen[0]
    assert (one.method.lr, one.seed, study) == (0.05, config.seed, "mine")
    marks = {"harness.kind": "trial", "harness.study": "mine", "harness.trial": "4"}
    assert tags == {**marks, "harness.study_key": job.tracker.key}
    assert job.trial.ended == [("finish", [40.0])]
    assert job.trial.excess == {}
    assert job.trial.facts["metrics"] == {R1: 40.0, MAP: 20.0}
    assert (job.trial.facts["epochs"], job.trial.facts["planned"]) == (3, config.train.epochs)
    assert 100 <= job.trial.facts["seconds"] < 160, (
        "a run that was there already took its time when it was made"
    )
    (name,) = job.trial.facts["runs"]
    assert job.tracker.sent == [name]
    assert job.tracker.adopted == [([name], None)]
    assert not (trials_folder(tmp_path, "mine") / name / "checkpoint.pt").exists()
    assert job.tracker.ended == []


def test_where_epochs_are_searched_those_of_the_trial_are_planned_and_seeds_count_on_from_the_most(make):
    job = make({1: 40.0, 2: 50.0}, seeds=2)
    job.study.axes = [Axis(key="train.epochs", over=Choice(values=(2, 20)))]
    job = TrialJob(job.study, job.trial, job.config, job.setup, job.tracker, broken=job.broken)
    job.trial.params = {"train.epochs": 20}
    job.do()
    assert job.trial.facts["planned"] == 2 * 20
    assert job.listener.epochs == 20


def test_a_trial_whose_values_the_config_refuses_fails_and_is_kept(make, config):
    job = make({1: 40.0})
    job.trial.params = {"method.lr": "fast"}
    job.do()
    ((end, error),) = job.trial.ended
    assert (end, job.broke) == ("fail", [error])
    assert "method.lr" in str(error)
    assert job.trial.facts["planned"] == config.train.epochs


def test_several_seeds_give_their_mean_and_are_children_of_the_trial_s_own_run(make):
    job = make({1: 40.0, 2: 50.0, 3: 30.0}, seeds=3, objectives=(R1, "peak_memory"), pruner="none")
    job.do()
    assert [one.seed for one, _, _ in job.seen] == [1, 2, 3]
    assert {tags["harness.kind"] for _, tags, _ in job.seen} == {"trial_seed"}
    assert job.trial.ended == [("finish", [40.0, 200.0])]
    assert job.notes == {_TRIAL_RUN: "run-of-4"}
    assert [parent for _, parent in job.tracker.adopted] == ["run-of-4"]
    assert job.tracker.ended == [("run-of-4", "finished", {R1: 40.0, MAP: 20.0, "peak_memory": 200.0})]
    assert len(job.trial.facts["runs"]) == 3


@pytest.mark.parametrize(("limit", "excess"), [(60.0, 40.0), (100.0, 0.0), (150.0, -50.0)])
def test_a_cost_is_weighed_against_its_limit(make, limit, excess):
    job = make({1: 40.0}, constraints=(Constraint(cost="peak_memory", at_most=limit),))
    job.do()
    assert list(job.trial.excess.values()) == [excess]
    assert job.trial.ended == [("finish", [40.0])]


def test_an_objective_that_no_run_measured_fails_the_trial_by_name(make):
    job = make({1: 40.0}, objectives=(R1, "step_seconds"), pruner="none")
    job.do()
    ((kind, error),) = job.trial.ended
    assert (kind, type(error)) == ("fail", UsageError)
    assert "step_seconds" in str(error)
    assert job.broke == [error]


def test_a_pruned_run_prunes_the_trial_with_the_runs_so_far(make):
    job = make({1: 40.0, 2: Pruned("behind")}, seeds=2)
    job.do()
    assert job.trial.ended == [("prune",)]
    assert len(job.trial.facts["runs"]) == 1
    assert job.trial.facts["metrics"] == {}
    assert job.tracker.ended == [("run-of-4", "pruned", {})]
    assert job.broke == []


def test_an_error_fails_the_trial_and_is_told(make):
    error = TrainingError("the loss is nan")
    job = make({1: error}, seeds=2)
    job.do()
    assert job.trial.ended == [("fail", error)]
    assert job.broke == [error]
    assert job.tracker.ended == [("run-of-4", "failed", {})]


@pytest.mark.parametrize(
    "stop", [KeyboardInterrupt(), Interrupted("a signal"), DataError("not there"), Changed("other data")]
)
def test_what_is_no_fault_of_the_trial_puts_it_back_and_goes_on_up(make, stop):
    job = make({1: 40.0, 2: stop}, seeds=2)
    with pytest.raises(type(stop)):
        job.do()
    assert job.trial.ended == [("put_back",)]
    assert job.tracker.ended == [("run-of-4", "interrupted", {})]
    assert (job.broke, job.trial.facts) == ([], {})


def test_a_trial_that_was_taken_away_is_left_alone(make):
    job = make({1: TakenAway("gone")})
    job.do()
    assert (job.trial.ended, job.broke, job.tracker.adopted) == ([], [], [])
