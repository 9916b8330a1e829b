"""Prefix tuning beside an attention that is known, its network, counts and limits."""

import pytest
import torch

from harness.clip.towers.plain import attend
from harness.errors import UsageError
from harness.train.cost import count_parameters, training_flops
from harness.train.gradient_audit import audit_gradients


@pytest.mark.parametrize("tower", ["image", "text"])
@torch.no_grad()
def test_a_place_that_reads_itself_twice_reads_the_same(build, tower):
    """A prefix of the keys and values that the only place of a sequence has leaves the block as it is."""
    method = build("prefix", backbone="shallow", prefix_length=1)
    injection = getattr(method, f"{tower}_injection")
    for layer, block in enumerate(method.clip.blocks(tower)):
        x = torch.randn(1, 1, injection.keys.shape[2])
        normed = block.ln_1(x)
        projected = normed[0] @ block.attn.in_proj_weight.T + block.attn.in_proj_bias
        random = attend(block, layer, x, injection, causal=tower == "text")
        _, injection.keys[layer], injection.values[layer] = projected.chunk(3, dim=1)
        expected = x + block.attn(normed, normed, normed)[0]
        torch.testing.assert_close(attend(block, layer, x, injection, causal=tower == "text"), expected)
        assert not torch.allclose(random, expected)


@pytest.mark.parametrize(
    ("fields", "n_parameters"),
    [
        ({}, 307_200),
        ({"prefix_towers": "image"}, 2 * 12 * 10 * 768),
        ({"prefix_towers": "text"}, 2 * 12 * 10 * 512),
        ({"prefix_depth": 3, "prefix_length": 2}, 2 * 3 * 2 * (768 + 512)),
    ],
)
def test_counts_on_vit_b_16_are_those_of_the_formula(blueprint, fields, n_parameters):
    counts = count_parameters(blueprint("prefix", **fields))
    assert counts.trainable == counts.inference_extra == n_parameters


def test_a_network_that_makes_the_prefix_counts_while_training_alone(blueprint):
    method = blueprint("prefix", prefix_hidden=512)
    assert training_flops(method)["text_training"] > training_flops(blueprint("prefix"))["text_training"]
    counts = count_parameters(method)
    of_each = (10 * w + (w + 1) * 512 + 12 * 2 * w * (512 + 1) for w in (768, 512))
    assert (counts.trainable, counts.inference_extra) == (sum(of_each), 307_200)


def test_a_network_makes_the_prefix_of_one_sequence_and_is_replaced_by_what_it_makes(build, batch):
    method = build("prefix", backbone="shallow", prefix_hidden=6, prefix_length=3).eval()
    audit_gradients(method, batch)
    maker = method.text_injection.maker
    hidden = torch.tanh(maker.vectors @ maker.down.weight.T + maker.down.bias)
    key, value = torch.zeros(2, 1, 3, 4, 8)
    keys, values = method.text_injection.keys_and_values(1, key, value)
    expected = hidden @ maker.up[1].weight.T + maker.up[1].bias
    found = torch.cat([whole[0, :, :3].transpose(0, 1).flatten(1) for whole in (keys, values)], dim=1)
    torch.testing.assert_close(found, expected)
    n_folded = method.folded_parameters()
    with torch.no_grad():
        before = method.encode_image(batch.images), method.encode_text(batch.tokens)
        for _ in range(2):
            method.fold()
            after = method.encode_image(batch.images), method.encode_text(batch.tokens)
            assert all(torch.equal(*pair) for pair in zip(before, after, strict=True))
            assert sum(p.numel() for n, p in method.named_parameters() if "injection" in n) == n_folded


@pytest.mark.parametrize("towers", ["image", "text"])
def test_the_other_tower_is_clip_s_own(build, batch, towers):
    method, plain = (
        build("prefix", backbone="shallow", prefix_towers=towers),
        build("zero_shot", backbone="shallow"),
    )
    with torch.no_grad():
        same_image = torch.equal(method.encode_image(batch.images), plain.encode_image(batch.images))
        same_text = torch.equal(method.encode_text(batch.tokens), plain.encode_text(batch.tokens))
    assert (same_image, same_text) == (towers == "text", towers == "image")


def test_a_prefix_takes_no_place_of_a_caption(build, captions):
    method = build("prefix", backbone="shallow")
    long, other = captions(76), captions(76)
    other[0, 75] = 5
    with torch.no_grad():
        assert not torch.allclose(method.encode_text(long), method.encode_text(other))


def test_what_cannot_be_is_refused_in_one_line(build):
    build("prefix", backbone="shallow", prefix_length=77)
    with pytest.raises(UsageError, match=r"method\.prefix_length=78 is more than the 77 tokens"):
        build("prefix", backbone="shallow", prefix_length=78)
    with pytest.raises(
        UsageError, match=r"method\.prefix_depth=3 is more than the 2 layers .* 1 to 2, or first"
    ):
        build("prefix", backbone="shallow", prefix_depth=3, prefix_towers="text")
