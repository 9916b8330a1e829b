"""What `harness methods` says about a method: built on a backbone without weights and counted, or put to the test."""

import inspect
import json
import sys
from collections.abc import Iterable
from typing import Any

import torch
from pydantic import ValidationError

from harness.cli.layout import paragraph, table
from harness.cli.options import parse_size
from harness.clip.model import load_clip
from harness.config.faults import explain
from harness.config.sections import BackboneConfig, TrainConfig
from harness.config.values import merge
from harness.conformance.check import Result
from harness.conformance.examine import STATES
from harness.errors import UsageError, many
from harness.listener import Listener
from harness.methods import METHODS, Method
from harness.presets.keys import check_keys
from harness.presets.resolve import check_agreement, method_config, parse_override
from harness.train.cost import count_parameters, inference_flops, pair_flops, training_flops

_GIGA = 1e9
COUNTED = ("method", "trained", "of all", "extra", "file MB", "GFLOPs", "training")
COUNTED_WORDS = (
    "Trained: parameters. Extra: those that inference needs besides CLIP's, after folding. File: a float32 checkpoint "
    "of what is trained. GFLOPs: one image and one caption, forward; training: a step for each of its pairs, with all "
    "views, losses and the backward pass, through the towers also where a method trains on cached embeddings."
)


def describe(
    name: str, backbone: str | None, image_size: str | None, overrides: Iterable[str]
) -> dict[str, Any]:
    """Return title, parameter counts, operations and config fields of a method on a backbone.

    Args:
        name: of the method.
        backbone: open_clip model, or `tiny`; None is the default one.
        image_size: as `384x128`; None is that of the method's recipe.
        overrides: `key=value`, a key without a section is the method's.

    Raises `UsageError` for an unknown method, backbone, key or value, and for options that contradict one another.
    """
    method_class = METHODS.get(name)
    recipe = method_class.recipe.get("backbone.image_size", BackboneConfig().image_size)
    given = [(f"The method {method_class.name}", f"method.name={method_class.name}")]
    if backbone:
        given.append((f"--backbone {backbone}", f"backbone.name={json.dumps(backbone)}"))
    if image_size:
        given.append((f"--image-size {image_size}", f"backbone.image_size={list(parse_size(image_size))}"))
    for text in overrides:
        key = text if "." in text.partition("=")[0] else f"method.{text}"
        given.append((f"--set {text}", key))
    check_agreement(given)
    method = _blueprint(method_class, recipe, [override for _, override in given])
    config, clip = method.config, method.clip
    counts = count_parameters(method)
    operations: dict[str, int | None] = {"pair_training": None, **training_flops(method)}
    operations |= pair_flops(method, TrainConfig().compared)
    method.fold()
    docstring = inspect.getdoc(sys.modules[method_class.__module__]) or ""
    return {
        "name": method_class.name,
        "title": docstring.partition("\n")[0],
        "description": docstring,
        "backbone": clip.identity.name,
        "image_size": list(clip.image_size),
        "text_length": clip.text_length,
        "parameters": counts.as_dict() | {"checkpoint_bytes": counts.checkpoint_bytes},
        "flops": operations | inference_flops(method),
        "recipe": method_class.recipe,
        "fields": [
            _field(key, info, config) for key, info in type(config).model_fields.items() if key != "name"
        ],
    }


def describe_all(backbone: str | None, image_size: str | None, listener: Listener) -> list[dict[str, Any]]:
    """Return name, counts and operations of every method on a backbone, in the order of trained parameters.

    A method that the backbone cannot take has `refused`, the reason, in place of figures; raises `UsageError` for a
    backbone that takes none.
    """
    found, methods = [], METHODS.usable()
    listener.on_stage("counting")
    for place, method in enumerate(methods, start=1):
        try:
            described = describe(method.name, backbone, image_size, ())
            found.append({key: described[key] for key in ("name", "backbone", "image_size", *_FIGURES)})
        except UsageError as error:
            found.append({"name": method.name, "refused": str(error)})
        listener.on_count(place, len(methods))
    if all("refused" in row for row in found):
        raise UsageError(found[0]["refused"])
    return sorted(found, key=_trainable)


_FIGURES = ("text_length", "parameters", "flops")


def _trainable(row: dict[str, Any]) -> float:
    return float(row["parameters"]["trainable"]) if "parameters" in row else float("inf")


def show_all(rows: list[dict[str, Any]]) -> None:
    """Print the static table of all methods, and below it what the backbone cannot take."""
    shown = [row for row in rows if "refused" not in row]
    first = shown[0]
    height, width = first["image_size"]
    cells = [counted(row) for row in shown]
    title = f"methods on {first['backbone']}, {height}x{width} pixels, {first['text_length']} tokens"
    table(title, COUNTED, cells, text=("method",))
    paragraph("", COUNTED_WORDS, indent=2)
    for row in rows:
        if "refused" in row:
            paragraph(f"{row['name']}: ", row["refused"], indent=2)


def counted(row: dict[str, Any]) -> tuple[str, ...]:
    """Return what was counted of a method as cells under `COUNTED`."""
    counts, operations = row["parameters"], row["flops"]
    forward = sum(operations[f"{tower}_forward"] for tower in ("image", "text")) / _GIGA
    training = operations["pair_training"]
    return (
        row["name"],
        f"{counts['trainable']:,}",
        f"{100 * counts['trainable'] / counts['total']:.2f} %",
        f"{counts['inference_extra']:,}",
        f"{counts['checkpoint_bytes'] / 1e6:,.1f}",
        f"{forward:,.1f}",
        "–" if training is None else f"{training / _GIGA:,.1f}",
    )


def show_checks(told: dict[str, Any]) -> None:
    """Print a line for each check, and how many passed."""
    results = [Result(**values) for values in told["checks"]]
    header = ("check", "result", "what must hold, or what was found")
    rows = [(result.check, result.state, _words(result)) for result in results]
    table(f"{told['method']} on {told['backbone']}", header, rows, text=header)
    counts = ", ".join(f"{told['counts'][state]} {state}" for state in STATES if told["counts"][state])
    paragraph("", f"{many(len(results), 'check')} of {told['file']} in {told['seconds']:.1f} s: {counts}.")


def _words(result: Result) -> str:
    if result.state == "failed":
        return f"expected: {result.holds}; found: {result.found}; fix: {result.fix}"
    return result.holds if result.why is None else f"{result.holds}: {result.why}"


def _blueprint(method_class: type[Method], size: tuple[int, int], overrides: Iterable[str]) -> Method:
    """Build a method on the meta device: shapes without numbers."""
    values: dict[str, Any] = {"backbone": {"pretrained": None, "image_size": size}}
    for override in overrides:
        merge(values, parse_override(override))
    check_keys(values, method_class)
    config = method_config(method_class, values["method"])
    try:
        clip = load_clip(BackboneConfig(**values["backbone"]), device="meta")
    except ValidationError as error:
        raise UsageError(explain(error, "backbone")) from error
    with torch.device("meta"):
        return method_class(clip, config)


def _field(key: str, info: Any, config: Any) -> dict[str, Any]:
    search = (info.json_schema_extra or {}).get("search")
    return {
        "key": f"method.{key}",
        "value": getattr(config, key),
        "default": info.default,
        "search": _range(search) if search else None,
        "help": info.description,
    }


def _range(search: dict[str, Any]) -> str:
    if "values" in search:
        return ", ".join(map(str, search["values"]))
    return f"{search['low']:g} to {search['high']:g}{', log' if search['log'] else ''}"
