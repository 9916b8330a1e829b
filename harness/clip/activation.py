"""Which activation weights were trained with: QuickGELU or GELU. No tensor differs by it, and every embedding does."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import open_clip

from harness.clip.weight_files import WeightFile, published_archives
from harness.config.sections import BackboneConfig
from harness.errors import DataError
from harness.file_kinds import read_text
from harness.files import file_hash
from harness.strict_json import read_json_text

_SHORT_HASH = re.compile(r"-([0-9a-f]{8})\.pth?$")


def name_has_quick_gelu(name: str) -> bool:
    """Return whether an open_clip model of this name is built with QuickGELU."""
    return bool((open_clip.get_model_config(name) or {}).get("quick_gelu", False))


def quick_gelu_of(config: BackboneConfig, file: WeightFile, path: Path) -> tuple[bool, str | None]:
    """Return whether weights need QuickGELU, and a sentence where nothing says so and the model's name decides.

    What is asked for comes first, then what open_clip says of the tag, then what the file itself, a `config.json` or
    `open_clip_config.json` beside it, or its published hash says.
    """
    if config.quick_gelu is not None:
        return config.quick_gelu, None
    by_name = name_has_quick_gelu(config.name)
    if config.weights is None:
        tag = open_clip.get_pretrained_cfg(config.name, config.pretrained or "") or {}
        return bool(file.openai or by_name or tag.get("quick_gelu", False)), None
    for known in (True if file.openai else None, _beside(path), _published(path)):
        if known is not None:
            return known, None
    assumed, other = ("QuickGELU", "GELU") if by_name else ("GELU", "QuickGELU")
    return by_name, (
        f"{path.name} does not say with which activation it was trained: {assumed} is assumed, as {config.name} has "
        f"it. If it was {other}, add --set backbone.quick_gelu={str(not by_name).lower()}."
    )


def _beside(path: Path) -> bool | None:
    """Return what a config beside the weights says, Transformers' or open_clip's; None without one."""
    own = _read(path.with_name("open_clip_config.json")).get("model_cfg")
    if isinstance(own, dict):
        return bool(own.get("quick_gelu", False))
    found = _read(path.with_name("config.json"))
    if found.get("model_type") != "clip":
        return None
    parts = [found.get(part) for part in ("text_config", "vision_config")]
    acts = {part.get("hidden_act", "quick_gelu") for part in parts if isinstance(part, dict)}
    return acts == {"quick_gelu"} if len(acts) == 1 and acts <= {"quick_gelu", "gelu"} else None


def _read(file: Path) -> dict[str, Any]:
    try:
        value = read_json_text(read_text(file))
    except (DataError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _published(path: Path) -> bool | None:
    """Return what open_clip says of the published file that has this one's hash; None where there is none."""
    sha256 = file_hash(path)
    if sha256 in published_archives():
        return True
    return published_by_hash().get(sha256[:8])


@cache
def published_by_hash() -> dict[str, bool]:
    """Return whether each file whose address carries the first 8 digits of its SHA-256 needs QuickGELU."""
    found = {}
    for name, tag in open_clip.list_pretrained():
        config = open_clip.get_pretrained_cfg(name, tag)
        if short := _SHORT_HASH.search(config.get("url", "")):
            found[short[1]] = bool(config.get("quick_gelu", False))
    return found
