"""Methods that change or select weights: counts, starts, what each acts on, and what is refused."""

import pytest
import torch

from harness.clip.injection import PLACES
from harness.clip.model import load_clip
from harness.config.sections import BackboneConfig
from harness.errors import TrainingError, UsageError
from harness.methods import METHODS
from harness.presets.resolve import resolve
from harness.train.gradient_audit import audit_gradients

IMAGE, TEXT, LAYERS = 768, 512, 12
QV = {"maps": "q+v", "rank": 4}
MLP = {"maps": "mlp", "rank": 8}
FOLDED = ("ia3", "lora", "ssf")


def lora_count(rank, *, square=0, mlp=False):
    """A map [out, in] of rank r takes r * (in + out); an MLP has one to four times the width and one back."""
    return sum(
        LAYERS * rank * (square * 2 * width + mlp * 2 * (width + 4 * width)) for width in (IMAGE, TEXT)
    )


def ssf_count(width, layers=LAYERS):
    """Factor and shift of two norms, query, key, value, output, and of the MLP's two maps, one four times as wide."""
    return layers * 2 * width * (2 + 3 + 1 + 4 + 1)


def block_count(width):
    """Four square maps and two of four times the width, their biases, and two norms."""
    return 12 * width**2 + (3 + 1 + 4 + 1) * width + 2 * 2 * width


COUNTS = [
    ("lora", {}, 184_320, lora_count(2, square=3)),
    ("lora", QV, 245_760, lora_count(4, square=2)),
    ("lora", {**QV, "rank": 8}, 491_520, lora_count(8, square=2)),
    ("lora", MLP, 1_228_800, lora_count(8, mlp=True)),
    ("lora", {"maps": "out"}, 61_440, lora_count(2, square=1)),
    ("lora", {"layers": "upper_half"}, 92_160, lora_count(2, square=3) // 2),
    ("ssf", {}, 343_552, 202_752 + 4_608 + 135_168 + 1_024),
    ("ssf", {"towers": "image"}, 202_752 + 4_608, ssf_count(IMAGE) + 3 * 2 * IMAGE),
    ("ssf", {"towers": "text"}, 135_168 + 1_024, ssf_count(TEXT) + 2 * TEXT),
    ("ia3", {}, 92_160, LAYERS * (1 + 1 + 4) * (IMAGE + TEXT)),
    ("bitfit", {}, 171_008, LAYERS * 11 * (IMAGE + TEXT) + 2 * IMAGE + TEXT),
    ("bitfit", {"towers": "image"}, 102_912, LAYERS * 11 * IMAGE + 2 * IMAGE),
    ("layer_norm", {}, 65_536, LAYERS * 2 * 2 * (IMAGE + TEXT) + 2 * (2 * IMAGE + TEXT)),
    ("layer_norm", {"towers": "image"}, 39_936, LAYERS * 2 * 2 * IMAGE + 2 * 2 * IMAGE),
    ("partial", {"towers": "image"}, 7_087_872, block_count(IMAGE)),
    ("partial", {"towers": "text"}, 3_152_384, block_count(TEXT)),
    ("partial", {"blocks": 3}, 30_720_768, 3 * (block_count(IMAGE) + block_count(TEXT))),
]


@pytest.mark.parametrize(("name", "fields", "published", "derived"), COUNTS, ids=str)
def test_counts_on_vit_b_16_are_the_published_ones(blueprint, name, fields, published, derived):
    method = blueprint(name, **fields)
    trained = sum(parameter.numel() for _, parameter in method.trainable())
    assert trained == published == derived
    assert method.folded_parameters() == 0


@pytest.mark.parametrize(
    ("preset", "fields"), [("qkv", {}), ("qv", {**QV, "alpha": 4}), ("mlp", {**MLP, "alpha": 8})]
)
def test_a_preset_names_maps_and_rank(preset, fields):
    config = resolve("lora", "icfg", presets=[preset]).method
    plain = {} if preset == "qkv" else {"scaling": "rank", "dropout": 0.0}
    assert config == METHODS.get("lora").Config(name="lora", **fields, **plain)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        *((name, {}) for name in ("bitfit", "ia3", "layer_norm", "lora", "partial")),
        ("lora", {"maps": "q+k+v+out+mlp"}),
        ("ssf", {"init": "identity"}),
    ],
)
def test_training_starts_at_clip(build, batch, name, fields):
    method = build(name, backbone="shallow", **fields)
    features, plain = method.features(batch), build("zero_shot", backbone="shallow").features(batch)
    assert all(torch.equal(features[side], plain[side]) for side in ("image", "text"))


def test_ssf_as_released_starts_near_clip(build, batch):
    near, plain = (build(name).features(batch) for name in ("ssf", "zero_shot"))
    for side in ("image", "text"):
        assert not torch.equal(near[side], plain[side])
        assert (near[side] * plain[side]).sum(1).min() > 0.9


@pytest.mark.parametrize("towers", ["image", "text"])
@pytest.mark.parametrize("name", ["bitfit", "ia3", "layer_norm", "lora", "partial", "ssf"])
def test_a_tower_that_is_not_named_stays_clip(build, batch, name, towers):
    method = build(name, backbone="shallow", towers=towers)
    with torch.no_grad():
        for _, parameter in method.trainable():
            parameter.add_(0.05 * torch.randn_like(parameter))
    found, plain = method.features(batch), build("zero_shot", backbone="shallow").features(batch)
    other = "text" if towers == "image" else "image"
    assert torch.equal(found[other], plain[other])
    assert not torch.allclose(found[towers], plain[towers], atol=1e-3)


