"""Preset files: where they are and what they may hold."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.config.removed import without_removed
from harness.config.strict_yaml import read_yaml
from harness.config.values import merge
from harness.errors import UsageError, brief, nearest
from harness.file_kinds import read_text
from harness.registry.plug_ins import plugins

if TYPE_CHECKING:
    from harness.methods import Method

PRESETS = Path(__file__).resolve().parent
SYNTHETIC_PRESET = "tiny"
# How a preset begins that a study wrote.
EXPORTED = "# Study "


def read_preset(name: str, method_class: "type[Method]") -> dict[str, Any]:
    """Return a preset's values: the shared file, then the method's own; or any YAML file given by path."""
    if name.endswith((".yaml", ".yml")):
        return _read_file(Path(name))
    files = [file for file in preset_files(name, method_class) if file.is_file()]
    if not files:
        known = known_presets(method_class)
        raise UsageError(
            f"Unknown preset {brief(name)}.{nearest(name, known)} Known: {', '.join(known)}; or a .yaml file."
        )
    values: dict[str, Any] = {}
    for file in files:
        part = read_yaml(file)
        if file.parent == PRESETS:
            part["method"] = _fitting(part.get("method", {}), method_class)
        merge(values, part)
    return values


def _read_file(file: Path) -> dict[str, Any]:
    """Return a preset file's values; one that a study or a run wrote may hold settings that are gone since."""
    values = read_yaml(file)
    of_study = read_text(file, "The preset ", UsageError).startswith(EXPORTED)
    of_run = all(
        isinstance(values.get(part), Mapping) and "name" in values[part] for part in ("method", "dataset")
    )
    return without_removed(values) if of_study or of_run else values


def preset_files(name: str, method_class: "type[Method]") -> list[Path]:
    """Return the files that may hold a preset, the shared one first."""
    own = (folder / f"{method_class.name}.{name}.yaml" for folder in _folders(method_class))
    return [PRESETS / f"{name}.yaml", *own]


def synthetic_presets(presets: Sequence[str], method_class: "type[Method]") -> list[str]:
    """Return the presets of a run on a twin: `tiny`, then each given one and what belongs to it at that scale.

    A preset that trains differently from its method's default may need a rate of its own at the tiny scale. It stands
    in `METHOD.PRESET.tiny.yaml`, is read after the preset and is not asked for by name.
    """
    names = [SYNTHETIC_PRESET]
    for name in presets:
        own = f"{name}.{SYNTHETIC_PRESET}"
        names += [name, own] if any(file.is_file() for file in preset_files(own, method_class)) else [name]
    return names


def known_presets(method_class: "type[Method]") -> list[str]:
    """Return the names of all presets that a method can take, the shared ones included."""
    return sorted({*own_presets(method_class), *shared_presets()})


def own_presets(method_class: "type[Method]") -> list[str]:
    """Return the names of the presets that are a method's alone."""
    return _own(method_class.name, _folders(method_class))


def presets_of(methods: Iterable[str]) -> list[str]:
    """Return the names of all presets that methods of these names can take, without importing one."""
    return sorted({*shared_presets(), *(name for method in methods for name in _own(method, _places()))})


def _own(method: str, folders: Iterable[Path]) -> list[str]:
    files = (file for folder in folders for file in folder.glob(f"{method}.*.yaml"))
    names = {file.stem.partition(".")[2] for file in files} - shared_presets()
    return sorted(name for name in names if "." not in name)


def shared_presets() -> set[str]:
    """Return the names of the presets that every method can take."""
    return {file.stem for file in PRESETS.glob("*.yaml")}


def _places() -> list[Path]:
    """Return the folders of methods."""
    return [Path(place) for place in plugins("methods").path]


def _folders(method_class: "type[Method]") -> list[Path]:
    """Return where presets of a method may lie: where methods do, and beside its own file where it has one."""
    own = [Path(inspect.getfile(method_class)).parent] if isinstance(method_class, type) else []
    return list(dict.fromkeys([*_places(), *own]))


def _fitting(values: Mapping[str, Any], method_class: "type[Method]") -> dict[str, Any]:
    """Return what a shared preset says of methods as far as this method has such fields: zero-shot has no warm-up."""
    return {key: value for key, value in values.items() if key in method_class.Config.model_fields}
