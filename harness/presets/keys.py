"""The keys of a config, and what is said of one that there is none of."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_origin

from pydantic import BaseModel

from harness.config.removed import why_removed
from harness.config.sections import RunConfig
from harness.config.values import flatten
from harness.errors import UsageError, brief

if TYPE_CHECKING:
    from harness.methods import Method

LONGEST_KEY = 200


def check_keys(values: Mapping[str, Any], method_class: "type[Method]") -> None:
    """Raise `UsageError` for a key that no section has, with the nearest match."""
    known = config_keys(method_class)
    for key in flatten(values):
        if key not in known:
            raise unknown_key(key, known)


def unknown_key(key: str, known: Iterable[str]) -> UsageError:
    """Build the one error for an unknown config key; fields of any section may be meant: `lr` is `method.lr`."""
    if gone := why_removed(key):
        return UsageError(gone)
    meant = _meant(key, list(known)) if len(key) <= LONGEST_KEY else []
    found = " or ".join(map(repr, meant))
    hint = f" Did you mean {found}?" if found else ""
    return UsageError(f"Unknown config key {brief(key)}.{hint} `--dry-run` prints all keys.")


def _meant(key: str, known: Sequence[str]) -> list[str]:
    """Return the keys with the same field, else the one most like it, by its field where no section is given."""
    fields: dict[str, list[str]] = {}
    for name in known:
        fields.setdefault(_field(name), []).append(name)
    if same := fields.get(_field(key)):
        return same
    if "." not in key and (close := get_close_matches(_field(key), fields, n=1)):
        return fields[close[0]]
    return get_close_matches(key, known, n=1, cutoff=0.5)


def _field(key: str) -> str:
    """Return a key's last part, however it is written.

    >>> _field("train.batch_size") == _field("batchsize") == _field("Batch-Size")
    True
    """
    return key.rpartition(".")[2].replace("_", "").replace("-", "").lower()


def config_keys(method_class: "type[Method]") -> dict[str, Any]:
    """Return every dotted config key with its pydantic field, the method's own included."""
    keys: dict[str, Any] = {}
    for name, info in RunConfig.model_fields.items():
        section = method_class.Config if name == "method" else info.annotation
        keys |= _keys(section, f"{name}.") if _is_section(section) else {name: info}
    return keys


def _is_section(kind: Any) -> bool:
    return get_origin(kind) is None and isinstance(kind, type) and issubclass(kind, BaseModel)


def _keys(section: Any, prefix: str) -> dict[str, Any]:
    keys: dict[str, Any] = {}
    for name, info in section.model_fields.items():
        kind = info.annotation
        keys |= _keys(kind, f"{prefix}{name}.") if _is_section(kind) else {prefix + name: info}
    return keys
