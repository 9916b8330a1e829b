"""A run's preparation: what makes its identity, where it is kept, and methods that begin alike."""

from dataclasses import replace

import pytest
import torch

from harness.clip.model import load_clip
from harness.data.contents import Content
from harness.data.protocols.joint import JointReading
from harness.data.reading import Reading
from harness.datasets import DATASETS, Sample
from harness.errors import UsageError
from harness.listener import Listener
from harness.methods import METHODS
from harness.metric_names import PROTOCOL_VERSION
from harness.presets.resolve import resolve
from harness.run import dry_run
from harness.run import job as job_module
from harness.run.job import build_method, check_trial, new_record, prepare

SAMPLES = [Sample(f"{n}.jpg", n % 2, ("a man",), "train") for n in range(4)]
SAMPLES.append(Sample("4.jpg", 2, ("a man",), "test"))


@pytest.fixture
def reading(tmp_path):
    """Return a dataset's samples as a run uses them: two persons."""
    contents = {sample.image: Content(tmp_path / sample.image, sample.image) for sample in SAMPLES}
    return Reading(
        DATASETS.get("icfg"), tmp_path, SAMPLES, ("train",), False, [], "print", True, contents=contents
    )


@pytest.fixture
def config(world, tmp_path):
    """Return the maker of configs."""
    return lambda *overrides, method="linear_probe": world.quick(tmp_path, method, "icfg", *overrides)


@pytest.fixture(scope="module")
def clip(world, tmp_path_factory):
    return load_clip(world.quick(tmp_path_factory.mktemp("any")).backbone)


def test_a_record_begins_with_identity_versions_and_data(config, reading, clip):
    record = new_record(config(), JointReading(reading), clip)
    assert record.versions == {
        "method": METHODS.get("linear_probe").version,
        "dataset": DATASETS.get("icfg").version,
        "protocol": PROTOCOL_VERSION,
    }
    assert (record.fingerprint, record.synthetic, record.status) == ("print", True, "running")
    assert record.name == f"linear_probe-icfg-twin-{record.identity[:12]}"
    assert record.identity == new_record(config(), JointReading(reading), clip).identity
    assert record.backbone == clip.identity.as_dict()


def test_a_trial_is_never_taken_for_a_run_and_trials_of_two_studies_are_alike(config, reading, clip):
    run, first, second = (
        new_record(config(), JointReading(reading), clip, study) for study in (None, "one", "two")
    )
    assert run.identity != first.identity == second.identity
    assert (run.study, first.study) == (None, "one")


def test_pictures_are_part_of_a_run_and_those_of_the_test_split_of_no_trial(config, reading, clip):
    def identities(**contents):
        others = {name: Content(reading.root / name, text) for name, text in contents.items()}
        other = replace(reading, contents=reading.contents | others)
        return [new_record(config(), JointReading(other), clip, study).identity for study in (None, "one")]

    known = identities()
    train, test = identities(**{"0.jpg": "other"}), identities(**{"4.jpg": "other"})
    assert [a == b for a, b in zip(train, known, strict=True)] == [False, False]
    assert [a == b for a, b in zip(test, known, strict=True)] == [False, True]
    assert new_record(config(), JointReading(reading), clip).pictures == reading.pictures


def test_only_what_can_change_a_result_changes_the_identity(config, reading, clip):
    known = new_record(config(), JointReading(reading), clip).identity
    for overrides, same in (
        (("seed=2",), False),
        (("method.lr=0.5",), False),
        (("dataset.store=off",), True),
        (("train.checkpoint_seconds=1",), True),
    ):
        assert (new_record(config(*overrides), JointReading(reading), clip).identity == known) is same, (
            overrides
        )


