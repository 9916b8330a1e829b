"""What is merged into the weights gives what it gave beside them, at every place of both towers."""

import pytest
import torch

from harness.clip.injection import PLACES, PROJECTIONS, Injection
from harness.clip.injection.merging import merge_map, merge_scaling
from harness.clip.model import load_clip
from harness.config.sections import BackboneConfig

SIZE = (32, 16)
MAPS = (*PROJECTIONS, "out", "mlp_in", "mlp_out")
OUTSIDE = ("patches", "norm_pre", "norm_post")
ALL = [("image", place) for place in PLACES] + [("text", place) for place in PLACES[2:]]


@pytest.fixture
def clip():
    made = load_clip(BackboneConfig(name="tiny-2x64-2x32", pretrained=None, image_size=SIZE), seed=1)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if parameter.dim() < 2:
                parameter.normal_(mean=float("weight" in name), std=0.3, generator=generator)
    return made


@pytest.fixture
def embed(clip):
    images = torch.randn(3, 3, *SIZE, generator=torch.Generator().manual_seed(4))
    tokens = clip.cut(clip.tokenize(["a man in red", "she wears a long blue coat and boots", "hat"]))

    @torch.no_grad()
    def embedded(tower, injection=None):
        if tower == "image":
            return clip.encode_image(images, injection)
        return clip.encode_text(tokens, injection)

    return embedded


class After(Injection):
    """Acts after one operation of one block."""

    def __init__(self, place, layer, act):
        super().__init__()
        self.places, self.layer, self.act = frozenset({place}), layer, act

    def after(self, place, layer, given, made):
        return self.act(given, made) if layer == self.layer else made


@pytest.mark.parametrize("shifted", [True, False])
@pytest.mark.parametrize(("tower", "place"), ALL)
def test_a_scaling_merges(clip, embed, tower, place, shifted):
    layer = 0 if place in OUTSIDE else 1
    inside = place == "mlp_hidden"
    shape = clip.affine(tower, layer, "mlp_out" if inside else place).weight.shape
    factor, shift = torch.randn(
        2, shape[1] if inside else shape[0], generator=torch.Generator().manual_seed(5)
    )
    shift = shift if shifted else None
    changed = embed(tower, After(place, layer, lambda given, made: made * factor + (shift if shifted else 0)))
    before, n_parameters = embed(tower), sum(p.numel() for p in clip.parameters())
    merge_scaling(clip, tower, layer, place, factor, shift)
    assert not torch.allclose(changed, before, atol=1e-3)
    torch.testing.assert_close(embed(tower), changed, atol=1e-4, rtol=1e-4)
    assert sum(p.numel() for p in clip.parameters()) == n_parameters


@pytest.mark.parametrize("tower", ["image", "text"])
@pytest.mark.parametrize("place", MAPS)
def test_a_map_merges(clip, embed, tower, place):
    shape = clip.affine(tower, 1, place).weight.shape
    added = torch.randn(shape, generator=torch.Generator().manual_seed(6)) / 8
    changed = embed(tower, After(place, 1, lambda given, made: made + given @ added.T))
    merge_map(clip, tower, 1, place, added)
    torch.testing.assert_close(embed(tower), changed, atol=1e-4, rtol=1e-4)


def test_weights_in_half_precision_are_changed_in_single(clip):
    half = clip.half()
    width = half.affine("text", 0, "mlp_out").weight.shape[1]
    wide, shift = torch.full((width,), 1 + 2**-12), torch.full((width,), 0.5)
    expected = (half.affine("text", 0, "mlp_out").weight.float() * wide).half()
    merge_scaling(half, "text", 0, "mlp_hidden", wide, shift)
    assert half.affine("text", 0, "mlp_out").weight.dtype == torch.float16
    assert torch.equal(half.affine("text", 0, "mlp_out").weight, expected)
    merge_map(half, "text", 0, "out", torch.full((32, 32), 0.25))
