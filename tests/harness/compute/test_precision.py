"""What is stored in which number width."""

import pytest
import torch

from harness.clip.model import load_clip
from harness.compute.precision import layer_norm, store_half
from harness.config.sections import BackboneConfig
from harness.methods import METHODS


@pytest.fixture(scope="module")
def method():
    clip = load_clip(BackboneConfig(name="tiny", pretrained=None, image_size=(96, 32)))
    method_class = METHODS.get("cskt")
    return store_half(method_class(clip, method_class.Config(name="cskt")))


def test_linear_maps_are_float16_and_prompts_norms_and_embeddings_float32(method):
    narrow = (
        ".attn.",
        ".mlp.",
        "conv1",
        "visual.proj",
        "text_projection",
        ".down.",
        ".up.",
        "text_to_image",
        "image_to_text",
    )
    for name, parameter in method.named_parameters():
        expected = torch.float16 if any(part in name for part in narrow) else torch.float32
        assert parameter.dtype == expected, name
    wide = [name for name, parameter in method.named_parameters() if parameter.dtype == torch.float32]
    for kind in (
        "ln_1",
        "ln_post",
        "ln_final",
        "norm",
        "text_own",
        "image_own",
        "token_embedding",
        "positional",
        "class",
    ):
        assert any(kind in name for name in wide), kind


def test_a_step_of_adam_changes_the_half_precision_parameters(method):
    tokens = method.clip.tokenize(["a man in red", "a woman in blue"])[:, :12]
    image, text = method.encode_image(torch.randn(2, 3, 96, 32)), method.encode_text(tokens)
    assert image.dtype == text.dtype == torch.float16
    before = method.image_injection.adapters.layers[0].up.bias.clone()
    optimiser = method.optimiser()
    ((image.float() * text.float()).sum() * 1e3).backward()
    optimiser.step()
    after = method.image_injection.adapters.layers[0].up.bias
    assert after.dtype == torch.float16
    assert torch.isfinite(after).all()
    assert not torch.equal(after, before)


def test_layer_norm_of_float16_is_computed_in_float32():
    norm = torch.nn.LayerNorm(64)
    torch.nn.init.normal_(norm.weight)
    x = 1e4 * torch.randn(5, 64)
    narrow = layer_norm(norm, x.half())
    assert narrow.dtype == torch.float16
    assert torch.equal(narrow, norm(x.half().float()).half())
    assert torch.equal(layer_norm(norm, x), norm(x))
    assert layer_norm(torch.nn.Identity(), x) is x
