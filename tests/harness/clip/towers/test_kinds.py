"""Every kind of towers against open_clip's own forward: embeddings, gradients, ways of calling, cuts, projections."""

import pytest
import torch

from harness.clip.injection import Injection
from harness.clip.tower_calls import tower_calls
from harness.clip.towers import Tower, choice, timm_eva, timm_trunk, timm_vit
from harness.compute import compiling
from harness.compute.precision import store_half
from tests.tower_kinds import IN_FRONT, KINDS, SIZE, build, captions, images

CLASSES = {
    "siglip": timm_vit.TimmVit,
    "registers": timm_vit.TimmVit,
    "eva": timm_eva.TimmEva,
    "pe": timm_eva.TimmEva,
}


@pytest.fixture(params=KINDS)
def clip(request):
    return build(request.param)


def both(clip, given, *, own, injections=(None, None)):
    """Embed images and captions, with open_clip's own forward or as a backbone does."""
    pictures, tokens = given
    if own:
        return clip.model.encode_image(pictures), clip.model.encode_text(tokens)
    return clip.encode_image(pictures, injections[0]), clip.encode_text(tokens, injections[1])


@pytest.mark.parametrize("size", [SIZE, (16, 40)])
@pytest.mark.parametrize("name", KINDS)
def test_embeddings_equal_those_of_open_clip(name, size):
    clip = build(name, size)
    assert clip.injectable
    given = images(size=size), captions(clip)
    with torch.no_grad():
        for mode in (True, False):
            found, expected = both(clip.train(mode), given, own=False), both(clip.eval(), given, own=True)
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
            assert expected[0].std() > 0.1


def test_each_kind_has_its_towers():
    for name in KINDS:
        tower = choice.image_tower(build(name).model)
        kinds = {kind for part, kind in CLASSES.items() if part in name}
        assert type(tower) in kinds or (name == "small_plain" and not isinstance(tower, timm_trunk.TimmTower))
        assert isinstance(tower, Tower)
        assert tower.width == 32


def test_gradients_equal_those_of_open_clip(clip):
    given, parameters = (images(), captions(clip)), dict(clip.model.named_parameters())
    found, expected = (
        torch.autograd.grad(
            sum(made.square().sum() for made in both(clip, given, own=own)), [*parameters.values()]
        )
        for own in (False, True)
    )
    for name, mine, theirs in zip(parameters, found, expected, strict=True):
        torch.testing.assert_close(
            mine, theirs, atol=1e-4, rtol=1e-4, msg=lambda text, name=name: name + text
        )


def learned(clip, calls):
    """Return embeddings and gradients of one step."""
    with clip.called_by(calls), compiling.compiling():
        made = both(clip, (images(), captions(clip)), own=False)
        loss = sum(part.square().sum() for part in made)
        return [*made, *torch.autograd.grad(loss, list(clip.model.parameters()))]


def test_computed_again_the_blocks_give_the_same(clip):
    again = tower_calls(compile=False, checkpoint=True)
    assert all(map(torch.equal, learned(clip, again), learned(clip, clip.calls)))


@pytest.mark.parametrize(
    "name",
    [
        name if name in ("small_siglip", "small_eva02") else pytest.param(name, marks=pytest.mark.slow)
        for name in KINDS
    ],
)
def test_the_towers_are_traced_whole(name, monkeypatch):
    monkeypatch.setattr(compiling, "BACKEND", "eager")
    clip = build(name)
    traced = learned(clip, tower_calls(compile=True, checkpoint=False))
    compiling.forget_compiled()
    assert all(map(torch.equal, traced, learned(clip, clip.calls)))


def test_weights_of_mixed_widths_give_nearly_the_same(clip):
    given = images(), captions(clip)
    with torch.no_grad():
        expected = both(clip, given, own=False)
        for found, other in zip(both(store_half(clip), given, own=False), expected, strict=True):
            assert found.dtype == torch.float16
            torch.testing.assert_close(found.float(), other, atol=2e-2, rtol=2e-2)


