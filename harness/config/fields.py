"""What a config field is: its default, help and search range in one place."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.fields import FieldInfo

from harness.limits import LARGEST, MOST


class Range(BaseModel):
    """A numeric search range, ends included; `log` draws it on a logarithmic scale."""

    model_config = ConfigDict(frozen=True)
    low: float
    high: float
    log: bool = False


class Choice(BaseModel):
    """A search range of named values."""

    model_config = ConfigDict(frozen=True)
    values: tuple[Any, ...]


def setting(
    default: Any,
    help: str,
    *,
    search: Range | Choice | None = None,
    identity: bool | Literal["changed"] = True,
    inert: Mapping[str, tuple[Any, ...]] | None = None,
    **limits: Any,
) -> Any:
    """Declare a config field; a number without limits of its own is at most `limits.MOST` or `LARGEST`.

    Args:
        default: the value when nothing else is said.
        help: one line for `--help`, the docs and the MLflow page.
        search: the range that a sweep draws from; None keeps the field out of sweeps.
        identity: False for a field that cannot change a result (workers, paths): it stays out of the run's hash.
            `changed` for a field that came later: only another value than the default enters the hash, so runs made
            before it keep theirs.
        inert: fields beside it, with the values that they all must have for this one to change nothing: nobody can
            set it then.
        limits: pydantic's own limits (`ge`, `le`, `gt`, ...).
    """
    limits = _ends(default, limits) | limits
    extra: dict[str, Any] = {"search": search.model_dump() if search else None, "identity": identity}
    extra |= {"inert": {name: list(values) for name, values in inert.items()}} if inert else {}
    return Field(default, description=help, json_schema_extra=extra, **limits)


def _ends(default: Any, limits: dict[str, Any]) -> dict[str, Any]:
    """Return the ends that a field lacks whose default is a number: work without end is none that was meant."""
    if isinstance(default, bool) or not isinstance(default, int | float):
        return {}
    most = MOST if isinstance(default, int) else LARGEST
    lower = {} if limits.keys() & {"gt", "ge"} else {"ge": -most}
    return lower if limits.keys() & {"lt", "le"} else {**lower, "le": most}


class Section(BaseModel):
    """A frozen part of the configuration; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse true and false where a number is wanted, which pydantic takes for 1 and 0."""
        if isinstance(value, bool) and _is_number(cls.model_fields[str(info.field_name)].annotation):
            raise ValueError("must be a number")
        return value


def _is_number(annotation: Any) -> bool:
    kinds = {annotation, *get_args(annotation)}
    return bool(kinds & {int, float}) and bool not in kinds


def is_free(field: FieldInfo) -> bool:
    """Say whether a field cannot change a result, such as a folder."""
    return identity_rule(field) is False


def inert_where(field: FieldInfo) -> dict[str, list[Any]]:
    """Return the fields beside this one, each with its values, that together leave it nothing to act on."""
    extra = field.json_schema_extra
    return dict(extra.get("inert") or {}) if isinstance(extra, dict) else {}  # type: ignore[arg-type]


def identity_rule(field: FieldInfo) -> Any:
    """Return what `setting` was given as a field's part in the run's hash: True, False or `changed`."""
    extra = field.json_schema_extra
    return extra.get("identity") if isinstance(extra, dict) else True
