"""Turn names, presets and overrides into one checked `RunConfig`, and say what differs from the defaults."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from harness.config.faults import explain
from harness.config.removed import without_removed
from harness.config.sections import DatasetConfig, MethodConfig, RunConfig
from harness.config.strict_yaml import parse_yaml, why
from harness.config.values import flatten, merge, nest
from harness.data.own_data import OWN_SETTINGS, own_settings, remember
from harness.data.protocols.joint_names import joint_defaults, parts_of, shares
from harness.datasets import DATASETS, PersonDataset, is_test_only
from harness.errors import UsageError, brief
from harness.presets.agreement import check_acts, check_parts, check_rule
from harness.presets.file_contents import with_contents
from harness.presets.keys import LONGEST_KEY, check_keys, unknown_key
from harness.presets.preset_files import read_preset, synthetic_presets
from harness.registry.plug_ins import plugin_class

if TYPE_CHECKING:
    from harness.methods import Method


def resolve(
    method: str,
    dataset: str,
    *,
    synthetic: bool = False,
    presets: Sequence[str] = (),
    overrides: Iterable[str] = (),
) -> RunConfig:
    """Return the configuration of a run.

    Later layers win: field defaults, the method's recipe, the dataset's own defaults, the preset `tiny` when
    synthetic, `presets` in order (when synthetic, each followed by `METHOD.PRESET.tiny.yaml` where there is one),
    `overrides` (`section.field=value`, the value read as YAML).

    Raises `UsageError` for an unknown name or key, with the nearest match, for a value out of range, for a dataset
    without a training split, for a preset or an override that names another method or dataset, and for an override
    that changes nothing beside the others.
    """
    first = parts_of(dataset)[0]
    method_class, dataset_class = plugin_class("methods", method), DATASETS.get(first)
    _check_trains(dataset_class)
    chosen = {"method": method_class.name, "dataset": dataset_class.name}
    values = usual_values(method_class, dataset, synthetic=synthetic, presets=presets)
    given: set[str] = set()
    for override in overrides:
        one = fitting(parse_override(override), chosen, f"--set {override}")
        given |= flatten(one).keys()
        merge(values, one)
    config = build(values)
    _check_own(config.dataset, dataset_class)
    check_acts(config, given)
    return config


def usual_values(
    method_class: "type[Method]", dataset: str, *, synthetic: bool = False, presets: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the values of a run before its overrides: the defaults, then its presets, on a twin `tiny` first."""
    first, *others = parts_of(dataset)
    dataset_class = DATASETS.get(first)
    chosen = {"method": method_class.name, "dataset": dataset_class.name}
    values = defaults(method_class, dataset_class)
    if others:
        merge(values, joint_defaults([first, *others]))
    names = synthetic_presets(presets, method_class) if synthetic else list(presets)
    for name in names:
        merge(values, fitting(read_preset(name, method_class), chosen, f"the preset {name}"))
    if synthetic:
        merge(values, {"dataset": {"synthetic": True}})
    return values


def _check_trains(dataset: type[PersonDataset]) -> None:
    """Raise `UsageError` for a dataset that only tests what was trained elsewhere."""
    if is_test_only(dataset):
        raise UsageError(
            f"{dataset.title} has no training split, it is a test alone: train on another dataset, then test the run "
            f"with: harness evaluate RUN --dataset {dataset.name}"
        )


def fitting(values: dict[str, Any], chosen: Mapping[str, str], source: str) -> dict[str, Any]:
    """Return a layer's values without the names of method and dataset; raise `UsageError` where they are others."""
    values = dict(values)
    for section, name in chosen.items():
        if not isinstance(part := values.get(section), Mapping) or "name" not in part:
            continue
        if str(part["name"]).replace("-", "_") != name:
            raise UsageError(
                f"The {section} is {name}, but {source} is for {str(part['name'])[:60]}: choose one of them."
            )
        values[section] = {key: value for key, value in part.items() if key != "name"}
    return values


def check_agreement(given: Iterable[tuple[str, str]]) -> None:
    """Raise `UsageError` when two options give one key different values: neither should win unseen.

    Args:
        given: each option as it is written, and the override that it stands for: `("--seed 3", "seed=3")`.
    """
    known: dict[str, tuple[str, Any]] = {}
    for option, override in given:
        for key, value in flatten(parse_override(override)).items():
            earlier, before = known.setdefault(key, (option, value))
            if before != value:
                raise UsageError(f"{earlier} and {option} contradict one another: leave one of them out.")