def test_a_method_begins_the_same_for_the_same_seed(config, clip):
    def weights(*overrides):
        torch.manual_seed(len(overrides))
        return [p.clone() for _, p in build_method(config(*overrides, method="cskt"), clip).trainable()]

    first, again, other = weights(), weights("seed=1"), weights("seed=2")
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_released_precision_stores_linear_maps_in_half(config, world, tmp_path):
    backbone = load_clip(config().backbone)
    kinds = {p.dtype for _, p in build_method(config("train.precision=pure-fp16"), backbone).trainable()}
    assert kinds == {torch.float16}


@pytest.mark.parametrize(("study", "place"), [(None, ()), ("mine", ("studies", "mine", "trials"))])
def test_a_run_and_a_trial_have_folders_apart(monkeypatch, config, reading, tmp_path, study, place):
    monkeypatch.setattr(job_module, "read_joint", lambda section, listener, needed: JointReading(reading))
    listener = Listener()
    job = prepare(config(), tmp_path / "runs", "cpu", listener, {"a": "b"}, study)
    assert job.main
    assert job.folder.path == (tmp_path / "runs").joinpath(*place, job.record.name)
    assert not job.folder.path.exists()
    assert (job.record.tags, job.record.study, job.root) == ({"a": "b"}, study, tmp_path / "runs")
    assert job.listener is listener
    assert job.engine.device == torch.device("cpu")


def test_what_follows_from_the_data_is_in_the_config_of_the_run(monkeypatch, config, reading, tmp_path):
    monkeypatch.setattr(job_module, "read_joint", lambda section, listener, needed: JointReading(reading))
    job = prepare(config(method="irra"), tmp_path, "cpu", Listener(), {})
    assert job.config.method.n_identities == 2


@pytest.mark.parametrize(
    ("override", "named"),
    [("eval.test_each_epoch=true", r"eval\.test_each_epoch"), ("eval.rule=last", r"eval\.rule.*'last'")],
)
def test_a_trial_may_not_see_the_test_split(monkeypatch, config, tmp_path, override, named):
    check_trial(config())
    with pytest.raises(UsageError, match=named):
        check_trial(config(override))
    with pytest.raises(UsageError, match=named):
        prepare(config(override), tmp_path, "cpu", Listener(), {}, "mine")


LOOKS = {
    "run": lambda config, runs: prepare(config, runs, "cpu", Listener(), {}),
    "plan": lambda config, runs: dry_run.make_plans(config, runs),
}


@pytest.mark.parametrize("method", ["cskt", "coop", "adapter_only", "prompt_only"])
@pytest.mark.parametrize("look", LOOKS)
def test_a_backbone_that_takes_no_injections_is_refused_before_anything_is_read(
    monkeypatch, tmp_path, method, look
):
    config = resolve(method, "icfg", overrides=["backbone.name=RN50"])
    for module in (job_module, dry_run):
        monkeypatch.setattr(module, "read_joint", lambda *args: pytest.fail("read the data"))
    with pytest.raises(UsageError, match=r"RN50.*, or one of .*tiny, .* and \d+ more"):
        LOOKS[look](config, tmp_path)


class Heard(Listener):
    def __init__(self):
        self.notes = []

    def on_note(self, text):
        self.notes.append(text)


def test_what_was_assumed_of_the_weights_is_said_recorded_and_planned(
    world, twins, tmp_path, clip, untracked
):
    torch.save(clip.model.state_dict(), tmp_path / "a.pt")
    weights = (f"backbone.weights={tmp_path / 'a.pt'}", "backbone.text_length=80")
    config = world.quick(twins, "zero_shot", "icfg", *weights)
    heard = Heard()
    job = prepare(config, tmp_path, "cpu", heard, {})
    assert job.record.notes == heard.notes
    assert ["is assumed" in note or "interpolated" in note for note in heard.notes] == [True] * len(
        heard.notes
    )
    assert "backbone.quick_gelu=false" in heard.notes[0]
    plan = dry_run.make_plans(config, tmp_path)[0]
    assert plan.notes == heard.notes
    assert all(note in "\n".join(plan.lines()) for note in heard.notes)
