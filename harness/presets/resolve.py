"""Turn names, presets and overrides into one checked `RunConfig`, and say what differs from the defaults."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from harness.config.sections import RunConfig, flatten
from harness.datasets import DATASETS, PersonDataset
from harness.errors import UsageError, nearest
from harness.methods import METHODS, Method

PRESETS = Path(__file__).resolve().parent
SYNTHETIC_PRESET = "tiny"
SECTIONS = tuple(RunConfig.model_fields)


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
    synthetic, `presets` in order, `overrides` (`section.field=value`, the value read as YAML).

    Raises `UsageError` for an unknown name or key, with the nearest match, and for a value out of range.
    """
    method_class, dataset_class = METHODS.get(method), DATASETS.get(dataset)
    values = _defaults(method_class, dataset_class)
    names = [SYNTHETIC_PRESET, *presets] if synthetic else list(presets)
    for name in names:
        merge(values, read_preset(name, method_class))
    if synthetic:
        merge(values, {"dataset": {"synthetic": True}})
    for override in overrides:
        merge(values, parse_override(override))
    return build(values)


def build(values: Mapping[str, Any]) -> RunConfig:
    """Check nested values and return them as a `RunConfig`; the method's own config class is looked up by name."""
    values = {key: dict(value) if isinstance(value, Mapping) else value for key, value in values.items()}
    method_class = METHODS.get(str(values.get("method", {}).get("name", "")))
    check_keys(values, method_class)
    try:
        values["method"] = method_class.Config(**values["method"])
        config = RunConfig(**values)
    except ValidationError as error:
        raise UsageError(explain(error)) from error
    check_rule(config, method_class)
    return config


def check_rule(config: RunConfig, method_class: type[Method]) -> None:
    """Raise `UsageError` when the selection rule cannot be applied to what the run evaluates."""
    if not method_class.trained:
        return
    data = config.dataset
    validates = data.val == "holdout" or (data.val == "own" and data.train_on == "train")
    if config.eval.rule == "val" and not validates:
        raise UsageError(
            "Without a validation split the rule `val` cannot choose an epoch: "
            "use --set eval.rule=last, or keep a validation split (--val holdout, --train-on train)."
        )
    if config.eval.rule == "oracle" and not config.eval.test_each_epoch:
        raise UsageError(
            "The rule `oracle` looks at the test split every epoch, which biases the result: "
            "if that is what you want, add --set eval.test_each_epoch=true."
        )


def read_preset(name: str, method_class: type[Method]) -> dict[str, Any]:
    """Return a preset's values: the shared file, then the method's own; or any YAML file given by path."""
    if name.endswith((".yaml", ".yml")):
        return read_yaml(Path(name))
    files = [file for file in preset_files(name, method_class) if file.is_file()]
    if not files:
        known = known_presets(method_class)
        raise UsageError(
            f"Unknown preset {name!r}.{nearest(name, known)} Known: {', '.join(known)}; or a .yaml file."
        )
    values: dict[str, Any] = {}
    for file in files:
        part = read_yaml(file)
        if file.parent == PRESETS:
            part["method"] = _fitting(part.get("method", {}), method_class)
        merge(values, part)
    return values


def preset_files(name: str, method_class: type[Method]) -> list[Path]:
    """Return the places where a preset may stand, shared first."""
    return [PRESETS / f"{name}.yaml", *(Path(p) / f"{method_class.name}.{name}.yaml" for p in METHODS.path)]


def known_presets(method_class: type[Method]) -> list[str]:
    """Return the names of all presets that a method can take."""
    own = (f for place in METHODS.path for f in Path(place).glob(f"{method_class.name}.*.yaml"))
    return sorted({*(f.stem for f in PRESETS.glob("*.yaml")), *(f.stem.partition(".")[2] for f in own)})


def read_yaml(
    file: Path, *, what: str = "preset", holds: str = f"sections ({', '.join(SECTIONS)})"
) -> dict[str, Any]:
    """Read a YAML mapping; raise `UsageError` naming the file, as `what`, and what it `holds`."""
    try:
        values = _load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"The {what} {file} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"The {what} {file} is not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise UsageError(f"The {what} {file} must hold {holds}, not {type(values).__name__}.")
    return values


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
        raise UsageError(f"--set takes section.field=value, but got {text!r}.")
    try:
        parsed = _load(value)
    except yaml.YAMLError as error:
        raise UsageError(f"The value in --set {text!r} is not valid YAML.") from error
    for part in reversed(key.strip().split(".")):
        parsed = {part: parsed}
    return dict(parsed)