def build(values: Mapping[str, Any], *, stored: bool = False) -> RunConfig:
    """Check nested values and return them as a `RunConfig`, with what its files hold, as a `stored` one has."""
    values = {key: dict(value) if isinstance(value, Mapping) else value for key, value in values.items()}
    method = values.get("method")
    if not isinstance(method, Mapping):
        raise UsageError("`method` is a section and takes no value: set its fields, such as method.lr.")
    method_class = plugin_class("methods", str(method.get("name", "")))
    check_keys(values, method_class)
    values["method"] = method_config(method_class, values["method"])
    if isinstance(data := values.get("dataset"), Mapping):
        remember(data)
    try:
        config = _with_own_input(RunConfig(**values))
        config = config if stored else with_contents(config)
    except ValidationError as error:
        raise UsageError(explain(error)) from error
    if not stored:
        check_parts(config.train)
    check_rule(config, method_class)
    if config.dataset.joined:
        shares(config.dataset)
    return config


def method_config(method_class: "type[Method]", values: Mapping[str, Any]) -> MethodConfig:
    """Return the config of a method; raise `UsageError` for values that it does not take."""
    try:
        return method_class.Config(**values)
    except ValidationError as error:
        raise UsageError(explain(error, "method")) from error


def _check_own(data: DatasetConfig, dataset: type[PersonDataset]) -> None:
    """Raise `UsageError` where settings of data of one's own were changed by hand, or a twin of them is asked for."""
    if dataset.own and data.synthetic:
        raise UsageError(
            f"{data.name} has no synthetic twin, it is data of your own: leave --synthetic out, or use --preset tiny."
        )
    if {key: getattr(data, key) for key in OWN_SETTINGS} != own_settings(dataset):
        raise UsageError(
            "dataset.file, images, columns and shares are set by --data, --images, --columns and --shares: give these."
        )


def build_stored(values: Mapping[str, Any]) -> RunConfig:
    """Return what `build` does, of values that were stored: settings that are gone since are passed over."""
    return build(without_removed(values), stored=True)


def parse_override(text: str) -> dict[str, Any]:
    """Return `a.b=value` as nested values, the value read as YAML.

    >>> parse_override("train.epochs=3")
    {'train': {'epochs': 3}}
    >>> parse_override("method.lr=1e-4")
    {'method': {'lr': 0.0001}}
    >>> parse_override("dataset.store=off")
    {'dataset': {'store': 'off'}}
    """
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise UsageError(f"--set takes section.field=value, but got {brief(text)}.")
    if len(key) > LONGEST_KEY:
        raise unknown_key(key, ())
    try:
        parsed = parse_yaml(value)
    except yaml.YAMLError as error:
        raise UsageError(f"The value in --set {brief(text)} is not valid YAML: {why(error)}.") from error
    return nest(key.strip(), parsed)


def override(key: str, value: Any) -> str:
    """Return a setting as the override that gives exactly this value, text that looks like a number included.

    >>> override("method.loss", "sdm"), override("dataset.val", "null")
    ('method.loss="sdm"', 'dataset.val="null"')
    """
    return f"{key}={json.dumps(value, ensure_ascii=False)}"


def differences(config: RunConfig) -> list[tuple[str, Any, Any]]:
    """Return (key, real default, value) for all that differs from a run without presets and overrides."""
    method_class = plugin_class("methods", config.method.name)
    plain = defaults(method_class, DATASETS.get(config.dataset.name))
    return changed(_build_unchecked(plain), config)


def changed(plain: RunConfig, config: RunConfig) -> list[tuple[str, Any, Any]]:
    """Return (key, value in `plain`, value) for all that a config has otherwise."""
    default, values = (flatten(one.model_dump(mode="json")) for one in (plain, config))
    return [(key, default.get(key), value) for key, value in values.items() if value != default.get(key)]


def _build_unchecked(values: Mapping[str, Any]) -> RunConfig:
    """Build a config without the checks between sections."""
    method_class = plugin_class("methods", str(values["method"]["name"]))
    return _with_own_input(RunConfig(**{**values, "method": method_class.Config(**values["method"])}))


def _with_own_input(config: RunConfig) -> RunConfig:
    """Return a config whose backbone's input is settled: what nobody chose is as the backbone was trained."""
    from harness.clip.own_input import with_own_input

    return config.model_copy(update={"backbone": with_own_input(config.backbone)})


def defaults(method_class: "type[Method]", dataset_class: type[PersonDataset]) -> dict[str, Any]:
    """Return the values of a run without presets and overrides: what method and dataset set of their own."""
    values: dict[str, Any] = {
        "method": {"name": method_class.name},
        "dataset": {
            "name": dataset_class.name,
            "val": dataset_class.default_val,
            **own_settings(dataset_class),
        },
    }
    if dataset_class.text_length > PersonDataset.text_length:
        merge(values, {"backbone": {"text_length": dataset_class.text_length}})
    for key, value in method_class.recipe.items():
        merge(values, nest(key, value))
    return values
