"""Injections: the identity by default, chains, and how captions make room for prompts."""

import copy

import pytest
import torch

from harness.clip.injection import AttentionDropout, Chain, Injection, tower_shapes
from harness.clip.injection.adapters import AdapterFields, build_adapters
from harness.clip.injection.prompts import ImagePrompts, PromptFields, Prompts, TextPrompts, make_room
from harness.clip.model import load_clip
from harness.config.sections import BackboneConfig
from harness.errors import UsageError


@pytest.fixture(scope="module")
def clip():
    return load_clip(BackboneConfig(name="tiny", pretrained=None, image_size=(96, 32)))


def test_an_injection_changes_nothing_by_default(clip):
    images, tokens = torch.randn(1, 3, 96, 32), clip.tokenize(["a man in red"])
    with torch.no_grad():
        for injection in (Injection(), Chain(), Chain(nothing=None, identity=Injection())):
            assert torch.equal(clip.encode_image(images, injection), clip.encode_image(images))
            assert torch.equal(clip.encode_text(tokens, injection), clip.encode_text(tokens))


class Steps(Injection):
    """Scales and shifts, so that order shows."""

    def __init__(self, factor, shift):
        super().__init__()
        self.factor, self.shift = factor, shift

    def tokens(self, tokens):
        return tokens * self.factor + self.shift

    embedded = tokens

    def before_block(self, layer, x):
        return x * self.factor + self.shift + layer

    def beside_mlp(self, layer, u):
        return None if self.factor == 0 else u * self.factor + layer


def test_a_chain_applies_its_parts_in_order_and_adds_what_stands_beside():
    chain, one = Chain(first=Steps(2, 1), second=Steps(3, 0), silent=None), torch.tensor([1.0])
    assert float(chain.tokens(one)) == float(chain.embedded(one)) == 9
    assert float(chain.before_block(1, one)) == (2 + 1 + 1) * 3 + 1
    assert float(chain.beside_mlp(5, one)) == (2 + 5) + (3 + 5)
    assert Chain(silent=Steps(0, 0)).beside_mlp(0, one) is None
    assert [name for name, _ in chain.named_children()] == ["first", "second"]


def test_a_chain_drops_as_much_attention_as_its_strongest_part():
    assert Injection.attention_dropout == Chain().attention_dropout == 0.0
    chain = Chain(weak=AttentionDropout(0.1), strong=AttentionDropout(0.4), other=Injection(), absent=None)
    assert chain.attention_dropout == 0.4
    assert len(chain.parts) == 3


def naive_room(ids, n_places, text_length):
    """One caption at a time: shift, or keep the first words and EOS."""
    end = ids.index(max(ids))
    if end + n_places < text_length:
        shifted = [ids[0]] + [0] * n_places + ids[1:]
        return shifted[: min(len(ids) + n_places, text_length)]
    return [ids[0]] + [0] * n_places + ids[1 : text_length - n_places - 1] + [ids[end]]


@pytest.mark.parametrize("n_places", [1, 4, 8, 30])
@pytest.mark.parametrize("length", [10, 45, 69, 70, 77])
def test_captions_make_room_behind_bos(n_places, length):
    ends = sorted({1, 2, length // 2, length - 2, length - 1})
    tokens = torch.randint(1, 50, (len(ends), length))
    for row, end in zip(tokens, ends, strict=True):
        row[0], row[end], row[end + 1 :] = 60, 99, 0
    moved = make_room(tokens, n_places, 77)
    assert moved.tolist() == [naive_room(row, n_places, 77) for row in tokens.tolist()]
    assert moved.argmax(1).tolist() == [min(end + n_places, 76) for end in ends]
    assert tokens[0, 1] in (99, *range(1, 50)), "the given ids are left as they are"


def test_prompts_are_shared_by_both_towers_and_saved_once(clip):
    prompts = Prompts(clip, PromptFields())
    image, text = ImagePrompts(prompts), TextPrompts(prompts, prompts.room)
    assert not list(image.parameters())
    assert not list(text.parameters())
    assert prompts.depth == 3
    both = copy.deepcopy(torch.nn.ModuleDict({"prompts": prompts, "image": image}))
    with torch.no_grad():
        both["prompts"].image_own.fill_(3)
    assert torch.all(both["image"].embedded(torch.zeros(1, 2, clip.image_width))[0, -4:] == 3)


def test_image_prompts_stand_last_and_are_renewed_only_down_to_their_depth(clip):
    prompts = Prompts(clip, PromptFields(prompt_depth=2))
    injection = ImagePrompts(prompts)
    x = torch.randn(2, 5, clip.image_width)
    longer = injection.embedded(x)
    assert torch.equal(longer[:, :5], x)
    assert torch.equal(longer[1, 5:], prompts.image(0))
    assert injection.before_block(0, longer) is longer
    renewed = injection.before_block(1, longer)
    assert torch.equal(renewed[:, :5], x)
    assert torch.equal(renewed[0, 5:], prompts.image(1))
    assert injection.before_block(2, longer) is longer


def test_text_prompts_stand_behind_bos(clip):
    prompts = Prompts(clip, PromptFields(prompt_depth=2))
    injection = TextPrompts(prompts, prompts.room)
    x = torch.randn(2, 20, clip.text_width)
    written = injection.embedded(x)
    assert torch.equal(written[:, 0], x[:, 0])
    assert torch.equal(written[1, 1:9], prompts.text(0))
    assert torch.equal(written[:, 9:], x[:, 9:])
    assert torch.equal(injection.before_block(1, x)[0, 1:9], prompts.text(1))
    assert injection.before_block(2, x) is x


def test_mapped_image_prompts_come_first_and_mapped_text_prompts_last(clip):
    prompts = Prompts(clip, PromptFields())
    assert torch.equal(prompts.image(1)[4:], prompts.image_own[1])
    assert torch.equal(prompts.text(1)[:4], prompts.text_own[1])
    assert torch.equal(prompts.image(1)[:4], prompts.text_to_image[1](prompts.text_own[1]))
    assert torch.equal(prompts.text(1)[4:], prompts.image_to_text[1](prompts.image_own[1]))


@pytest.mark.parametrize(
    ("towers", "present"), [("image", "10"), ("text", "01"), ("both", "11"), ("none", "00")]
)
def test_adapters_stand_in_the_towers_asked_for(clip, towers, present):
    built = build_adapters(clip, AdapterFields(adapter_towers=towers))
    assert "".join(str(int(adapters is not None)) for adapters in built) == present


def test_adapter_output_is_scaled_per_tower(clip):
    fields = AdapterFields(image_scale=0.5, text_scale=2.0)
    for adapters, scale in zip(build_adapters(clip, fields), (0.5, 2.0), strict=True):
        u = torch.randn(2, 3, 128)
        torch.testing.assert_close(adapters.beside_mlp(1, u), scale * adapters.layers[1](u))


def test_a_backbone_without_plain_transformers_is_refused():
    resnet = load_clip(BackboneConfig(name="RN50", pretrained=None), device="meta")
    with pytest.raises(UsageError, match="RN50"):
        tower_shapes(resnet)
