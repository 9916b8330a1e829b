"""Sequential adapters against a tower that is written out, their start and counts."""

import pytest
import torch

from harness.train.cost import count_parameters


def adapted(adapter, h):
    hidden = torch.clamp(h @ adapter.down.weight.T + adapter.down.bias, min=0)
    return h + hidden @ adapter.up.weight.T + adapter.up.bias


@torch.no_grad()
def by_hand(method, tokens, both):
    """Run the text tower by open_clip's own parts, with the adapters behind attention and MLP."""
    model, injection, length = method.clip.model, method.text_injection, tokens.shape[1]
    x = model.token_embedding(tokens) + model.positional_embedding[:length]
    for layer, block in enumerate(model.transformer.resblocks):
        attention = block.attention(block.ln_1(x), attn_mask=model.attn_mask[:length, :length])
        u = x + (adapted(injection.out[layer], attention) if both else attention)
        x = u + adapted(injection.mlp_out[layer], block.mlp(block.ln_2(u)))
    ends = model.ln_final(x)[torch.arange(len(x)), tokens.argmax(1)]
    return ends @ model.text_projection


@pytest.mark.parametrize("n", [1, 2])
def test_embeddings_equal_a_tower_that_is_written_out(build, captions, enliven, n):
    method = build("houlsby", backbone="shallow", adapters_per_block=n)
    assert method.text_injection.places == ({"out", "mlp_out"} if n == 2 else {"mlp_out"})
    enliven(method.text_injection)
    with torch.no_grad():
        for name, parameter in method.text_injection.named_parameters():
            if name.endswith("up.weight"):
                parameter.normal_(std=0.3)
        found = method.encode_text(captions(4, 7, 11, length=12))
    expected = by_hand(method, captions(4, 7, 11, length=12), both=n == 2)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("towers", ["image", "text", "both"])
def test_training_starts_at_clip_and_acts_in_the_towers_asked_for(build, batch, towers):
    method, plain = (
        build(name, backbone="shallow", **fields)
        for name, fields in (("houlsby", {"adapter_towers": towers}), ("zero_shot", {}))
    )
    with torch.no_grad():
        torch.testing.assert_close(method.encode_image(batch.images), plain.encode_image(batch.images))
        torch.testing.assert_close(method.encode_text(batch.tokens), plain.encode_text(batch.tokens))
    learning = {name.partition("_")[0] for name, _ in method.trainable()}
    assert learning == ({"image", "text"} if towers == "both" else {towers})


@pytest.mark.parametrize(
    ("fields", "n_parameters"),
    [
        ({}, 3_965_952),
        ({"bottleneck": 8}, 522_624),
        ({"adapters_per_block": 1}, 1_982_976),
    ],
)
def test_counts_on_vit_b_16_are_those_of_the_references(blueprint, fields, n_parameters):
    counts = count_parameters(blueprint("houlsby", **fields))
    assert counts.trainable == counts.inference_extra == n_parameters
