"""Joint training: several datasets learned from at once, their persons kept apart, each tested on its own test split.

As Scale-TBPS trains on five (arXiv 2601.14978). A config names the first dataset and, in `joined`, the others. No
person of one is ever one of another, though ICFG-PEDES and RSTPReid are known to share some: nothing says which.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import torch

from harness.config.sections import BackboneConfig, DatasetConfig
from harness.data.cut_captions import Cut, Tokenize
from harness.data.loading import Material, Split, open_material
from harness.data.protocols.joint_names import part_configs, shares
from harness.data.reading import Reading, read_dataset
from harness.datasets import Counts, Pairs
from harness.images.joined import joined
from harness.listener import Listener
from harness.registry.set_names import join_sets


@dataclass(frozen=True)
class JointReading:
    """What a run learns from: its own dataset, and those that are joined to it.

    Attributes:
        own: the first dataset, on which a run's own test is.
        others: the further ones, in order of their names; none of an ordinary run.
    """

    own: Reading
    others: tuple[Reading, ...] = ()

    @property
    def all(self) -> tuple[Reading, ...]:
        """The readings of all datasets."""
        return (self.own, *self.others)

    @property
    def counts(self) -> Counts:
        """How many identities, images and captions training sees of all datasets."""
        return Counts(*(sum(column) for column in zip(*(one.train_counts for one in self.all), strict=True)))

    @property
    def parts(self) -> dict[str, dict[str, object]]:
        """What the further datasets hold, for record and identity: annotation, pictures and what is learned from."""
        return {
            one.dataset.name: {
                "fingerprint": one.fingerprint,
                "pictures": dict(one.pictures),
                "version": one.dataset.version,
                "train": one.train_counts._asdict(),
            }
            for one in self.others
        }

    def lines(self, of: str) -> list[str]:
        """Return the `faults` or `notes` of all datasets, of several with their names."""
        if not self.others:
            return list(getattr(self.own, of))
        return [f"{one.dataset.name}: {line}" for one in self.all for line in getattr(one, of)]


def read_joint(
    config: DatasetConfig, listener: Listener, needed: Collection[str] = ("train", "test")
) -> JointReading:
    """Read all datasets of a training as `read_dataset` does; raise what it raises, and `UsageError` for a mixture."""
    own, *others = [read_dataset(one, listener, needed) for one in part_configs(config)]
    if others:
        shares(config)
    return JointReading(own, tuple(others))


@dataclass(frozen=True)
class JointMaterial:
    """The splits of a run on one dataset or several.

    Attributes:
        train: what is learned from, of all datasets.
        all: the material of each dataset, the run's own first.
    """

    train: Split
    all: tuple[Material, ...]

    @property
    def own(self) -> Material:
        """The material of the run's own dataset."""
        return self.all[0]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Training pairs of each dataset, in the order in which `train` has them."""
        return tuple(len(one.train.owners) for one in self.all)

    @property
    def vals(self) -> list[Split]:
        """The validation splits; none where nothing is held out."""
        return [one.val for one in self.all if one.val is not None]

    def describe(self, *, trained: bool = True) -> dict[str, object]:
        """Return what a run's record says of its data, the counts of training those of all datasets."""
        said = self.own.describe(trained=trained)
        if len(self.all) == 1:
            return said
        if trained:
            n, images, captions = self.train.counts
            said |= {"train_identities": n, "train_images": images, "train_pairs": captions}
        faults = [f"{one.test.dataset}: {line}" for one in self.all for line in one.opened.faults]
        return said | {"val_captions": sum(len(val.owners) for val in self.vals), "faults": faults}


def open_joint(
    reading: JointReading,
    config: DatasetConfig,
    backbone: BackboneConfig,
    tokenize: Tokenize,
    listener: Listener,
) -> JointMaterial:
    """Open all images of all datasets of a training; each has the store that a run on it alone has."""
    found = tuple(open_material(one, config, backbone, tokenize, listener) for one in reading.all)
    return JointMaterial(joined_split([one.train for one in found]), found)


def joined_split(splits: Sequence[Split]) -> Split:
    """Return several splits as one: images, captions and persons one after another, no person twice."""
    if len(splits) == 1:
        return splits[0]
    images = [0, *accumulate(len(one.images) for one in splits)]
    persons = _numbered([one.identities.tolist() for one in splits])
    translated = any(one.pairs.captions_bt for one in splits)
    owners = torch.cat([one.owners + start for one, start in zip(splits, images, strict=False)])
    laid = Pairs(
        images=[f"{one.dataset}/{image}" for one in splits for image in one.pairs.images],
        identities=persons,
        captions=[caption for one in splits for caption in one.pairs.captions],
        owners=owners.tolist(),
        captions_bt=[
            text for one in splits for text in one.pairs.captions_bt or [""] * len(one.owners) if translated
        ],
    )
    return replace(
        splits[0],
        dataset=join_sets(one.dataset for one in splits),
        images=joined([one.images for one in splits]),
        identities=torch.tensor(persons),
        owners=owners,
        tokens=torch.cat([one.tokens for one in splits]),
        pairs=laid,
        cut=_cut([one.cut for one in splits]),
    )


def _numbered(identities: Iterable[Sequence[int]]) -> list[int]:
    """Return the identities of several sets [n_image], numbered from 0 so that no number is in two sets."""
    known: dict[tuple[int, int], int] = {}
    return [
        known.setdefault((place, person), len(known))
        for place, persons in enumerate(identities)
        for person in persons
    ]


def _cut(cuts: Sequence[Cut]) -> Cut:
    return Cut(
        n=sum(one.n for one in cuts),
        alike=sum(one.alike for one in cuts),
        of=sum(one.of for one in cuts),
        length=max(one.length for one in cuts),
    )


def mean_metrics(of_each: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return the mean over datasets of each validation metric, and with several those of each under its name.

    >>> mean_metrics({"a": {"t2i/R1": 10.0}, "b": {"t2i/R1": 30.0}})
    {'t2i/R1': 20.0, 'a/t2i/R1': 10.0, 'b/t2i/R1': 30.0}
    """
    first, *others = of_each.values()
    if not others:
        return dict(first)
    means = {name: sum(one[name] for one in of_each.values()) / len(of_each) for name in first}
    return means | {f"{part}/{name}": value for part, one in of_each.items() for name, value in one.items()}
