"""CLIP-Adapter against its formula written out, from pixels and from cached embeddings."""

import pytest
import torch

from harness.clip.model import load_clip
from harness.config.sections import BackboneConfig
from harness.errors import UsageError
from harness.method_parts.batch import Batch
from harness.methods import METHODS
from harness.presets.resolve import resolve
from harness.train.checkpoint import load_weights, save_weights
from harness.train.cost import count_parameters
from harness.train.gradient_audit import audit_gradients


def blueprint(**fields):
    """CLIP-Adapter on ViT-B/16 without numbers."""
    clip = load_clip(BackboneConfig(name="ViT-B-16-quickgelu"), device="meta")
    with torch.device("meta"):
        return METHODS.get("clip_adapter")(
            clip, METHODS.get("clip_adapter").Config(name="clip_adapter", **fields)
        )


def by_hand(down, up, z, ratio):
    """One embedding, one hidden unit and one output at a time."""
    hidden = [max(0.0, sum(w * v for w, v in zip(row, z, strict=True))) for row in down]
    made = [max(0.0, sum(w * h for w, h in zip(row, hidden, strict=True))) for row in up]
    return [ratio * m + (1 - ratio) * v for m, v in zip(made, z, strict=True)]


@pytest.mark.parametrize("ratio", [0.2, 0.4, 1.0])
def test_embeddings_equal_the_formula_written_out(build, batch, ratio):
    method, zero_shot = (
        build(name, backbone="shallow", **fields)
        for name, fields in (("clip_adapter", {"towers": "both", "ratio": ratio}), ("zero_shot", {}))
    )
    for tower, given in (("image", batch.images), ("text", batch.tokens)):
        weights = dict(method.named_parameters())
        down, up = (weights[f"{tower}_adapter.{place}.weight"].tolist() for place in (0, 2))
        with torch.no_grad():
            z, mixed = (getattr(m, f"encode_{tower}")(given) for m in (zero_shot, method))
        expected = torch.tensor([by_hand(down, up, row, ratio) for row in z.tolist()])
        torch.testing.assert_close(mixed, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("towers", ["image", "text", "both"])
def test_a_ratio_of_zero_is_clip_to_the_bit(build, batch, towers):
    method = build("clip_adapter", backbone="shallow", ratio=0, towers=towers)
    zero_shot = build("zero_shot", backbone="shallow")
    with torch.no_grad():
        assert torch.equal(method.encode_image(batch.images), zero_shot.encode_image(batch.images))
        assert torch.equal(method.encode_text(batch.tokens), zero_shot.encode_text(batch.tokens))


@pytest.mark.parametrize("towers", ["image", "text", "both"])
def test_only_the_towers_asked_for_are_changed_and_learn(build, batch, towers):
    method = build("clip_adapter", backbone="shallow", towers=towers)
    zero_shot = build("zero_shot", backbone="shallow")
    with torch.no_grad():
        same_image = torch.equal(method.encode_image(batch.images), zero_shot.encode_image(batch.images))
        same_text = torch.equal(method.encode_text(batch.tokens), zero_shot.encode_text(batch.tokens))
    assert (same_image, same_text) == (towers == "text", towers == "image")
    audit_gradients(method, batch)
    method(batch).total.backward()
    learned = {name.partition(".")[0] for name, p in method.named_parameters() if p.grad is not None}
    assert learned == {f"{t}_adapter" for t in ("image", "text") if towers in (t, "both")}


def test_it_learns_the_same_from_cached_embeddings(build, batch):
    method = build("clip_adapter", backbone="shallow", towers="both")
    with torch.no_grad():
        images = method.clip.encode_image(batch.images)
        texts = method.clip.encode_text(batch.tokens)
    cached = Batch(None, None, batch.identities, images, texts)
    torch.testing.assert_close(method(cached).total, method(batch).total)
    augment = resolve("clip_adapter", "icfg").train.augment
    assert (augment.flip, augment.pad, augment.erase) == (0, 0, 0)


@pytest.mark.parametrize(
    ("fields", "n_parameters"),
    [
        ({}, 131_072),
        ({"towers": "text"}, 131_072),
        ({"towers": "both"}, 262_144),
        ({"reduction": 8}, 65_536),
    ],
)
def test_counts_on_vit_b_16_are_those_of_the_formula_and_nothing_folds(fields, n_parameters):
    counts = count_parameters(blueprint(**fields))
    assert counts.trainable == counts.inference_extra == n_parameters
    assert counts.total == 149_617_664 + n_parameters
    method = blueprint(**fields)
    method.fold()
    assert count_parameters(method) == counts


def test_the_default_is_the_form_of_person_retrieval():
    config = resolve("clip_adapter", "icfg").method
    assert (config.towers, config.ratio, config.reduction) == ("image", 0.4, 4)


def test_weights_hold_the_networks_alone_and_come_back(build, batch, tmp_path):
    method, fresh = (build("clip_adapter", backbone="shallow", towers="both") for _ in range(2))
    with torch.no_grad():
        for _, parameter in method.trainable():
            parameter.uniform_()
        save_weights(method, tmp_path / "weights.safetensors")
        assert not torch.equal(fresh.encode_image(batch.images), method.encode_image(batch.images))
        load_weights(fresh, tmp_path / "weights.safetensors")
        torch.testing.assert_close(fresh.features(batch), method.features(batch), rtol=0, atol=0)
    assert (tmp_path / "weights.safetensors").stat().st_size < 4 * 4 * 24 * 6 + 1_000


def test_a_bottleneck_of_no_width_is_refused(build):
    build("clip_adapter", backbone="shallow", reduction=24)
    with pytest.raises(UsageError, match=r"method\.reduction=25 leaves nothing of width 24"):
        build("clip_adapter", backbone="shallow", reduction=25)


@pytest.mark.parametrize(
    "override", ["method.ratio=1.5", "method.ratio=-0.1", "method.towers=none", "method.reduction=0"]
)
def test_a_wrong_value_names_its_key(override):
    with pytest.raises(UsageError, match=override.partition("=")[0].partition(".")[2]):
        resolve("clip_adapter", "icfg", overrides=[override])