def test_captions_are_cut_where_their_padding_is_never_seen(clip):
    tokens = captions(clip)
    with torch.no_grad():
        whole, short = clip.encode_text(tokens), clip.cut(tokens)
        assert (short.shape[1] < tokens.shape[1]) == clip.cuts
        torch.testing.assert_close(clip.encode_text(short), whole, atol=1e-5, rtol=1e-5)
        if not clip.cuts:
            with pytest.raises(AssertionError, match="padding is read"):
                clip.encode_text(tokens[:, :-1])


class Behind(Injection):
    """Puts places behind the image's own."""

    def __init__(self, n_places, width):
        super().__init__()
        self.register_buffer("more", torch.randn(1, n_places, width))

    def embedded(self, x):
        return torch.cat([x, self.more.expand(len(x), -1, -1)], dim=1)


def test_places_behind_an_image_have_no_position_and_act_through_the_blocks_alone(clip):
    """Their order is nothing, they change the embedding, and what the last block makes of them is not read."""
    injection, pictures = Behind(3, clip.image_width), images()
    with torch.no_grad():
        plain, found = clip.encode_image(pictures), clip.encode_image(pictures, injection)
        assert not torch.allclose(found, plain, atol=1e-3)
        injection.more = injection.more.flip(1)
        torch.testing.assert_close(clip.encode_image(pictures, injection), found, atol=1e-5, rtol=1e-4)
        injection.finished = lambda x, streams: torch.cat([x[:, :-3], 0 * x[:, -3:]], dim=1)
        torch.testing.assert_close(clip.encode_image(pictures, injection), found, atol=1e-5, rtol=1e-4)


def test_each_place_is_embedded_as_the_one_that_is_read_where_one_is(clip):
    pooled = "map" in KINDS[clip.identity.name]
    assert clip.embeds_places != pooled
    tokens = captions(clip)
    with torch.no_grad():
        words, ends = clip.text_tokens(tokens)
        torch.testing.assert_close(words[torch.arange(3), ends], clip.encode_text(tokens))
        assert ends.tolist() == ([11] * 3 if clip.identity.name in IN_FRONT else [3, 6, 9])
        if not pooled:
            places = clip.image_tokens(images())
            assert places.shape[:2] == (3, 9)
            torch.testing.assert_close(places[:, 0], clip.encode_image(images()))


def test_projections_can_be_multiplied_in_where_there_are_any(clip):
    given = images(), captions(clip)
    with torch.no_grad():
        for index, tower in enumerate(("image", "text")):
            bare = clip.towers[tower].projection is None
            assert clip.projects(tower) != bare
            assert bare == (
                ("siglip" in clip.identity.name) if index == 0 else "registers" in clip.identity.name
            )
            if not bare:
                made = both(clip, given, own=False)[index]
                matrix = torch.randn(made.shape[1], made.shape[1])
                clip.multiply_projection(tower, matrix)
                torch.testing.assert_close(
                    both(clip, given, own=False)[index], made @ matrix, atol=1e-4, rtol=1e-4
                )


@pytest.mark.parametrize(
    "change",
    [
        lambda trunk: setattr(trunk, "dynamic_img_size", True),
        lambda trunk: setattr(trunk, "fc_norm", torch.nn.LayerNorm(32)),
        lambda trunk: setattr(trunk, "patch_drop", torch.nn.Dropout(0.1)),
        lambda trunk: setattr(trunk, "head_drop", torch.nn.Dropout(0.1)),
        lambda trunk: setattr(trunk.blocks[1].attn, "q_norm", torch.nn.LayerNorm(8)),
        lambda trunk: setattr(trunk.blocks[1].attn, "gate", torch.nn.Linear(32, 32)),
        lambda trunk: setattr(trunk.blocks[1], "mlp", torch.nn.Identity()),
        lambda trunk: setattr(trunk.patch_embed, "norm", torch.nn.LayerNorm(32)),
    ],
)
@pytest.mark.parametrize("name", ["small_siglip", "small_eva02"])
def test_a_trunk_with_parts_that_are_not_run_here_is_not_taken(name, change):
    clip = build(name)
    change(clip.model.visual.trunk)
    assert choice.image_tower(clip.model) is None
    assert choice.text_tower(clip.model) is not None
