"""UP-Person against the authors' own modules, against plain loops, and against its known counts."""

from collections import Counter

import pytest
import torch

from harness.errors import UsageError
from harness.method_parts.batch import Batch
from harness.methods import METHODS
from harness.presets.resolve import resolve
from tests import golden_field, naive_field

# What the authors' `model.clip_model.CLIP` with their prefixes and updates (`model.Prefix`, `model.build.KVLoRA`) and
# `model.objectives` give for the weights and inputs of `golden_field`, at commit 6a8c5f6, in float32, which their
# `half()` was kept from leaving.
GOLDEN = {
    "image": [
        [0.071361, 0.353657, -1.964159, 0.687327, 2.654749, -0.842478, -0.450091, -5.307497],
        [0.850327, -0.929395, -0.297476, 1.3764, 1.361558, -3.742923, -2.023987, -3.241991],
        [1.484406, -0.923446, -3.766653, 0.881997, 4.25114, -5.283836, 1.698872, -5.300212],
    ],
    "text": [
        [2.73857, 0.071107, 1.007112, -5.201746, -3.641473, 1.595357, -3.377185, 0.569329],
        [-0.898627, -0.044901, 0.353238, -3.253942, -6.041393, -1.309507, -3.003285, -0.817911],
        [0.528144, 0.480079, -0.707996, -3.082741, -5.426498, 0.608342, -4.449599, -0.491653],
    ],
    "sdm": 12.9349937,
}
SIZES = {"rank": 3, "prefix_length": 4}


@pytest.fixture
def golden():
    """Return the method with the golden weights, and their state in the authors' names."""
    return golden_field.golden_method("up_person", **SIZES)


@torch.no_grad()
def embeddings(method):
    return method.encode_image(golden_field.IMAGES), method.encode_text(golden_field.TOKENS)


def test_embeddings_and_loss_are_those_of_the_authors_code(golden):
    method, _ = golden
    image, text = embeddings(method)
    torch.testing.assert_close(image, torch.tensor(GOLDEN["image"]), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(text, torch.tensor(GOLDEN["text"]), atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        losses = method(Batch(golden_field.IMAGES, golden_field.TOKENS, golden_field.IDENTITIES))
    assert {name: float(term) for name, term in losses.terms.items()} == pytest.approx(
        {"sdm": GOLDEN["sdm"]}, rel=1e-5
    )


def test_embeddings_equal_those_of_plain_loops_folded_too(golden):
    """The loops put the prefix behind the first place, under the mask, and scale attention weights, as released."""
    method, state = golden
    expected = naive_field.up_person(state, golden_field.IMAGES, golden_field.TOKENS)
    for _ in range(2):
        for found, wanted in zip(embeddings(method), expected, strict=True):
            torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)
        method.fold()


def test_parts_start_as_released(build, captions):
    """Without the prefix an untrained model is CLIP."""
    method, plain = build("up_person"), build("zero_shot")
    for injection in (method.image_injection, method.text_injection):
        prefixes = injection.prefixes
        for drawn in (prefixes.keys.detach(), prefixes.values.detach()):
            assert 0 <= float(drawn.min()) < 0.001
            assert 0.009 < float(drawn.max()) < 0.01
        scales = (prefixes.key_scale, prefixes.value_scale, prefixes.attention_scale)
        assert [set(scale.tolist()) for scale in scales] == [{1.0}, {1.0}, {100.0}]
        assert {pair.own_scale.item() for pair in injection.lora.maps.values()} == {1.0}
        assert all(set(scale.tolist()) == {1.0} for scale in injection.adapters.scales.values())
        prefixes.depth = 0
    images, tokens = torch.randn(2, 3, 32, 16), captions(5, 76)
    with torch.no_grad():
        assert torch.equal(method.encode_image(images), plain.encode_image(images))
        assert torch.equal(method.encode_text(tokens), plain.encode_text(tokens))


@pytest.mark.parametrize(
    ("preset", "length", "rank", "lr", "whole"),
    [
        ("cuhk", 10, 32, 1e-3, 7_419_648),
        ("icfg", 14, 32, 1e-3, 7_419_648 + 4 * 2 * 12 * (768 + 512)),
        ("rstp", 2, 16, 1e-4, 7_419_648 - 1_966_080 // 2 - 8 * 2 * 12 * (768 + 512)),
    ],
)
def test_counts_on_vit_b_16_are_the_published_and_the_learned_scalars(
    blueprint, preset, length, rank, lr, whole
):
    config = resolve("up_person", preset, presets=[preset, "released"])
    assert (config.method.prefix_length, config.method.rank, config.method.lr) == (length, rank, lr)
    method = blueprint("up_person", **config.method.model_dump(exclude={"name"}))
    sizes, scalars = Counter(), Counter()
    for name, parameter in method.trainable():
        part = name.split(".")[1]
        (scalars if "scale" in name else sizes)[part] += parameter.numel()
    assert scalars == {"lora": 24 * 2, "prefixes": 24 * 3, "adapters": 24 * 2}
    assert sizes.total() == whole
    assert sizes == {
        "lora": rank * 12 * 2 * 2 * (768 + 512),
        "prefixes": length * 12 * 2 * (768 + 512),
        "adapters": 24 * (2 * 768 * 96 + 96 + 768) + 24 * (2 * 512 * 64 + 64 + 512),
    }
    assert method.folded_parameters() == sizes["prefixes"] + sizes["adapters"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rank": 25}, "rank.*25 is more than the 24"),
        ({"prefix_length": 78}, "prefix_length=78 is more than the 77"),
        ({"reduction": 25}, "reduction=25 leaves nothing of width 24"),
    ],
)
def test_fields_that_do_not_fit_are_one_line(build, fields, message):
    with pytest.raises(UsageError, match=message) as error:
        build("up_person", backbone="shallow", **fields)
    assert "\n" not in str(error.value)


def test_all_learn_at_one_rate_and_biases_do_not_decay(build):
    groups = build("up_person", backbone="shallow").param_groups()
    assert [(group["lr"], group["weight_decay"]) for group in groups] == [(1e-3, 4e-5), (1e-3, 0.0)]


def test_recipe_and_preset_are_those_of_the_authors_code():
    config = resolve("up_person", "cuhk", presets=["released"])
    assert (config.train.precision, config.train.batch_size, config.train.epochs) == ("pure-fp16", 128, 60)
    assert (config.eval.rule, config.dataset.val, config.train.augment.mask_words) == ("oracle", "none", 0.15)
    assert (config.method.eps, config.method.temperature, config.method.loss) == (1e-3, 0.02, "sdm")


def test_a_file_that_lacks_a_layer_keeps_the_unknown_names(golden):
    _, state = golden
    del state["text_prefix_learner.text_prefix.1.key.tokens"]
    found = METHODS.get("up_person").imported(state)
    assert "text_injection.prefixes.keys" not in found
    assert "text_prefix_learner.text_prefix.0.key.tokens" in found
