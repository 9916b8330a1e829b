"""What a shell offers when TAB is pressed: names from files and folders, without importing anything heavy.

A name that a shell would read otherwise than it is written, as one with a space or `$(...)`, is never offered.
"""

import json
import os
import shlex
from collections.abc import Callable, Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem

from harness.errors import HarnessError
from harness.paths import SCHEMAS, runs_root

Offer = Callable[[click.Context], Iterable[str]]


def offering(names: Offer) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Return click's `shell_complete` of an option or argument whose values have names."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return offered(lambda: names(ctx), incomplete)

    return complete


def offered(names: Callable[[], Iterable[str]], incomplete: str) -> list[CompletionItem]:
    """Return the names that begin so and are harmless on a command line; none where they cannot be read."""
    try:
        found = sorted({name for name in names() if name.startswith(incomplete)})
    except (HarnessError, OSError, ValueError, LookupError):
        return []
    return [CompletionItem(name) for name in found if shlex.quote(name) == name]


def runs(ctx: click.Context) -> list[str]:
    """Return the names of the recorded runs."""
    from harness.record import all_runs

    return [folder.path.name for folder in all_runs(runs_root(_given(ctx, "runs", "root")).path)]


def studies(ctx: click.Context) -> list[str]:
    """Return the names of the studies in the SQLite file beside the runs; a storage elsewhere is not asked."""
    from harness.queue.storage_place import VARIABLE, names_in, own_file

    if _given(ctx, "storage") or os.environ.get(VARIABLE):
        return []
    return names_in(own_file(runs_root(_given(ctx, "runs")).path))


def methods(ctx: click.Context) -> list[str]:
    """Return the names of the methods."""
    from harness.registry.plug_ins import plugins

    return plugins("methods").names()


def datasets(ctx: click.Context) -> list[str]:
    """Return the names of the datasets."""
    from harness.registry.plug_ins import plugins

    return plugins("datasets").names()


def subjects(ctx: click.Context) -> list[str]:
    """Return what the report that is named can be about: runs, studies or datasets, as its file says."""
    from harness.registry.plug_ins import plugins

    said = plugins("reports").said(str(_given(ctx, "name") or ""))
    takes = said.values.get("takes", ()) if said is not None else ()
    if not takes or len(given := ctx.params.get("subjects") or ()) >= len(takes):
        return []
    word = takes[len(given)]
    return {"study": studies, "dataset": datasets}.get(word, runs)(ctx)


def presets(ctx: click.Context) -> list[str]:
    """Return the presets of the methods that are named already, else those that every method takes."""
    from harness.presets.preset_files import presets_of

    return presets_of(_methods(ctx))


def settings(ctx: click.Context) -> list[str]:
    """Return the keys of `--set` with an equals sign, and each of a few values with its key."""
    names = _methods(ctx)
    files = [SCHEMAS / f"preset.{name}.json" for name in names if name.isidentifier()]
    shared = json.loads((SCHEMAS / "preset.json").read_text(encoding="utf-8"))
    own = [json.loads(file.read_text(encoding="utf-8")) for file in files if file.is_file()] or [shared]
    found = dict(_fields(shared, shared, ""))
    keys = {key: field for key, field in found.items() if not key.startswith("method.")}
    for one in own:
        method = one["$defs"]["MethodConfig"]["properties"]
        keys |= {f"method.{name}": field for name, field in method.items() if name != "name"}
    return [text for key, field in keys.items() for text in (f"{key}=", *_choices(key, field))]


def _fields(
    schema: dict[str, Any], part: dict[str, Any], prefix: str
) -> Iterable[tuple[str, dict[str, Any]]]:
    for name, field in part["properties"].items():
        if "$ref" in field:
            yield from _fields(schema, schema["$defs"][field["$ref"].rpartition("/")[2]], f"{prefix}{name}.")
        else:
            yield prefix + name, field


def _choices(key: str, field: dict[str, Any]) -> list[str]:
    values = [value for one in (field, *field.get("anyOf", ())) for value in one.get("enum", ())]
    words = ["true", "false"] if field.get("type") == "boolean" else [str(value) for value in values]
    return [f"{key}={word}" for word in words]


def _methods(ctx: click.Context) -> list[str]:
    """Return the methods that the command line names so far."""
    given = _given(ctx, "methods", "method", "name") or _first_word(ctx)
    names = [given] if isinstance(given, str) else list(given or ())
    return [name.replace("-", "_") for name in names]


def _first_word(ctx: click.Context) -> str | None:
    """Return the method that is the first argument: click does not place arguments while an option lacks its value."""
    first = next((param.name for param in ctx.command.params if isinstance(param, click.Argument)), None)
    return ctx.args[0] if ctx.args and first in ("method", "name") else None


def _given(ctx: click.Context, *names: str) -> Any:
    return next((value for name in names if (value := ctx.params.get(name))), None)
