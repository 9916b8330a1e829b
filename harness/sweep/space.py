"""The search space of a sweep: what config fields declare, changed by `--space` and `--fix`."""

import math
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict

from harness.config.fields import Choice, Range, is_free
from harness.config.sections import RunConfig
from harness.config.strict_yaml import parse_yaml, why
from harness.config.values import flatten, merge, nest
from harness.errors import UsageError, brief
from harness.presets.keys import config_keys, unknown_key
from harness.presets.resolve import build
from harness.registry.plug_ins import plugin_class

if TYPE_CHECKING:
    from harness.methods import Method

MEASURES = ("dataset.", "eval.")
_BACKBONE = {"backbone.name", "backbone.pretrained", "backbone.weights"}
_GRID_POINTS, _MOST_POINTS = 4, 10_000
_TYPED = 200
_FORMS = "key=low:high, key=low:high:log or key=a,b,c"
_RANGE = re.compile(r"(?P<key>.+) from (?P<low>\S+) to (?P<high>\S+?)(?P<log> \(log\))?")


class Axis(BaseModel):
    """One searched config key, the values it may take, and whether they are whole numbers."""

    model_config = ConfigDict(frozen=True)
    key: str
    over: Range | Choice
    integer: bool = False

    def __str__(self) -> str:
        if isinstance(self.over, Choice):
            return f"{self.key} in {', '.join(str(value) for value in self.over.values)}"
        return f"{self.key} from {self.over.low:g} to {self.over.high:g}{' (log)' if self.over.log else ''}"

    def holds(self, value: Any) -> bool:
        """Return whether a value is in the space.

        >>> Axis(key="method.lr", over=Range(low=1e-5, high=1e-2)).holds(0.1)
        False
        """
        if isinstance(self.over, Choice):
            return value in self.over.values
        return isinstance(value, int | float) and self.over.low <= value <= self.over.high

    @property
    def named(self) -> bool:
        """Whether the axis is a list of values and not a range of numbers."""
        return isinstance(self.over, Choice)

    def points(self, n: int) -> list[Any]:
        """Return all named values, or `n` evenly spaced ones of a range, both ends included.

        >>> Axis(key="method.lr", over=Range(low=1e-4, high=1e-2, log=True)).points(3)
        [0.0001, 0.001, 0.01]
        """
        if isinstance(self.over, Choice):
            return list(self.over.values)
        low, high, log = self.over.low, self.over.high, self.over.log
        shares = [place / max(n - 1, 1) for place in range(n)]
        values = [low * (high / low) ** x if log else low + (high - low) * x for x in shares]
        rounded = [round(value) if self.integer else float(f"{value:.6g}") for value in values]
        return list(dict.fromkeys(rounded))

    def ends(self) -> tuple[Any, ...]:
        """Return the values that show whether the config takes the whole axis: both ends, or every choice."""
        if isinstance(self.over, Choice):
            return self.over.values
        ends = (self.over.low, self.over.high)
        return tuple(int(end) for end in ends) if self.integer else ends


def parse_axis_text(text: str) -> Axis:
    """Return the axis that its text describes, as older studies noted it; of named values only their text is known.

    >>> parse_axis_text("method.lr from 1e-05 to 0.01 (log)").over.log
    True
    >>> parse_axis_text("method.init in released, zero").over.values
    ('released', 'zero')
    """
    found = _RANGE.fullmatch(text)
    if found is not None:
        ends = {"low": float(found["low"]), "high": float(found["high"])}
        return Axis(key=found["key"], over=Range(**ends, log=bool(found["log"])))
    key, _, values = text.partition(" in ")
    return Axis(key=key, over=Choice(values=tuple(values.split(", "))))


def search_space(method: str, given: Iterable[str] = (), fixed: Iterable[str] = ()) -> list[Axis]:
    """Return the axes that a method declares, with those of `given` put in place or added and `fixed` taken out.

    Args:
        method: registry name.
        given: `key=low:high[:log]` or `key=a,b,c`.
        fixed: `key=value`; the value is the caller's to set.

    Raises `UsageError` for a method that is not trained, an unknown key, a wrong range, or an empty space.
    """
    method_class = plugin_class("methods", method)
    if not method_class.trained:
        raise UsageError(
            f"{method_class.name} trains nothing, so there is nothing to search: `harness run` tests it."
        )
    axes = _declared(method_class)
    asked = {axis.key: axis for axis in (parse_axis(text, method_class) for text in given)}
    axes |= asked
    for key in map(_fixed_key, fixed):
        if key not in config_keys(method_class):
            raise unknown_key(key, config_keys(method_class))
        if key in asked:
            raise UsageError(f"{key} is given both to --space and to --fix: leave one out.")
        axes.pop(key, None)
    if not axes:
        raise UsageError(
            f"Nothing is left to search: add an axis with --space ({_FORMS}), or use `harness run`."
        )
    return list(axes.values())


def _declared(method_class: "type[Method]") -> dict[str, Axis]:
    """Return the axes that config fields declare, by key."""
    axes = {}
    for key, info in config_keys(method_class).items():
        extra = info.json_schema_extra
        search = extra.get("search") if isinstance(extra, dict) else None
        if isinstance(search, dict):
            over = Choice(**search) if "values" in search else Range(**search)
            axes[key] = Axis(key=key, over=over, integer=_is_integer(info) and isinstance(over, Range))
    return axes


