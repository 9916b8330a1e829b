"""AdaptFormer against a block that is written out, its start, counts and limits."""

import pytest
import torch

from harness.errors import UsageError
from harness.train.cost import count_parameters


@torch.no_grad()
def by_hand(method, images):
    """Run the image tower by open_clip's own parts, with the adapters beside each MLP."""
    visual, injection = method.clip.model.visual, method.image_injection
    patches = visual.conv1(images).flatten(2).mT
    class_token = visual.class_embedding.expand(len(images), 1, -1)
    x = visual.ln_pre(torch.cat([class_token, patches], 1) + visual.positional_embedding)
    for block, adapter in zip(visual.transformer.resblocks, injection.layers, strict=True):
        u = x + block.attention(block.ln_1(x))
        hidden = torch.clamp(u @ adapter.down.weight.T + adapter.down.bias, min=0)
        x = u + block.mlp(block.ln_2(u)) + 0.3 * (hidden @ adapter.up.weight.T + adapter.up.bias)
    return visual.ln_post(x[:, 0]) @ visual.proj


def test_embeddings_equal_a_tower_that_is_written_out(build, batch, enliven):
    method = build("adaptformer", backbone="shallow", scale=0.3).eval()
    enliven(method.image_injection)
    with torch.no_grad():
        for adapter in method.image_injection.layers:
            adapter.up.weight.normal_(std=0.3)
        found = method.encode_image(batch.images)
    torch.testing.assert_close(found, by_hand(method, batch.images), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("towers", ["image", "text", "both"])
def test_training_starts_at_clip_and_acts_in_the_towers_asked_for(build, batch, towers):
    method, plain = (
        build(name, backbone="shallow", **fields)
        for name, fields in (("adaptformer", {"adapter_towers": towers}), ("zero_shot", {}))
    )
    with torch.no_grad():
        assert torch.equal(method.encode_image(batch.images), plain.encode_image(batch.images))
        assert torch.equal(method.encode_text(batch.tokens), plain.encode_text(batch.tokens))
    learning = {name.partition("_")[0] for name, _ in method.trainable()}
    assert learning == ({"image", "text"} if towers == "both" else {towers})


def test_the_inner_layer_is_dropped_in_training_alone(build, batch):
    method = build("adaptformer", backbone="shallow", dropout=0.5)
    with torch.no_grad():
        for adapter in method.image_injection.layers:
            adapter.up.weight.normal_()
        trained = method.features(batch)["image"]
        method.eval()
        assert not torch.allclose(method.features(batch)["image"], trained)


@pytest.mark.parametrize(
    ("fields", "n_parameters"),
    [({}, 1_982_976), ({"adapter_towers": "image"}, 1_189_632), ({"adapter_towers": "text"}, 793_344)],
)
def test_counts_on_vit_b_16_are_those_of_the_references(blueprint, fields, n_parameters):
    counts = count_parameters(blueprint("adaptformer", **fields))
    assert counts.trainable == counts.inference_extra == n_parameters


@pytest.mark.parametrize("name", ["adaptformer", "houlsby"])
def test_a_bottleneck_wider_than_a_tower_is_refused(build, name):
    build(name, backbone="shallow", bottleneck=24)
    build(name, backbone="shallow", bottleneck=32, adapter_towers="image")
    with pytest.raises(UsageError, match=r"method\.bottleneck=32 is wider than the 24 of a tower"):
        build(name, backbone="shallow", bottleneck=32)
