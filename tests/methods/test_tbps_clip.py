"""TBPS-CLIP against its published counts, the formulas of its losses, and what each switch says."""

import math

import pytest
import torch
from torch.nn.functional import normalize

from harness.clip.model import load_clip
from harness.compute import distributed
from harness.config.sections import BackboneConfig
from harness.errors import UsageError
from harness.method_parts.auxiliary_losses import nt_xent
from harness.method_parts.batch import Views
from harness.method_parts.losses import c_itc, itc, n_itc, r_itc
from harness.methods import METHODS, Progress
from harness.presets.resolve import resolve
from harness.train.cost import count_parameters

PLAIN = {"text_dropout": 0.0, "temperature": 0.1}
ALONE = {"itc": 0, "n_itc": 0, "r_itc": 0, "c_itc": 0, "ss_image": 0, "mvs_image": False}


def blueprint(*presets, **fields):
    """TBPS-CLIP on ViT-B/16 without numbers."""
    config = resolve("tbps_clip", "cuhk", presets=presets).method.model_copy(update=fields)
    clip = load_clip(BackboneConfig(name="ViT-B-16-quickgelu", image_size=(224, 224)), device="meta")
    with torch.device("meta"):
        return METHODS.get("tbps_clip")(clip, config)


def text_layer(width=512):
    attention, mlp, norms = 4 * width**2 + 4 * width, 8 * width**2 + 5 * width, 4 * width
    return attention + mlp + norms


@pytest.mark.parametrize(
    ("preset", "trainable"),
    [
        ("full", 149_162_625),
        ("simplified", 149_030_913),
        ("clip_star", 149_030_913),
        ("clip_baseline", 149_620_737),
    ],
)
def test_counts_are_the_published_ones(preset, trainable):
    counts = count_parameters(blueprint(preset))
    assert counts.trainable == trainable
    assert counts.inference_extra == 0


def test_the_full_variant_adds_one_small_head_and_freezes_the_patches():
    head = (512 * 128 + 128) + (128 * 512 + 512)
    assert count_parameters(blueprint("full")).trainable == 149_620_737 - 768 * 3 * 16 * 16 + head


@pytest.mark.parametrize("layers", [(7,), (7, 8), (3, 5, 6, 7, 8)])
def test_layers_left_out_are_neither_trained_nor_counted_and_frozen_ones_are_only_counted(layers):
    total, trainable = 149_752_449, 149_162_625
    dropped = count_parameters(blueprint("full", drop_text_layers=layers))
    assert dropped.trainable == trainable - len(layers) * text_layer()
    assert dropped.total == total - len(layers) * text_layer()
    frozen = count_parameters(blueprint("full", freeze_text_layers=layers))
    assert (frozen.trainable, frozen.total) == (dropped.trainable, total)


def test_a_dropped_layer_is_the_one_named(build, batch):
    whole, without = (
        build("tbps_clip", backbone="shallow", drop_text_layers=layers).eval() for layers in ((), (1,))
    )
    del whole.clip.model.transformer.resblocks[0]
    with torch.no_grad():
        assert torch.equal(whole.encode_text(batch.tokens), without.encode_text(batch.tokens))
    assert without.clip.text_layers == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"drop_text_layers": (3,)}, "has layers 1 to 2"),
        ({"freeze_text_layers": (3,)}, "has layers 1 to 2"),
        ({"drop_text_layers": (1, 2)}, "leave one"),
    ],
)
def test_impossible_layers_are_one_clear_error(build, fields, message):
    with pytest.raises(UsageError, match=message):
        build("tbps_clip", backbone="shallow", **fields)


def features(method, batch):
    """Embeddings of each view by name, one pass each."""
    one = {f"image{i}": method.encode_image(x) for i, x in enumerate((batch.images, *batch.image_views))}
    one |= {f"text{i}": method.encode_text(x) for i, x in enumerate((batch.tokens, *batch.token_views))}
    return {name: normalize(rows, dim=-1) for name, rows in one.items()}


