"""CoOp against a prompt that is put together by hand, and its start, counts and limits."""

import pytest
import torch

from harness.clip.injection.words import word_vectors
from harness.clip.model import load_clip
from harness.clip.tokens import cut
from harness.config.sections import BackboneConfig
from harness.errors import UsageError
from harness.methods import METHODS
from harness.presets.resolve import resolve
from harness.train.checkpoint import load_weights, save_weights
from harness.train.cost import count_parameters
from harness.train.gradient_audit import audit_gradients

EOS = 199
PHRASE = "a pedestrian photo of"
N_PIECES = 7


def blueprint(**fields):
    """CoOp on ViT-B/16 without numbers."""
    clip = load_clip(BackboneConfig(name="ViT-B-16-quickgelu"), device="meta")
    with torch.device("meta"):
        return METHODS.get("coop")(clip, METHODS.get("coop").Config(name="coop", **fields))


@pytest.fixture(scope="module")
def tiny():
    return load_clip(BackboneConfig(name="tiny", pretrained=None, image_size=(96, 32)))


@pytest.fixture(scope="module")
def on_tiny(tiny):
    def make(name="coop", **fields):
        return METHODS.get(name)(tiny, METHODS.get(name).Config(name=name, **fields))

    return make


@torch.no_grad()
def by_hand(method, caption, room=77):
    """Embed one caption's ids with open_clip's own transformer: start, vectors, words, end, nothing behind."""
    model, vectors = method.clip.model, method.text_injection.vectors
    ids = caption.tolist()
    words = ids[1 : ids.index(EOS)][: room - 2 - len(vectors)]
    look_up = model.token_embedding.weight
    x = torch.stack([look_up[ids[0]], *vectors, *look_up[words], look_up[EOS]])
    n = len(x)
    x = model.transformer(
        (x + model.positional_embedding[:n]).unsqueeze(0), attn_mask=model.attn_mask[:n, :n]
    )
    return model.ln_final(x[0, -1]) @ model.text_projection


