"""The recipe: its command says all of it, and what cannot ship is refused before anything is trained."""

import shlex

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from harness.cli.commands.pretrain import pretrain as command
from harness.clip.model import count_parameters, load_clip
from harness.errors import UsageError
from harness.pretrain.recipe import PretrainConfig, check, relative_cost, shipped_bytes

LARGER = "tiny-5x160-3x128"
OTHER = PretrainConfig(
    steps=7, batch_size=3, seed=2, mix="web", model=LARGER, lr=2e-4, warmup_steps=9, held_out=40
)


@pytest.mark.parametrize("config", [PretrainConfig(), OTHER])
def test_the_command_of_a_recipe_gives_that_recipe(config):
    words = shlex.split(config.command)
    assert words[:2] == ["harness", "pretrain"]
    given = dict(command.make_context("pretrain", words[2:]).params)
    recipe = {name: value for name, value in given.items() if name in PretrainConfig.model_fields}
    assert PretrainConfig(**recipe) == config


def test_the_defaults_of_the_command_are_those_of_the_recipe():
    defaults = {one.name: one.default for one in command.params if one.name in PretrainConfig.model_fields}
    assert defaults.keys() == PretrainConfig.model_fields.keys() - {"weight_decay"}
    assert PretrainConfig(**defaults) == PretrainConfig()


def test_differences_are_named():
    assert OTHER.differences(OTHER.model_dump()) == ""
    assert OTHER.differences(OTHER.model_dump() | {"steps": 8}) == "steps 8 instead of 7"


def operations(model):
    """Operations of both towers, counted by torch as they run."""
    clip = load_clip(PretrainConfig(model=model).backbone, random=True)
    counter = FlopCounterMode(display=False)
    with sdpa_kernel(SDPBackend.MATH), torch.enable_grad(), counter:
        clip.encode_image(torch.zeros(1, 3, 96, 32))
        clip.encode_text(torch.zeros(1, clip.text_length, dtype=torch.long))
    return counter.get_total_flops()


@pytest.mark.parametrize("model", ["tiny-1x64-4x96", "tiny-2x256-1x32"])
def test_the_relative_cost_is_that_of_the_operations_that_run(model):
    assert relative_cost(model) == pytest.approx(operations(model) / operations("tiny"), rel=0.005)


def test_the_bytes_are_those_of_all_parameters_in_half_precision():
    assert shipped_bytes(OTHER) == 2 * count_parameters(OTHER.backbone)


def test_what_may_ship_passes():
    check(PretrainConfig())
    check(OTHER)
    assert 1 < relative_cost(LARGER) < 1.5


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": "ViT-B-16"}, "--model takes tiny"),
        ({"model": "tiny-8x256-3x128"}, "times the operations"),
        ({"model": "tiny-4x100-3x128"}, "multiples of 32"),
        ({"mix": "persons"}, "Unknown kind"),
    ],
)
def test_what_may_not_ship_or_is_unknown_is_one_line(changes, said):
    with pytest.raises(UsageError, match=said) as caught:
        check(PretrainConfig(**changes))
    assert "\n" not in str(caught.value)


def test_what_is_too_large_to_ship_is_one_line(monkeypatch):
    monkeypatch.setattr("harness.pretrain.recipe.MOST_COST", 100)
    with pytest.raises(UsageError, match=r"takes 23\.\d MB, more than 10 MB"):
        check(PretrainConfig(model="tiny-1x32-1x736"))
