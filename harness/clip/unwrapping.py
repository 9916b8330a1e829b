"""Find a CLIP among a checkpoint's tensors, under whatever names training scripts wrap it in, and beside what else."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile
from typing import Any, NamedTuple

from torch import Tensor

from harness.clip.transformers_layout import converted, is_transformers
from harness.errors import listed

OPENAI_KEYS = ("input_resolution", "context_length", "vocab_size")
_WRAPPERS = (
    *(
        "state_dict",
        "model_state_dict",
        "model",
        "module",
        "_orig_mod",
        "net",
        "network",
        "weights",
        "params",
    ),
    *("ema", "model_ema", "ema_model", "ema_state_dict", "state_dict_ema", "shadow"),
)
_AVERAGES = ("ema", "shadow", "teacher", "momentum", "average", "swa")
_BESIDE = (
    "optimizer",
    "optimizers",
    "optimizer_states",
    "optim",
    "scheduler",
    "lr_scheduler",
    "lr_schedulers",
)
_MOST_LEVELS, _MOST_NAMES = 20, 100_000
_TEXT = ("text", "token_embedding", "transformer")
_PARTS = (
    *("visual", "text", "text_decoder", "transformer", "token_embedding", "positional_embedding", "ln_final"),
    *("text_projection", "cls_emb", "logit_scale", "logit_bias"),
)


class Unwrapped(NamedTuple):
    """A checkpoint's tensors without wrappers, whether OpenAI's three keys were beside them, and what is to be said."""

    state: dict[str, Tensor]
    openai: bool
    notes: tuple[str, ...]


def flattened(content: Mapping[Any, Any]) -> dict[str, Tensor]:
    """Return all tensors of nested mappings by dotted names.

    Raises `ValueError` where a file was made so that there is no end of them.

    >>> import torch
    >>> sorted(flattened({"model": {"a": torch.ones(1)}, "b": torch.ones(1), "epoch": 3}))
    ['b', 'model.a']
    """
    found: dict[str, Tensor] = {}
    for n, (name, value) in enumerate(_inside(content), start=1):
        if n > _MOST_NAMES:
            raise ValueError(f"its mappings hold more than {_MOST_NAMES:,} values")
        if isinstance(value, Tensor):
            found[name] = value
    return found


def _inside(content: Mapping[Any, Any], beginning: str = "", level: int = 1) -> Iterator[tuple[str, Any]]:
    if level > _MOST_LEVELS:
        raise ValueError(f"its mappings are more than {_MOST_LEVELS} deep")
    for name, value in content.items():
        yield f"{beginning}{name}", value
        if isinstance(value, Mapping):
            yield from _inside(value, f"{beginning}{name}.", level + 1)


def unwrapped(tensors: Mapping[str, Tensor]) -> Unwrapped:
    """Take off the wrappers that tensors have around their CLIP, or in common, and leave out what lies outside them.

    A method's own tensors beside the CLIP stay, as does a name that belongs to the method, such as `base_model`.
    """
    tensors = {name: value for name, value in tensors.items() if not _is_beside(name, value)}
    places = _places(tensors)
    around = places[0] if places else _in_common(tensors)
    wrapper = "".join(f"{part}." for part in takewhile(_WRAPPERS.__contains__, around.split(".")))
    state = _below(tensors, wrapper)
    keys = {around + key for key in OPENAI_KEYS}
    return Unwrapped(
        {name: value for name, value in state.items() if name.rpartition(".")[2] not in OPENAI_KEYS},
        openai=keys <= tensors.keys(),
        notes=_several(places),
    )


def clip_of(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of the CLIP in a checkpoint, by open_clip's names where the layout is known.

    What is beside it (a classifier, a second encoder) is left out; what is inside it stays, known or not.
    """
    places = _places(state)
    if not places:
        return dict(state)
    inside = _below(state, places[0])
    if is_transformers(inside):
        return converted(inside)
    return {name: value for name, value in inside.items() if name.split(".")[0] in _PARTS}


def _places(tensors: Iterable[str]) -> list[str]:
    """Return what names begin with before each CLIP among them: the fullest first, averages of weights last."""
    names = list(tensors)
    counts: dict[str, int] = {}
    for name in names:
        parts = name.split(".")
        for tower in ("visual", "vision_model"):
            if tower in parts[:-1]:
                place = "".join(f"{part}." for part in parts[: parts.index(tower)])
                counts[place] = counts.get(place, 0) + 1
    found = [place for place in counts if _has_text(place, names)]
    return sorted(found, key=lambda place: (-counts[place], _is_average(place), len(place), place))


def _has_text(place: str, names: Iterable[str]) -> bool:
    begins = tuple(f"{place}{part}." for part in (*_TEXT, "text_model"))
    return any(name.startswith(begins) for name in names)


def _is_average(place: str) -> bool:
    return any(word in place.lower() for word in _AVERAGES)


def _is_beside(name: str, value: Tensor) -> bool:
    """Say whether a tensor is none of a model: the optimiser's, or a lone count such as `epoch`."""
    lone = "." not in name and value.dim() == 0 and not value.is_floating_point()
    return name.split(".")[0] in _BESIDE or (lone and name not in OPENAI_KEYS)


def _in_common(names: Iterable[str]) -> str:
    """Return the wrappers that all names begin with.

    >>> _in_common(["module.model.a", "module.model.b"])
    'module.model.'
    """
    common = ""
    names = list(names)
    while names:
        first = names[0].removeprefix(common).split(".")[0]
        if first not in _WRAPPERS or not all(name.startswith(f"{common}{first}.") for name in names):
            break
        common += f"{first}."
    return common


def _below(tensors: Mapping[str, Tensor], beginning: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(beginning): value for name, value in tensors.items() if name.startswith(beginning)
    }


def _several(places: list[str]) -> tuple[str, ...]:
    """Say which of several CLIPs is taken."""
    if len(places) < 2:
        return ()
    names = [place.rstrip(".") or "the outermost" for place in places]
    return (
        f"the file holds {len(places)} models ({listed(names, 4)}): {names[0]} is taken; to use another, save it as a "
        "file of its own.",
    )
