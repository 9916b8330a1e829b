"""Backbones: sizes, positions, counts, identity, and what a model without plain transformers can do."""

import json

import open_clip
import pytest
import torch

from harness.clip import positions
from harness.clip.injection import Injection
from harness.clip.model import count_parameters, load_clip
from harness.config.sections import BackboneConfig
from harness.errors import UsageError

TINY = BackboneConfig(name="tiny", pretrained=None, image_size=(96, 32))
RESNET = {
    "embed_dim": 32,
    "vision_cfg": {
        "image_size": 64,
        "layers": [1, 1, 1, 1],
        "width": 4,
        "head_width": 16,
        "patch_size": None,
    },
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 1},
}


@pytest.fixture
def small_resnet(monkeypatch):
    """Make a small model with a ResNet image tower known to open_clip."""
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "small-resnet", RESNET)
    return BackboneConfig(name="small-resnet", pretrained=None, image_size=(96, 32))


def naive_linear(rows, length):
    """Resample [n, dim] rows at half-pixel centres, one output row at a time."""
    old, made = len(rows), []
    for index in range(length):
        place = min(max((index + 0.5) * old / length - 0.5, 0), old - 1)
        low = int(place)
        high, share = min(low + 1, old - 1), place - low
        made.append(rows[low] * (1 - share) + rows[high] * share)
    return torch.stack(made)


@pytest.mark.parametrize(("old", "new"), [((14, 14), (24, 8)), ((12, 4), (5, 7)), ((2, 3), (1, 1))])
def test_grid_positions_are_interpolated_bilinearly_and_keep_the_class_token(old, new):
    table = torch.randn(1 + old[0] * old[1], 6)
    grid = table[1:].reshape(*old, 6)
    down = torch.stack([naive_linear(grid[:, column], new[0]) for column in range(old[1])], dim=1)
    wanted = torch.stack([naive_linear(row, new[1]) for row in down])
    made = positions.resize_grid(table, old, new)
    assert torch.equal(made[0], table[0])
    torch.testing.assert_close(made[1:], wanted.reshape(-1, 6), atol=1e-4, rtol=1e-4)


def test_half_precision_positions_are_interpolated_in_float32():
    table = torch.randn(1 + 49, 8).half()
    made = positions.resize_grid(table, (7, 7), (9, 3))
    assert torch.equal(made, positions.resize_grid(table.float(), (7, 7), (9, 3)).half())


