"""Models built at any size: what their positions become, which weights fit, and that logging is left as it was."""

import logging

import pytest
import torch

from harness.clip.architecture import (
    IMAGE_POSITIONS,
    TEXT_POSITIONS,
    build_model,
    cut_edges,
    load_state,
    quiet_open_clip,
    resize_timm,
)
from harness.clip.model import load_clip
from harness.config.sections import BackboneConfig
from harness.errors import UsageError

SCALES = ("logit_scale", "logit_bias")


def build(image_size=(64, 64), text_length=77, name="tiny", device="cpu"):
    return build_model(name, image_size, text_length, quick_gelu=True, device=device)


@pytest.mark.parametrize("image_size", [(16, 16), (96, 32), (40, 24)])
@pytest.mark.parametrize("text_length", [4, 77, 100])
def test_positions_follow_the_image_grid_and_the_text_length(image_size, text_length):
    model = build(image_size, text_length, device="meta")
    patch = model.visual.patch_size[0]
    n_patches = (image_size[0] // patch) * (image_size[1] // patch)
    assert model.visual.positional_embedding.shape[0] == 1 + n_patches
    assert model.positional_embedding.shape[0] == text_length
    assert next(model.parameters()).is_meta
    assert not any(scale in dict(model.named_parameters()) for scale in SCALES)


def test_weights_of_another_size_are_loaded_with_their_positions_fitted():
    source, model = build((64, 64), 20), build((96, 32), 30)
    state = source.state_dict() | {"logit_scale": torch.tensor(2.0), "text.position_ids": torch.arange(3)}
    kept = {key: value.clone() for key, value in state.items()}
    load_state(model, state, "tiny", "here")
    own = model.state_dict()
    assert own.keys() == source.state_dict().keys()
    for key, value in own.items():
        if key in (*IMAGE_POSITIONS, *TEXT_POSITIONS):
            assert value.shape != kept[key].shape
            torch.testing.assert_close(value[0], kept[key][0])
        else:
            assert torch.equal(value, kept[key]), key
    assert all(torch.equal(state[key], value) for key, value in kept.items()), (
        "the given weights are left alone"
    )


def test_weights_of_the_same_size_are_taken_as_they_are():
    source, model = build(), build()
    load_state(model, source.state_dict(), "tiny", "here")
    assert all(torch.equal(a, b) for a, b in zip(source.parameters(), model.parameters(), strict=True))


def test_weights_that_do_not_fit_name_their_source_and_the_model():
    model = build()
    state = model.state_dict()
    state.pop("visual.proj")
    with pytest.raises(UsageError, match=r"some/file.*tiny.*visual\.proj"):
        load_state(model, state, "tiny", "some/file")


@pytest.mark.parametrize("size", [(4, 32), (32, 7)])
def test_a_size_without_a_single_patch_is_told_in_one_message(size):
    with pytest.raises(UsageError, match=f"{size[0]}x{size[1]}.* 8x8 .*tiny"):
        build(size, device="meta")
    build((8, 8), device="meta")


def test_pixels_that_no_patch_reads_are_told(tmp_path):
    assert cut_edges("tiny", (96, 32)) is None
    assert "8-pixel patches: 100x32 is cut" in cut_edges("tiny", (100, 32))
    config = BackboneConfig(name="tiny", pretrained=None, image_size=(100, 32))
    assert load_clip(config, random=True).notes == [cut_edges("tiny", (100, 32))]


def test_a_model_that_open_clip_refuses_names_the_model_and_the_size(monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("no such thing")

    monkeypatch.setattr("open_clip.create_model", refuse)
    with pytest.raises(UsageError, match=r"tiny.*64x32.*5.*no such thing"):
        build((64, 32), 5)


def test_a_resnet_pools_over_the_grid_of_the_wanted_size():
    model = build((384, 128), name="RN50", device="meta")
    assert model.visual.attnpool.positional_embedding.shape[0] == 1 + 12 * 4
    assert (model.visual.image_size, model.visual.grid_size) == ((384, 128), (12, 4))


def test_only_towers_of_timm_are_resized_after_loading():
    class Visual:
        sizes = []

        def set_input_size(self, size):
            self.sizes.append(size)

    model = torch.nn.Module()
    model.visual = Visual()
    for name in ("tiny", "RN50", "ViT-B-16-SigLIP"):
        resize_timm(model, name, (384, 128))
    assert Visual.sizes == [(384, 128)]


def test_logging_is_silent_inside_and_as_before_afterwards_even_after_an_error(caplog):
    root, before = logging.getLogger(), logging.root.manager.disable
    handlers = list(root.handlers)

    def break_quietly():
        with quiet_open_clip():
            root.error("not seen")
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        break_quietly()
    assert (root.handlers, logging.root.manager.disable) == (handlers, before)
    root.error("seen")
    assert caplog.messages == ["seen"]
