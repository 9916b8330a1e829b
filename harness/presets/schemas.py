"""JSON schemas of configs and presets, made of the config models: editors check YAML by them and complete it.

Those of what ships lie in `harness/schemas/`, so that defaults and choices can be told without importing a method.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from harness.config.sections import BackboneConfig, MethodConfig, RunConfig
from harness.config.values import merge, nest
from harness.methods import METHODS, Method
from harness.presets.stored import FACTS, METHOD_PART

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ANY = "preset.json"


def config_schema(methods: Sequence[str]) -> dict[str, Any]:
    """Return the schema of a run's whole config, of one of these methods."""
    return {**_schema(methods, "config"), "required": ["method", "dataset"]}


def preset_schema(methods: Sequence[str]) -> dict[str, Any]:
    """Return the schema of a preset for these methods: a config of which everything may be left out."""
    return _schema(methods, "preset")


def shared_parts(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a method's preset schema with references to `preset.json` for what all methods share."""
    defs = {name: part for name, part in schema["$defs"].items() if name == METHOD_PART}
    text = json.dumps({**schema, "$defs": defs})
    for name in schema["$defs"].keys() - defs.keys():
        text = text.replace(f'"#/$defs/{name}"', f'"{_ANY}#/$defs/{name}"')
    shared: dict[str, Any] = json.loads(text)
    return shared


def _schema(methods: Sequence[str], kind: str) -> dict[str, Any]:
    schema = RunConfig.model_json_schema()
    method_class = METHODS.get(methods[0]) if len(methods) == 1 else None
    own = _any_of(methods) if method_class is None else _of(method_class.Config)
    schema["$defs"] = {name: _plain(part) for name, part in schema["$defs"].items()}
    schema["$defs"] |= {name: _plain(part) for name, part in own.pop("$defs", {}).items()} | {
        METHOD_PART: _plain(own)
    }
    head: dict[str, Any] = {
        "$schema": DIALECT,
        "title": f"harness {kind}" + (f": {method_class.name}" if method_class else ""),
        "description": schema["description"] if kind == "config" else "Settings on top of the defaults.",
    }
    if method_class is not None:
        head[FACTS] = _facts(method_class)
    return head | {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _property(part) for name, part in schema["properties"].items()},
        "$defs": schema["$defs"],
    }


def _property(part: Mapping[str, Any]) -> dict[str, Any]:
    """Return a property of the whole; the defaults of a section are those of its fields."""
    return {"$ref": part["$ref"]} if "$ref" in part else _plain_field(part)


def _of(model: type[MethodConfig]) -> dict[str, Any]:
    """Return the schema of a method's config, described by its class alone: its base's is for who writes methods."""
    return {**model.model_json_schema(), "description": (model.__doc__ or "").partition("\n")[0]}


def _any_of(methods: Sequence[str]) -> dict[str, Any]:
    """Return a schema that has the fields of all methods, each as the methods that have it declare it."""
    found: dict[str, list[dict[str, Any]]] = {}
    whole: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "description": "Any method's settings.",
    }
    defs: dict[str, Any] = {}
    for method in methods:
        schema = METHODS.get(method).Config.model_json_schema()
        defs |= schema.get("$defs", {})
        for name, part in schema["properties"].items():
            part = {key: value for key, value in part.items() if key not in ("default", "search")}
            if part not in found.setdefault(name, []):
                found[name].append(part)
    fields = {name: parts[0] if len(parts) == 1 else {"anyOf": parts} for name, parts in found.items()}
    return {**whole, "properties": fields, "$defs": defs}


def _plain(part: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a section without what only the harness knows what to do with."""
    fields = {name: _plain_field(field) for name, field in part.get("properties", {}).items()}
    said = str(part.get("description", "")).partition("\n")[0]
    kept = {key: value for key, value in part.items() if key not in ("title", "properties", "description")}
    return {"description": said, **kept, "properties": fields}


def _plain_field(field: Mapping[str, Any]) -> dict[str, Any]:
    if "$ref" in field:
        return {"$ref": field["$ref"]}
    if "anyOf" in field and all("description" in one for one in field["anyOf"]):
        return {"anyOf": [_plain_field(one) for one in field["anyOf"]]}
    return {
        key: value
        for key, value in field.items()
        if key not in ("title", "identity", "inert") and not (key == "search" and value is None)
    }


def _facts(method_class: type[Method]) -> dict[str, Any]:
    """Return what decides a method's defaults beside its fields: its recipe, and the backbone with its own input."""
    from harness.clip.own_input import with_own_input

    values: dict[str, Any] = {}
    for key, value in method_class.recipe.items():
        merge(values, nest(key, value))
    backbone = with_own_input(BackboneConfig(**values.get("backbone", {})))
    return {
        "trained": method_class.trained,
        "recipe": dict(method_class.recipe),
        "backbone": backbone.model_dump(mode="json"),
    }
