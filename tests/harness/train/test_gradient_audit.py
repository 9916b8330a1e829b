"""The gradient audit stops a run whose parameters would not learn."""

import pytest
import torch

from harness.clip.model import load_clip
from harness.config.sections import BackboneConfig
from harness.errors import TrainingError
from harness.method_parts.batch import Batch, Losses
from harness.methods import Method, TrainedConfig
from harness.train.gradient_audit import audit_gradients


class Probe(Method):
    """A map behind the image tower, with dropout and a counter."""

    Config = TrainedConfig

    def adapt(self):
        self.used, self.unused = torch.nn.Linear(128, 128), None
        self.register_buffer("calls", torch.zeros(()))

    def head_image(self, embeddings):
        self.calls += 1
        return torch.nn.functional.dropout(self.used(embeddings))


@pytest.fixture
def method():
    clip = load_clip(BackboneConfig(name="tiny", pretrained=None, image_size=(96, 32)))
    return Probe(clip, TrainedConfig(name="probe"))


@pytest.fixture
def batch(method):
    tokens = method.clip.tokenize(["a man in red", "a woman in blue"])[:, :12]
    return Batch(torch.randn(2, 3, 96, 32), tokens, torch.tensor([0, 1]))


def watched(method):
    """Return the list that takes each gradient of the map's weight, as it comes."""
    gradients = []
    method.used.weight.register_hook(gradients.append)
    return gradients


def test_a_sound_method_passes_and_is_left_as_it_was(method, batch):
    state = {name: value.clone() for name, value in method.state_dict().items()}
    method.used.weight.grad = torch.ones_like(method.used.weight)
    random, gradients = torch.get_rng_state(), watched(method)
    audit_gradients(method, batch)
    assert len(gradients) == 1
    assert all(parameter.grad is None for parameter in method.parameters())
    assert all(torch.equal(state[name], value) for name, value in method.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)


def test_a_gradient_of_zero_is_a_gradient(method, batch):
    torch.nn.init.zeros_(method.used.weight)
    torch.nn.init.zeros_(method.used.bias)
    gradients = watched(method)
    audit_gradients(method, batch)
    assert len(gradients) == 1


def test_it_runs_without_the_caller_s_no_grad_and_autocast(method, batch):
    gradients = watched(method)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        audit_gradients(method, batch)
    assert [gradient.dtype for gradient in gradients] == [torch.float32]


def test_dead_parameters_are_named(method, batch):
    method.unused = torch.nn.Linear(2, 2)
    with pytest.raises(TrainingError, match=r"2 parameters .* no gradient: unused.weight, unused.bias"):
        audit_gradients(method, batch)
    assert method.used.weight.grad is None, "gradients are put back after a failure too"


def test_a_parameter_that_the_towers_cannot_reach_is_dead(method, batch):
    method.clip.model.register_parameter("spare", torch.nn.Parameter(torch.ones(1)))
    with pytest.raises(TrainingError, match="1 parameter count"):
        audit_gradients(method, batch)


def test_a_leaking_frozen_parameter_is_named(method, batch, monkeypatch):
    frozen = method.clip.model.text_projection

    def leak(batch):
        losses = Method.training_step(method, batch)
        frozen.grad = torch.ones_like(frozen)
        return losses

    monkeypatch.setattr(method, "training_step", leak)
    with pytest.raises(
        TrainingError, match=r"1 parameter is frozen but gets a gradient: clip.model.text_projection"
    ):
        audit_gradients(method, batch)


def test_nothing_trainable_is_an_error(method, batch):
    method.requires_grad_(False)
    with pytest.raises(TrainingError, match="no trainable parameter"):
        audit_gradients(method, batch)


def test_a_loss_that_is_no_number_is_an_error(method, batch, monkeypatch):
    nan = Losses({"broken": torch.tensor(float("nan"), requires_grad=True)})
    monkeypatch.setattr(method, "training_step", lambda batch: nan)
    with pytest.raises(TrainingError, match="nan"):
        audit_gradients(method, batch)


def test_long_lists_are_cut(method, batch):
    for index in range(12):
        method.register_parameter(f"spare{index}", torch.nn.Parameter(torch.ones(1)))
    with pytest.raises(TrainingError, match="and 4 more"):
        audit_gradients(method, batch)