def merge(values: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Merge nested values into `values`; later ones win."""
    for key, value in more.items():
        if isinstance(value, Mapping) and isinstance(values.get(key), dict):
            merge(values[key], value)
        else:
            values[key] = dict(value) if isinstance(value, Mapping) else value


def check_keys(values: Mapping[str, Any], method_class: type[Method]) -> None:
    """Raise `UsageError` for a key that no section has, with the nearest match."""
    known = config_keys(method_class)
    for key in flatten(values):
        if key not in known:
            raise UsageError(f"Unknown config key {key!r}.{nearest(key, known)} `--dry-run` prints all keys.")


def config_keys(method_class: type[Method]) -> dict[str, Any]:
    """Return every dotted config key with its pydantic field, the method's own included."""
    keys: dict[str, Any] = {}
    for name, info in RunConfig.model_fields.items():
        section = method_class.Config if name == "method" else info.annotation
        keys |= _keys(section, f"{name}.") if _is_section(section) else {name: info}
    return keys


def differences(config: RunConfig) -> list[tuple[str, Any, Any]]:
    """Return (key, real default, value) for all that differs from a run without presets and overrides."""
    method_class, dataset_class = METHODS.get(config.method.name), DATASETS.get(config.dataset.name)
    default = flatten(build_unchecked(_defaults(method_class, dataset_class)).model_dump(mode="json"))
    values = flatten(config.model_dump(mode="json"))
    return [(key, default.get(key), value) for key, value in values.items() if value != default.get(key)]


def build_unchecked(values: Mapping[str, Any]) -> RunConfig:
    """Build a config without the checks between sections."""
    method_class = METHODS.get(str(values["method"]["name"]))
    return RunConfig(**{**values, "method": method_class.Config(**values["method"])})


def explain(error: ValidationError) -> str:
    """Return pydantic's complaints as one readable message."""
    lines = []
    for item in error.errors():
        key, message = ".".join(str(part) for part in item["loc"]), item["msg"].removeprefix("Value error, ")
        # A rule between fields stands for the whole section, whose values would drown it.
        whole = isinstance(item["input"], Mapping | BaseModel)
        lines.append(
            ": ".join(filter(None, [key, message])) + ("" if whole else f", but got {item['input']!r}")
        )
    return "Wrong value in the configuration: " + "; ".join(lines)


def _defaults(method_class: type[Method], dataset_class: type[PersonDataset]) -> dict[str, Any]:
    values: dict[str, Any] = {
        "method": {"name": method_class.name},
        "dataset": {"name": dataset_class.name, "val": dataset_class.default_val},
        "backbone": {"text_length": dataset_class.text_length},
    }
    for key, value in method_class.recipe.items():
        merge(values, _nest(key, value))
    return values


def _fitting(values: Mapping[str, Any], method_class: type[Method]) -> dict[str, Any]:
    """Return what a shared preset says of methods as far as this method has such fields: zero-shot has no warm-up."""
    return {key: value for key, value in values.items() if key in method_class.Config.model_fields}


def _nest(key: str, value: Any) -> dict[str, Any]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)


class _Loader(yaml.SafeLoader):
    """YAML 1.2's reading: only true and false are truth values, 1e-4 is a number, and no key stands twice."""

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands twice", key.start_mark
                )
            seen.add(key.value)
        return node


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in pairs if not tag.endswith((":bool", ":float"))]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|false|False)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|\.inf|\.nan)$"),
    list("-+0123456789."),
)


def _load(text: str) -> Any:
    return yaml.load(text, _Loader)


def _is_section(kind: Any) -> bool:
    return get_origin(kind) is None and isinstance(kind, type) and issubclass(kind, BaseModel)


def _keys(section: Any, prefix: str) -> dict[str, Any]:
    keys: dict[str, Any] = {}
    for name, info in section.model_fields.items():
        kind = info.annotation
        keys |= _keys(kind, f"{prefix}{name}.") if _is_section(kind) else {prefix + name: info}
    return keys
