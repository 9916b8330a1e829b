"""What no method can do: one line that names setting or backbone and a way out, before data or weights are opened."""

from copy import deepcopy

import pytest
import torch
from pydantic import ValidationError

from harness.clip.model import load_clip
from harness.config.sections import BackboneConfig
from harness.errors import UsageError
from harness.listener import Listener
from harness.methods import METHODS, OptimisedConfig
from harness.presets.resolve import resolve
from harness.run import job

# Two blocks of width 32 in the image tower, three of width 64 in the text tower.
BACKBONE = "tiny-2x32-3x64"
WITHOUT_BLOCKS = "RN50"

TOO_MUCH = {
    "rank over width": [
        ("lora", "rank=33", r"method\.rank=33 is more than the 32 .* image tower"),
        ("up_person", "rank=33", r"method\.rank=33 is more than the 32 .* image tower"),
        ("adaptformer", "bottleneck=33", r"method\.bottleneck=33 is wider than the 32"),
        ("houlsby", "bottleneck=33", r"method\.bottleneck=33 is wider than the 32"),
        ("adapter_only", "reduction=33", r"method\.reduction=33 leaves nothing of width 32"),
        ("cskt", "reduction=33", r"method\.reduction=33 leaves nothing of width 32"),
        ("dm_adapter", "reduction=33", r"method\.reduction=33 leaves nothing of width 32"),
        ("up_person", "reduction=33", r"method\.reduction=33 leaves nothing of width 32"),
        ("side_network", "reduction=33", r"method\.reduction=33 leaves nothing of width 32"),
        ("clip_adapter", "reduction=129", r"method\.reduction=129 leaves nothing of width 128"),
        ("dm_adapter", "top_k=7", r"method\.top_k=7 picks more than the method\.n_experts=6"),
    ],
    "prefix over the text length": [
        ("prefix", "prefix_length=78", r"method\.prefix_length=78 is more than the 77 tokens"),
        ("up_person", "prefix_length=78", r"method\.prefix_length=78 is more than the 77 tokens"),
        ("coop", "n_context=78", r"78 prompts leave no room for a caption in 77 tokens.* method\.n_context"),
        ("ivlp", "text_prompts=78", r"78 prompts leave no room .* method\.text_prompts"),
        ("maple", "prompt_length=78", r"78 prompts leave no room .* method\.prompt_length"),
        ("prompt_only", "prompt_length=39", r"78 prompts leave no room .* method\.prompt_length"),
        ("cskt", "prompt_length=39", r"78 prompts leave no room .* method\.prompt_length"),
    ],
    "layers that do not exist": [
        ("vpt", "prompt_depth=3", r"method\.prompt_depth=3 is more than the 2 layers"),
        ("ivlp", "image_depth=3", r"method\.image_depth=3 is more than the 2 layers"),
        ("ivlp", "text_depth=4", r"method\.text_depth=4 is more than the 3 layers"),
        ("maple", "prompt_depth=3", r"method\.prompt_depth=3 is more than the 2 layers"),
        ("prefix", "prefix_depth=3", r"method\.prefix_depth=3 is more than the 2 layers"),
        ("side_network", "every=3", r"method\.every=3 is more than the 2 layers"),
        ("partial", "blocks=3", r"method\.blocks=3 is more than the 2 blocks of the image tower"),
        ("lora", "layers=middle_third", r"2 blocks of the image tower of .* have no middle_third"),
        ("tbps_clip", "drop_text_layers=[4]", r"Text layer 4 cannot be dropped: .* has layers 1 to 3"),
        ("tbps_clip", "freeze_text_layers=[4]", r"Text layer 4 cannot be frozen: .* has layers 1 to 3"),
        ("tbps_clip", "drop_text_layers=[1, 2, 3]", r"All 3 text layers cannot be dropped: leave one"),
    ],
    "a name that matches nothing": [
        ("lora", "maps=qq", r"no map of a block is called 'qq'\. Did you mean 'q'"),
        ("lora", "layers=top", r"method\.layers"),
        (
            "ivlp",
            "text_depth=fist",
            r"text_depth: must be a whole number or 'all', .* or 'first', but got 'fist'$",
        ),
        ("full_finetune", "loss=sdn", r"method\.loss"),
        *(
            [("peft", r"targets=.*\.quary", r"matches no map of .*: name some")]
            if METHODS.find("peft")
            else []
        ),
    ],
}
ROWS = [(kind, *row) for kind, rows in TOO_MUCH.items() for row in rows]


