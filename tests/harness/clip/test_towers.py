"""The functional towers against open_clip's own forward."""

import open_clip
import pytest
import torch
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg, CustomTextCLIP

from harness.clip import towers
from harness.clip.injection import Injection

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
    ],
    ids=["gelu", "quick gelu", "layer scale", "no first norm", "fixed positions"],
)
def test_embeddings_equal_those_of_open_clip(vision, text, options):
    clip = model(vision, text, **options)
    assert towers.supports(clip)
    height, width = clip.visual.image_size
    images, tokens = torch.randn(3, 3, height, width), captions()
    with torch.no_grad():
        image, caption = towers.encode_image(clip, images), towers.encode_text(clip, tokens)
        torch.testing.assert_close(image, clip.encode_image(images), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(caption, clip.encode_text(tokens), atol=1e-5, rtol=1e-5)


def test_each_place_is_embedded_as_the_one_that_is_read():
    clip, tokens = model(), captions()
    images = torch.randn(3, 3, 32, 16)
    with torch.no_grad():
        places, (words, ends) = towers.image_tokens(clip, images), towers.text_tokens(clip, tokens)
        assert places.shape == (3, 1 + 4 * 2, 16)
        torch.testing.assert_close(places[:, 0], towers.encode_image(clip, images))
        torch.testing.assert_close(words[torch.arange(4), ends], towers.encode_text(clip, tokens))
        for place in range(1, 20):
            cut = tokens[3:, : place + 1].clone()
            cut[0, place] = 59
            changed = torch.cat([cut, tokens[3:, place + 1 :]], dim=1)
            torch.testing.assert_close(
                towers.text_tokens(clip, changed)[0][:, place], towers.encode_text(clip, cut)
            )


def test_the_places_of_an_image_are_those_of_open_clip():
    clip, images = model(), torch.randn(3, 3, 32, 16)
    clip.visual.output_tokens = True
    with torch.no_grad():
        _, patches = clip.visual(images)
        own = towers.image_tokens(clip, images)[:, 1:]
        torch.testing.assert_close(own, patches @ clip.visual.proj, atol=1e-5, rtol=1e-5)


def test_training_mode_takes_the_same_path():
    clip = model()
    images, tokens = torch.randn(2, 3, 32, 16), captions()
    evaluated = towers.encode_image(clip, images), towers.encode_text(clip, tokens)
    clip.train()
    assert torch.equal(towers.encode_image(clip, images), evaluated[0])
    assert torch.equal(towers.encode_text(clip, tokens), evaluated[1])


@pytest.mark.parametrize("length", [13, 16, 20])
def test_text_may_be_cut_behind_the_longest_caption(length):
    clip, tokens = model(), captions()[:3]
    with torch.no_grad():
        whole, cut = clip.encode_text(tokens), towers.encode_text(clip, tokens[:, :length])
    torch.testing.assert_close(cut, whole, atol=1e-5, rtol=1e-5)


def test_gradients_equal_those_of_open_clip():
    clip = model()
    images, tokens = torch.randn(2, 3, 32, 16), captions()
    parameters = [p for name, p in clip.named_parameters() if "logit" not in name]
    own = towers.encode_image(clip, images).square().sum() + towers.encode_text(clip, tokens).square().sum()
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
        ({}, {"no_causal_mask": True}),
        ({}, {"proj_type": "none", "width": 16, "heads": 2}),
    ],
    ids=str,
)
def test_other_architectures_are_not_supported(vision, text):
    assert not towers.supports(model(vision, text))


def test_other_model_classes_are_not_supported():
    assert not towers.supports(model(kind=CustomTextCLIP))
    assert not towers.supports(torch.nn.Linear(2, 2))
    with torch.device("meta"):
        resnet = open_clip.model.CLIP(
            64, CLIPVisionCfg(layers=(1, 1, 1, 1), width=8, image_size=32), CLIPTextCfg(**TEXT)
        )
    assert not towers.supports(resnet)


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
    towers.encode_text(clip, captions()[:2, :8], recorder)
    names = ["embedded", "before 0", "beside 0", "before 1", "beside 1"]
    assert recorder.calls == [("tokens", (2, 8)), *[(name, (2, 8, 24)) for name in names]]
    recorder.calls.clear()
    towers.encode_image(clip, torch.randn(2, 3, 32, 16), recorder)
    names = ["embedded", *[f"{kind} {layer}" for layer in range(3) for kind in ("before", "beside")]]
    assert recorder.calls == [(name, (2, 9, 32)) for name in names]


def test_projections_can_be_multiplied_in():
    clip, matrices = model(), torch.randn(2, 16, 16)
    images, tokens = torch.randn(2, 3, 32, 16), captions()
    with torch.no_grad():
        image = towers.encode_image(clip, images) @ matrices[0]
        text = towers.encode_text(clip, tokens) @ matrices[1]
        towers.multiply_projections(clip, *matrices)
        torch.testing.assert_close(towers.encode_image(clip, images), image, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(towers.encode_text(clip, tokens), text, atol=1e-4, rtol=1e-4)
