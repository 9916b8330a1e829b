"""The keys of a config, and what is said of one that there is none of."""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_origin

from pydantic import BaseModel

from harness.config.removed import why_removed
from harness.config.sections import RunConfig
from harness.config.values import flatten
from harness.errors import UsageError, brief, listed

if TYPE_CHECKING:
    from harness.methods import Method

LONGEST_KEY = 200
# A word that stands in more help texts than this says nothing of which key is meant.
_FEW = 3
# How much alike two names must be: two letters that changed places are half so.
_LIKE_IN_SECTION, _LIKE = 0.5, 0.6


def check_keys(values: Mapping[str, Any], method_class: "type[Method]") -> None:
    """Raise `UsageError` for a key that no section has, with the nearest match."""
    known = config_keys(method_class)
    for key in flatten(values):
        if key not in known:
            raise unknown_key(key, known)


def unknown_key(key: str, known: Iterable[str]) -> UsageError:
    """Build the one error for an unknown config key; fields of any section may be meant: `lr` is `method.lr`.

    Args:
        key: as it was given.
        known: all keys; of a mapping to their fields the help texts are looked through, too.
    """
    if gone := why_removed(key):
        return UsageError(gone)
    names, found = list(known), list[str]()
    if len(key) <= LONGEST_KEY:
        found = _alike(key, names) or (_told(key, known) if isinstance(known, Mapping) else [])
    section = key.partition(".")[0]
    fields = [name for name in names if name.startswith(f"{section}.")]
    hint = f" Did you mean {' or '.join(map(repr, found))}?" if found else ""
    if fields and not found:
        hint = f" The keys of {section} are {listed(fields)}."
    return UsageError(f"Unknown config key {brief(key)}.{hint} `--dry-run` prints all keys.")


def _alike(key: str, known: Sequence[str]) -> list[str]:
    """Return the keys with the same field, else those of the field most like it, first in its own section."""
    field, section = _field(key), key.rpartition(".")[0]
    own = [name for name in known if name.rpartition(".")[0] == section]
    for names, least in ((own, _LIKE_IN_SECTION), (known, _LIKE)):
        fields: dict[str, list[str]] = {}
        for name in names:
            fields.setdefault(_field(name), []).append(name)
        if close := [field] if field in fields else get_close_matches(field, fields, n=1, cutoff=least):
            return fields[close[0]]
    return []


def _told(key: str, known: Mapping[str, Any]) -> list[str]:
    """Return the few keys whose help has all words of a field's name, in its own section where there are some."""
    words = set(re.split(r"[_\W]+", key.rpartition(".")[2].lower()))
    told = [
        name
        for name, info in known.items()
        if words <= set(re.split(r"\W+", str(getattr(info, "description", "")).lower()))
    ]
    own = [name for name in told if name.startswith(f"{key.partition('.')[0]}.")]
    return next((names for names in (own, told) if 0 < len(names) <= _FEW), [])


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
