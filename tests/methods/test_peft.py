"""Adapters of the library PEFT: our own LoRA's twin, each kind under all checks, and what is refused.

The library brings Transformers, so it is an extra and no part of the development install; without it this file is
skipped.
"""

import pytest
import torch
from pydantic import ValidationError

from harness.clip.model import load_clip
from harness.config.sections import BackboneConfig
from harness.conformance.bench import Bench
from harness.conformance.suite import run_checks
from harness.errors import UsageError
from harness.methods import METHODS
from harness.presets.resolve import resolve

library = pytest.importorskip("peft", reason="pip install 'person-retrieval-harness[peft]' runs these tests")

ALL = r".*"
OWN_MAPS = {"query": "q", "key": "k", "value": "v", "out": "out", "mlp_in": "mlp", "mlp_out": "mlp"}


@pytest.mark.parametrize("place", [*OWN_MAPS, "all"])
def test_our_own_lora_and_the_library_s_are_one_with_the_same_weights(build, batch, place):
    maps, targets = (OWN_MAPS[place], rf".*\.{place}") if place != "all" else ("q+k+v+out+mlp", ALL)
    own = build("lora", backbone="shallow", maps=maps, rank=4, alpha=3.0, scaling="rank", dropout=0.0)
    theirs = build("peft", backbone="shallow", targets=targets, options="r=4,lora_alpha=3")
    for tower in ("image", "text"):
        layers = getattr(theirs, f"{tower}_injection").layers
        for key, pair in getattr(own, f"{tower}_injection").maps.items():
            with torch.no_grad():
                pair.up.weight.normal_(std=0.1 if key in layers else 0.0)
                if key in layers:
                    layers[key].lora_A["default"].weight.copy_(pair.down.weight)
                    layers[key].lora_B["default"].weight.copy_(pair.up.weight)
    plain = build("zero_shot", backbone="shallow").features(batch)
    for name in ("as trained", "folded"):
        found, wanted = theirs.eval().features(batch), own.eval().features(batch)
        for side in ("image", "text"):
            torch.testing.assert_close(found[side], wanted[side], atol=1e-5, rtol=1e-5, msg=name)
            assert not torch.allclose(wanted[side], plain[side], atol=1e-3)
        theirs.fold()
        own.fold()


@pytest.mark.parametrize("kind", ["lora", "ia3", "oft", "boft", "loha", "lokr", "hra"])
def test_training_starts_at_clip(build, batch, kind):
    method, plain = build("peft", kind=kind, backbone="shallow"), build("zero_shot", backbone="shallow")
    found, expected = method.features(batch), plain.features(batch)
    for side in ("image", "text"):
        torch.testing.assert_close(found[side], expected[side], atol=1e-5, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("targets", [r".*\.(query|key|value)", ALL], ids=["attention", "all maps"])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        *((kind, "") for kind in ("lora", "ia3", "oft", "loha", "lokr", "hra")),
        ("boft", "boft_block_size=4"),
        ("lora", "use_dora=true"),
        ("lora", "use_rslora=true,lora_dropout=0.2"),
    ],
)
def test_each_kind_keeps_what_every_method_must(kind, options, targets):
    bench = Bench(METHODS.get("peft"), {"kind": kind, "options": options, "targets": targets})
    failed = {
        one.check: one.found for one in run_checks(bench) if one.state not in ("passed", "does not apply")
    }
    assert not failed


def test_parameters_are_the_adapters_alone_and_none_of_a_map(blueprint):
    method = blueprint("peft", options="r=2")
    assert sum(parameter.numel() for _, parameter in method.trainable()) == 184_320
    assert sum(p.numel() for p in method.parameters()) == 184_320 + sum(
        p.numel() for p in method.clip.parameters()
    )
    assert method.folded_parameters() == 0


def test_a_pattern_chooses_maps_by_their_whole_names(build):
    method = build("peft", backbone="shallow", targets=r"image\.[01]\.mlp_out|text\.1\.query")
    assert list(method.image_injection.layers) == ["0_mlp_out", "1_mlp_out"]
    assert list(method.text_injection.layers) == ["1_query"]
    assert build("peft", backbone="shallow", targets=r"image\..*").text_injection is None