@pytest.mark.parametrize("n_context", [1, 4, 16])
def test_captions_equal_a_prompt_put_together_by_hand_however_long_they_are(build, captions, n_context):
    method = build("coop", backbone="shallow", n_context=n_context)
    torch.nn.init.normal_(method.text_injection.vectors, std=0.5)
    tokens = captions(1, 5, 40, 59, 60, 61, 71, 72, 73, 75, 76)
    expected = torch.stack([by_hand(method, caption) for caption in tokens])
    with torch.no_grad():
        torch.testing.assert_close(method.encode_text(tokens), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("n_context", [4, 16])
def test_a_caption_longer_than_the_room_loses_words_and_keeps_its_end(build, captions, n_context):
    method = build("coop", backbone="shallow", n_context=n_context)
    [caption] = captions(76)
    [prompted] = method.text_injection.tokens(caption[None])
    kept = 76 - n_context - 1
    assert len(prompted) == 77
    assert int(prompted[-1]) == EOS
    assert prompted[1 + n_context : -1].tolist() == caption[1 : 1 + kept].tolist()
    shortened = torch.cat([caption[: 1 + kept], torch.tensor([EOS])])
    with torch.no_grad():
        torch.testing.assert_close(method.encode_text(caption[None]), method.encode_text(shortened[None]))


def test_cutting_captions_to_the_longest_of_the_batch_changes_nothing(build, captions):
    method = build("coop", backbone="shallow", n_context=16)
    tokens = captions(5, 12, 20)
    with torch.no_grad():
        torch.testing.assert_close(method.encode_text(cut(tokens)), method.encode_text(tokens))


def test_images_are_clip_s_own_and_only_the_vectors_get_a_gradient(build, batch):
    method, zero_shot = build("coop", backbone="shallow"), build("zero_shot", backbone="shallow")
    assert torch.equal(method.encode_image(batch.images), zero_shot.encode_image(batch.images))
    assert [name for name, _ in method.trainable()] == ["text_injection.vectors"]
    audit_gradients(method, batch)
    method(batch).total.backward()
    learned = [name for name, p in method.named_parameters() if p.grad is not None and p.grad.any()]
    assert learned == ["text_injection.vectors"]


def test_vectors_that_start_as_the_words_read_like_the_words(on_tiny):
    coop, zero_shot = on_tiny(n_context=N_PIECES), on_tiny("zero_shot")
    said = ["a man in red", "two bags"]
    with torch.no_grad():
        expected = zero_shot.encode_text(coop.clip.tokenize([f"{PHRASE} {caption}" for caption in said]))
        torch.testing.assert_close(coop.encode_text(coop.clip.tokenize(said)), expected)


@pytest.mark.parametrize(("n_context", "n_words"), [(2, 2), (N_PIECES, N_PIECES), (12, N_PIECES)])
def test_words_stand_next_to_the_caption_and_random_vectors_before_them(on_tiny, n_context, n_words):
    method = on_tiny(n_context=n_context)
    table, [ids] = method.clip.model.token_embedding.weight, method.clip.tokenize([PHRASE])
    vectors = method.text_injection.vectors
    assert torch.equal(vectors[-n_words:], table[ids[1 : 1 + N_PIECES]][-n_words:])
    first = vectors[: n_context - n_words].detach()
    assert not any(torch.equal(vector, row) for vector in first for row in table[ids[1 : 1 + N_PIECES]])
    assert first.numel() == 0 or 0.01 < float(first.std()) < 0.03


def test_a_random_start_differs_from_the_words_and_follows_the_seed(on_tiny):
    starts = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        starts.append(on_tiny(init="random").text_injection.vectors.detach())
    assert torch.equal(starts[0], starts[1])
    assert not torch.equal(starts[0], starts[2])
    assert 0.01 < float(starts[0].std()) < 0.03
    assert not torch.equal(starts[0][-1], on_tiny().text_injection.vectors[-1])


def test_training_leaves_the_backbone_s_own_words_alone(on_tiny):
    method = on_tiny()
    before = method.clip.model.token_embedding.weight.clone()
    with torch.no_grad():
        method.text_injection.vectors.add_(1)
    assert torch.equal(method.clip.model.token_embedding.weight, before)


def test_the_words_are_one_vector_each_in_clip_s_own_vocabulary():
    assert word_vectors(blueprint().clip, PHRASE).shape == (4, 512)


@pytest.mark.parametrize(("n_context", "n_parameters"), [(16, 8_192), (4, 2_048), (1, 512)])
def test_counts_on_vit_b_16_are_those_of_the_formula_and_nothing_folds(n_context, n_parameters):
    counts = count_parameters(blueprint(n_context=n_context))
    assert counts.trainable == counts.inference_extra == n_parameters == n_context * 512
    assert counts.total == 149_617_664 + n_parameters
    assert count_parameters(blueprint(n_context=n_context, init="random")) == counts


def test_weights_hold_the_vectors_alone_and_come_back(build, batch, tmp_path):
    method = build("coop", backbone="shallow")
    torch.nn.init.normal_(method.text_injection.vectors)
    save_weights(method, tmp_path / "weights.safetensors")
    fresh = build("coop", backbone="shallow")
    with torch.no_grad():
        assert not torch.equal(fresh.encode_text(batch.tokens), method.encode_text(batch.tokens))
        load_weights(fresh, tmp_path / "weights.safetensors")
        assert torch.equal(fresh.encode_text(batch.tokens), method.encode_text(batch.tokens))
    assert (tmp_path / "weights.safetensors").stat().st_size < 2_000


def test_sgd_has_the_released_momentum_and_lowers_the_loss(build, batch):
    method = build("coop", backbone="shallow", optimiser="sgd", lr=2e-3)
    optimiser = method.optimiser()
    assert isinstance(optimiser, torch.optim.SGD)
    assert optimiser.defaults["momentum"] == 0.9
    first = method(batch).total
    for _ in range(3):
        optimiser.zero_grad()
        method(batch).total.backward()
        optimiser.step()
    assert float(method(batch).total.detach()) < float(first.detach())


def test_the_default_is_the_form_of_person_retrieval_and_a_preset_the_released_one():
    default, released = resolve("coop", "icfg"), resolve("coop", "icfg", presets=["released"])
    assert (default.method.n_context, default.method.init, default.method.optimiser) == (4, "words", "adam")
    method = released.method
    assert (method.n_context, method.init, method.optimiser, method.lr) == (16, "random", "sgd", 2e-3)
    assert released.train.batch_size == 32


def test_more_vectors_than_the_text_has_room_for_are_refused(build):
    build("coop", backbone="shallow", n_context=74)
    with pytest.raises(
        UsageError, match=r"75 prompts leave no room .* 77 tokens: .* smaller method\.n_context"
    ):
        build("coop", backbone="shallow", n_context=75)


def test_a_backbone_without_plain_transformers_is_refused():
    resnet = load_clip(BackboneConfig(name="RN50", pretrained=None), device="meta")
    with pytest.raises(UsageError, match="RN50"):
        METHODS.get("coop")(resnet, METHODS.get("coop").Config(name="coop"))


@pytest.mark.parametrize("override", ["method.n_context=0", "method.init=word", "method.optimiser=adamw"])
def test_a_wrong_value_names_its_key(override):
    with pytest.raises(UsageError, match=override.partition("=")[0].partition(".")[2]):
        resolve("coop", "icfg", overrides=[override])
