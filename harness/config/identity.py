"""Which of a config's values make a run what it is."""

import json
from typing import Any

from harness.config.fields import Section, identity_rule, is_free
from harness.config.sections import RunConfig
from harness.config.values import plain_value


def identity_values(section: Section) -> dict[str, Any]:
    """Return a section's values without the fields that cannot change a result, and later ones left as they are."""
    return _kept(section, without_free=True)


def recorded_values(config: RunConfig) -> dict[str, Any]:
    """Return what a record says of a config, JSON-able: all but later fields left as they are.

    So a run's settings read the same, whether the field existed when it was made or not.
    """
    kept: dict[str, Any] = json.loads(json.dumps(_kept(config, without_free=False), default=plain_value))
    return kept


def free_keys(section: type[Section], prefix: str = "") -> set[str]:
    """Return the dotted keys of the config fields that cannot change a result.

    >>> sorted(free_keys(RunConfig))[:5]
    ['backbone.weights', 'dataset.columns', 'dataset.file', 'dataset.images', 'dataset.noise_file']
    """
    found = set()
    for name, field in section.model_fields.items():
        if is_free(field):
            found.add(prefix + name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            found |= free_keys(field.annotation, f"{prefix}{name}.")
    return found


def later_defaults(section: type[Section], prefix: str = "", later: bool = False) -> dict[str, Any]:
    """Return the defaults of the fields that came later, by dotted key: what a record leaves out has these.

    >>> later_defaults(RunConfig)["backbone.captions"]
    'as_written'
    """
    found: dict[str, Any] = {}
    for name, field in section.model_fields.items():
        came = later or identity_rule(field) == "changed"
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            found |= later_defaults(field.annotation, f"{prefix}{name}.", came)
        elif came:
            found[prefix + name] = json.loads(json.dumps(field.default, default=plain_value))
    return found


def _kept(section: Section, *, without_free: bool) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, field in type(section).model_fields.items():
        rule, value = identity_rule(field), getattr(section, name)
        if (rule is False and without_free) or (rule == "changed" and value == field.default):
            continue
        kept[name] = _kept(value, without_free=without_free) if isinstance(value, Section) else value
    return kept
