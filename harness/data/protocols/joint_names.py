"""Names of joint trainings: the datasets of `cuhk+icfg`, how each is read, and what share of the pairs each has."""

import re
from collections.abc import Sequence
from typing import Any

from harness.config.sections import DatasetConfig
from harness.datasets import DATASETS, PersonDataset, is_test_only
from harness.errors import UsageError, brief, listed
from harness.registry.set_names import join_sets, split_sets

_SHARE = re.compile(r"\s*(\w+)\s*=\s*([0-9]+(?:\.[0-9]+)?)\s*")


def parts_of(name: str) -> list[str]:
    """Return the datasets of a name such as `cuhk+icfg`, in alphabetical order, one for an ordinary name.

    Raises `UsageError` for an unknown one, one that is named twice or has no training split, and an empty part.
    """
    if len(names := split_sets(name)) == 1:
        return [name]
    parts = [DATASETS.get(part).name for part in names]
    if double := next((part for part in parts if parts.count(part) > 1), None):
        raise UsageError(f"{brief(name)} names {double} twice: name each dataset once.")
    if test := next((part for part in parts if is_test_only(DATASETS.get(part))), None):
        raise UsageError(f"{test} has no training split, so it cannot be one of {brief(name)}: leave it out.")
    if own := next((part for part in parts if (found := DATASETS.get(part).own) and found.content), None):
        raise UsageError(
            f"{own} is given by --data and cannot be joined: describe it by `harness data init`."
        )
    return sorted(parts)


def name_of(config: DatasetConfig) -> str:
    """Return the name of a training's data: its dataset, of several all joined by +."""
    return join_sets((config.name, config.joined))


def joint_defaults(parts: Sequence[str]) -> dict[str, Any]:
    """Return the values of a run on several datasets: each validates in its own way, the longest captions decide."""
    length = max(DATASETS.get(part).text_length for part in parts)
    backbone = {"backbone": {"text_length": length}} if length > PersonDataset.text_length else {}
    return {"dataset": {"joined": join_sets(parts[1:]), "val": "own"}, **backbone}


def part_configs(config: DatasetConfig) -> list[DatasetConfig]:
    """Return how each dataset of a training is read; one without a validation split of its own has a hold-out."""
    found = []
    for name in split_sets(name_of(config)):
        own = DATASETS.get(name).default_val
        val = own if config.joined and config.val == "own" and config.train_on == "train" else config.val
        found.append(config.model_copy(update={"name": name, "joined": None, "mixture": "size", "val": val}))
    return found


def shares(config: DatasetConfig) -> dict[str, float] | None:
    """Return which share of a joint training's pairs each dataset has, adding up to 1; None where size decides.

    Raises `UsageError` for a mixture that is none, or of other datasets.
    """
    names = [one.name for one in part_configs(config)]
    if config.mixture == "size":
        return None
    if config.mixture == "equal":
        return dict.fromkeys(names, 1 / len(names))
    found = [_SHARE.fullmatch(part) for part in config.mixture.split(",")]
    given = {one[1]: float(one[2]) for one in found if one}
    if (
        len(given) != len(found)
        or given.keys() != set(names)
        or not all(0 < value <= 1e6 for value in given.values())
    ):
        example = ",".join(f"{name}={number}" for number, name in enumerate(names, 1))
        raise UsageError(
            f"dataset.mixture is size, equal, or a number above 0 for each of {listed(names)}, such as {example}, but "
            f"got {brief(config.mixture)}."
        )
    return {name: given[name] / sum(given.values()) for name in names}