@pytest.fixture
def closed(monkeypatch):
    """Let whoever opens data or weights fail the test."""

    def opened(*_, **__):
        raise AssertionError("data or weights were opened first")

    monkeypatch.setattr(job, "read_joint", opened)
    monkeypatch.setattr(job, "load_backbone", opened)


def prepared(name, tmp_path, *overrides, backbone=BACKBONE, size="[32, 16]"):
    settings = [f"backbone.name={backbone}", "backbone.pretrained=null", f"backbone.image_size={size}"]
    config = resolve(name, "icfg", overrides=[*settings, *(f"method.{text}" for text in overrides)])
    return job.prepare(config, tmp_path, "cpu", Listener(), {})


@pytest.mark.parametrize(("kind", "name", "override", "said"), ROWS, ids=lambda text: text)
def test_what_cannot_be_is_one_line_before_data_are_opened(closed, tmp_path, kind, name, override, said):
    with pytest.raises(UsageError, match=said) as told:
        prepared(name, tmp_path, override)
    assert len(str(told.value).splitlines()) == 1


def test_data_are_opened_where_nothing_is_wrong(closed, tmp_path):
    with pytest.raises(AssertionError, match="opened first"):
        prepared("lora", tmp_path, "rank=32")


@pytest.fixture(scope="module")
def backbones():
    """Return backbones without values, by name."""
    sizes = {BACKBONE: (32, 16), WITHOUT_BLOCKS: (64, 64)}
    return {
        name: load_clip(BackboneConfig(name=name, pretrained=None, image_size=size), device="meta")
        for name, size in sizes.items()
    }


def made(name, clip, **fields):
    """Return why a method cannot be made, None where it can."""
    kind = METHODS.get(name)
    try:
        config = kind.Config(name=name, **fields).fitted(4)
        with torch.device("meta"):
            kind(deepcopy(clip), config)
    except UsageError as error:
        return str(error)
    return None


def counts(name):
    """Yield the fields of a method's own that count or size something."""
    for key, field in METHODS.get(name).Config.model_fields.items():
        if (
            key not in OptimisedConfig.model_fields
            and "int" in str(field.annotation)
            and "tuple" not in str(field.annotation)
        ):
            yield key


def sizes(name):
    """Return the fields of a method's own that take a number and count or size something."""
    fields = METHODS.get(name).Config.model_fields.items()
    own = {key: str(field.annotation) for key, field in fields if key not in OptimisedConfig.model_fields}
    return [key for key, kind in own.items() if "int" in kind and "tuple" not in kind]


@pytest.mark.parametrize("name", METHODS.names())
def test_any_size_is_made_or_refused_in_one_line_by_a_name_of_a_setting(backbones, name):
    for key in sizes(name):
        for value in (3, 33, 78, 2**14):
            try:
                why = made(name, backbones[BACKBONE], **{key: value})
            except ValidationError:
                continue
            assert why is None or ("method." in why and "\n" not in why), (key, value)


# What changes nothing inside the towers.
TAKEN = {"bitfit", "clip_adapter", "full_finetune", "linear_probe", "zero_shot"}


@pytest.mark.parametrize("name", METHODS.names())
def test_a_backbone_without_blocks_is_taken_or_refused_by_its_name(backbones, name):
    why = made(name, backbones[WITHOUT_BLOCKS])
    assert (why is None) == (name in TAKEN)
    assert why is None or (WITHOUT_BLOCKS in why and "\n" not in why)
