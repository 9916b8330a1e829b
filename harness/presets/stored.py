"""What differs from the defaults in a stored config, told without importing its method where that ships."""

import json
from collections.abc import Mapping
from functools import cache
from types import SimpleNamespace
from typing import Any

from pydantic import ValidationError, create_model

from harness.config.removed import without_removed
from harness.config.sections import BackboneConfig, MethodConfig, RunConfig
from harness.datasets import DATASETS
from harness.errors import UsageError
from harness.paths import SCHEMAS
from harness.presets.keys import check_keys
from harness.presets.resolve import build_stored, changed, defaults, differences

FACTS, METHOD_PART = "x-harness", MethodConfig.__name__
_MODEL = ("name", "pretrained", "weights")
_INPUT = ("text_length", "normalisation", "interpolation")


def stored_differences(values: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return (key, real default, value) for all that differs in a stored config from the defaults of today.

    Raises `UsageError` for settings that are not known any more.
    """
    known = without_removed(values)
    try:
        method = shipped_method(str(known["method"]["name"]))
        check_keys(known, method)
        plain = defaults(method, DATASETS.get(known["dataset"]["name"]))
        return changed(_config(plain, method), _config(known, method))
    except (ValidationError, UsageError, LookupError, TypeError):
        return differences(build_stored(values))


@cache
def shipped_method(name: str) -> Any:
    """Return what stands for the class of a method that ships: its name, recipe and config, read from its schema.

    Values of its config are not checked. Raises `LookupError` for any other method.
    """
    file = SCHEMAS / f"preset.{name}.json"
    if not name.isidentifier() or not file.is_file():
        raise LookupError(name)
    schema = json.loads(file.read_text(encoding="utf-8"))
    fields: dict[str, Any] = {
        key: (Any, field["default"]) for key, field in schema["$defs"][METHOD_PART]["properties"].items()
    }
    return SimpleNamespace(
        name=name, Config=create_model(name, __base__=MethodConfig, **fields), **schema[FACTS]
    )


def _config(values: Mapping[str, Any], method: Any) -> RunConfig:
    """Return a config whose backbone's input is settled as far as the method's default settles it.

    Raises `LookupError` where that is another model's.
    """
    config = RunConfig(**{**values, "method": method.Config(**values["method"])})
    found = with_known_input(config, method)
    if any(getattr(found.backbone, key) is None for key in _INPUT):
        raise LookupError(config.backbone.name)
    return found


def with_known_input(config: RunConfig, method: Any) -> RunConfig:
    """Return a config with what it leaves open of its backbone's input as the method has it, for the same model."""
    known = BackboneConfig(**method.backbone)
    if any(getattr(config.backbone, key) != getattr(known, key) for key in _MODEL):
        return config
    own = {key: getattr(known, key) for key in _INPUT if getattr(config.backbone, key) is None}
    return config.model_copy(update={"backbone": config.backbone.model_copy(update=own)})
