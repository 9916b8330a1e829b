"""Which version of method, dataset and metrics a result is of, and which there is today; nothing heavy is imported."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from harness.datasets import DATASETS
from harness.errors import HarnessError
from harness.metric_names import PROTOCOL_VERSION
from harness.record import Record
from harness.registry.plug_ins import plugin_class, plugins

BEFORE_VERSIONS = "made before versions were noted"


def older_of(record: Record) -> list[str]:
    """Return in words what of a record is of another version than today's."""
    return older_parts(record.config["method"]["name"], record.config["dataset"]["name"], record.versions)


def older_parts(method: str, dataset: str, versions: Mapping[str, int | None]) -> list[str]:
    """Return in words what of a result is of another version than today's.

    Args:
        method: its method.
        dataset: the dataset it was trained on.
        versions: of `method`, `dataset` and `protocol`, as its record notes them; empty of an early one.

    >>> older_parts("zero_shot", "icfg", {"method": 1, "dataset": 0, "protocol": 1})
    ['version 0 of the dataset icfg, today 1']
    >>> older_parts("zero_shot", "icfg", {})
    ['made before versions were noted']
    """
    if not versions:
        return [BEFORE_VERSIONS]
    return [
        words
        for part, today in _today(method, dataset).items()
        if (words := _unlike(part, versions.get(part.split()[0]), today))
    ]


def older_protocol(result: Mapping[str, Any]) -> str:
    """Return in words that a test on another dataset is of other metrics than today's; else nothing."""
    return _unlike("protocol of the metrics", result.get("protocol"), PROTOCOL_VERSION)


def _unlike(part: str, was: int | None, today: int | None) -> str:
    """Return in words how a version differs; nothing where it does not, or is not known here."""
    if was is None or today is None or was == today:
        return ""
    kind, _, name = part.partition(" ")
    return f"version {was} of the {kind}{' ' * bool(name)}{name}, today {today}"


def _today(method: str, dataset: str) -> dict[str, int | None]:
    """Return the versions of today by what they are of; None of what is not installed here."""
    return {
        f"method {method}": _of_method(method),
        f"dataset {dataset}": _of_dataset(dataset),
        "protocol of the metrics": PROTOCOL_VERSION,
    }


@cache
def _of_method(name: str) -> int | None:
    """Return a method's version, told from its file where it has one."""
    try:
        said = plugins("methods").said(name) if name.isidentifier() else None
        version = said.values.get("version", 1) if said else plugin_class("methods", name).version
    except (HarnessError, ImportError):
        return None
    return version if isinstance(version, int) else None


@cache
def _of_dataset(name: str) -> int | None:
    try:
        return DATASETS.get(name).version
    except HarnessError:
        return None
