"""Low-rank maps and scales against weights changed by hand."""

import pytest
import torch

from harness.clip.injection import Chain, Injection
from harness.clip.injection.weight_changes import LowRank, Scaling
from harness.clip.model import load_clip
from harness.config.sections import BackboneConfig
from harness.errors import UsageError

SIZE = (32, 16)


@pytest.fixture
def clip():
    return load_clip(BackboneConfig(name="tiny-2x64-2x32", pretrained=None, image_size=SIZE), seed=1).eval()


@torch.no_grad()
def shake(injection, seed=2):
    generator = torch.Generator().manual_seed(seed)
    for parameter in injection.parameters():
        parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.3)


def embedded(clip, injection=None):
    images = torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        return clip.encode_image(images, injection)


def test_a_low_rank_change_is_scale_times_up_times_down(clip):
    change = LowRank(clip, "image", ("key", "mlp_in"), rank=3, scale=0.5)
    assert change.places == {"key", "mlp_in"}
    assert list(change.maps) == ["0_key", "0_mlp_in", "1_key", "1_mlp_in"]
    plain = embedded(clip)
    assert torch.equal(embedded(clip, change), plain), "it starts as nothing"
    shake(change)
    changed = embedded(clip, change)
    assert not torch.allclose(changed, plain, atol=1e-3)
    with torch.no_grad():
        for layer in (0, 1):
            for place in ("key", "mlp_in"):
                pair = change.maps[f"{layer}_{place}"]
                assert pair.down.weight.shape[0] == pair.up.weight.shape[1] == 3
                clip.affine("image", layer, place).weight.add_(0.5 * pair.up.weight @ pair.down.weight)
    torch.testing.assert_close(embedded(clip), changed, atol=1e-5, rtol=1e-4)


def test_scales_start_as_nothing_or_near_it(clip):
    plain = embedded(clip)
    assert torch.equal(embedded(clip, Scaling(clip, "image", ("norm_pre", "out"), shifts=True)), plain)
    torch.manual_seed(0)
    near = Scaling(clip, "image", ("norm_pre", "out"), shifts=True, deviation=0.02)
    drawn = torch.cat([parameter.detach() for parameter in near.parameters()])
    assert abs(drawn.std() - 0.02) < 4 * 0.02 / (2 * len(drawn)) ** 0.5
    assert list(near.scales) == ["0_norm_pre", "0_out", "1_out"], "what is outside the blocks is there once"


def test_merging_gives_what_the_injection_gave(clip):
    for injection in (
        Scaling(clip, "image", ("patches", "norm_pre", "value", "norm_post"), shifts=True),
        Scaling(clip, "image", ("key", "mlp_hidden")),
        LowRank(clip, "image", ("query", "out", "mlp_out"), layers=(1,), rank=2, scale=2.0),
        LowRank(clip, "image", ("key", "value"), rank=2, scale=2.0, own_scales=True),
    ):
        shake(injection)
        changed = embedded(clip, injection)
        assert injection.merge(clip) is None
        torch.testing.assert_close(embedded(clip), changed, atol=1e-4, rtol=1e-4)


def test_of_a_chain_those_parts_stay_that_do_not_merge(clip):
    class Doubled(Injection):
        def before_block(self, layer, x):
            return 2 * x

    chain = Chain(first=Doubled(), second=Scaling(clip, "image", ("norm_1", "out"), shifts=True))
    shake(chain)
    changed = embedded(clip, chain)
    left = chain.merge(clip)
    assert [name for name, _ in left.named_children()] == ["first"]
    assert left.places == frozenset()
    torch.testing.assert_close(embedded(clip, left), changed, atol=1e-4, rtol=1e-4)
    assert left.merge(clip).parts == left.parts, "merging again changes nothing"
    assert Chain(only=Scaling(clip, "image", ("out",))).merge(clip) is None


def test_a_rank_above_the_map_s_own_is_refused(clip):
    LowRank(clip, "text", ("query",), rank=32, scale=1.0)
    with pytest.raises(UsageError, match=r"method\.rank=33 is more than the 32 .* text tower"):
        LowRank(clip, "text", ("query",), rank=33, scale=1.0)
