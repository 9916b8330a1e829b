"""The places of a tower where an injection may act, against weights changed by hand and against plain loops."""

import pytest
import torch

from harness.clip.injection import PLACES, PROJECTIONS, Chain, Injection
from harness.clip.model import load_clip
from harness.config.sections import BackboneConfig

SIZE = (32, 16)
MAPS = (*PROJECTIONS, "out", "mlp_in", "mlp_out")
TEXT_PLACES = tuple(place for place in PLACES if place not in ("patches", "norm_pre"))
ALL = [("image", place) for place in PLACES] + [("text", place) for place in TEXT_PLACES]


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
    """Acts after one operation, in the last block or outside of them."""

    def __init__(self, place, layer, act):
        super().__init__()
        self.places, self.layer, self.act = frozenset({place}), layer, act

    def after(self, place, layer, given, made):
        assert place in self.places
        return self.act(given, made) if layer == self.layer else made


def layer_of(place):
    return 0 if place in ("patches", "norm_pre", "norm_post") else 1


@pytest.mark.parametrize(("tower", "place"), ALL)
def test_a_scale_and_a_shift_equal_those_of_the_weights(clip, embed, tower, place):
    layer, plain = layer_of(place), embed(tower)
    read = clip.affine(tower, layer, "mlp_out").weight.shape[1] if place == "mlp_hidden" else None
    width = read or len(clip.affine(tower, layer, place).weight)
    factor, shift = torch.randn(2, width, generator=torch.Generator().manual_seed(5))
    changed = embed(tower, After(place, layer, lambda given, made: made * factor + shift))
    assert not torch.allclose(changed, plain, atol=1e-3)
    with torch.no_grad():
        if place == "mlp_hidden":
            weight, bias = clip.affine(tower, layer, "mlp_out")
            bias += weight @ shift
            weight *= factor
        elif place == "patches":
            weight, bias = clip.affine(tower, layer, place)
            assert bias is None, "CLIP's patch embedding has no bias; the shift goes into the positions"
            weight *= factor[:, None, None, None]
            clip.model.visual.positional_embedding[1:] += shift
        else:
            weight, bias = clip.affine(tower, layer, place)
            weight *= factor[:, None] if weight.dim() > 1 else factor
            bias *= factor
            bias += shift
    torch.testing.assert_close(embed(tower), changed, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("tower", ["image", "text"])
@pytest.mark.parametrize("place", MAPS)
def test_an_operation_s_input_is_what_its_weights_are_multiplied_with(clip, embed, tower, place):
    weight = clip.affine(tower, 1, place).weight
    more = torch.randn(weight.shape, generator=torch.Generator().manual_seed(6)) / 8
    changed = embed(tower, After(place, 1, lambda given, made: made + given @ more.T))
    with torch.no_grad():
        weight += more
    torch.testing.assert_close(embed(tower), changed, atol=1e-4, rtol=1e-4)


class Front(Injection):
    """Puts keys and values in front, in every block."""

    def __init__(self, key, value):
        super().__init__()
        self.key, self.value = key, value

    def keys_and_values(self, layer, key, value):
        front = (len(key), -1, -1, -1)
        return torch.cat([self.key.expand(front), key], 2), torch.cat([self.value.expand(front), value], 2)


@pytest.mark.parametrize("tower", ["image", "text"])
def test_keys_in_front_are_seen_from_every_place(clip, embed, tower, monkeypatch):
    heads = clip.blocks(tower)[0].attn.num_heads
    key, value = torch.randn(2, 1, heads, 4, 32, generator=torch.Generator().manual_seed(7))
    found = embed(tower, Front(key, value))
    assert not torch.allclose(found, embed(tower), atol=1e-3)

    def naive(query, keys, values, injection, *, causal):
        made = torch.zeros_like(query)
        for row, head, place in torch.cartesian_prod(*(torch.arange(n) for n in query.shape[:3])).tolist():
            seen = 4 + place + 1 if causal else keys.shape[2]
            scores = keys[row, head, :seen] @ query[row, head, place] / 32**0.5
            made[row, head, place] = scores.softmax(0) @ values[row, head, :seen]
        return made

    monkeypatch.setattr("harness.clip.towers.attended", naive)
    torch.testing.assert_close(found, embed(tower, Front(key, value)), atol=1e-5, rtol=1e-4)


class Ladder(Injection):
    """Adds up what every block read."""

    reads_streams = True

    def __init__(self):
        super().__init__()
        self.read = []

    def before_block(self, layer, x):
        self.read.append(x + 0)
        return x

    def finished(self, x, streams):
        assert len(streams) == len(self.read) == 2
        assert all(torch.equal(*pair) for pair in zip(streams, self.read, strict=True))
        return 2 * x + sum(streams)


class Doubled(Injection):
    """Doubles what the last block gives, and needs no streams for it."""

    def finished(self, x, streams):
        assert not streams
        return 2 * x


@pytest.mark.parametrize("tower", ["image", "text"])
def test_what_the_last_block_gives_can_be_changed(clip, embed, tower):
    plain = embed(tower)
    assert torch.allclose(embed(tower, Doubled()), plain, atol=1e-3), "the last norm takes a factor away"
    ladder = Chain(nothing=None, one=Ladder())
    assert ladder.reads_streams
    assert not torch.allclose(embed(tower, ladder), plain, atol=1e-3)
    assert not Chain(one=Doubled()).reads_streams


def test_a_chain_acts_where_its_parts_act(clip, embed):
    def add(number):
        return After("out", 1, lambda given, made: made * number + 1)

    class Keys(Injection):
        def keys_and_values(self, layer, key, value):
            return key * 2, value + 1

    chain = Chain(first=add(2), second=add(3), other=After("key", 0, lambda given, made: -made))
    assert chain.places == {"out", "key"}
    one = torch.ones(1)
    assert float(chain.after("out", 1, one, one)) == (1 * 2 + 1) * 3 + 1
    assert float(chain.after("key", 0, one, one)) == -1
    key, value = Chain(first=Keys(), second=Keys()).keys_and_values(0, one, one)
    assert (float(key), float(value)) == (4, 3)
