"""The plain towers against open_clip's own forward, from configs that no model of open_clip has, too."""

import open_clip
import pytest
import torch
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg, CustomTextCLIP
from open_clip.transformer import TextTransformer

from harness.clip.injection import Injection
from harness.clip.towers import choice, passing

VISION = {"layers": 3, "width": 32, "head_width": 8, "patch_size": 8, "image_size": (32, 16)}
TEXT = {"context_length": 20, "vocab_size": 60, "width": 24, "heads": 3, "layers": 2}


def model(vision=None, text=None, kind=CLIP, **options):
    torch.manual_seed(0)
    made = kind(16, CLIPVisionCfg(**VISION | (vision or {})), CLIPTextCfg(**TEXT | (text or {})), **options)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if parameter.dim() < 2:
                parameter.normal_(mean=float("weight" in name), std=0.3)
    return made.eval()


def encode_image(clip, images, injection=None):
    return passing.encode(choice.image_tower(clip), images, injection)


def encode_text(clip, tokens, injection=None):
    return passing.encode(choice.text_tower(clip), tokens, injection)


def image_places(clip, images):
    return passing.encode_places(choice.image_tower(clip), images)[0]


def text_places(clip, tokens):
    return passing.encode_places(choice.text_tower(clip), tokens)


def captions():
    tokens = torch.randint(1, 50, (4, 20), generator=torch.Generator().manual_seed(1))
    for row, end in zip(tokens, (1, 6, 12, 19), strict=True):
        row[end], row[end + 1 :] = 59, 0
    return tokens


