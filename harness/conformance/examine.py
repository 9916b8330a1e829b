"""What `harness methods test` does: a method, of any file, put through all checks."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.config.values import merge
from harness.conformance.bench import BACKBONE, Bench
from harness.conformance.suite import run_checks
from harness.errors import UsageError
from harness.methods import METHODS, Method
from harness.presets.keys import check_keys
from harness.presets.preset_files import read_preset
from harness.presets.resolve import fitting, method_config, parse_override

STATES = ("passed", "failed", "not reached", "does not apply")


def examine(
    method: str, presets: Sequence[str] = (), overrides: Sequence[str] = (), backbone: str | None = None
) -> dict[str, Any]:
    """Put a method through all checks; return name, file, backbone, settings, results and how many of each.

    Args:
        method: name of a method, or path of its file.
        presets: of which the method's own fields act.
        overrides: `key=value`, a key without a section is the method's.
        backbone: a tiny CLIP of other sizes.

    Raises `UsageError` for what is not there or cannot be set, `HarnessError` for a file that cannot be imported.
    """
    method_class = METHODS.take(Path(method)) if _is_file(method) else METHODS.get(method)
    fields = _fields(method_class, presets, overrides)
    bench = Bench(method_class, fields, backbone or BACKBONE)
    results = run_checks(bench)
    n = Counter[str](result.state for result in results)
    return {
        "method": method_class.name,
        "file": str(bench.file),
        "backbone": bench.backbone,
        "fields": fields,
        "checks": [asdict(result) for result in results],
        "counts": {state: n[state] for state in STATES},
        "seconds": sum(result.seconds for result in results),
    }


def _is_file(method: str) -> bool:
    """Return whether a method is meant by its file: a name has neither an ending nor a folder."""
    return method.endswith(".py") or "/" in method or "\\" in method


def _fields(method_class: type[Method], presets: Sequence[str], overrides: Sequence[str]) -> dict[str, Any]:
    """Return the method's own fields that presets and settings change; raise `UsageError` where they are wrong."""
    chosen = {"method": method_class.name}
    values: dict[str, dict[str, Any]] = {"method": {}}
    for name in presets:
        of_preset = fitting(read_preset(name, method_class), chosen, f"the preset {name}")
        merge(values, {"method": of_preset.get("method") or {}})
    for text in overrides:
        key = text if "." in text.partition("=")[0] else f"method.{text}"
        of_override = fitting(parse_override(key), chosen, f"--set {text}")
        if set(of_override) != {"method"}:
            raise UsageError(f"--set {text}: only fields of the method act here, as --set method.lr=0.001.")
        merge(values, of_override)
    check_keys(values, method_class)
    method_config(method_class, {"name": method_class.name, **values["method"]})
    return values["method"]
