"""A training step never waits for the device: each method steps on a device that holds no values to wait for.

The meta device refuses whatever would look at a value (`item`, `nonzero`, a mask as an index); copies that would wait,
and operations on tensors of both sides, are refused here.
"""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch

from harness.config.sections import RunConfig
from harness.method_parts.frozen import frozen_parts, given_to_batch
from harness.method_parts.losses import LOSSES
from harness.methods import METHODS
from harness.record import RunFolder
from harness.train.loop import Training
from tests.no_waiting import NoWaiting

DEVICE = torch.device("meta")
ALL_LOSSES = {"itc": 1.0, "mvs_text": True, "ss_text": 0.5, "c_itc_form": "paper"}
OPTIONS = {
    "tbps_clip": [{}, ALL_LOSSES | {"global_gradients": False}],
    "irra": [{"n_identities": 5}, {"n_identities": 5, "leak_masks": False}],
    "coop": [{}, {"optimiser": "sgd"}],
}
TRAINED = [name for name in METHODS.names() if METHODS.get(name).trained]
CASES = [(name, options) for name in TRAINED for options in OPTIONS.get(name, [{}])]


class Few:
    """The same batch, a few times an epoch."""

    def __init__(self, batch, n):
        self.batch, self.n = batch, n

    def __len__(self):
        return self.n

    def epoch(self, epoch, start_step=0):
        return iter([self.batch] * self.n)


@pytest.fixture
def training(build, batch, tmp_path, monkeypatch):
    """Return the maker of a training whose model and batch are on the meta device."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # which knows no such device

    def make(name, options, n_steps=1, **train):
        method = build(name, backbone="shallow", **options).to(DEVICE)
        config = RunConfig.model_validate(
            {
                "method": {"name": name},
                "dataset": {"name": "icfg"},
                "train": {"epochs": 1, "checkpoint_seconds": 1000, **train},
            }
        )
        engine = SimpleNamespace(
            prepare=lambda method, optimiser: (method, optimiser),
            backward=torch.autograd.backward,
            no_sync=lambda model: nullcontext(),
            device=DEVICE,
            num_processes=1,
            scaler=None,
            mixed_precision="no",
        )
        moved = {key: moved_to(DEVICE, value) for key, value in vars(batch).items() if key != "places"}
        for tower, part in frozen_parts(method, config.train).items():
            moved[f"{tower}_frozen"] = given_to_batch(
                part.compute(moved["images" if tower == "image" else "tokens"])
            )
        return Training(method, Few(type(batch)(**moved), n_steps), config, engine, RunFolder(tmp_path))

    return make


def moved_to(device, value):
    if isinstance(value, tuple):
        return tuple(moved_to(device, one) for one in value)
    return value.to(device) if isinstance(value, torch.Tensor) else value


def looks(training, monkeypatch):
    """Train one epoch; return how often the losses were looked at."""
    seen = []
    monkeypatch.setattr(training, "_look", seen.append)
    with NoWaiting():
        training._steps(1)
    assert training.state.step == len(training.batches)
    return len(seen)


@pytest.mark.parametrize(("name", "options"), CASES, ids=lambda x: x if isinstance(x, str) else "")
def test_no_step_looks_at_a_value(training, monkeypatch, name, options):
    looks(training(name, options), monkeypatch)


def test_nor_does_one_in_parts(training, monkeypatch):
    looks(training("coop", {}, part_size=4), monkeypatch)


@pytest.mark.parametrize(("n_steps", "expected"), [(24, 1), (26, 3)])
def test_the_losses_are_looked_at_once_in_many_steps(training, monkeypatch, n_steps, expected):
    """After 25 steps, since nothing is taken away here after each, and after the last."""
    assert looks(training("linear_probe", {}, n_steps=n_steps), monkeypatch) == expected


@pytest.mark.parametrize("name", LOSSES)
def test_no_loss_looks_at_a_value(name, monkeypatch):
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    image, text = (torch.empty(6, 4, device=DEVICE, requires_grad=True) for _ in range(2))
    with NoWaiting():
        LOSSES[name](image, text, torch.empty(6, dtype=torch.long, device=DEVICE), 0.1).backward()
    assert image.grad is not None


def test_what_looks_is_found(training, monkeypatch):
    one = training("full_finetune", {})
    for looking in (
        lambda losses: losses.total.item(),
        lambda losses: losses.total > 0 or 1,
        lambda losses: losses.total[None].nonzero(),
        lambda losses: torch.ones(3).to(DEVICE),
        lambda losses: losses.total[None][torch.zeros(1, dtype=torch.long)],
    ):
        monkeypatch.setattr(one, "model", lambda batch, looking=looking: looking(one.method(batch)))
        with pytest.raises((AssertionError, RuntimeError, NotImplementedError)) as error:
            looks(one, monkeypatch)
        assert "has no attribute" not in str(error.value)
