"""The reference of the settings, from the sections of the config."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from docs.generate.markdown import code, page, table, text
from harness.config.fields import identity_rule
from harness.config.sections import RunConfig
from harness.limits import LARGEST

_HEADER = ("setting", "default", "what it is", "values")
_ENDS = (("ge", "at least {}"), ("gt", "more than {}"), ("le", "at most {}"), ("lt", "less than {}"))
_INTRODUCTION = (
    "`--set SECTION.FIELD=VALUE` changes a setting, a preset (a YAML file) several; `harness run ... --dry-run` prints "
    "all values of a run. What a method adds is with [the methods](methods.md). A ○ marks what cannot change a result "
    "and is no part of a run's identity."
)


def settings() -> str:
    """Return the page: every section with its fields, and the fields that belong to no section."""
    return page("Settings", _INTRODUCTION, *_sections(RunConfig, ""))


def _sections(model: type[BaseModel], prefix: str) -> Iterator[str]:
    plain = {name: field for name, field in model.model_fields.items() if _section(field) is None}
    if plain:
        yield f"## {prefix.rstrip('.') or 'run'}"
        yield text(model.__doc__ or "")
        yield fields_table(prefix, plain.items())
    for name, field in model.model_fields.items():
        section = _section(field)
        if section is not None and name != "method":
            yield from _sections(section, f"{prefix}{name}.")


def fields_table(
    prefix: str, fields: Iterable[tuple[str, FieldInfo]], searched: Mapping[str, str] | None = None
) -> str:
    """Return a table of fields whose keys begin with `prefix`, with the range that a sweep searches where given."""
    rows = [(f"{prefix}{name}", field) for name, field in fields]
    if searched is None:
        return table(_HEADER, (_row(key, field) for key, field in rows))
    header = (*_HEADER, "searched")
    return table(header, ((*_row(key, field), text(searched.get(key, "–"))) for key, field in rows))


def _row(key: str, field: FieldInfo) -> tuple[str, ...]:
    free = "" if identity_rule(field) else " ○"
    return (f"`{key}`{free}", code(_shown(field.default)), text(field.description or ""), _values(field))


def _shown(value: Any) -> str:
    """Return a value as `--set` takes it.

    >>> _shown((384, 128)), _shown(None), _shown(1e-05)
    ('[384, 128]', 'null', '1e-05')
    """
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return str(list(value)) if isinstance(value, tuple) else str(value)


def _values(field: FieldInfo) -> str:
    named = [value for value in _literals(field.annotation) if value is not None]
    if named:
        return ", ".join(code(value) for value in named)
    ends = [
        words.format(getattr(limit, name))
        for limit in field.metadata
        for name, words in _ENDS
        if hasattr(limit, name) and abs(getattr(limit, name)) < LARGEST
    ]
    return text(", ".join(ends)) or "–"


def _literals(annotation: Any) -> Iterator[Any]:
    for part in get_args(annotation):
        if isinstance(part, str):
            yield part
        elif not isinstance(part, type):
            yield from _literals(part)


def _section(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
