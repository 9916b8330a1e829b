"""What a run works on: samples read, splits arranged, images opened, captions tokenised."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from harness.config.sections import BackboneConfig, DatasetConfig
from harness.data.annotations import annotation_fingerprint, dataset_folder, image_files
from harness.data.annotations import read_dataset as read_samples
from harness.data.splits import arrange, few_shot
from harness.datasets import DATASETS, Counts, Pairs, PersonDataset, Sample, pairs
from harness.images.store import Images, disk_bytes, open_images
from harness.listener import Listener
from harness.paths import Place, data_root
from harness.twins.marker import read_marker
from harness.twins.writer import write_twin

# Captions to token ids [n, text_length].
Tokenize = Callable[[Sequence[str]], Tensor]


@dataclass(frozen=True)
class Reading:
    """A dataset's samples as a run uses them, before any image is opened.

    `holdout` holds the identities held out of train, `few` the training images where only some are learned from.
    """

    dataset: type[PersonDataset]
    root: Path
    samples: list[Sample]
    train_splits: tuple[str, ...]
    has_val: bool
    holdout: list[int]
    fingerprint: str
    synthetic: bool
    few: list[str] = field(default_factory=list)

    @property
    def train_counts(self) -> Counts:
        """How many identities, images and captions training sees, unreadable images included."""
        trained = [sample for sample in self.samples if sample.split in self.train_splits]
        n_captions = sum(len(sample.captions) for sample in trained)
        return Counts(len({sample.identity for sample in trained}), len(trained), n_captions)

    @property
    def n_identities(self) -> int:
        """How many identities training sees."""
        return self.train_counts.identities


@dataclass(frozen=True)
class Split:
    """One split ready for encoding.

    Attributes:
        images: the split's images, by index [n_image].
        identities: identity of each image [n_image].
        owners: index of the image that each caption describes [n_caption].
        tokens: token ids [n_caption, text_length].
    """

    name: str
    dataset: str
    images: Images
    identities: Tensor
    owners: Tensor
    tokens: Tensor
    pairs: Pairs

    @property
    def caption_identities(self) -> Tensor:
        """Identity of each caption [n_caption]."""
        return self.identities[self.owners]

    @property
    def counts(self) -> Counts:
        """How many identities, images and captions the split holds."""
        return Counts(len(self.identities.unique()), len(self.images), len(self.owners))


@dataclass(frozen=True)
class Opened:
    """A dataset's open images, its usable samples with their positions among them, and the unreadable images' paths."""

    dataset: str
    images: Images
    samples: list[tuple[int, Sample]]
    bad: list[str]

    def split(self, splits: tuple[str, ...], name: str, tokenize: Tokenize) -> Split:
        """Turn the samples of the file's `splits` into one split of the run."""
        chosen = [(place, sample) for place, sample in self.samples if sample.split in splits]
        laid = pairs([sample for _, sample in chosen], splits)
        return Split(
            name=name,
            dataset=self.dataset,
            images=self.images.subset([place for place, _ in chosen]),
            identities=torch.tensor(laid.identities),
            owners=torch.tensor(laid.owners),
            tokens=tokenize(laid.captions),
            pairs=laid,
        )


@dataclass(frozen=True)
class Material:
    """The splits of a run; `val` is None when nothing is held out."""

    train: Split
    val: Split | None
    test: Split
    bad_images: list[str] = field(default_factory=list)

    def describe(self) -> dict[str, int]:
        """Return what a run's record says of its data."""
        return recorded_counts(
            self.train.counts,
            self.test.counts,
            val_captions=len(self.val.owners) if self.val else 0,
            bad_images=len(self.bad_images),
        )


def recorded_counts(train: Counts, test: Counts, *, bad_images: int, val_captions: int = 0) -> dict[str, int]:
    """Return what a run's record says of its data: the counts that every table shows.

    >>> recorded_counts(Counts(2, 5, 9), Counts(1, 2, 3), bad_images=0)["train_pairs"]
    9
    """
    return {
        "train_pairs": train.captions,
        "train_images": train.images,
        "train_identities": train.identities,
        "val_captions": val_captions,
        "test_captions": test.captions,
        "test_images": test.images,
        "test_identities": test.identities,
        "bad_images": bad_images,
    }