@pytest.mark.parametrize(
    ("vision", "text", "options"),
    [
        ({}, {}, {}),
        ({}, {}, {"quick_gelu": True}),
        ({"ls_init_value": 0.4}, {"ls_init_value": 0.6}, {}),
        ({"no_ln_pre": True, "mlp_ratio": 2.0}, {"mlp_ratio": 3.0}, {}),
        ({"pos_embed_type": "sin_cos_2d", "image_size": 32}, {}, {}),
        ({}, {"no_causal_mask": True}, {}),
        ({}, {"proj_type": "none", "width": 16, "heads": 2}, {}),
    ],
    ids=[
        *(
            "gelu",
            "quick gelu",
            "layer scale",
            "no first norm",
            "fixed positions",
            "no mask",
            "no projection",
        ),
    ],
)
def test_embeddings_equal_those_of_open_clip(vision, text, options):
    clip = model(vision, text, **options)
    height, width = clip.visual.image_size
    images, tokens = torch.randn(3, 3, height, width), captions()
    with torch.no_grad():
        image, caption = encode_image(clip, images), encode_text(clip, tokens)
        torch.testing.assert_close(image, clip.encode_image(images), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(caption, clip.encode_text(tokens), atol=1e-5, rtol=1e-5)


def test_each_place_is_embedded_as_the_one_that_is_read():
    clip, tokens = model(), captions()
    images = torch.randn(3, 3, 32, 16)
    with torch.no_grad():
        places, (words, ends) = image_places(clip, images), text_places(clip, tokens)
        assert places.shape == (3, 1 + 4 * 2, 16)
        torch.testing.assert_close(places[:, 0], encode_image(clip, images))
        torch.testing.assert_close(words[torch.arange(4), ends], encode_text(clip, tokens))
        for place in range(1, 20):
            cut = tokens[3:, : place + 1].clone()
            cut[0, place] = 59
            changed = torch.cat([cut, tokens[3:, place + 1 :]], dim=1)
            torch.testing.assert_close(text_places(clip, changed)[0][:, place], encode_text(clip, cut))


def test_the_places_of_an_image_are_those_of_open_clip():
    clip, images = model(), torch.randn(3, 3, 32, 16)
    clip.visual.output_tokens = True
    with torch.no_grad():
        _, patches = clip.visual(images)
        own = image_places(clip, images)[:, 1:]
        torch.testing.assert_close(own, patches @ clip.visual.proj, atol=1e-5, rtol=1e-5)


def test_training_mode_takes_the_same_path():
    clip = model()
    images, tokens = torch.randn(2, 3, 32, 16), captions()
    evaluated = encode_image(clip, images), encode_text(clip, tokens)
    clip.train()
    assert torch.equal(encode_image(clip, images), evaluated[0])
    assert torch.equal(encode_text(clip, tokens), evaluated[1])


@pytest.mark.parametrize("length", [13, 16, 20])
def test_text_may_be_cut_behind_the_longest_caption(length):
    clip, tokens = model(), captions()[:3]
    with torch.no_grad():
        whole, cut = clip.encode_text(tokens), encode_text(clip, tokens[:, :length])
    torch.testing.assert_close(cut, whole, atol=1e-5, rtol=1e-5)


def test_gradients_equal_those_of_open_clip():
    clip = model()
    images, tokens = torch.randn(2, 3, 32, 16), captions()
    parameters = [p for name, p in clip.named_parameters() if "logit" not in name]
    own = encode_image(clip, images).square().sum() + encode_text(clip, tokens).square().sum()
    stock = clip.encode_image(images).square().sum() + clip.encode_text(tokens).square().sum()
    pairs = zip(torch.autograd.grad(own, parameters), torch.autograd.grad(stock, parameters), strict=True)
    for mine, theirs in pairs:
        torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("vision", "text"),
    [
        ({"attentional_pool": True}, {}),
        ({"pool_type": "avg"}, {}),
        ({"patch_dropout": 0.5}, {}),
        ({"block_type": "custom"}, {}),
        ({}, {"pool_type": "last"}),
        ({}, {"pool_type": "eos"}),
        ({}, {"pool_type": "last", "no_causal_mask": True, "block_type": "custom"}),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", [CLIP, CustomTextCLIP])
def test_other_architectures_are_not_taken(vision, text, kind):
    clip = model(vision, text, kind)
    assert (choice.image_tower(clip) is None) == bool(vision)
    assert (choice.text_tower(clip) is None) == bool(text)


def test_other_model_classes_are_not_taken():
    with torch.device("meta"):
        resnet = open_clip.model.CLIP(
            64, CLIPVisionCfg(layers=(1, 1, 1, 1), width=8, image_size=32), CLIPTextCfg(**TEXT)
        )
    assert choice.image_tower(resnet) is None
    for tower in (choice.image_tower, choice.text_tower):
        assert tower(torch.nn.Linear(2, 2)) is None
    for more in ({"use_pad_mask": True}, {"embed_cls": True}):
        other = model(kind=CustomTextCLIP)
        other.text = TextTransformer(**TEXT, no_causal_mask=True, **more)
        assert choice.text_tower(other) is None


class Recorder(Injection):
    """Notes what the towers call."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def tokens(self, tokens):
        self.calls.append(("tokens", tuple(tokens.shape)))
        return tokens

    def embedded(self, x):
        self.calls.append(("embedded", tuple(x.shape)))
        return x

    def before_block(self, layer, x):
        self.calls.append((f"before {layer}", tuple(x.shape)))
        return x

    def beside_mlp(self, layer, u):
        self.calls.append((f"beside {layer}", tuple(u.shape)))


def test_hooks_are_called_in_the_order_of_the_contract():
    clip, recorder = model(), Recorder()
    encode_text(clip, captions()[:2, :8], recorder)
    names = ["embedded", "before 0", "beside 0", "before 1", "beside 1"]
    assert recorder.calls == [("tokens", (2, 8)), *[(name, (2, 8, 24)) for name in names]]
    recorder.calls.clear()
    encode_image(clip, torch.randn(2, 3, 32, 16), recorder)
    names = ["embedded", *[f"{kind} {layer}" for layer in range(3) for kind in ("before", "beside")]]
    assert recorder.calls == [(name, (2, 9, 32)) for name in names]