@pytest.mark.parametrize("soft", [0.0, 0.5])
def test_the_total_is_the_weighted_sum_of_the_published_formulas(build, batch, soft):
    method = build("tbps_clip", backbone="shallow", soft_labels=soft, **PLAIN)
    method.on_step_start(Progress(2, 0, 10, 5))
    of, labels = features(method, batch), batch.identities
    tau = 0.1
    matching = sum(n_itc(of[f"image{view}"], of["text0"], labels, tau, soft=soft) for view in (0, 1)) / 2
    contrast = [
        normalize(method.ss_image_head(method.encode_image(view)), dim=-1) for view in batch.contrast_views
    ]
    expected = matching + r_itc(of["image0"], of["text0"], labels, tau, epsilon=0.01)
    expected = expected + 0.1 * c_itc(of["image0"], of["text0"]) + 0.4 * nt_xent(*contrast, 0.1)
    losses = method(batch)
    torch.testing.assert_close(losses.total, expected)
    assert losses.terms.keys() == {"n_itc", "r_itc", "c_itc", "ss_image"}


def test_the_plain_contrastive_loss_is_that_of_clip(build, batch):
    method = build("tbps_clip", backbone="shallow", soft_labels=0.0, **{**ALONE, **PLAIN, "itc": 1})
    of = features(method, batch)
    torch.testing.assert_close(method(batch).total, itc(of["image0"], of["text0"], batch.identities, 0.1))


def test_views_of_captions_are_supervised_where_asked(build, batch):
    method = build(
        "tbps_clip", backbone="shallow", soft_labels=0.0, **{**ALONE, **PLAIN, "n_itc": 1, "mvs_text": True}
    )
    of, labels = features(method, batch), batch.identities
    expected = sum(n_itc(of["image0"], of[f"text{view}"], labels, 0.1) for view in (0, 1)) / 2
    torch.testing.assert_close(method(batch).total, expected)


def test_two_views_on_both_sides_go_together_first_with_first(build, batch):
    fields = {**ALONE, **PLAIN, "n_itc": 1, "mvs_text": True, "mvs_image": True}
    method = build("tbps_clip", backbone="shallow", soft_labels=0.0, **fields)
    of, labels = features(method, batch), batch.identities
    expected = sum(n_itc(of[f"image{view}"], of[f"text{view}"], labels, 0.1) for view in (0, 1)) / 2
    torch.testing.assert_close(method(batch).total, expected)


def test_self_supervision_of_captions_compares_their_two_views(build, batch):
    method = build("tbps_clip", backbone="shallow", **{**ALONE, **PLAIN, "itc": 1, "ss_text": 0.7})
    rows = [
        normalize(method.ss_text_head(method.encode_text(tokens)), dim=-1)
        for tokens in (batch.tokens, *batch.token_views)
    ]
    losses = method(batch)
    torch.testing.assert_close(losses.terms["ss_text"], nt_xent(*rows, 0.1))
    assert losses.weights["ss_text"] == 0.7


def test_the_paper_s_cyclic_loss_is_a_value_of_its_form(build, batch):
    fields = {**ALONE, **PLAIN, "itc": 1, "c_itc": 1}
    of = features(build("tbps_clip", backbone="shallow", **fields), batch)
    paper = build("tbps_clip", backbone="shallow", c_itc_form="paper", **fields)(batch).terms["c_itc"]
    torch.testing.assert_close(paper, c_itc(of["image0"], of["text0"], within=1, across=1, per="row"))


