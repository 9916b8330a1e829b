"""How a result's settings differ from those of a published row, and which published rows are nearest to it."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from harness.config.identity import free_keys, later_defaults
from harness.config.sections import RunConfig
from harness.config.values import flatten
from harness.errors import HarnessError
from harness.presets.preset_files import own_presets

if TYPE_CHECKING:
    from harness.methods import Method

RELEASED = "released"
SHARE = "dataset.few_shot"
Row = Mapping[Any, Any]


def changed_settings(row: Row) -> dict[str, str]:
    """Return the settings in which a result differs from its method's defaults, or, where nearer, as released.

    On a synthetic twin those are the defaults there. Backbone's name, image size, selection and data are left out, for
    they are compared by themselves; nothing can be said of a method or dataset that is not installed.
    """
    ways = ((), (RELEASED,)) if has_released(row["method"]) else ((),)
    return min((_departures(row, presets, (), bool(row["synthetic"])) for presets in ways), key=len)


def changes(row: Row, published: Row) -> dict[str, str]:
    """Return the settings in which a result differs from those that a published row names, else as above."""
    presets, settings = tuple(published.get("presets") or ()), published.get("set") or {}
    if presets or settings:
        from harness.presets.resolve import override

        overrides = tuple(override(key, value) for key, value in settings.items())
        return _departures(row, presets, overrides, bool(row["synthetic"]))
    return changed_settings(row)


def nearest(row: Row, published: Sequence[Row]) -> list[dict[Any, Any]]:
    """Return the published rows that differ least from a result's settings, each with its `changed` settings.

    Of rows that name their settings only those count that learn from the same share of the images; of several as near,
    those of the result's backbone.
    """
    share = share_of(row["config"])
    found = [
        {**one, "changed": changes(row, one)} for one in published if share_of(one.get("set") or {}) == share
    ]
    if not any(map(names_settings, found)):
        return found
    least = min(len(one["changed"]) for one in found)
    found = [one for one in found if len(one["changed"]) == least]
    return [one for one in found if _same_model(one["backbone"], row["backbone"])] or found


def names_settings(published: Row) -> bool:
    """Say whether a published row names its settings; one that does not is of the method's defaults."""
    return bool(published.get("presets") or published.get("set"))


def share_of(settings: Row) -> float:
    """Return the share of the training images that settings name: all where they name none."""
    return float(settings.get(SHARE, 1.0))


def preset_of(row: Row, *, plain: bool = False) -> tuple[str, dict[str, str]]:
    """Return the method's preset that differs least from a result, and the differences; "" means no preset.

    The preset's name is "" for a method without presets of its own, and of one that is not installed. Where a preset
    says what holds without one, it is named, unless a `plain` name is asked for.
    """
    method = _method(row["method"])
    if method is None:
        return "", {}
    own = [name for name in own_presets(method) if name != RELEASED]
    found = {
        name: _departures(row, (name,) if name else (), (), bool(row["synthetic"]))
        for name in (("", *own) if plain else (*own, ""))
    }
    name = min(found, key=lambda name: len(found[name]))
    return name, found[name]


def _same_model(one: str | None, other: str | None) -> bool:
    """Say whether two names are one model, as papers and open_clip write it.

    >>> _same_model("ViT-B/16", "ViT-B-16-quickgelu"), _same_model("ViT-B/32", "ViT-B-16-quickgelu")
    (True, False)
    """
    return plain_model(one or "") == plain_model(other or "")


def plain_model(name: str) -> str:
    """Return a model's name, or an image size, without the signs in which papers and open_clip differ.

    >>> plain_model("ViT-B-16-quickgelu")
    'vitb16'
    """
    kept = name.lower().removesuffix("-quickgelu")
    return "".join(sign for sign in kept if (sign.isascii() and sign.isalnum()) or sign == "×")


def has_released(method: str) -> bool:
    """Say whether a method has a preset that repeats the authors' released code."""
    found = _method(method)
    return found is not None and RELEASED in own_presets(found)


def _method(name: str) -> "type[Method] | None":
    """Return a method that is installed; only for that is PyTorch loaded, which many reports' pages do without."""
    from harness.methods import METHODS

    return METHODS.find(name)


def _departures(
    row: Row, presets: tuple[str, ...], overrides: tuple[str, ...], synthetic: bool
) -> dict[str, str]:
    """Return the keys in which a result differs from a configuration, with the result's values."""
    try:
        values = _settings(row["method"], row["trained_on"], presets, overrides, synthetic)
    except HarnessError:
        return {}
    own = {key: str(value) for key, value in later_defaults(RunConfig).items()} | dict(row["config"])
    return {key: own[key] for key, value in values.items() if own.get(key, value) != value}


@cache
def _settings(
    method: str, dataset: str, presets: tuple[str, ...], overrides: tuple[str, ...], synthetic: bool
) -> dict[str, str]:
    from harness.presets.resolve import resolve

    config = resolve(method, dataset, synthetic=synthetic, presets=presets, overrides=overrides)
    values = flatten(config.model_dump(mode="json"))
    free = free_keys(RunConfig) | free_keys(type(config.method), "method.")
    return {key: str(value) for key, value in values.items() if _counts(key) and key not in free}


def _counts(key: str) -> bool:
    apart = ("backbone.name", "backbone.image_size")
    return key.startswith(("method.", "train.", "backbone.")) and key not in apart
