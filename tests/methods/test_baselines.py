"""Recipes and structure of the methods beside CSKT."""

import pytest
import torch

from harness.errors import UsageError
from harness.method_parts.batch import Batch
from harness.methods import METHODS
from harness.presets.resolve import resolve


def test_full_finetune_trains_every_weight_with_the_published_rates(build):
    method = build("full_finetune", backbone="shallow")
    assert all(parameter.requires_grad for parameter in method.parameters())
    weights, biases = method.param_groups()
    assert (weights["lr"], weights["weight_decay"]) == (1e-5, 4e-5)
    assert (biases["lr"], biases["weight_decay"]) == (2e-5, 0.0)
    names = {id(parameter): name for name, parameter in method.named_parameters()}
    assert all("bias" in names[id(p)] for p in biases["params"])
    assert not any("bias" in names[id(p)] for p in weights["params"])
    assert any("in_proj_bias" in names[id(p)] for p in biases["params"])
    assert isinstance(method.optimiser(), torch.optim.Adam)
    assert resolve("full_finetune", "icfg").train.batch_size == 64


@pytest.mark.parametrize("name", ["cskt", "prompt_only", "adapter_only"])
def test_cskt_and_its_halves_share_rates_epsilon_and_batch(build, name):
    method = build(name, backbone="shallow")
    weights, biases = method.param_groups()
    assert (weights["lr"], weights["weight_decay"]) == (3e-4, 4e-5)
    assert (biases["lr"], biases["weight_decay"]) == (6e-4, 0.0)
    optimiser = method.optimiser()
    assert optimiser.defaults["eps"] == 1e-3
    assert optimiser.defaults["betas"] == (0.9, 0.999)
    assert resolve(name, "icfg").train.batch_size == 128


def test_prompts_without_maps_have_no_biases_and_so_one_group(build):
    assert len(build("prompt_only", backbone="shallow", directions="none").param_groups()) == 1


def test_linear_probe_starts_as_zero_shot_clip(build, batch):
    probe, zero_shot = build("linear_probe"), build("zero_shot")
    with torch.no_grad():
        torch.testing.assert_close(probe.features(batch), zero_shot.features(batch))


def test_linear_probe_learns_the_same_from_cached_embeddings(build, batch):
    method = build("linear_probe", backbone="shallow")
    with torch.no_grad():
        images = method.clip.encode_image(batch.images)
        texts = method.clip.encode_text(batch.tokens)
    cached = Batch(None, None, batch.identities, images, texts)
    torch.testing.assert_close(method(cached).total, method(batch).total)


def test_linear_probe_uses_no_image_augmentation():
    augment = resolve("linear_probe", "icfg").train.augment
    assert (augment.flip, augment.pad, augment.erase) == (0, 0, 0)


def test_zero_shot_has_neither_training_fields_nor_parameters(build):
    assert set(METHODS.get("zero_shot").Config.model_fields) == {"name"}
    assert not list(build("zero_shot").trainable())


def test_the_loss_can_be_the_published_contrastive_one(build, batch):
    sdm, itc = (build("full_finetune", backbone="shallow", loss=loss)(batch) for loss in ("sdm", "itc"))
    assert list(sdm.terms) == ["sdm"]
    assert list(itc.terms) == ["itc"]
    assert float(sdm.total.detach()) != float(itc.total.detach())


def test_more_prompts_than_the_text_has_room_for_are_refused(build):
    with pytest.raises(UsageError, match="prompt_length"):
        build("prompt_only", prompt_length=38)


def test_a_bottleneck_of_no_width_is_refused(build):
    with pytest.raises(UsageError, match="reduction"):
        build("adapter_only", reduction=25)