def test_a_folded_method_is_a_plain_clip(build):
    for name in FOLDED:
        method = build(name, backbone="shallow")
        names = {name for name, _ in build("zero_shot", backbone="shallow").named_parameters()}
        method.fold()
        assert {name for name, _ in method.named_parameters()} == names
        assert method.image_injection is method.text_injection is None


def test_lora_scales_by_the_root_of_the_rank_or_by_the_rank(build):
    for scaling, expected in (("root", 3 / 2), ("rank", 3 / 4)):
        method = build("lora", backbone="shallow", rank=4, alpha=3.0, scaling=scaling)
        assert method.image_injection.scale == method.text_injection.scale == expected


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("all", range(12)),
        ("lower_half", range(6)),
        ("upper_half", range(6, 12)),
        ("lower_third", range(4)),
        ("middle_third", range(4, 8)),
        ("upper_third", range(8, 12)),
    ],
)
def test_lora_changes_the_layers_of_the_published_comparison(build, batch, layers, expected):
    method = build("lora", layers=layers)
    for injection in (method.image_injection, method.text_injection):
        assert sorted({int(key.split("_")[0]) for key in injection.maps}) == list(expected)
    audit_gradients(method, batch)


def test_equal_choices_of_maps_are_equal_configs():
    config_class = METHODS.get("lora").Config
    assert config_class(name="lora", maps="v+q").maps == "q+v"


@pytest.mark.parametrize(
    ("name", "fields", "image", "missing_in_text"),
    [
        ("ssf", {}, set(PLACES) - {"mlp_hidden"}, {"patches", "norm_pre"}),
        ("ia3", {}, {"key", "value", "mlp_hidden"}, set()),
        ("lora", {}, {"query", "key", "value"}, set()),
        ("lora", {"maps": "q+out"}, {"query", "out"}, set()),
        ("lora", {"maps": "k+v+mlp"}, {"key", "value", "mlp_in", "mlp_out"}, set()),
    ],
)
def test_a_method_acts_after_its_own_operations(build, name, fields, image, missing_in_text):
    method = build(name, backbone="shallow", **fields)
    assert method.image_injection.places == image
    assert method.text_injection.places == image - missing_in_text


def test_partial_trains_the_last_blocks_and_passes_no_gradient_below(build, batch):
    method = build("partial", backbone="shallow", blocks=2)
    for tower, n in (("image", 4), ("text", 2)):
        trained = [
            {parameter.requires_grad for parameter in block.parameters()}
            for block in method.clip.blocks(tower)
        ]
        assert trained == [{False}] * (n - 2) + [{True}] * 2
    reached = []
    for block in method.clip.blocks("image")[:2]:
        block.ln_1.register_full_backward_hook(lambda *_: reached.append(1))
    method(batch).total.backward()
    assert not reached


def test_a_map_that_no_operation_reads_is_found_before_training(build, batch):
    """As a library's LoRA on the output projection of PyTorch's attention: counted as trainable, never run."""
    method = build("lora", backbone="shallow", maps="out")
    audit_gradients(method, batch)
    method.image_injection.places = frozenset()
    dead = r"8 parameters count as trainable but get no gradient: image_injection\.maps\.0_out\.down\.weight"
    with pytest.raises(TrainingError, match=dead):
        audit_gradients(method, batch)


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("lora", {"layers": "middle_third"}, r"2 blocks of the text tower of shallow have no middle_third"),
        ("lora", {"rank": 25}, r"method\.rank=25 is more than the 24 .* text tower"),
        ("partial", {"blocks": 3}, r"method\.blocks=3 is more than the 2 blocks of the text tower"),
    ],
)
def test_what_does_not_fit_the_backbone_is_refused(build, name, fields, message):
    with pytest.raises(UsageError, match=message) as error:
        build(name, backbone="shallow", **fields)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        ("query", r"method: maps|maps: no map of a block is called 'query'.* Name some of q, k, v, out, mlp"),
        ("q+ou", "Did you mean 'out'"),
        ("q+q", "a map is named twice"),
        ("", "no map of a block is called ''"),
    ],
)
def test_a_map_that_is_not_there_is_refused(maps, message):
    with pytest.raises(UsageError, match=message):
        resolve("lora", "icfg", overrides=[f"method.maps='{maps}'"])


@pytest.mark.parametrize("name", ["ia3", "layer_norm", "lora", "partial", "ssf"])
def test_a_backbone_without_the_part_is_refused(name):
    clip = load_clip(BackboneConfig(name="RN50", pretrained=None), device="meta")
    with pytest.raises(UsageError, match="RN50") as error:
        METHODS.get(name)(clip, METHODS.get(name).Config(name=name))
    assert "\n" not in str(error.value)


def test_biases_are_trained_in_a_backbone_of_any_kind():
    clip = load_clip(BackboneConfig(name="RN50", pretrained=None), device="meta")
    method = METHODS.get("bitfit")(clip, METHODS.get("bitfit").Config(name="bitfit"))
    trained = [name for name, _ in method.trainable()]
    assert trained
    assert all(name.endswith("bias") for name in trained)