def read_dataset(config: DatasetConfig, listener: Listener) -> Reading:
    """Read and arrange a dataset's annotations; a synthetic twin is made on first use.

    Raises `DataError` that says where the data come from, where they are expected and what was found.
    """
    dataset = DATASETS.get(config.name)
    place = ensure_twin(dataset, config.root, listener) if config.synthetic else data_root(config.root)
    samples = read_samples(dataset, place)
    arranged = arrange(samples, dataset, config.val, config.train_on)
    chosen, few = arranged.samples, list[str]()
    if config.few_shot < 1:
        chosen, few = few_shot(
            chosen, config.few_shot, splits=arranged.train_splits, seed=config.few_shot_seed
        )
    return Reading(
        dataset,
        place.path,
        chosen,
        arranged.train_splits,
        arranged.has_val,
        arranged.holdout,
        annotation_fingerprint(dataset, place.path, samples),
        synthetic=read_marker(dataset_folder(dataset, place.path)) is not None,
        few=few,
    )


def ensure_twin(dataset: type[PersonDataset], root: str | None, listener: Listener) -> Place:
    """Return the folder that holds the synthetic twins, after making this dataset's twin when it is missing."""
    place = data_root(root)
    if not (place.path / "synthetic" / dataset.folder).is_dir():
        listener.on_stage(f"making the synthetic twin of {dataset.title}")
        write_twin(dataset, place.path, progress=listener.on_count)
    return Place(place.path / "synthetic", place.chosen_by)


def open_material(
    reading: Reading, config: DatasetConfig, backbone: BackboneConfig, tokenize: Tokenize, listener: Listener
) -> Material:
    """Open all images of a dataset and make its splits; training images resized differently have their own store."""
    opened = _open_samples(reading, config, backbone, listener)
    own = backbone.train_interpolation
    for_training = opened
    if own not in ("same", backbone.interpolation):
        only = replace(reading, samples=[s for s in reading.samples if s.split in reading.train_splits])
        resized = backbone.model_copy(update={"interpolation": own})
        for_training = _open_samples(only, config, resized, listener)
    return Material(
        for_training.split(reading.train_splits, "train", tokenize),
        opened.split(("val",), "val", tokenize) if reading.has_val else None,
        opened.split(("test",), "test", tokenize),
        opened.bad,
    )


def open_test(
    reading: Reading, config: DatasetConfig, backbone: BackboneConfig, tokenize: Tokenize, listener: Listener
) -> tuple[Split, list[str]]:
    """Open only the test split of a dataset; return it with the unreadable images' paths."""
    opened = _open_samples(reading, config, backbone, listener)
    return opened.split(("test",), "test", tokenize), opened.bad


def _open_samples(
    reading: Reading, config: DatasetConfig, backbone: BackboneConfig, listener: Listener
) -> Opened:
    """Open the images of a dataset's samples, as `dataset.on_bad_image` says."""
    files = image_files(reading.dataset, reading.root, reading.samples)
    listener.on_stage(_announcement(len(files), backbone.image_size, config.store))
    images = open_images(
        files,
        backbone.image_size,
        interpolation=backbone.interpolation,
        store=config.store,
        on_bad_image=config.on_bad_image,
        progress=listener.on_count,
    )
    bad = set(images.bad)
    usable = [(place, sample) for place, sample in enumerate(reading.samples) if place not in bad]
    return Opened(reading.dataset.name, images, usable, [str(files[place]) for place in sorted(bad)])


def _announcement(n: int, size: tuple[int, int], store: str) -> str:
    need = f", store of {disk_bytes(n, size) / 1e9:.2f} GB" if store == "disk" else ", without a store"
    return f"opening {n:,} images at {size[0]}×{size[1]}{need}"
