"""VPT against prompts that are put right behind the class token by hand, its start, counts and limits."""

import pytest
import torch

from harness.errors import UsageError
from harness.presets.resolve import resolve
from harness.train.cost import count_parameters


@torch.no_grad()
def by_hand(method, images):
    """Run open_clip's own blocks on class token, prompts, patches, as the released code orders them."""
    visual, vectors = method.clip.model.visual, method.prompts.vectors
    patches = visual.conv1(images).flatten(2).mT
    class_token = visual.class_embedding.expand(len(images), 1, -1)
    x = torch.cat([class_token, patches], 1) + visual.positional_embedding
    n = vectors.shape[1]
    x = visual.ln_pre(torch.cat([x[:, :1], vectors[0].expand(len(x), -1, -1), x[:, 1:]], 1))
    for layer, block in enumerate(visual.transformer.resblocks):
        if 0 < layer < len(vectors):
            x = torch.cat([x[:, :1], vectors[layer].expand(len(x), -1, -1), x[:, 1 + n :]], 1)
        x = block(x)
    return visual.ln_post(x[:, 0]) @ visual.proj


@pytest.mark.parametrize("depth", ["first", 3, "all"])
def test_where_prompts_stand_among_the_patches_makes_no_difference(build, batch, depth):
    method = build("vpt", backbone="shallow", prompt_depth=depth).eval()
    torch.nn.init.normal_(method.prompts.vectors)
    with torch.no_grad():
        found = method.encode_image(batch.images)
    torch.testing.assert_close(found, by_hand(method, batch.images), atol=1e-5, rtol=1e-4)


def test_captions_are_clip_s_own(build, batch):
    method, plain = build("vpt", backbone="shallow"), build("zero_shot", backbone="shallow")
    assert torch.equal(method.encode_text(batch.tokens), plain.encode_text(batch.tokens))
    assert not method.encode_text(batch.tokens).requires_grad


def test_prompts_start_in_the_released_bounds(build):
    vectors = build("vpt", backbone="shallow", prompt_length=200).prompts.vectors.detach()
    bound = (6 / (3 * 8 * 8 + 32)) ** 0.5
    assert float(vectors.abs().max()) <= bound
    assert float(vectors.std()) == pytest.approx(bound / 3**0.5, rel=0.02)


def test_each_image_has_prompts_dropped_of_its_own_and_none_after_training(build, batch):
    method = build("vpt", backbone="shallow", prompt_dropout=0.5)
    batch.images = batch.images[:1].expand(6, -1, -1, -1)
    one, other, *_ = method.features(batch)["image"]
    assert not torch.allclose(one, other)
    method.eval()
    one, other, *_ = method.features(batch)["image"]
    assert torch.allclose(one, other)


@pytest.mark.parametrize(
    ("fields", "n_parameters"),
    [
        ({"prompt_depth": "first"}, 7_680),
        ({"prompt_depth": "first", "prompt_length": 50}, 38_400),
        ({}, 92_160),
        ({"prompt_length": 50}, 460_800),
        ({"prompt_depth": 3}, 3 * 10 * 768),
    ],
)
def test_counts_on_vit_b_16_are_those_of_the_references(blueprint, fields, n_parameters):
    counts = count_parameters(blueprint("vpt", **fields))
    assert counts.trainable == counts.inference_extra == n_parameters


def test_a_preset_is_the_shallow_form():
    assert resolve("vpt", "icfg").method.prompt_depth == "all"
    assert resolve("vpt", "icfg", presets=["shallow"]).method.prompt_depth == "first"


def test_more_layers_than_there_are_are_refused(build):
    build("vpt", backbone="shallow", prompt_depth=4)
    with pytest.raises(UsageError, match=r"method\.prompt_depth=5 is more than the 4 layers"):
        build("vpt", backbone="shallow", prompt_depth=5)
