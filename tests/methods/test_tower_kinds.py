"""Every method on SigLIP's and EVA-CLIP's towers: it trains and folds, or is refused in one line."""

import open_clip
import pytest
import torch

from harness.clip.injection.prompts import CaptionRoom, make_room_in_front
from harness.clip.model import load_clip
from harness.clip.plain_models import plain_models
from harness.config.sections import BackboneConfig
from harness.errors import UsageError
from harness.method_parts.batch import Batch
from harness.methods import METHODS
from tests import tower_kinds

SOME = ("small_siglip", "small_eva02")
MERGED = ("ia3", "lora", "ssf")
OPTIONS = {
    "irra": {"n_identities": 5, "mask_share": 0.5},
    "lora": {"maps": "q+k+v+out+mlp"},
}
# What needs the words of a real tokeniser, or an embedding of each place, is asked for without.
WITHOUT_WORDS = {"coop": "random", "ivlp": "random", "maple": "random"}
NEED_PLACES = {"irra": "mlm"}
SHORT = {"prompt_length": 2, "reduction": 4, "bottleneck": 8, "rank": 4}
REAL = ("ViT-B-16-SigLIP", "ViT-B-16-SigLIP2", "EVA02-B-16")


@pytest.fixture(autouse=True)
def _known_kinds(monkeypatch):
    tower_kinds.register(monkeypatch)


def method_on(clip, name, sizes=SHORT, **more):
    """Return a method without words, of sizes that fit small towers."""
    torch.manual_seed(1)
    kind = METHODS.get(name)
    fields = {field: value for field, value in sizes.items() if field in kind.Config.model_fields}
    fields |= {"init": WITHOUT_WORDS[name]} if name in WITHOUT_WORDS else {}
    fields |= {NEED_PLACES[name]: 0} if name in NEED_PLACES and not clip.embeds_places else {}
    return kind(clip, kind.Config(name=name, **(fields | OPTIONS.get(name, {}) | more)))


def batch_for(clip, method):
    """Return four pairs of two persons with every view that the method asks for."""
    n, views = 4, method.views()
    pictures = [tower_kinds.images(n) + index for index in range(1 + views.images + views.contrast)]
    tokens = [tower_kinds.captions(clip, ends) for ends in ((3, 6, 9, 4), (2, 5, 3, 7))[: 1 + views.captions]]
    more = {"image_views": tuple(pictures[1 : 1 + views.images]), "token_views": tuple(tokens[1:])}
    contrast = tuple(pictures[1 + views.images :])
    return Batch(pictures[0], tokens[0], torch.tensor([0, 0, 1, 1]), contrast_views=contrast, seed=3, **more)


@pytest.mark.parametrize(
    ("name", "backbone"),
    [
        (name, backbone)
        for backbone in tower_kinds.KINDS
        for name in (METHODS.names() if backbone in SOME else MERGED)
    ],
)
def test_a_method_trains_what_it_trains_and_folds_to_the_same_embeddings(name, backbone):
    clip = tower_kinds.build(backbone)
    method = method_on(clip, name)
    batch = batch_for(clip, method)
    if method.trained:
        method.train()
        method(batch).total.backward()
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for _, p in method.trainable())
        with torch.no_grad():
            for _, parameter in method.trainable():
                parameter += 0.02 * torch.randn(parameter.shape)
    method.eval()
    with torch.no_grad():
        before = method.encode_image(batch.images), method.encode_text(batch.tokens)
        remain = method.folded_parameters()
        method.fold()
        after = method.encode_image(batch.images), method.encode_text(batch.tokens)
    torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-4)
    own = {id(p) for p in clip.parameters()}
    assert remain == sum(p.numel() for p in method.parameters() if id(p) not in own)


def test_guessing_words_is_refused_where_an_image_is_pooled():
    with pytest.raises(UsageError, match=r"small_siglip .* method\.mlm needs: set it to 0") as error:
        METHODS.get("irra")(tower_kinds.build("small_siglip"), METHODS.get("irra").Config(name="irra"))
    assert "\n" not in str(error.value)


def naive_front(ids, n_places):
    return [0] * n_places + ids[: len(ids) - 1 - n_places] + [ids[-1]]


@pytest.mark.parametrize("n_places", [1, 4, 10])
def test_captions_without_bos_make_room_in_front_and_are_read_at_their_last_place(n_places):
    tokens = torch.randint(2, 50, (5, 12))
    tokens[:, 7:] = tower_kinds.PAD
    tokens[4, :] = torch.arange(20, 32)
    assert make_room_in_front(tokens, n_places).tolist() == [
        naive_front(row, n_places) for row in tokens.tolist()
    ]


def test_prompts_of_siglip_s_captions_equal_a_caption_put_together_by_hand():
    """In front, at the positions of the places that they take, renewed in each block, seen from the last place."""
    clip = tower_kinds.build("small_siglip")
    method = method_on(clip, "ivlp", text_prompts=3, text_depth=1)
    text, tokens = clip.model.text, tower_kinds.captions(clip, (3, 8, 11))
    vectors = method.text_prompts.vectors[0]
    seen = []
    for row in tokens.tolist():
        looked_up = text.token_embedding(torch.tensor([*row[:8], row[-1]]))
        x = torch.cat([vectors, looked_up]) + text.positional_embedding
        seen.append(text.text_projection(text.ln_final(text.transformer(x[None]))[0, -1]))
    torch.testing.assert_close(method.encode_text(tokens), torch.stack(seen), atol=1e-5, rtol=1e-5)
    room = CaptionRoom(3, clip.text_length, clip.start_token)
    x = torch.randn(2, 12, 24)
    assert torch.equal(room.write(vectors, x)[:, 3:], x[:, 3:])
    assert torch.equal(room.write(vectors, x)[1, :3], vectors)


def of_each_kind():
    """Return the first name of each kind of towers and number of layers; the others differ in widths and tokenisers."""
    kinds = {}
    for name in plain_models():
        config = open_clip.get_model_config(name)
        image, text = config["vision_cfg"], config["text_cfg"]
        family = image.get("timm_model_name", "_").split("_")[0], frozenset(image), image.get("layers")
        kinds.setdefault(
            (*family, frozenset(key for key in text if "tokenizer" not in key), text["layers"]), name
        )
    return sorted({*kinds.values(), *REAL})


@pytest.mark.parametrize(
    "backbone",
    [name if name in REAL else pytest.param(name, marks=pytest.mark.slow) for name in of_each_kind()],
)
def test_every_method_is_made_on_real_names_without_weights(backbone):
    clip = load_clip(BackboneConfig(name=backbone, pretrained=None, image_size=(384, 192)), device="meta")
    for name in METHODS.names():
        with torch.device("meta"):
            method = method_on(clip, name, sizes={})
        assert method.trained == any(p.requires_grad for p in method.parameters())
