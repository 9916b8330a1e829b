"""What a backbone was trained on: the length of its captions, and how its pictures were resized and normalised.

A config that leaves these open takes them from open_clip's model and tag. So CLIP gets what the papers on person
retrieval feed it, and SigLIP what SigLIP was trained on.
"""

from typing import Any

import open_clip

from harness.clip.weights import check_names
from harness.config.pixels import STATISTICS
from harness.config.sections import BackboneConfig

_TEXT_LENGTH = 77
_RECIPE = "bilinear"
_INPUT = ("text_length", "normalisation", "interpolation")


def with_own_input(config: BackboneConfig) -> BackboneConfig:
    """Return a config with what it leaves open of text length, normalisation and interpolation as the backbone has it.

    Pictures are always squashed to `image_size`, as all papers do with the tall pictures of persons. A tag that was
    trained on squashed pictures keeps its interpolation; one that cut the ends off gets the papers' bilinear.
    Raises `UsageError` for an unknown model name or tag.
    """
    check_names(config)
    own = {
        "text_length": own_text_length(config.name),
        "normalisation": _normalisation(config),
        "interpolation": _interpolation(config),
    }
    return config.model_copy(
        update={name: value for name, value in own.items() if getattr(config, name) is None}
    )


def without_own_input(config: BackboneConfig) -> BackboneConfig:
    """Return a config with its input left open where it is as the backbone has it, for another to bring its own."""
    open_ = config.model_copy(update=dict.fromkeys(_INPUT))
    own = with_own_input(open_)
    chosen = {name: getattr(config, name) for name in _INPUT if getattr(config, name) != getattr(own, name)}
    return open_.model_copy(update=chosen)


def own_text_length(name: str) -> int:
    """Return how many tokens an open_clip model reads."""
    text: dict[str, Any] = open_clip.get_model_config(name)["text_cfg"]
    return int(text.get("context_length") or _TEXT_LENGTH)


def _normalisation(config: BackboneConfig) -> str:
    known = {_named(tag["mean"], tag["std"]) for tag in _tags(config)}
    return known.pop() if len(known) == 1 else "clip"


def _interpolation(config: BackboneConfig) -> str:
    known = {tag["interpolation"] if tag["resize_mode"] == "squash" else _RECIPE for tag in _tags(config)}
    return known.pop() if len(known) == 1 else _RECIPE


def _tags(config: BackboneConfig) -> list[dict[str, Any]]:
    """Return what open_clip says of the tag; without one, as for a local file, of all tags of the model."""
    every = {tag: open_clip.get_pretrained_cfg(config.name, tag) for tag in _tag_names(config.name)}
    named = None if config.weights else config.pretrained
    return [every[named]] if named in every else list(every.values())


def _tag_names(name: str) -> list[str]:
    tags: list[str] = open_clip.list_pretrained_tags_by_model(name)
    return tags


def _named(mean: tuple[float, ...], deviation: tuple[float, ...]) -> str:
    """Return the name of a mean and deviation; that of CLIP for one without a name."""
    return next(
        (name for name, known in STATISTICS.items() if known == (tuple(mean), tuple(deviation))), "clip"
    )
