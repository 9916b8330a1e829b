"""What a run works on: samples read, splits arranged, images opened, captions tokenised."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.config.sections import BackboneConfig, DatasetConfig
from harness.data.annotations import annotation_fingerprint, annotation_of, dataset_folder, locate
from harness.data.contents import Content, check_there, pictures_hash, read_contents
from harness.data.picture_faults import left_out, picture_faults
from harness.data.splits import arrange, few_shot
from harness.data.verify.annotation_faults import faults_for_run
from harness.datasets import DATASETS, Counts, Pairs, PersonDataset, Sample, pairs
from harness.images.decoding import ImageError
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

    `holdout` holds the identities held out of train, `few` the training images where only some are learned from,
    `contents` the file and SHA-256 of each image by its name in the annotation, `faults` a line for each thing that is
    wrong or odd with the annotation.
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
    contents: Mapping[str, Content] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def splits(self) -> dict[str, tuple[str, ...]]:
        """Which of the file's splits each split of a run is made of."""
        own: dict[str, tuple[str, ...]] = {"val": ("val",)} if self.has_val else {}
        return {"train": self.train_splits, **own, "test": ("test",)}

    @cached_property
    def pictures(self) -> dict[str, str]:
        """The SHA-256 of what the pictures of each split of a run hold."""
        return {
            name: pictures_hash([sample for sample in self.samples if sample.split in splits], self.contents)
            for name, splits in self.splits.items()
        }

    def of(self, *splits: str) -> "Reading":
        """Return the same dataset with the samples of some of the file's splits alone."""
        return replace(self, samples=[sample for sample in self.samples if sample.split in splits])

    def check_pictures(self, on_bad_image: str) -> None:
        """Raise `ImageError` where pictures are missing and none may be, or where all of a split are."""
        check_there(self.samples, self.contents, on_bad_image)

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
    """A dataset's open images and its usable samples with their positions among them.

    `left_out` holds how many images of each split of a run are unreadable, `faults` a line for each kind of oddity.
    """

    dataset: str
    images: Images
    samples: list[tuple[int, Sample]]
    left_out: dict[str, int]
    faults: list[str]

    def split(self, splits: tuple[str, ...], name: str, tokenize: Tokenize) -> Split:
        """Turn the samples of the file's `splits` into a split of the run; raise `ImageError` where none is usable."""
        chosen = [(place, sample) for place, sample in self.samples if sample.split in splits]
        if not chosen and self.left_out[name]:
            raise ImageError(
                f"None of the {self.left_out[name]:,} {name} images of {self.dataset} can be read: "
                "`harness data verify` lists faults with their fixes."
            )
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
    opened: Opened

    def describe(self, *, trained: bool = True) -> dict[str, Any]:
        """Return what a run's record says of its data; a method that trains nothing learned from none of them."""
        return recorded_counts(
            self.train.counts if trained else Counts(0, 0, 0),
            self.test.counts,
            self.opened,
            val_captions=len(self.val.owners) if self.val else 0,
        )


def recorded_counts(train: Counts, test: Counts, opened: Opened, *, val_captions: int = 0) -> dict[str, Any]:
    """Return what a run's record says of its data: the counts that tables show, and what is odd about pictures."""
    return {
        "train_pairs": train.captions,
        "train_images": train.images,
        "train_identities": train.identities,
        "val_captions": val_captions,
        "test_captions": test.captions,
        "test_images": test.images,
        "test_identities": test.identities,
        "bad_images": len(opened.images.bad),
        "left_out": opened.left_out,
        "faults": opened.faults,
    }


def read_dataset(
    config: DatasetConfig, listener: Listener, needed: Collection[str] = ("train", "test")
) -> Reading:
    """Read, check and arrange a dataset's annotations; a synthetic twin is made on first use.

    Args:
        config: which dataset, and how its splits are used.
        listener: hears of each fault that the work can go on with.
        needed: the splits that must have entries; one that is to validate must have them too.

    Raises `DataError` that says where the data come from, where they are expected and what was found, or what no run
    can be made of.
    """
    dataset = DATASETS.get(config.name)
    place = ensure_twin(dataset, config.root, listener) if config.synthetic else data_root(config.root)
    annotation = annotation_of(dataset, place)
    samples = annotation.samples
    own_val = config.val == "own" or config.train_on == "train+val"
    faults = faults_for_run(
        dataset,
        annotation,
        locate(dataset, place.path),
        [*needed, *["val"] * (own_val and "val" in dataset.expected)],
    )
    for fault in faults:
        listener.on_note(f"warning: {fault.line()}. {fault.mend}")
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
        contents=read_contents(dataset, place.path, chosen, listener),
        faults=[fault.line() for fault in faults],
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
        resized = backbone.model_copy(update={"interpolation": own})
        for_training = _open_samples(reading.of(*reading.train_splits), config, resized, listener)
    return Material(
        for_training.split(reading.train_splits, "train", tokenize),
        opened.split(("val",), "val", tokenize) if reading.has_val else None,
        opened.split(("test",), "test", tokenize),
        opened,
    )


def open_test(
    reading: Reading, config: DatasetConfig, backbone: BackboneConfig, tokenize: Tokenize, listener: Listener
) -> tuple[Split, Opened]:
    """Open only the test split of a dataset; return it with what is known of its images."""
    opened = _open_samples(reading.of("test"), config, backbone, listener)
    return opened.split(("test",), "test", tokenize), opened


def _open_samples(
    reading: Reading, config: DatasetConfig, backbone: BackboneConfig, listener: Listener
) -> Opened:
    """Open the images of a dataset's samples, as `dataset.on_bad_image` says, and note what is odd about them."""
    contents = [reading.contents[sample.image] for sample in reading.samples]
    files = [content.file for content in contents]
    listener.on_stage(_announcement(len(files), backbone.image_size, config.store))
    images = open_images(
        files,
        backbone.image_size,
        interpolation=backbone.interpolation,
        store=config.store,
        on_bad_image=config.on_bad_image,
        progress=listener.on_count,
        hashes=[content.sha256 for content in contents],
    )
    bad = set(images.bad)
    usable = [(place, sample) for place, sample in enumerate(reading.samples) if place not in bad]
    known = (reading.samples, images.marks, reading.splits)
    faults = list(picture_faults(*known))
    for fault in faults:
        listener.on_note(f"warning: {fault}.")
    return Opened(reading.dataset.name, images, usable, left_out(*known), [*reading.faults, *faults])


def _announcement(n: int, size: tuple[int, int], store: str) -> str:
    need = f", store of {disk_bytes(n, size) / 1e9:.2f} GB" if store == "disk" else ", without a store"
    return f"opening {n:,} images at {size[0]}×{size[1]}{need}"
