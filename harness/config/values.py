"""Configs as plain values: flattened, nested, merged and hashed."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one level with dotted keys.

    >>> flatten({"train": {"epochs": 3}, "seed": 1})
    {'train.epochs': 3, 'seed': 1}
    """
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def content_hash(value: Any) -> str:
    """Return the SHA-256 of a value's canonical JSON: equal content, equal hash, whatever the key order."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=plain_value)
    return hashlib.sha256(text.encode()).hexdigest()


def plain_value(value: Any) -> Any:
    """Return what JSON holds of a section or a path; raise `TypeError` for anything else."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be hashed")


def merge(values: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Merge nested values into `values`; later ones win."""
    for key, value in more.items():
        if isinstance(value, Mapping) and isinstance(values.get(key), dict):
            merge(values[key], value)
        else:
            values[key] = dict(value) if isinstance(value, Mapping) else value


def nest(key: str, value: Any) -> dict[str, Any]:
    """Return a dotted key with its value as nested values.

    >>> nest("method.lr", 0.1)
    {'method': {'lr': 0.1}}
    """
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)
