"""What differs in a stored config is the same, told from the shipped schema or by the method itself."""

import pytest

from harness.config.identity import recorded_values
from harness.errors import UsageError
from harness.methods import METHODS
from harness.presets import stored
from harness.presets.resolve import build_stored, differences, resolve
from harness.presets.schemas import preset_schema
from harness.presets.stored import shipped_method, stored_differences

SHIPPED = [name for name in METHODS.names() if name not in {*METHODS.third_parties(), *METHODS.needing()}]


def untold(*_):
    raise AssertionError("the method was imported for what its schema tells")


def test_every_method_that_ships_is_told_from_its_schema(monkeypatch):
    for name in SHIPPED:
        for more in ({"dataset": "ufine"}, {"dataset": "icfg", "synthetic": True}):
            values = recorded_values(resolve(name, **more))
            expected = differences(build_stored(values))
            with monkeypatch.context() as patch:
                patch.setattr(stored, "build_stored", untold)
                assert stored_differences(values) == expected, name


def test_a_changed_value_is_told_with_its_default():
    values = resolve("cskt", "icfg", overrides=["method.lr=0.5", "train.epochs=3"]).model_dump(mode="json")
    lr = METHODS.get("cskt").Config().lr
    assert stored_differences(values) == [("method.lr", lr, 0.5), ("train.epochs", 60, 3)]


def test_what_the_schema_does_not_tell_is_asked_of_the_method():
    other = resolve("cskt", "icfg", overrides=["backbone.name=ViT-B-16-SigLIP", "backbone.pretrained=webli"])
    values = recorded_values(other)
    for key in ("text_length", "normalisation", "interpolation"):
        values["backbone"][key] = None
    assert stored_differences(values) == differences(other)


def test_settings_that_no_method_knows_are_refused_as_ever():
    values = resolve("cskt", "icfg").model_dump(mode="json")
    values["method"]["gone"] = 1
    with pytest.raises(UsageError, match=r"method\.gone"):
        stored_differences(values)
    with pytest.raises(LookupError):
        shipped_method("../preset.cskt")


def test_a_schema_has_the_fields_and_defaults_of_its_method_alone():
    fields = preset_schema(["lora"])["$defs"]["MethodConfig"]["properties"]
    config = METHODS.get("lora").Config
    assert fields.keys() == config.model_fields.keys()
    assert fields["rank"]["default"] == config().rank
    assert fields["rank"]["description"] == config.model_fields["rank"].description
