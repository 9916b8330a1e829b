"""Read a suite: a shipped one by name, or a YAML file; every mistake in it is one message that names the place."""

from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from harness.config.strict_yaml import read_yaml
from harness.errors import UsageError, brief, nearest, unknown
from harness.registry.plug_ins import plugins
from harness.registry.set_names import split_sets
from harness.suites.published_tables import published_names
from harness.suites.schema import OTHERS, Row, Suite

_SUITES = Path(__file__).resolve().parent
_ENDINGS = (".yaml", ".yml")
_SAID = {
    "missing": "is missing",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "tuple_type": "must be a list",
    "dict_type": "must be keys with values",
    "model_type": "must be keys with values",
    "too_short": "must not be empty",
    "invalid_key": "must be text",
}


def suite_names() -> list[str]:
    """Return the names of the shipped suites in alphabetical order."""
    return sorted(file.stem for file in _SUITES.glob("*.yaml"))


def load_suite(text: str) -> Suite:
    """Return the suite called `text` (`-` counts as `_`), or that of a YAML file given by path.

    Paths of presets are relative to the suite's file. Raises `UsageError` that names file and key.
    """
    file = find_suite(text)
    values = read_yaml(file, what="suite", holds=f"the keys {', '.join(Suite.model_fields)}")
    values.setdefault("name", file.stem)
    try:
        suite = Suite.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"The suite {file} {_explain(error, values)}") from error
    try:
        _check_names(suite)
        if file.parent != _SUITES and suite.report is not None:
            _check_known("report", [suite.report], plugins("reports").names())
    except UsageError as error:
        raise UsageError(f"The suite {file}: {error}") from error
    return _with_preset_files(suite, file.parent)


def shipped_suite(name: str | None) -> Suite | None:
    """Return the shipped suite of a name (`-` counts as `_`); None for no name or that of a suite of the user's."""
    known = (name or "").replace("-", "_")
    return load_suite(known) if known in suite_names() else None


def find_suite(text: str) -> Path:
    """Return the file of a suite, shipped or given by path; raise `UsageError` for an unknown name."""
    if text.endswith(_ENDINGS):
        return Path(text)
    name = text.replace("-", "_")
    if name not in suite_names():
        known = ", ".join(suite_names())
        raise UsageError(
            f"Unknown suite {brief(text)}.{nearest(name, suite_names())} Known: {known}; or a .yaml file."
        )
    return _SUITES / f"{name}.yaml"


def _explain(error: ValidationError, values: Mapping[str, Any]) -> str:
    """Return the first unknown key, else all wrong values, as one readable message."""
    items = error.errors(include_url=False)
    for item in items:
        if item["type"] == "extra_forbidden":
            return _unknown_key(item["loc"], values)
    # A list whose only entry is wrong is called too short as well.
    wrong = [item for item in items if item["type"] != "too_short" or not _inside(item["loc"], items)]
    return "has a wrong value: " + "; ".join(_wrong(item, values) for item in wrong) + "."


def _inside(place: Sequence[int | str], items: Iterable[Any]) -> bool:
    """Return whether something is wrong further inside a place."""
    return any(len(item["loc"]) > len(place) and item["loc"][: len(place)] == place for item in items)


def _unknown_key(place: Sequence[int | str], values: Mapping[str, Any]) -> str:
    model: type[BaseModel] = Row if place[0] == "rows" else Suite
    key, known = str(place[-1]), list(model.model_fields)
    where = _where(place[:-1], values)
    return (
        f"has an unknown key {brief(key)}{f' in {where}' if where else ''}."
        f"{nearest(key, known)} Known: {', '.join(known)}."
    )


def _wrong(item: Any, values: Mapping[str, Any]) -> str:
    place, kind, given = item["loc"], item["type"], item["input"]
    said = item["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    plain = given is None or isinstance(given, str | int | float | list)
    got = f", but got {brief(given)}" if plain and kind not in ("missing", "too_short") else ""
    where = _where(place, values)
    return f"{where}: {_SAID.get(kind, said)}{got}" if where else said


def _where(place: Sequence[int | str], values: Mapping[str, Any]) -> str:
    """Return a place in the file in words: `row 'cskt', vary method.lr`."""
    parts = [str(part) for part in place if part != "[key]"]
    if len(place) > 1 and place[0] == "rows":
        parts[:2] = [_row(int(place[1]), values)]
    return ", ".join(parts)


def _row(index: int, values: Mapping[str, Any]) -> str:
    row = values["rows"][index]
    name = (row.get("name") or row.get("method")) if isinstance(row, dict) else None
    return f"row {index + 1}" + (f" ({brief(name)})" if isinstance(name, str) else "")


def _check_names(suite: Suite) -> None:
    """Raise `UsageError` with the nearest match for a name that no plug-in or published table has."""
    # Where these are imported, those that a file of the user's describes are known, too.
    import_module("harness.datasets")
    datasets = plugins("datasets").names()
    wanted = [*suite.datasets, *suite.synthetic_datasets]
    _check_known("dataset", [part for name in wanted for part in split_sets(name)], datasets)
    _check_known("dataset", suite.evaluate, [*datasets, OTHERS])
    _check_known("method", (row.method for row in suite.rows), plugins("methods").names())
    _check_known("published table", suite.published, published_names())


def _check_known(kind: str, names: Iterable[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise unknown(kind, name, known)


def _with_preset_files(suite: Suite, folder: Path) -> Suite:
    """Return the suite with its preset files found from anywhere."""
    rows = tuple(row.model_copy(update={"presets": _found(row.presets, folder)}) for row in suite.rows)
    return suite.model_copy(update={"rows": rows, "presets": _found(suite.presets, folder)})


def _found(presets: Iterable[str], folder: Path) -> tuple[str, ...]:
    return tuple(str(folder / name) if name.endswith(_ENDINGS) else name for name in presets)
