"""Decide what trains and what selects: validation from its own split, a hold-out or nothing; all of train, or a few."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.data.annotations import Annotation
from harness.datasets import SPLITS, PersonDataset, Sample
from harness.errors import DataError, UsageError, many

# What trains without a validation split: the rule `val` has nothing to choose by.
NO_VALIDATION = "--val none --set eval.rule=last"


@dataclass(frozen=True)
class Arranged:
    """Samples whose splits say what a run does with them.

    Attributes:
        samples: the samples; those held out of train have the split `val`.
        train_splits: the splits that training sees.
        has_val: whether the split `val` may select a checkpoint.
        holdout: the identities held out of train, in ascending order; empty without a hold-out.
    """

    samples: list[Sample]
    train_splits: tuple[str, ...]
    has_val: bool
    holdout: list[int]


def holdout(
    samples: Sequence[Sample], *, share: float = 0.1, seed: int = 0
) -> tuple[list[Sample], list[int]]:
    """Move a fixed share of the train identities to the split `val`.

    Returns the samples in unchanged order and the identities moved, ascending. The choice depends on the
    identity numbers and the seed alone, not on the order of the file. Raises `DataError` when train has
    fewer than two identities.
    """
    from sklearn.model_selection import GroupShuffleSplit

    identities = sorted({sample.identity for sample in samples if sample.split == "train"})
    if len(identities) < 2:
        raise DataError(
            f"A hold-out needs at least 2 train identities, but there are {len(identities)}: use {NO_VALIDATION}."
        )
    splitter = GroupShuffleSplit(n_splits=1, test_size=share, random_state=seed)
    _, places = next(splitter.split(identities, groups=identities))
    chosen = {identities[place] for place in places}
    moved = [
        replace(sample, split="val") if sample.split == "train" and sample.identity in chosen else sample
        for sample in samples
    ]
    return moved, sorted(chosen)


def few_shot(
    samples: Sequence[Sample], share: float, *, splits: Sequence[str] = ("train",), seed: int = 0
) -> tuple[list[Sample], list[str]]:
    """Keep a share of the training images, with all their captions, and whatever is not for training.

    Returns the samples in unchanged order and the paths of the images kept, ascending; at least one is, and of 34,054
    images 5 % are 1,702. The choice depends on the paths and the seed alone, and a smaller share is part of a larger.
    """
    paths = sorted({sample.image for sample in samples if sample.split in splits})
    order = np.random.default_rng(seed).permutation(len(paths))
    kept = {paths[place] for place in order[: max(1, int(share * len(paths)))]}
    chosen = [sample for sample in samples if sample.split not in splits or sample.image in kept]
    return chosen, sorted(kept)


def few_persons(
    samples: Sequence[Sample], n: int, *, splits: Sequence[str] = ("train",), seed: int = 0
) -> tuple[list[Sample], list[int]]:
    """Keep a number of the training identities, with all their images, and whatever is not for training.

    Returns the samples in unchanged order and the identities kept, ascending. The choice depends on the identity
    numbers and the seed alone, and a smaller number is part of a larger. Raises `UsageError` where there are fewer.
    """
    persons = sorted({sample.identity for sample in samples if sample.split in splits})
    if n > len(persons):
        raise UsageError(
            f"dataset.few_shot_persons is {n:,}, but training has {many(len(persons), 'person', 'persons')}: ask for "
            "no more, or leave it out to train on all."
        )
    order = np.random.default_rng(seed).permutation(len(persons))
    kept = {persons[place] for place in order[:n]}
    chosen = [sample for sample in samples if sample.split not in splits or sample.identity in kept]
    return chosen, sorted(kept)


def begin_anew(dataset: type[PersonDataset], annotation: Annotation) -> list[str]:
    """Return the splits in which identities count up from the same first number, so that they tell nobody apart.

    That is so where each of the splits is a file of its own and has all numbers from its lowest to its highest, and
    the lowest is the same. In one file for all splits, one number is one person: what is split by picture has the
    same numbers everywhere, too.
    """
    if dataset.own or dataset.read or len(annotation.files) < 2:
        return []
    numbers: dict[str, set[int]] = defaultdict(set)
    for sample in annotation.samples:
        numbers[sample.split].add(sample.identity)
    firsts: dict[int, list[str]] = defaultdict(list)
    for split in (split for split in SPLITS if split in numbers):
        own = numbers[split]
        if len(own) > 1 and max(own) - min(own) + 1 == len(own):
            firsts[min(own)].append(split)
    return next((splits for splits in firsts.values() if len(splits) > 1), [])


def arrange(
    samples: Sequence[Sample],
    dataset: type[PersonDataset],
    val: str,
    train_on: str,
    anew: Collection[str] = (),
) -> Arranged:
    """Arrange the samples for a run.

    Args:
        samples: as the dataset reads them.
        dataset: its class, for messages.
        val: `own`, `holdout` or `none`, where selection looks.
        train_on: `train`, or `train+val` to learn from the dataset's own validation split too.
        anew: the splits in which identities begin anew (`begin_anew`).

    Raises `UsageError` when the dataset has no validation split of its own but one is asked for, and when `train+val`
    would take two persons of one number for one.
    """
    own = any(sample.split == "val" for sample in samples)
    join = train_on == "train+val"
    if not own and (join or val == "own"):
        raise _no_own_split(dataset, "--train-on train" if join else f"--val holdout, or {NO_VALIDATION}")
    if join and {"train", "val"} <= set(anew):
        raise UsageError(
            f"Identities of {dataset.title} begin anew in each split, so --train-on train+val would take two persons "
            "of one number for one: use --train-on train."
        )
    if val != "holdout":
        return Arranged(
            list(samples), ("train", "val") if join else ("train",), val == "own" and not join, []
        )
    _, identities = holdout(samples)
    return Arranged(_hold_out(samples, set(identities), join), ("train",), True, identities)


def _hold_out(samples: Sequence[Sample], identities: set[int], join: bool) -> list[Sample]:
    """Make the hold-out the only `val`; the dataset's own one joins train, or is left out."""
    arranged = []
    for sample in samples:
        if sample.split == "train" and sample.identity in identities:
            arranged.append(replace(sample, split="val"))
        elif sample.split != "val":
            arranged.append(sample)
        elif join:
            arranged.append(replace(sample, split="train"))
    return arranged


def _no_own_split(dataset: type[PersonDataset], fix: str) -> UsageError:
    return UsageError(f"{dataset.title} has no validation split of its own: use {fix}.")
