"""IRRA against its published counts and formulas, and what each switch says."""

import pytest
import torch
from pydantic import ValidationError
from torch.nn.functional import cross_entropy, pad

from harness.captions.masking import WordMask
from harness.clip.model import load_clip
from harness.config.identity import identity_values
from harness.config.sections import BackboneConfig
from harness.errors import UsageError
from harness.method_parts.losses import sdm
from harness.methods import METHODS
from harness.presets.resolve import resolve
from harness.train.cost import count_parameters


def blueprint(**fields):
    """IRRA on ViT-B/16 at 384x128 without numbers."""
    method = METHODS.get("irra")
    clip = load_clip(BackboneConfig(name="ViT-B-16-quickgelu", image_size=(384, 128)), device="meta")
    return method(clip, method.Config(name="irra", **fields))


CLIP_AT_224, POSITIONS_SAVED = 149_620_736, (197 - 193) * 768
NORM, WORDS = 2 * 512, 49_408
ATTENTION = 4 * 512**2 + 4 * 512
BLOCK = ATTENTION + 8 * 512**2 + 5 * 512 + 2 * NORM
GUESSING = (ATTENTION + 4 * BLOCK + 3 * NORM) + (512**2 + 512 + NORM + 513 * WORDS)


@pytest.mark.parametrize(
    ("n_identities", "millions"),
    [(11_003, 194.5), (3_102, 190.5), (0, 194.5)],
    ids=["cuhk", "icfg", "no data"],
)
def test_counts_are_the_published_ones(n_identities, millions):
    counts = count_parameters(blueprint(n_identities=n_identities))
    naming = 513 * (n_identities or 11_003)
    assert counts.trainable == counts.total == CLIP_AT_224 - POSITIONS_SAVED + GUESSING + naming
    assert round(counts.trainable / 1e6, 1) == millions
    assert counts.inference_extra == 0


def test_a_loss_without_weight_makes_no_parameters():
    towers = CLIP_AT_224 - POSITIONS_SAVED
    assert count_parameters(blueprint(id=0, mlm=0)).total == towers
    assert count_parameters(blueprint(id=0)).total == towers + GUESSING
    assert count_parameters(blueprint(mlm=0)).total == towers + 513 * 11_003
    assert count_parameters(blueprint(sdm=0)).total == towers + GUESSING + 513 * 11_003
    assert (
        count_parameters(blueprint(cross_layers=1)).total == count_parameters(blueprint()).total - 3 * BLOCK
    )


def test_the_recipe_and_the_released_preset_are_those_of_the_paper():
    config = resolve("irra", "cuhk")
    assert (config.train.batch_size, config.train.epochs, config.backbone.image_size) == (64, 60, (384, 128))
    method = config.method
    assert (method.lr, method.eps, method.weight_decay, method.temperature) == (1e-5, 1e-3, 4e-5, 0.02)
    assert (method.warmup_epochs, method.warmup_factor, method.mask_share) == (5, 0.1, 0.15)
    assert config.eval.rule == "val"
    released = resolve("irra", "cuhk", presets=("released",))
    assert released.method == method
    assert (released.eval.rule, released.eval.test_each_epoch) == ("oracle", True)
    assert (released.train.precision, released.dataset.val) == ("pure-fp16", "none")


def test_the_number_of_persons_comes_from_the_data_and_not_from_the_run_s_identity():
    config = METHODS.get("irra").Config(name="irra")
    fitted = config.fitted(3_102)
    assert (config.n_identities, fitted.n_identities) == (0, 3_102)
    assert identity_values(config) == identity_values(fitted)


def rates(method):
    name_of = {id(parameter): name for name, parameter in method.named_parameters()}
    return {
        name_of[id(parameter)]: (group["lr"] / method.config.lr, group["weight_decay"])
        for group in method.param_groups()
        for parameter in group["params"]
    }


def test_steps_are_larger_for_biases_and_for_what_is_new_as_released(irra):
    found, decay = rates(irra), irra.config.weight_decay
    for name, (_, own_decay) in found.items():
        assert own_decay == (0.0 if "bias" in name else decay), name
    expected = {
        "clip.model.visual.proj": 1,
        "clip.model.visual.conv1.weight": 1,
        "clip.model.ln_final.bias": 2,
        "classifier.weight": 5,
        "classifier.bias": 5,
        "word_head.norm.weight": 5,
        "word_head.words.bias": 5,
        "cross_modal.attention.in_proj_weight": 5,
        "cross_modal.attention.in_proj_bias": 2,
        "cross_modal.blocks.0.ln_1.weight": 5,
        "cross_modal.blocks.3.mlp.c_proj.weight": 5,
        "cross_modal.blocks.3.mlp.c_proj.bias": 2,
        "cross_modal.before_text.weight": 1,
        "cross_modal.after.bias": 2,
    }
    for name, factor in expected.items():
        assert found[name][0] == pytest.approx(factor), name
    assert irra.param_groups()[0]["lr"] == irra.config.lr, "the history shows the rate of the first group"


