"""Transformers' CLIP: its tensors under our names embed as the layout's own forward pass does, written out here."""

import json

import pytest
import torch
from torch.nn.functional import gelu, layer_norm, linear

from harness.clip.model import load_clip
from harness.clip.transformers_layout import converted
from harness.errors import DataError
from tests.small_clip import local, register

WIDTHS = {"vision_model": 16, "text_model": 8}
HEADS = 2


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    register(monkeypatch)


@pytest.fixture
def hf():
    """Return random tensors by the names of Transformers' `CLIPModel`."""
    generator = torch.Generator().manual_seed(3)

    def make(*shape):
        return 0.3 * torch.randn(shape, generator=generator)

    state = {"logit_scale": torch.tensor(4.6)}
    for tower, width in WIDTHS.items():
        for layer in range(2):
            block = f"{tower}.encoder.layers.{layer}."
            for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
                state |= {
                    f"{block}self_attn.{name}.weight": make(width, width),
                    f"{block}self_attn.{name}.bias": make(width),
                }
            for name in ("layer_norm1", "layer_norm2"):
                state |= {f"{block}{name}.weight": 1 + make(width), f"{block}{name}.bias": make(width)}
            state |= {
                f"{block}mlp.fc1.weight": make(4 * width, width),
                f"{block}mlp.fc1.bias": make(4 * width),
            }
            state |= {f"{block}mlp.fc2.weight": make(width, 4 * width), f"{block}mlp.fc2.bias": make(width)}
    for name, width in (("vision_model.pre_layrnorm", 16), ("vision_model.post_layernorm", 16)):
        state |= {f"{name}.weight": 1 + make(width), f"{name}.bias": make(width)}
    state |= {"text_model.final_layer_norm.weight": 1 + make(8), "text_model.final_layer_norm.bias": make(8)}
    return state | {
        "vision_model.embeddings.class_embedding": make(16),
        "vision_model.embeddings.patch_embedding.weight": make(16, 3, 8, 8),
        "vision_model.embeddings.position_embedding.weight": make(17, 16),
        "vision_model.embeddings.position_ids": torch.arange(17)[None],
        "text_model.embeddings.token_embedding.weight": make(49408, 8),
        "text_model.embeddings.position_embedding.weight": make(77, 8),
        "text_model.embeddings.position_ids": torch.arange(77)[None],
        "visual_projection.weight": make(16, 16),
        "text_projection.weight": make(16, 8),
    }


def norm(state, name, x):
    return layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"])


def apply(state, name, x):
    return linear(x, state[f"{name}.weight"], state[f"{name}.bias"])


def encoder(state, tower, x, act, mask=0.0):
    n, length, width = x.shape
    for layer in range(2):
        block = f"{tower}.encoder.layers.{layer}"
        y = norm(state, f"{block}.layer_norm1", x)
        q, k, v = (
            apply(state, f"{block}.self_attn.{part}_proj", y).view(n, length, HEADS, -1).transpose(1, 2)
            for part in "qkv"
        )
        scores = (q @ k.transpose(-1, -2)) * (width // HEADS) ** -0.5 + mask
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(n, length, width)
        x = x + apply(state, f"{block}.self_attn.out_proj", mixed)
        y = norm(state, f"{block}.layer_norm2", x)
        x = x + apply(state, f"{block}.mlp.fc2", act(apply(state, f"{block}.mlp.fc1", y)))
    return x


def by_layout(state, images, tokens, act):
    """Return both embeddings as the forward pass of the layout makes them."""
    patches = torch.nn.functional.conv2d(
        images, state["vision_model.embeddings.patch_embedding.weight"], stride=8
    )
    patches = patches.flatten(2).transpose(1, 2)
    first = state["vision_model.embeddings.class_embedding"].expand(len(images), 1, -1)
    x = torch.cat([first, patches], 1) + state["vision_model.embeddings.position_embedding.weight"]
    x = encoder(state, "vision_model", norm(state, "vision_model.pre_layrnorm", x), act)
    image = norm(state, "vision_model.post_layernorm", x[:, 0]) @ state["visual_projection.weight"].T
    x = state["text_model.embeddings.token_embedding.weight"][tokens]
    x = x + state["text_model.embeddings.position_embedding.weight"]
    x = encoder(state, "text_model", x, act, torch.full((77, 77), -torch.inf).triu(1))
    x = norm(state, "text_model.final_layer_norm", x)
    text = x[torch.arange(len(x)), tokens.argmax(1)] @ state["text_projection.weight"].T
    return image, text


def quick_gelu(x):
    return x * torch.sigmoid(1.702 * x)


@pytest.mark.parametrize(("hidden_act", "act"), [("quick_gelu", quick_gelu), ("gelu", gelu), (None, gelu)])
@pytest.mark.parametrize("beginning", ["", "model.clip."])
def test_it_embeds_as_its_own_forward_pass_and_takes_the_activation_beside_it(
    tmp_path, hf, hidden_act, act, beginning
):
    torch.save({beginning + name: value for name, value in hf.items()}, tmp_path / "pytorch_model.bin")
    if hidden_act:
        parts = {"text_config": {"hidden_act": hidden_act}, "vision_config": {"hidden_act": hidden_act}}
        (tmp_path / "config.json").write_text(json.dumps({"model_type": "clip", **parts}))
    clip = load_clip(local(tmp_path / "pytorch_model.bin"))
    images, tokens = torch.randn(2, 3, 32, 32), clip.tokenize(["a man in red", "a woman with a bag"])
    with torch.no_grad():
        got = clip.encode_image(images), clip.encode_text(tokens)
    for one, other in zip(got, by_layout(hf, images, tokens, act), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    assert bool(clip.notes) == (hidden_act is None), "what nothing says is said to be assumed"


def test_another_model_in_the_layout_and_a_missing_part_are_refused(hf):
    with pytest.raises(DataError, match="another model than CLIP"):
        converted({name: value for name, value in hf.items() if "class_embedding" not in name})
    with pytest.raises(DataError, match=r"visual\.transformer\.resblocks\.1\.attn\.in_proj_weight"):
        converted(
            {
                name: value
                for name, value in hf.items()
                if name != "vision_model.encoder.layers.1.self_attn.k_proj.weight"
            }
        )
