"""Parameters are unfrozen by kind and tower; a kind that a tower lacks is one line with the fix."""

import pytest

from harness.clip.model import load_clip
from harness.config.sections import BackboneConfig
from harness.errors import UsageError
from harness.method_parts.unfreezing import TowerFields, unfreeze


@pytest.fixture(scope="module")
def made():
    return load_clip(BackboneConfig(name="RN50", pretrained=None), device="meta")


@pytest.fixture
def clip(made):
    return made.requires_grad_(False)


@pytest.mark.parametrize(
    ("towers", "expected"), [("image", {"image"}), ("text", {"text"}), ("both", {"image", "text"})]
)
def test_the_towers_that_are_named_are_trained(clip, towers, expected):
    names = [name for name, _ in clip.named_parameters() if name.endswith("bias")]
    unfreeze(clip, names, TowerFields(towers=towers).chosen, "biases")
    trained = {name for name, parameter in clip.named_parameters() if parameter.requires_grad}
    assert trained <= set(names)
    assert {"image" if ".visual." in name else "text" for name in trained} == expected
    of_image = {name for name in names if ".visual." in name}
    assert trained & of_image in (set(), of_image)
    assert trained - of_image in (set(), set(names) - of_image)


def test_a_tower_without_such_parameters_is_refused(clip):
    names = [name for name, _ in clip.named_parameters() if "ln_" in name]
    with pytest.raises(UsageError, match=r"image tower of RN50 has no layer norms: set method\.towers=text"):
        unfreeze(clip, names, ("image", "text"), "layer norms")
    with pytest.raises(UsageError, match=r"text tower of RN50 has no such: set method\.towers=image"):
        unfreeze(clip, [], ("text",), "such")
