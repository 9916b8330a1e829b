"""Other names for the tensors of authors' checkpoints: patterns, and single tensors that are stacked to one here."""

import re
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

Replacement = str | Callable[[re.Match[str]], str]


def renamed(
    state: Mapping[str, Tensor], rules: Mapping[str, Replacement], *, ignored: Sequence[str] = ()
) -> dict[str, Tensor]:
    """Return tensors by their names here; a name that no rule knows stays.

    Args:
        state: the checkpoint's tensors.
        rules: what the beginning of a name becomes, by a regular expression; the first that fits is taken.
        ignored: regular expressions of whole names that are left out.

    >>> renamed({"visual.a": torch.ones(1), "step": torch.ones(1)}, {r"visual\\.": "clip."}, ignored=["step"]).keys()
    dict_keys(['clip.a'])
    """
    kept = (name for name in state if not any(re.fullmatch(each, name) for each in ignored))
    return {_renamed(name, rules): state[name] for name in kept}


def stacked(state: Mapping[str, Tensor], parts: Mapping[str, Sequence[str]]) -> dict[str, Tensor]:
    """Return tensors with some of them stacked to one; where parts are missing or differ in shape, they stay single.

    >>> stacked({"a": torch.ones(2), "b.0": torch.ones(2)}, {"all": ["a", "b.0"]})["all"].shape
    torch.Size([2, 2])
    """
    found = dict(state)
    for name, names in parts.items():
        tensors = [state[each] for each in names if each in state]
        if len(tensors) == len(names) > 0 and len({tensor.shape for tensor in tensors}) == 1:
            found = {each: tensor for each, tensor in found.items() if each not in names}
            found[name] = torch.stack(tensors)
    return found


def numbered(state: Mapping[str, Tensor], beginning: str, end: str = "") -> list[str]:
    """Return the names `beginning0end`, `beginning1end`, ... as many as begin and end so; some may be absent.

    >>> numbered({"a.0": torch.ones(1), "a.1": torch.ones(1), "b.0": torch.ones(1)}, "a.")
    ['a.0', 'a.1']
    >>> numbered({"a.0.w": torch.ones(1), "a.0.b": torch.ones(1)}, "a.", ".w")
    ['a.0.w']
    """
    n = sum(name.startswith(beginning) and name.endswith(end) for name in state)
    return [f"{beginning}{index}{end}" for index in range(n)]


def _renamed(name: str, rules: Mapping[str, Replacement]) -> str:
    for pattern, replacement in rules.items():
        if match := re.match(pattern, name):
            new = replacement(match) if callable(replacement) else match.expand(replacement)
            return new + name[match.end() :]
    return name
