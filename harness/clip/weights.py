"""Find a backbone's weights: shipped, local, in the caches of open_clip and Hugging Face, or fetched."""

import logging
import os
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import open_clip
from huggingface_hub import constants, try_to_load_from_cache
from torch import Tensor

from harness.clip import tiny
from harness.clip.activation import quick_gelu_of
from harness.clip.positions import Grid
from harness.clip.unwrapping import clip_of
from harness.clip.weight_files import read_weights, refuse_empty, refuse_not_finite, state_hash
from harness.config.sections import BackboneConfig, Size
from harness.errors import DataError, UsageError, unknown

logger = logging.getLogger(__name__)

_HUB_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_REACH_SECONDS = 10
_YES = ("1", "on", "yes", "true")


@dataclass(frozen=True)
class Weights:
    """A backbone's weights: tensors by name, the file, the content's SHA-256, whether they need QuickGELU.

    `notes` says what was assumed of the file; `grid` of how many patches its image positions are, where that is known;
    `image_size` for how large pictures, where a timm tower is not at the size that its model is built with.
    """

    state: dict[str, Tensor]
    source: Path
    sha256: str
    quick_gelu: bool
    notes: tuple[str, ...] = ()
    grid: Grid | None = None
    image_size: Size | None = None


def load_weights(config: BackboneConfig) -> Weights:
    """Find and read the weights that a config names; raise `DataError` that lists the possible fixes."""
    check_names(config)
    path = (
        Path(config.weights).expanduser() if config.weights else locate(config.name, config.pretrained or "")
    )
    file = read_weights(path)
    state = clip_of(file.state)
    refuse_not_finite(state, path)
    refuse_empty(state, path)
    quick_gelu, assumed = quick_gelu_of(config, file, path)
    logger.info("Backbone weights: %s", path)
    notes = (*(f"{path.name}: {note}" for note in file.notes), *filter(None, [assumed]))
    return Weights(state, path, state_hash(state), quick_gelu, notes)


def check_names(config: BackboneConfig) -> None:
    """Raise `UsageError` with the nearest match for an unknown model name or pretrained tag."""
    tiny.register()
    tiny.register(config.name)
    if config.name not in open_clip.list_models():
        raise _unknown_backbone(config.name)
    if config.weights is None and config.pretrained is not None:
        tags = _known_tags(config.name)
        if config.pretrained not in tags:
            raise unknown(f"pretrained tag of {config.name}", config.pretrained, tags)


def _known_tags(name: str) -> list[str]:
    """Return the pretrained tags of a model name."""
    return tiny.tags(name) if tiny.is_tiny(name) else open_clip.list_pretrained_tags_by_model(name)


def find_cached(name: str, tag: str) -> Path | None:
    """Return where a tag's weights are on this machine, or None; only looks, fetches nothing."""
    own = tiny.is_tiny(name)
    places = [tiny.weights(tag)] if own else [*_in_hub_cache(name, tag), *_in_clip_cache(name, tag)]
    return next((place for place in places if place.is_file()), None)


def locate(name: str, tag: str) -> Path:
    """Return where a tag's weights are, fetching them through open_clip when this machine is online."""
    found = find_cached(name, tag)
    if found:
        return found
    if tiny.is_tiny(name):
        raise DataError(
            f"The shipped weights {tiny.weights(tag)} are missing: install again, or run `harness pretrain`."
        )
    reason = _offline(name, tag)
    if reason:
        raise _missing(name, tag, reason)
    return _download(name, tag)


def _unknown_backbone(name: str) -> UsageError:
    names = {known.lower(): known for known in open_clip.list_models()}
    like = [names[match] for match in get_close_matches(name.lower(), names, n=5, cutoff=0.4)]
    guess = f" Did you mean {like[0]!r}? Like it: {', '.join(like[1:])}." if like else ""
    every = 'python -c "import open_clip; print(*open_clip.list_models())"'
    return UsageError(
        f"Unknown backbone {name!r}.{guess} Known: {tiny.NAME} and the models of open_clip ({every})."
    )


def _in_hub_cache(name: str, tag: str) -> list[Path]:
    repository, _, file = _tag(name, tag).get("hf_hub", "").rpartition("/")
    files = _with_safe_twin(file) if file else _HUB_FILES
    found = [try_to_load_from_cache(repository, each) for each in files] if repository else []
    return [Path(place) for place in found if isinstance(place, str)]


def _with_safe_twin(file: str) -> tuple[str, ...]:
    return (Path(file).with_suffix(".safetensors").name, file)


def _in_clip_cache(name: str, tag: str) -> list[Path]:
    url = _tag(name, tag).get("url", "")
    return [_clip_cache() / url.rpartition("/")[2]] if url else []


def _clip_cache() -> Path:
    return Path.home() / ".cache" / "clip"


def _tag(name: str, tag: str) -> dict[str, Any]:
    found: dict[str, Any] = open_clip.get_pretrained_cfg(name, tag)
    return found


def _offline(name: str, tag: str) -> str | None:
    """Return why nothing can be fetched, or None; asks once, because the hub client retries for a minute."""
    if constants.HF_HUB_OFFLINE or os.environ.get("HF_HUB_OFFLINE", "").lower() in _YES:
        return "HF_HUB_OFFLINE is set"
    address = constants.ENDPOINT if _tag(name, tag).get("hf_hub") else _tag(name, tag)["url"]
    try:
        urlopen(Request(address, method="HEAD"), timeout=_REACH_SECONDS).close()
    except HTTPError:
        return None
    except OSError as error:
        return f"{address} cannot be reached: {error}"
    return None


def _download(name: str, tag: str) -> Path:
    logger.warning("Fetching the weights %s of %s: this is done once.", tag, name)
    try:
        return Path(open_clip.download_pretrained(_tag(name, tag)))
    except Exception as error:
        raise _missing(name, tag, f"fetching failed: {str(error).splitlines()[0][:200]}") from error


def _missing(name: str, tag: str, reason: str) -> DataError:
    file = _tag(name, tag).get("url", "").rpartition("/")[2]
    place = f"\n  - put the published {file} at {_clip_cache() / file}" if file else ""
    repository = _tag(name, tag).get("hf_hub", "").strip("/")
    target = f"{repository or file} into {constants.HF_HUB_CACHE if repository else _clip_cache()}"
    return DataError(
        f"The weights {tag!r} of {name} are not on this machine ({reason}). To fix this:"
        f"\n  - once online, run the same command again: it fetches {target}"
        f"{place}"
        "\n  - name a local file: --set backbone.weights=FILE (safetensors, state dict or OpenAI's archive)"
        "\n  - use the shipped tiny CLIP and generated data: --synthetic"
        "\nParameter counts need no weights: harness methods info NAME."
    )