def test_the_factor_of_new_parts_is_a_setting(build):
    found = rates(build("irra", backbone="shallow", n_identities=5, new_lr_factor=3.0))
    assert found["classifier.bias"][0] == pytest.approx(3)
    assert found["cross_modal.blocks.0.attn.in_proj_weight"][0] == pytest.approx(3)
    assert found["clip.model.text_projection"][0] == pytest.approx(1)


def guess(method, batch):
    """Masked captions at full length and their labels, from draws for the whole batch, as the docs say."""
    tokens = pad(batch.tokens, (0, 77 - batch.tokens.shape[1]))
    mask = WordMask(method.config.mask_share, end=199)
    draws = mask.draw_places(len(tokens), 77, torch.Generator().manual_seed(batch.seed))
    return mask.to_guess(tokens, *draws)


def expected_terms(method, batch):
    """Each loss from its formula, words scored at every place."""
    masked, labels = guess(method, batch)
    image = method.encode_image(batch.images)
    text = method.encode_text(masked if method.config.leak_masks else batch.tokens)
    persons = [cross_entropy(method.classifier(rows), batch.identities) for rows in (image, text)]
    places, words = method.clip.image_tokens(batch.images), method.clip.text_tokens(masked)[0]
    scores = method.word_head(method.cross_modal(words, places))
    unit = [torch.nn.functional.normalize(rows, dim=1) for rows in (image, text)]
    return {
        "sdm": sdm(*unit, batch.identities, 0.02),
        "id": sum(persons) / 2,
        "mlm": cross_entropy(scores.flatten(0, 1), labels.flatten(), ignore_index=0),
    }


@pytest.mark.parametrize("leak_masks", [True, False])
def test_the_total_is_the_weighted_sum_of_the_published_formulas(build, batch, leak_masks):
    fields = {"leak_masks": leak_masks, "sdm": 0.5, "id": 2.0, "mlm": 0.7, "mask_share": 0.5}
    method = build("irra", backbone="shallow", n_identities=5, **fields)
    torch.nn.init.normal_(method.classifier.weight)
    expected, losses = expected_terms(method, batch), method(batch)
    assert losses.terms.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(losses.terms[name], value, msg=name)
    total = 0.5 * expected["sdm"] + 2.0 * expected["id"] + 0.7 * expected["mlm"]
    torch.testing.assert_close(losses.total, total)


@pytest.mark.parametrize("absent", ["sdm", "id", "mlm"])
def test_a_loss_without_weight_is_absent(build, batch, absent):
    method = build("irra", backbone="shallow", n_identities=5, **{absent: 0})
    assert method(batch).terms.keys() == {"sdm", "id", "mlm"} - {absent}


def test_without_both_alignments_the_config_is_refused():
    with pytest.raises(ValidationError, match="sdm or id needs a weight above 0"):
        METHODS.get("irra").Config(name="irra", sdm=0, id=0)


def test_masked_captions_reach_the_text_embedding_only_where_that_is_asked_for(build, batch):
    leaking, clean, unmasked = (
        build("irra", backbone="shallow", n_identities=5, mask_share=0.5, **fields)
        for fields in ({}, {"leak_masks": False}, {"mlm": 0})
    )
    masked, _ = guess(leaking, batch)
    assert not torch.equal(masked[:, :10], batch.tokens)
    of_masked, of_whole = ({"text": leaking.encode_text(tokens)} for tokens in (masked, batch.tokens))
    for method, expected in ((leaking, of_masked), (clean, of_whole), (unmasked, of_whole)):
        text = torch.nn.functional.normalize(expected["text"], dim=1)
        torch.testing.assert_close(method.features(batch)["text"], text)
    torch.testing.assert_close(
        leaking.features(batch)["word_losses"],
        clean.features(batch)["word_losses"],
        msg="guessing is the same",
    )


@pytest.mark.parametrize(("leak_masks", "n_text"), [(True, 1), (False, 2)])
def test_each_tower_is_run_once_and_the_text_tower_again_for_whole_captions(build, batch, leak_masks, n_text):
    method = build("irra", backbone="shallow", n_identities=5, leak_masks=leak_masks)
    runs = []
    for name, model in (("image", method.clip.model.visual), ("text", method.clip.model)):
        model.transformer.resblocks[0].mlp.c_fc.register_forward_hook(lambda *_, name=name: runs.append(name))
    method(batch)
    assert sorted(runs) == ["image"] + ["text"] * n_text


def test_a_backbone_without_words_and_patches_is_one_clear_error_unless_nothing_is_guessed():
    resnet = load_clip(BackboneConfig(name="RN50", pretrained=None), device="meta")
    method = METHODS.get("irra")
    with pytest.raises(UsageError, match=r"RN50 .* method\.mlm needs: set it to 0"):
        method(resnet, method.Config(name="irra"))
    assert method(resnet, method.Config(name="irra", mlm=0)).word_head is None


@pytest.mark.parametrize("name", ["tiny", "ViT-B-16-quickgelu"])
def test_the_last_id_of_the_vocabulary_ends_a_text(name):
    clip = load_clip(BackboneConfig(name=name, pretrained=None, image_size=(96, 32)), device="meta")
    method = METHODS.get("irra")
    made = method(clip, method.Config(name="irra"))
    assert made.words.end == clip.tokenizer.eot_token_id
    assert made.word_head.words.out_features == clip.tokenizer.vocab_size
