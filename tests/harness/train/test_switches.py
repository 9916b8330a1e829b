"""The settings that make steps cheaper: set inside steps alone, and refused in a line where they change nothing."""

import pytest
import torch

from harness.clip.tower_calls import PLAIN
from harness.compute import compiling
from harness.errors import Interrupted, UsageError
from harness.run.dry_run import make_plans
from harness.run.job import outline
from harness.train.switches import Switches
from tests.world import quick


def method_of(*overrides, name="full_finetune"):
    config = quick("nowhere", name, "icfg", *overrides)
    return outline(config), config.train


def fail_in(switches):
    with switches.steps():
        raise Interrupted("asked to stop")


def rounding():
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize("tf32", [True, False])
def test_tf32_holds_inside_steps_alone_whatever_the_process_has_set(tf32):
    before = rounding()
    method, train = method_of(f"train.tf32={tf32}")
    with Switches(method, train, torch.device("cpu")).steps():
        assert rounding() == (tf32, tf32)
    assert rounding() == before


@pytest.mark.parametrize("name", ["compile", "checkpoint_activations"])
def test_towers_are_run_otherwise_inside_steps_alone(monkeypatch, name):
    monkeypatch.setattr(compiling, "BACKEND", "eager")
    method, train = method_of(f"train.{name}=true")
    switches = Switches(method, train, torch.device("cpu"))
    with switches.steps():
        assert method.clip.calls != PLAIN
    assert method.clip.calls is PLAIN
    with pytest.raises(Interrupted):
        fail_in(switches)
    assert method.clip.calls is PLAIN
    plain, none = method_of()
    with Switches(plain, none, torch.device("cpu")).steps():
        assert plain.clip.calls == PLAIN


@pytest.mark.parametrize("setting", ["compile", "checkpoint_activations"])
@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("linear_probe", [], "changes nothing for linear_probe.*do not run in training"),
        ("zero_shot", [], "changes nothing for zero_shot"),
        (
            "full_finetune",
            ["backbone.name=RN50", "backbone.image_size=[64,32]"],
            "backbone of two plain transformers, which RN50 is not",
        ),
    ],
)
def test_what_would_change_nothing_or_cannot_be_is_refused_in_a_line(setting, name, overrides, message):
    with pytest.raises(UsageError, match=message) as error:
        method_of(f"train.{setting}=true", *overrides, name=name)
    assert f"train.{setting}=true" in str(error.value)
    assert "\n" not in str(error.value)


def test_views_from_the_store_are_refused_where_there_are_none():
    store = "train.augment.views_from=store"
    for name, more in (("cskt", ()), ("tbps_clip", ("method.ss_image=0",))):
        with pytest.raises(UsageError, match="views_from=store changes nothing"):
            method_of(store, *more, name=name)
    method_of(store, name="tbps_clip")


def test_a_dry_run_shows_the_settings(world, twins, tmp_path):
    config = world.quick(twins, "coop", "icfg", "train.checkpoint_activations=true", "train.fused=never")
    text = "\n".join(make_plans(config, tmp_path)[0].lines())
    assert "train.checkpoint_activations: True (default False)" in text
    assert "train.fused: never (default auto)" in text
    assert "prefetch: true" in text