@pytest.mark.parametrize(
    ("fields", "views"),
    [
        ({}, Views(images=1, captions=0, contrast=2)),
        ({"mvs_image": False}, Views(0, 0, 2)),
        ({"ss_image": 0}, Views(1, 0, 0)),
        ({"ss_text": 0.1, "ss_image": 0, "mvs_image": False}, Views(0, 1, 0)),
        ({"mvs_text": True, "ss_image": 0}, Views(1, 1, 0)),
    ],
)
def test_only_the_views_that_a_loss_compares_are_asked_for(build, fields, views):
    assert build("tbps_clip", backbone="shallow", **fields).views() == views


def test_soft_labels_rise_over_the_first_epoch_and_stay(build):
    method = build("tbps_clip", backbone="shallow")
    shares = []
    for epoch, step in ((1, 0), (1, 5), (2, 0), (4, 3)):
        method.on_step_start(Progress(epoch, step, 10, 5))
        shares.append(method.soft)
    assert shares == [0.0, 0.25, 0.5, 0.5]


def test_soft_labels_come_from_a_pass_with_other_dropout_while_training(build, batch):
    method = build("tbps_clip", backbone="shallow", text_dropout=0.5)
    torch.manual_seed(0)
    found = method.train().features(batch)
    assert not torch.allclose(found["guess"], found["text"].detach(), atol=1e-3)
    assert not found["guess"].requires_grad
    still = method.eval().features(batch)
    assert torch.equal(still["guess"], still["text"])


def test_dropout_acts_on_texts_in_training_alone(build, batch):
    method = build("tbps_clip", backbone="shallow", text_dropout=0.5).train()
    assert torch.equal(method.encode_image(batch.images), method.encode_image(batch.images))
    assert not torch.equal(method.encode_text(batch.tokens), method.encode_text(batch.tokens))
    method.eval()
    assert torch.equal(method.encode_text(batch.tokens), method.encode_text(batch.tokens))


def test_without_global_gradients_only_anchors_learn(build, batch):
    """Against the loss written out with what anchors are compared with taken as constants."""
    fields = {**ALONE, **PLAIN, "itc": 1, "soft_labels": 0.0}
    method = build("tbps_clip", backbone="shallow", global_gradients=False, **fields)
    method(batch).total.backward()
    found = method.clip.model.text_projection.grad.clone()
    method.zero_grad()
    of = features(method, batch)
    image, text = of["image0"], of["text0"]
    labels = torch.arange(len(image))
    anchored = [
        torch.nn.functional.cross_entropy(anchor @ other.detach().T / 0.1, labels)
        for anchor, other in ((image, text), (text, image))
    ]
    (sum(anchored) / 2).backward()
    torch.testing.assert_close(found, method.clip.model.text_projection.grad)
    method.zero_grad()
    whole = build("tbps_clip", backbone="shallow", **fields)
    torch.testing.assert_close(whole(batch).total, (sum(anchored) / 2).detach(), check_stride=False)
    whole(batch).total.backward()
    assert not torch.allclose(whole.clip.model.text_projection.grad, found, rtol=1e-2)


@pytest.mark.parametrize(("start", "scale"), [(0.01, 100.0), (0.05, 20.0)])
def test_the_temperature_is_learned_and_bounded_below(build, start, scale):
    method = build("tbps_clip", backbone="shallow", temperature=start)
    assert method.log_scale.item() == pytest.approx(math.log(scale), rel=1e-6)
    with torch.no_grad():
        method.log_scale.fill_(10.0)
    temperature = method._temperature()
    assert temperature.item() == pytest.approx(0.01)
    (1 / temperature).backward()
    assert method.log_scale.grad.item() == pytest.approx(math.exp(10.0), rel=1e-4)


def test_a_fixed_temperature_is_no_parameter(build):
    assert "log_scale" not in dict(
        build("tbps_clip", backbone="shallow", learn_temperature=False).trainable()
    )