def parse_axis(text: str, method_class: "type[Method]") -> Axis:
    """Return the axis that `key=low:high[:log]` or `key=a,b,c` describes."""
    key, sign, values = (part.strip() for part in text.partition("="))
    if not sign or not key or not values:
        raise UsageError(f"--space takes {_FORMS}, but got {brief(text)}.")
    known = config_keys(method_class)
    if key not in known:
        raise unknown_key(key, known)
    _refuse(key, known[key])
    if "," in values:
        return Axis(key=key, over=Choice(values=_choices(text, values)))
    if ":" not in values:
        raise UsageError(
            f"A single value is not a range in --space {brief(text)}: fix it with --fix {_quoted(text)}, or give "
            f"{_FORMS}."
        )
    if not _numbers(known[key]):
        raise UsageError(
            f"{key} takes no range of numbers, but got {brief(text)}: name the values, {key}=a,b."
        )
    integer = _is_integer(known[key])
    return Axis(key=key, over=_range(text, values, integer), integer=integer)


def _quoted(text: str) -> str:
    """Return a text as a shell takes it, or the place of one that nobody would type."""
    return shlex.quote(text) if len(text) < _TYPED and text.isprintable() else "key=value"


def _fixed_key(text: str) -> str:
    """Return the key of `key=value`, as `--fix` takes it."""
    key, sign, _ = text.partition("=")
    if not sign or not key.strip():
        raise UsageError(f"--fix takes key=value, but got {brief(text)}.")
    return key.strip()


def check_axes(config: RunConfig, axes: Sequence[Axis]) -> None:
    """Raise `UsageError` when the config would not take an axis's choices, or a range's ends and middle."""
    for axis in axes:
        middle = [] if axis.named else axis.points(3)[1:-1]
        for value in [*axis.ends(), *middle]:
            with_values(config, {axis.key: value})


def with_values(config: RunConfig, values: Mapping[str, Any]) -> RunConfig:
    """Return a config with some dotted keys set, checked like any other; another backbone brings its own input."""
    from harness.clip.own_input import without_own_input

    nested = config.model_dump()
    if values.keys() & _BACKBONE:
        nested["backbone"] = without_own_input(config.backbone).model_dump()
    for key, value in values.items():
        merge(nested, nest(key, value))
    return build(nested)


def most_epochs(config: RunConfig, axes: Sequence[Axis]) -> int:
    """Return the epochs of the longest run of a search, which may search them, too."""
    searched = [int(max(axis.ends())) for axis in axes if axis.key == "train.epochs"]
    return max(searched, default=config.train.epochs)


def start(config: RunConfig, axes: Sequence[Axis]) -> list[dict[str, Any]]:
    """Return the config's own point, which a search tries first; nothing when it is outside the space."""
    values = flatten(config.model_dump())
    point = {axis.key: values[axis.key] for axis in axes}
    return [point] if all(axis.holds(point[axis.key]) for axis in axes) else []


def grid(axes: Sequence[Axis], n: int = _GRID_POINTS) -> list[dict[str, Any]]:
    """Return every combination of the axes' values, `n` of each range, the last axis running fastest.

    Raises `UsageError` when they are more than a search can try.
    """
    values = [axis.points(n) for axis in axes]
    size = math.prod(map(len, values))
    if size > _MOST_POINTS:
        raise UsageError(
            f"The grid over {', '.join(axis.key for axis in axes)} has {size:,} points, more than {_MOST_POINTS:,}: "
            "fix some keys with --fix, or name fewer values with --space key=a,b,c."
        )
    return [dict(zip((axis.key for axis in axes), row, strict=True)) for row in product(*values)]


def _refuse(key: str, info: Any) -> None:
    """Raise `UsageError` for a key whose values cannot be compared on one validation split."""
    if key.startswith(MEASURES) or key == "seed":
        raise UsageError(
            f"{key} decides what a trial is measured on, so its values cannot be compared: set it with --fix."
        )
    if key == "method.name" or is_free(info):
        raise UsageError(f"{key} is not something to search: it does not change how good a configuration is.")


def _choices(text: str, values: str) -> tuple[Any, ...]:
    choices = tuple(_value(part, text) for part in values.split(","))
    if not all(isinstance(choice, str | int | float | None) for choice in choices):
        raise UsageError(f"--space takes {_FORMS}, but got {brief(text)}.")
    if len(set(choices)) < len(choices):
        raise UsageError(f"A value is given twice in --space {brief(text)}.")
    return choices


def _range(text: str, values: str, integer: bool) -> Range:
    low, high, *rest = (_value(part, text) for part in values.split(":"))
    numbers = all(isinstance(end, int | float) and math.isfinite(end) for end in (low, high))
    if not numbers or rest not in ([], ["log"]):
        raise UsageError(f"--space takes {_FORMS}, but got {brief(text)}.")
    if not low < high:
        raise UsageError(
            f"The range in --space {brief(text)} must be ascending, but {low:g} is not below {high:g}."
        )
    if rest and low <= 0:
        raise UsageError(
            f"A logarithmic range must start above 0, but --space {brief(text)} starts at {low:g}."
        )
    if integer and (low != int(low) or high != int(high)):
        raise UsageError(
            f"The key in --space {brief(text)} takes whole numbers, so both ends of its range must be whole."
        )
    return Range(low=low, high=high, log=bool(rest))


def _value(part: str, text: str) -> Any:
    """Read one value of an axis's text as `--set` does."""
    try:
        return parse_yaml(part.strip())
    except yaml.YAMLError as error:
        raise UsageError(f"--space takes {_FORMS}, but got {brief(text)}: {why(error)}.") from error


def _numbers(info: Any) -> set[Any]:
    """Return which of `int` and `float` a field takes, beside None, words or whatever else."""
    annotation = info.annotation
    kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    plain = {get_args(kind)[0] if get_origin(kind) is Annotated else kind for kind in kinds}
    return plain & {int, float}


def _is_integer(info: Any) -> bool:
    return _numbers(info) == {int}
