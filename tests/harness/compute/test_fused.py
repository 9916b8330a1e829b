"""Fused optimisers take the same steps, only where they can, and stay what they are when a checkpoint is loaded."""

import pytest
import torch

from harness.compute import fused as module
from harness.compute.fused import fused

KINDS = {
    "adam": lambda groups: torch.optim.Adam(groups, eps=1e-3),
    "adamw": lambda groups: torch.optim.AdamW(groups, betas=(0.9, 0.98)),
    "sgd": lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.9),
}


def weights(dtype=torch.float32):
    torch.manual_seed(0)
    return [torch.nn.Parameter(torch.randn(4, 3).to(dtype)), torch.nn.Parameter(torch.randn(3).to(dtype))]


def groups(own):
    return [
        {"params": own[:1], "lr": 1e-2, "weight_decay": 0.1},
        {"params": own[1:], "lr": 2e-2, "weight_decay": 0.0},
    ]


def step(optimiser, own, n=3):
    torch.manual_seed(1)
    for _ in range(n):
        for weight in own:
            weight.grad = torch.randn_like(weight)
        optimiser.step()


def is_fused(optimiser):
    return [bool(group.get("fused")) for group in optimiser.param_groups] == [True, True]


@pytest.mark.parametrize("kind", KINDS)
def test_the_steps_are_the_same(kind):
    plain, own = weights(), weights()
    step(KINDS[kind](groups(plain)), plain)
    optimiser = fused(KINDS[kind](groups(own)), "always")
    assert is_fused(optimiser)
    assert type(optimiser) is type(KINDS[kind](groups(plain)))
    step(optimiser, own)
    for a, b in zip(plain, own, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("wanted", ["auto", "never"])
def test_a_processor_keeps_its_own_unless_asked(wanted):
    optimiser = KINDS["adam"](groups(weights()))
    assert fused(optimiser, wanted) is optimiser
    assert not is_fused(optimiser)


def test_what_cannot_be_fused_is_left(monkeypatch):
    half = KINDS["adam"](groups(weights(torch.float16)))
    assert fused(half, "always") is half, "stepped in float16, as released"
    other = torch.optim.RMSprop(groups(weights()))
    assert fused(other, "always") is other


@pytest.mark.parametrize(("written", "read"), [("always", "never"), ("never", "always")])
def test_a_checkpoint_of_the_other_kind_resumes(written, read):
    whole = weights()
    step(KINDS["adam"](groups(whole)), whole, n=6)
    own = weights()
    first = fused(KINDS["adam"](groups(own)), written)
    step(first, own)
    second = fused(KINDS["adam"](groups(own)), read)
    second.load_state_dict(first.state_dict())
    assert is_fused(second) == (read == "always")
    torch.manual_seed(1)
    [torch.randn_like(weight) for _ in range(3) for weight in own]
    for _ in range(3):
        for weight in own:
            weight.grad = torch.randn_like(weight)
        second.step()
    for a, b in zip(whole, own, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_only_what_has_made_no_step_is_rebuilt():
    own = weights()
    optimiser = KINDS["adam"](groups(own))
    step(optimiser, own, n=1)
    with pytest.raises(AssertionError, match="has made a step"):
        module.fused(optimiser, "always")