def test_matrices_decay_and_vectors_do_not(build):
    method = build("tbps_clip", backbone="shallow")
    names = {id(parameter): name for name, parameter in method.named_parameters()}
    decayed, plain = ({names[id(p)] for p in group["params"]} for group in method.optimiser().param_groups)
    assert {
        "clip.model.text_projection",
        "clip.model.token_embedding.weight",
        "ss_image_head.0.weight",
    } <= decayed
    assert {"log_scale", "clip.model.ln_final.weight", "clip.model.visual.class_embedding"} <= plain
    assert not any("bias" in name or "ln_" in name for name in decayed)
    assert [g["weight_decay"] for g in method.param_groups()] == [0.02, 0.0]
    assert method.optimiser().defaults["betas"] == (0.9, 0.98)


def test_the_patch_embedding_is_frozen_where_asked(build):
    for frozen in (True, False):
        method = build("tbps_clip", backbone="shallow", freeze_patches=frozen)
        assert ("clip.model.visual.conv1.weight" in dict(method.trainable())) != frozen


def test_rates_follow_the_released_table_through_the_method(build):
    method = build("tbps_clip", backbone="shallow")
    assert method.learning_rate(1e-4, Progress(1, 106, 212, 5)) == pytest.approx(5.0735e-5, rel=1e-4)
    assert method.learning_rate(1e-4, Progress(5, 211, 212, 5)) == pytest.approx(5.00033e-6, rel=1e-4)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("method.n_itc=-1", "greater than or equal to 0, but got -1"),
        ("method.nitc=1", "Did you mean 'method.n_itc'"),
        ("method.temperature=0.001", "greater than or equal to 0.01"),
    ],
)
def test_wrong_settings_are_one_clear_error(override, message):
    with pytest.raises(UsageError, match=message):
        resolve("tbps_clip", "cuhk", overrides=[override])


def test_no_loss_at_all_is_one_clear_error():
    with pytest.raises(UsageError, match=r"one of itc, n_itc and r_itc needs a weight above 0[^{]*$"):
        resolve("tbps_clip", "cuhk", overrides=["method.n_itc=0", "method.r_itc=0"])


def test_presets_are_the_ladder_of_the_paper():
    ladder = {
        name: resolve("tbps_clip", "cuhk", presets=[name])
        for name in ("clip_baseline", "clip_star", "clip_star_aug", "simplified", "full")
    }
    tricks = {
        name: (
            c.method.global_gradients,
            c.method.text_dropout,
            c.method.freeze_patches,
            c.method.soft_labels,
        )
        for name, c in ladder.items()
    }
    assert tricks.pop("clip_baseline") == (False, 0.0, False, 0.0)
    assert set(tricks.values()) == {(True, 0.05, True, 0.5)}
    augmented = {name for name, c in ladder.items() if c.train.augment.recipe == "pool"}
    assert augmented == {"clip_star_aug", "simplified", "full"}
    assert all(
        (c.train.augment.text.back_translation, c.train.augment.text.random_deletion)
        == ((0.1, 0.05) if name in augmented else (0.0, 0.0))
        for name, c in ladder.items()
    )
    assert [c.method.itc for c in ladder.values()] == [1, 1, 1, 0, 0]
    assert (ladder["full"].method.ss_image, ladder["simplified"].method.ss_image) == (0.4, 0.0)
    assert ladder["full"] == resolve("tbps_clip", "cuhk")
    assert (ladder["full"].train.batch_size, ladder["full"].train.epochs) == (320, 5)


def test_the_temperature_learns_as_much_on_any_number_of_processes(build, batch, monkeypatch):
    """Every process meets it in the whole loss, and the loop adds the processes' gradients up."""
    method = build("tbps_clip", backbone="shallow", temperature=0.05)
    (1 / method._temperature()).backward()
    alone = method.log_scale.grad.clone()
    method.zero_grad()
    monkeypatch.setattr(distributed, "world", lambda: (0, 4))
    temperature = method._temperature()
    assert temperature.item() == pytest.approx(0.05)
    (1 / temperature).backward()
    torch.testing.assert_close(4 * method.log_scale.grad, alone)
