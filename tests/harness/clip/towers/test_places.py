"""The places of a tower where an injection may act, against weights changed by hand and against plain loops."""

import pytest
import torch

from harness.clip.injection import PLACES, PROJECTIONS, Chain, Injection
from harness.clip.towers import operations
from harness.errors import UsageError
from harness.methods import Method, MethodConfig
from tests.tower_kinds import KINDS, build, captions, images

OUTSIDE = ("patches", "norm_pre", "norm_post")
MAPS = (*PROJECTIONS, "out", "mlp_in", "mlp_out")
BARE = {name: {"norm_pre"} for name in KINDS if name not in ("small_plain", "small_pe")}


@pytest.fixture(params=KINDS)
def clip(request):
    return build(request.param)


@pytest.fixture
def embed(clip):
    pictures, tokens = images(), captions(clip)

    @torch.no_grad()
    def embedded(tower, injection=None):
        if tower == "image":
            return clip.encode_image(pictures, injection)
        return clip.encode_text(tokens, injection)

    return embedded


def places_of(clip, tower):
    return [place for place in PLACES if place in clip.towers[tower].places]


@pytest.mark.parametrize("tower", ["image", "text"])
def test_a_tower_has_all_places_but_those_that_its_kind_has_not(clip, tower):
    lacking = BARE.get(clip.identity.name, set()) if tower == "image" else {"patches", "norm_pre"}
    assert set(PLACES) - set(places_of(clip, tower)) == lacking


def test_an_injection_that_names_a_place_the_tower_lacks_is_refused_before_it_runs(clip):
    class Named(Method):
        name = "named"

        def adapt(self):
            self.text_injection = Injection()
            self.text_injection.places = frozenset({"out", "norm_pre", "patches"})

    message = r"text tower .* has no norm_pre and no patches after .* it has norm_1, query"
    with pytest.raises(UsageError, match=message) as error:
        Named(clip, MethodConfig(name="named"))
    assert "\n" not in str(error.value)


class After(Injection):
    """Acts after one operation, in the last block or outside of them."""

    def __init__(self, place, layer, act):
        super().__init__()
        self.places, self.layer, self.act = frozenset({place}), layer, act

    def after(self, place, layer, given, made):
        assert place in self.places
        return self.act(given, made) if layer == self.layer else made


def layer_of(place):
    return 0 if place in OUTSIDE else 1


@torch.no_grad()
def scale_and_shift(clip, tower, layer, place, factor, shift):
    """Change weights as an injection's factor and shift do; return whether there is a bias for the shift."""
    if place == "mlp_hidden":
        weight, bias = clip.affine(tower, layer, "mlp_out")
        bias += weight @ shift
        weight *= factor
        return
    weight, bias = clip.affine(tower, layer, place)
    weight *= factor.reshape(-1, *[1] * (weight.dim() - 1))
    if bias is not None:
        bias *= factor
        bias += shift


def width_of(clip, tower, layer, place):
    read = clip.affine(tower, layer, "mlp_out").weight.shape[1] if place == "mlp_hidden" else None
    return read or len(clip.affine(tower, layer, place).weight)


@pytest.mark.parametrize("tower", ["image", "text"])
def test_a_scale_and_a_shift_equal_those_of_the_weights(clip, embed, tower):
    generator = torch.Generator().manual_seed(5)
    for place in places_of(clip, tower):
        layer, plain = layer_of(place), embed(tower)
        factor, shift = 1 + torch.randn(2, width_of(clip, tower, layer, place), generator=generator) / 2
        if place != "mlp_hidden" and clip.affine(tower, layer, place).bias is None:
            shift = 0 * shift
        changed = embed(tower, After(place, layer, lambda given, made, f=factor, s=shift: made * f + s))
        assert not torch.allclose(changed, plain, atol=1e-3), place
        scale_and_shift(clip, tower, layer, place, factor, shift)
        torch.testing.assert_close(embed(tower), changed, atol=1e-4, rtol=1e-4)


def test_biases_are_missing_where_the_backbones_have_none(clip):
    missing = [
        (tower, place)
        for tower in ("image", "text")
        for place in places_of(clip, tower)
        if place != "mlp_hidden" and clip.affine(tower, layer_of(place), place).bias is None
    ]
    bare = {"small_plain": ["patches"], "small_pe": ["patches"], "small_eva02": ["key"]}
    assert missing == [("image", place) for place in bare.get(clip.identity.name, [])]


@pytest.mark.parametrize("tower", ["image", "text"])
def test_an_operation_s_input_is_what_its_weights_are_multiplied_with(clip, embed, tower):
    generator = torch.Generator().manual_seed(6)
    for place in MAPS:
        weight, plain = clip.affine(tower, 1, place).weight, embed(tower)
        more = torch.randn(weight.shape, generator=generator) / weight.shape[1]
        changed = embed(tower, After(place, 1, lambda given, made, m=more: made + given @ m.T))
        assert not torch.allclose(changed, plain, atol=1e-3), place
        with torch.no_grad():
            weight += more
        torch.testing.assert_close(embed(tower), changed, atol=1e-4, rtol=1e-4)


def test_weights_changed_in_place_are_those_of_open_clip_s_own_forward(clip, embed):
    with torch.no_grad():
        for place in (*MAPS, "norm_1", "norm_2", "norm_post", "mlp_in", "mlp_in"):
            for part in clip.affine("image", layer_of(place), place):
                if part is not None:
                    part += 0.1 * torch.randn(part.shape)
        torch.testing.assert_close(embed("image"), clip.model.encode_image(images()), atol=1e-5, rtol=1e-5)


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
    key, value = torch.randn(2, 1, heads, 4, 8, generator=torch.Generator().manual_seed(7))
    found = embed(tower, Front(key, value))
    assert not torch.allclose(found, embed(tower), atol=1e-3)

    def naive(query, keys, values, injection, *, causal):
        made = torch.zeros_like(query)
        for row, head, place in torch.cartesian_prod(*(torch.arange(n) for n in query.shape[:3])).tolist():
            seen = 4 + place + 1 if causal else keys.shape[2]
            scores = keys[row, head, :seen] @ query[row, head, place] / 8**0.5
            made[row, head, place] = scores.softmax(0) @ values[row, head, :seen]
        return made

    monkeypatch.setattr(operations, "attended", naive)
    torch.testing.assert_close(found, embed(tower, Front(key, value)), atol=1e-5, rtol=1e-4)


class Ladder(Injection):
    """Adds up what every block read."""

    reads = (0, 1)

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
    assert (ladder.reads, ladder.acts_inside) == ((0, 1), True)
    assert not torch.allclose(embed(tower, ladder), plain, atol=1e-3)
    assert not Chain(one=Doubled()).reads


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