def test_text_positions_are_cut_when_shorter_and_interpolated_when_longer():
    table = torch.randn(77, 4)
    assert torch.equal(positions.resize_text(table, 20), table[:20])
    torch.testing.assert_close(
        positions.resize_text(table, 200), naive_linear(table, 200), atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize(
    ("native", "wanted", "grid"),
    [((16, 4), (8, 8), (16, 4)), ((12, 4), (16, 4), (16, 4)), ((12, 4), (24, 8), (8, 8))],
    ids=["own", "wanted", "square"],
)
def test_the_grid_of_a_file_is_the_models_own_or_else_the_wanted_one_or_else_a_square(native, wanted, grid):
    assert positions.guess_grid(64, native, wanted) == grid


def test_positions_that_fit_no_grid_are_refused():
    with pytest.raises(UsageError, match="51 patches"):
        positions.guess_grid(51, (12, 4), (24, 8))


@pytest.mark.parametrize(
    ("name", "image_size", "count"),
    [
        ("ViT-B-16-quickgelu", (384, 128), 149_617_664),
        ("ViT-B-16-quickgelu", (224, 224), 149_620_736),
        ("RN50-quickgelu", (224, 224), 102_007_136),
    ],
)
def test_parameters_are_counted_without_weights_and_without_the_logit_scale(name, image_size, count):
    assert count_parameters(BackboneConfig(name=name, image_size=image_size)) == count


def test_a_backbone_on_meta_knows_its_sizes():
    clip = load_clip(BackboneConfig(image_size=(384, 128)), device="meta")
    assert (clip.image_width, clip.text_width, clip.image_layers, clip.text_layers) == (768, 512, 12, 12)
    assert (clip.embed_dim, clip.image_size, clip.text_length, clip.injectable) == (512, (384, 128), 77, True)
    assert clip.identity.sha256 is None


def test_random_weights_come_from_the_seed_and_leave_the_global_generator_alone():
    before = torch.get_rng_state()
    first, again, other = (load_clip(TINY, random=True, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first.model.visual.proj, again.model.visual.proj)
    assert not torch.equal(first.model.visual.proj, other.model.visual.proj)
    assert first.identity.hash == again.identity.hash != other.identity.hash


@pytest.mark.parametrize("image_size", [(96, 32), (192, 64), (40, 56)])
def test_any_image_size_can_be_encoded(image_size):
    clip = load_clip(TINY.model_copy(update={"image_size": image_size}), random=True)
    with torch.no_grad():
        assert clip.encode_image(torch.randn(2, 3, *image_size)).shape == (2, 128)


@pytest.mark.parametrize("text_length", [12, 77, 120])
def test_any_text_length_can_be_encoded_and_stays_causal(text_length):
    clip = load_clip(TINY.model_copy(update={"text_length": text_length}), random=True)
    tokens = clip.tokenize(["a red circle " * 60, "a square"])
    assert tokens.shape == (2, text_length)
    changed = tokens.clone()
    changed[1, 5:] = 300
    with torch.no_grad():
        assert clip.encode_text(tokens).shape == (2, 128)
        torch.testing.assert_close(clip.encode_text(tokens)[1], clip.encode_text(changed)[1])


def test_embeddings_are_those_of_open_clip():
    clip = load_clip(TINY, random=True)
    images, tokens = torch.randn(3, 3, 96, 32), clip.tokenize(["red", "a blue square above", ""])
    with torch.no_grad():
        torch.testing.assert_close(clip.encode_image(images), clip.model.encode_image(images))
        torch.testing.assert_close(clip.encode_text(tokens), clip.model.encode_text(tokens))


def test_cut_captions_give_the_embeddings_of_whole_ones(small_resnet):
    for config in (TINY, small_resnet):
        clip = load_clip(config, random=True)
        tokens = clip.tokenize(["a red circle", "a small striped blue square below it", ""])
        short = clip.cut(tokens)
        assert short.shape[1] < 20
        with torch.no_grad():
            torch.testing.assert_close(clip.encode_text(short), clip.encode_text(tokens))


def test_frozen_batch_statistics_stay_as_they_are_in_training(small_resnet):
    clip = load_clip(small_resnet, random=True).requires_grad_(False).train()
    before = {name: value.clone() for name, value in clip.named_buffers()}
    clip.encode_image(torch.randn(2, 3, 96, 32))
    assert all(torch.equal(value, before[name]) for name, value in clip.named_buffers())
    assert clip.training
    clip.requires_grad_(True).train().encode_image(torch.randn(2, 3, 96, 32))
    assert any(not torch.equal(value, before[name]) for name, value in clip.named_buffers())


def test_a_resnet_encodes_tall_images_and_refuses_injections(small_resnet):
    clip = load_clip(small_resnet, random=True)
    assert not clip.injectable
    assert clip.image_width is None
    assert clip.text_layers == 1
    with torch.no_grad():
        assert clip.encode_image(torch.randn(2, 3, 96, 32)).shape == (2, 32)
    with pytest.raises(UsageError, match="small-resnet cannot be injected"):
        clip.encode_image(torch.randn(2, 3, 96, 32), Injection())
    with pytest.raises(UsageError, match="small-resnet cannot be injected"):
        clip.encode_text(clip.tokenize(["x"]), Injection())


def test_the_identity_is_json_and_changes_with_what_changes_embeddings():
    config = BackboneConfig(name="tiny", pretrained="shapes", image_size=(96, 32))
    first = load_clip(config).identity
    assert json.loads(json.dumps(first.as_dict()))["image_size"] == [96, 32]
    others = [
        load_clip(config.model_copy(update={"image_size": (192, 64)})),
        load_clip(config.model_copy(update={"text_length": 40})),
        load_clip(config, random=True),
    ]
    assert len({first.hash, *(clip.identity.hash for clip in others)}) == 4


def test_building_a_backbone_neither_logs_nor_warns_and_leaves_logging_as_it_was(caplog, recwarn):
    import logging

    handlers = list(logging.getLogger().handlers)
    load_clip(TINY, random=True)
    assert not caplog.records
    assert not recwarn.list
    assert logging.getLogger().handlers == handlers
    assert logging.root.manager.disable == logging.NOTSET
