"""Read an `expected.yaml`; every mistake in it is one line that names the place and what is allowed there."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.config.strict_yaml import read_yaml
from harness.errors import UsageError, brief, nearest
from harness.upkeep.expected import Expected, Figure, Result

_SAID = {
    "missing": "is missing",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "tuple_type": "must be a list",
    "dict_type": "must be keys with values",
    "model_type": "must be keys with values",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
}
_KEYS: dict[int, type[Expected] | type[Result] | type[Figure]] = {1: Expected, 3: Result}
# How pydantic calls what it tried: figures by name, and a list of names.
_BY_NAME, _LISTED = "dict[str,", "tuple[str, ...]"


def read_expected(file: Path) -> Expected:
    """Return what a file expects; raise `UsageError` that names file, place and what is allowed."""
    values = read_yaml(file, what="file of expected figures", holds="the key results")
    try:
        return Expected.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"{file}: {_explain(error, values)}.") from error


def _explain(error: ValidationError, values: Mapping[str, Any]) -> str:
    """Return the first mistake in words, an unknown key before others."""
    items = [_plain(item) for item in error.errors(include_url=False) if _LISTED not in item["loc"]]
    item = next((one for one in items if one["type"] == "extra_forbidden"), items[0])
    place, given = item["loc"], item["input"]
    where = _where(place, values)
    if item["type"] == "extra_forbidden":
        known = list(_KEYS.get(len(place), Figure).model_fields)
        where = _where(place[:-1], values)
        key = str(place[-1])
        return (
            f"unknown key {brief(key)}{f' in {where}' if where else ''}."
            f"{nearest(key, known)} Known: {', '.join(known)}"
        )
    said = item["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    shown = given is None or isinstance(given, str | int | float)
    got = f", but got {brief(given)}" if shown and item["type"] != "missing" else ""
    return f"{where or 'it'} {_SAID.get(item['type'], said)}{got}"


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an error whose place has only what stands in the file."""
    kept = [part for part in item["loc"] if part != "[key]" and not str(part).startswith(_BY_NAME)]
    return {**item, "loc": tuple(kept)}


def _where(place: Sequence[int | str], values: Mapping[str, Any]) -> str:
    """Return a place in words: `result 2 ('cskt'), expect t2i/R1`."""
    parts = [str(part) for part in place]
    if len(place) > 1 and place[0] == "results":
        result = values["results"][int(place[1])]
        name = result.get("name") if isinstance(result, dict) else None
        parts[:2] = [f"result {int(place[1]) + 1}" + (f" ({brief(name)})" if isinstance(name, str) else "")]
    return ", ".join([*parts[:1], " ".join(parts[1:])] if len(parts) > 1 else parts)
