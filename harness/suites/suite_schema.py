"""The JSON schema of a suite's file, and of all that the harness reads as YAML."""

import inspect
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel

from harness.board_file import BoardFile
from harness.data.protocols.galleries import LARGEST_FACTOR
from harness.errors import UsageError
from harness.methods import METHODS
from harness.presets.schemas import DIALECT, config_schema, preset_schema, shared_parts
from harness.queue.slurm_profile import Profile
from harness.registry.plug_ins import plugins
from harness.relations.register import Register
from harness.suites.published_tables import published_names
from harness.suites.schema import GIVEN, OTHERS, Row, Suite
from harness.upkeep.expected import FIGURES, Expected, Figure, Result

_SETTINGS = ("set", "synthetic_set", "vary", "synthetic_vary")


def schema_of(kind: str, method: str | None = None) -> dict[str, Any]:
    """Return the schema of a kind of file; presets and configs may be of one method.

    Raises `UsageError` for an unknown method, and for one where a file is of many.
    """
    if kind not in ("preset", "config") and method is not None:
        raise UsageError(f"The schema of a {kind} is not of one method: leave --method out.")
    return _KINDS[kind]([method.name for method in METHODS.usable()] if method is None else [method])


def file_name(kind: str, method: str | None = None) -> str:
    """Return what the file of a schema is called.

    >>> file_name("preset", "cskt"), file_name("suite")
    ('preset.cskt.json', 'suite.json')
    """
    return ".".join([kind, *([method] if method else []), "json"])


def shipped_schemas() -> dict[str, dict[str, Any]]:
    """Return the schemas that ship by the names of their files: those of suites, of presets, of the register of
    relations, and of each method's presets.

    What needs a library beside the harness's is left out, so that they are the same everywhere.
    """
    methods = [name for name in METHODS.names() if name not in METHODS.needing()]
    whole = {file_name(kind): make(methods) for kind, make in _KINDS.items()}
    whole["relations.json"] = {
        "$schema": DIALECT,
        **Register.model_json_schema(),
        "title": "harness relations",
    }
    own = {file_name("preset", name): shared_parts(preset_schema([name])) for name in methods}
    return whole | own


def text_of(schema: dict[str, Any]) -> str:
    """Return a schema as the text of its file."""
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def suite_schema(methods: Sequence[str]) -> dict[str, Any]:
    """Return the schema of a suite's file with rows of these methods."""
    schema = Suite.model_json_schema()
    row, suite = schema["$defs"]["Row"]["properties"], schema["properties"]
    for part, model in ((schema, Suite), (schema["$defs"]["Row"], Row)):
        _describe(part, model)
    datasets = plugins("datasets").names()
    row["method"] |= {"enum": sorted({*methods, *METHODS.needing()})}
    suite["report"]["anyOf"][0] |= {"enum": plugins("reports").names()}
    several = {"type": "string", "pattern": r"^\w+(\+\w+)+$"}
    for name in ("datasets", "synthetic_datasets"):
        suite[name]["items"] = {"anyOf": [{"enum": datasets}, several]}
    suite["published"]["items"] |= {"enum": published_names()}
    factor = {"type": "integer", "minimum": 2, "maximum": LARGEST_FACTOR}
    suite["gallery"]["items"] = {"anyOf": [factor, {"type": "string"}]}
    names = [*datasets, OTHERS]
    suite["evaluate"] = {
        "description": suite["evaluate"]["description"],
        "anyOf": [{"enum": names}, {"type": "array", "items": {"enum": names}}],
    }
    schema["$defs"]["Key"] = {"enum": sorted(set(_keys(config_schema(methods))) - GIVEN.keys())}
    for settings in (*(suite[name] for name in _SETTINGS[:2]), *(row[name] for name in _SETTINGS)):
        settings["propertyNames"] = {"$ref": "#/$defs/Key"}
    # The file's name and the method's are taken where these are left out.
    schema["required"].remove("name")
    schema["$defs"]["Row"]["required"].remove("name")
    return {"$schema": DIALECT, **schema, "title": "harness suite"}


def slurm_schema(methods: Sequence[str] = ()) -> dict[str, Any]:
    """Return the schema of a profile for Slurm, which is no method's."""
    schema = Profile.model_json_schema()
    _describe(schema, Profile)
    return {"$schema": DIALECT, **schema, "title": "harness slurm profile"}


def expected_schema(methods: Sequence[str]) -> dict[str, Any]:
    """Return the schema of a file of expected figures, of results of these methods."""
    schema = Expected.model_json_schema()
    result = schema["$defs"]["Result"]["properties"]
    for part, model in (
        (schema, Expected),
        (schema["$defs"]["Result"], Result),
        (schema["$defs"]["Figure"], Figure),
    ):
        _describe(part, model)
    result["method"]["anyOf"][0] |= {"enum": sorted({*methods, *METHODS.needing()})}
    for name in ("dataset", "tested_on"):
        result[name]["anyOf"][0] |= {"enum": plugins("datasets").names()}
    named, listed = result["expect"]["anyOf"]
    named["propertyNames"] = listed["items"] = {"enum": list(FIGURES)}
    return {"$schema": DIALECT, **schema, "title": "harness expected"}


def _describe(part: dict[str, Any], model: type[BaseModel]) -> None:
    """Put what a model's docstring says of its attributes into the schema."""
    summary, _, attributes = (inspect.getdoc(model) or "").partition("\n\nAttributes:\n")
    part["description"] = summary
    for names, said in re.findall(r"^ {4}(\w[\w, ]*): (.*(?:\n {8}.*)*)", attributes, re.MULTILINE):
        for name in names.split(", "):
            part["properties"][name]["description"] = " ".join(said.split())
    for field in part["properties"].values():
        field.pop("title", None)


def _keys(schema: dict[str, Any], part: dict[str, Any] | None = None, prefix: str = "") -> Iterable[str]:
    """Yield the dotted keys of a config's schema."""
    for name, field in (part or schema)["properties"].items():
        if "$ref" in field:
            section = schema["$defs"][field["$ref"].rpartition("/")[2]]
            yield from _keys(schema, section, f"{prefix}{name}.")
        else:
            yield prefix + name


def board_schema(methods: Sequence[str] = ()) -> dict[str, Any]:
    """Return the schema of a board's `board.yaml`, which is no method's."""
    return {"$schema": DIALECT, **BoardFile.model_json_schema(), "title": "harness board"}


_KINDS = {
    "suite": suite_schema,
    "preset": preset_schema,
    "config": config_schema,
    "slurm": slurm_schema,
    "expected": expected_schema,
    "board": board_schema,
}
