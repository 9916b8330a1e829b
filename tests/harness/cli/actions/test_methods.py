"""What is told of a method: counts on a small backbone, fields with their ranges, and what refuses."""

import pytest

from harness.cli.actions.methods import describe
from harness.cli.listings.methods import show
from harness.errors import UsageError
from harness.methods import METHODS

TINY = ("tiny", "96x32")


def test_counts_agree_with_one_another_and_nothing_is_extra_without_training():
    found = describe("full_finetune", *TINY, ())
    counts = found["parameters"]
    assert counts["trainable"] <= counts["total"]
    assert counts["checkpoint_bytes"] > 0
    assert (found["backbone"], found["image_size"], found["text_length"]) == ("tiny", [96, 32], 77)
    floor = describe("zero_shot", *TINY, ())["parameters"]
    assert (floor["trainable"], floor["inference_extra"]) == (0, 0)
    assert floor["total"] == counts["total"]


def test_training_costs_more_than_the_forward_pass_and_larger_images_more_than_small_ones():
    small, large = (describe("cskt", "tiny", size, ())["flops"] for size in ("96x32", "192x64"))
    for tower in ("image", "text"):
        assert small[f"{tower}_training"] > small[f"{tower}_forward"] > 0
    assert large["image_forward"] > 2 * small["image_forward"]
    assert large["text_forward"] == small["text_forward"]


def test_each_field_has_its_value_default_help_and_range():
    found = describe("cskt", *TINY, ["reduction=16", "method.lr=0.5"])
    fields = {field["key"]: field for field in found["fields"]}
    assert "method.name" not in fields
    assert (fields["method.reduction"]["value"], fields["method.reduction"]["default"]) == (16, 8)
    assert fields["method.lr"]["value"] == 0.5
    assert fields["method.lr"]["search"] == "1e-05 to 0.01, log"
    assert fields["method.adapter_towers"]["search"] == "image, text, both, none"
    assert fields["method.warmup_epochs"]["search"] == "0 to 10"
    assert fields["method.bias_lr_factor"]["search"] is None


def test_the_recipe_decides_the_image_size_where_none_is_given():
    recipe = METHODS.get("tbps_clip").recipe["backbone.image_size"]
    assert describe("tbps_clip", "ViT-B-32", None, ())["image_size"] == list(recipe)


def test_what_is_shown_are_the_numbers_described_in_columns(capsys):
    found = describe("linear_probe", *TINY, ())
    show(found)
    lines = capsys.readouterr().out.splitlines()
    counts = found["parameters"]
    shown = {line[:15].strip(): line[15:].split() for line in lines}
    assert shown["trainable"][0] == f"{counts['trainable']:,}"
    assert shown["trainable"][2] == f"{100 * counts['trainable'] / counts['total']:.2f}"
    assert shown["total"][0] == f"{counts['total']:,}"
    assert shown["checkpoint"][0] == f"{counts['checkpoint_bytes'] / 1e6:,.1f}"
    assert shown["one image"][0] == f"{found['flops']['image_forward'] / 1e9:,.2f}"
    fields = [line for line in lines if line.startswith("method.")]
    assert [line.split()[:2] for line in fields] == [[f["key"], str(f["value"])] for f in found["fields"]]
    assert len({line.index(f["help"][:8]) for line, f in zip(fields, found["fields"], strict=True)}) == 1


@pytest.mark.parametrize(
    ("name", "backbone", "size", "overrides"),
    [
        ("cskd", "tiny", "96x32", ()),
        ("cskt", "tini", "96x32", ()),
        ("cskt", "tiny", "96", ()),
        ("cskt", "tiny", "96x32", ("reductio=3",)),
        ("cskt", "tiny", "96x32", ("reduction=-1",)),
        ("cskt", "tiny", "96x32", ("reduction=many",)),
    ],
)
def test_a_mistake_is_a_usage_error(name, backbone, size, overrides):
    with pytest.raises(UsageError):
        describe(name, backbone, size, overrides)
