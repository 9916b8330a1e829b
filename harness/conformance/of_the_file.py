"""Checks of what the file says: its docstring and its config, without a model."""

import sys
from typing import Any

from pydantic import ValidationError

from harness.conformance.bench import Bench
from harness.conformance.check import Fault
from harness.errors import listed
from harness.methods import OptimisedConfig, TrainedConfig

_SEARCHED = ("lr", "weight_decay", "warmup_epochs", "temperature")
_LINES = 3


def docstring(bench: Bench) -> None:
    """The file begins with a docstring of three lines or more."""
    lines = (sys.modules[bench.method_class.__module__].__doc__ or "").strip().splitlines()
    if len(lines) < _LINES:
        raise Fault(
            f"the docstring at the top of {bench.file.name} has {len(lines)} of at least {_LINES} lines",
            "say in it what the method is, its paper with a link, and what deviates from it",
        )


def fields(bench: Bench) -> None:
    """Every field says what it is, and what all trained methods search has a range."""
    config = bench.method_class.Config.model_fields
    silent = [name for name, field in config.items() if not field.description]
    if silent:
        raise Fault(f"no help for {listed(silent)}", "declare fields by setting(default, help, search=...)")
    if not bench.method_class.trained:
        return
    lacking = [name for name in _SEARCHED if name not in config or not _search(config[name])]
    if lacking:
        raise Fault(
            f"no search range for {listed(lacking)}",
            f"let Config extend TrainedConfig or {OptimisedConfig.__name__}, and give a field that it declares anew a "
            "range, as setting(1e-3, help, search=Range(low=1e-5, high=1e-1, log=True))",
        )


def ranges(bench: Bench) -> None:
    """A default lies in its own search range."""
    outside = [
        f"{name}={field.default}"
        for name, field in bench.method_class.Config.model_fields.items()
        if (search := _search(field)) and not _holds(search, field.default)
    ]
    if outside:
        raise Fault(f"{listed(outside)} is outside", "widen the search range, or choose another default")


def searched(bench: Bench) -> None:
    """Every field of the method's own has a search range or is named in `held`, and no other is."""
    config = bench.method_class.Config
    own = [name for name in config.model_fields if name not in TrainedConfig.model_fields]
    unsearched = {name for name in own if not _search(config.model_fields[name])}
    if lacking := sorted(unsearched - set(config.held)):
        raise Fault(
            f"{listed(lacking)} has neither",
            f"give it search=Range(...) or search=Choice(...), or set held = {(*config.held, *lacking)!r} in Config",
        )
    if idle := sorted(set(config.held) - unsearched):
        raise Fault(
            f"held names {listed(idle)}, which is searched or is no field of its own", "take it out of held"
        )


def unknown_field(bench: Bench) -> None:
    """A field that is not there is refused."""
    try:
        bench.method_class.Config(**{"name": bench.method_class.name, **bench.fields, "no_such_field": 1})
    except ValidationError as error:
        if any(fault["type"] == "extra_forbidden" for fault in error.errors()):
            return
    raise Fault("Config takes no_such_field=1 without a word", "leave model_config of Config as it is")


def _search(field: Any) -> dict[str, Any] | None:
    extra = field.json_schema_extra
    return extra.get("search") if isinstance(extra, dict) else None


def _holds(search: dict[str, Any], value: Any) -> bool:
    if "values" in search:
        return value in search["values"]
    return bool(search["low"] <= value <= search["high"])