def test_dropout_follows_from_the_batch(build, batch):
    method = build("peft", backbone="shallow", options="lora_dropout=0.5", targets=ALL).train()
    for _, parameter in method.trainable():
        torch.nn.init.normal_(parameter, std=0.1)
    one, two = method.features(batch), method.features(batch)
    assert torch.equal(one["image"], two["image"])
    assert torch.allclose(method.features(batch.rows(slice(2, 4)))["image"], one["image"][2:4], atol=1e-5)
    assert not torch.allclose(method.eval().features(batch)["image"], one["image"], atol=1e-3)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"targets": r".*\.quary"},
            r"method.targets='.*quary' matches no map of shallow, which are image.0.query to ",
        ),
        ({"options": "rank=4"}, r"'rank' of PEFT's LoraConfig is none of its fields"),
        ({"options": "lora_alfa=4"}, r"Did you mean 'lora_alpha'"),
        ({"options": "target_modules=query"}, "'target_modules' of PEFT's LoraConfig is set by the harness"),
        ({"options": "bias=all"}, "'bias' of PEFT's LoraConfig is set by the harness"),
        ({"options": "r=25"}, "r=25 is more than the 24 that the maps of shallow have"),
        ({"options": "r=0"}, r"PEFT refuses lora with r=0 on these maps: "),
        ({"options": "r"}, "method.options takes NAME=VALUE,NAME=VALUE, but got 'r'"),
        ({"options": "r=[1"}, "method.options takes NAME=VALUE"),
        ({"options": "init_lora_weights=pissa"}, "init_lora_weights='pissa' would change the frozen map"),
        (
            {"kind": "oft", "options": "oft_block_size=7"},
            "PEFT refuses oft with oft_block_size=7 on these maps",
        ),
    ],
)
def test_what_the_library_does_not_take_is_one_line(build, fields, said):
    with pytest.raises(UsageError, match=said) as told:
        build("peft", backbone="shallow", **fields)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("method.kind=vera", "vera"),
        ("method.kind=prefix", "prefix"),
        ("method.targets='('", "no regular expression"),
    ],
)
def test_a_kind_that_is_not_known_and_a_pattern_that_is_none_are_refused(override, said):
    with pytest.raises(UsageError, match=said) as told:
        resolve("peft", "icfg", overrides=[override])
    assert "\n" not in str(told.value)


def test_a_backbone_without_blocks_is_refused():
    clip = load_clip(BackboneConfig(name="RN50", pretrained=None), device="meta")
    with pytest.raises(UsageError, match="RN50"):
        METHODS.get("peft")(clip, METHODS.get("peft").Config(name="peft"))


def attention(build):
    """Return a small CLIP of open_clip with the name of an attention in it."""
    return build("zero_shot", backbone="shallow").clip.model, "visual.transformer.resblocks.0.attn"


def test_what_the_library_targets_by_itself_in_open_clip_s_attention(build, batch):
    """The output projection alone is never run, the fused rest takes LoRA and nothing else."""
    model, name = attention(build)
    library.inject_adapter_in_model(library.LoraConfig(target_modules=[f"{name}.out_proj"]), model)
    assert sum(parameter.requires_grad for parameter in model.parameters()) == 2
    assert not model.encode_image(batch.images).requires_grad
    model, name = attention(build)
    with pytest.raises(ValueError, match="not supported"):
        library.inject_adapter_in_model(
            library.IA3Config(target_modules=[name], feedforward_modules=[]), model
        )
    model, name = attention(build)
    library.inject_adapter_in_model(library.LoraConfig(target_modules=[name], r=2), model)
    assert {tuple(p.shape) for p in model.parameters() if p.requires_grad} == {(2, 32), (96, 2), (32, 2)}


def test_kinds_of_the_config_are_the_library_s():
    kinds = METHODS.get("peft").Config.model_fields["kind"].annotation.__args__
    assert all(kind.upper() in library.PeftType.__members__ for kind in kinds)
    with pytest.raises(ValidationError):
        METHODS.get("peft").Config(name="peft", kind="adalora")
