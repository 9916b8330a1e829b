"""What a run works on: the splits of a reading, with images opened and captions tokenised."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from harness.config.sections import BackboneConfig, DatasetConfig
from harness.data.cut_captions import NONE, RAISE, Cut, Tokenize, count_cut, cut_faults
from harness.data.picture_faults import left_out, picture_faults
from harness.data.reading import Reading
from harness.datasets import Counts, Pairs, Sample, pairs
from harness.errors import many
from harness.images.decoding import ImageError
from harness.images.store import Images, disk_bytes, open_images
from harness.listener import Listener


@dataclass(frozen=True)
class Split:
    """One split ready for encoding.

    Attributes:
        images: the split's images, by index [n_image].
        identities: identity of each image [n_image].
        owners: index of the image that each caption describes [n_caption].
        tokens: token ids [n_caption, text_length].
        cut: how many captions the tokeniser cut.
    """

    name: str
    dataset: str
    images: Images
    identities: Tensor
    owners: Tensor
    tokens: Tensor
    pairs: Pairs
    cut: Cut = NONE

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
        tokens = tokenize(laid.captions)
        return Split(
            name=name,
            dataset=self.dataset,
            images=self.images.subset([place for place, _ in chosen]),
            identities=torch.tensor(laid.identities),
            owners=torch.tensor(laid.owners),
            tokens=tokens,
            pairs=laid,
            cut=count_cut(laid.captions, tokens, tokenize),
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
    train = for_training.split(reading.train_splits, "train", tokenize)
    val = opened.split(("val",), "val", tokenize) if reading.has_val else None
    test = opened.split(("test",), "test", tokenize)
    return Material(train, val, test, _with_cuts(opened, [train, val, test], listener))


def open_test(
    reading: Reading, config: DatasetConfig, backbone: BackboneConfig, tokenize: Tokenize, listener: Listener
) -> tuple[Split, Opened]:
    """Open only the test split of a dataset; return it with what is known of its images."""
    opened = _open_samples(reading.of("test"), config, backbone, listener)
    split = opened.split(("test",), "test", tokenize)
    return split, _with_cuts(opened, [split], listener)


def _with_cuts(opened: Opened, splits: Iterable[Split | None], listener: Listener) -> Opened:
    """Say how many captions of the splits are cut, and note it beside what is odd about the images."""
    lines = list(cut_faults({split.name: split.cut for split in splits if split is not None}))
    for line in lines:
        listener.on_note(f"warning: {line}. {RAISE}")
    return replace(opened, faults=[*opened.faults, *lines])


def _open_samples(
    reading: Reading, config: DatasetConfig, backbone: BackboneConfig, listener: Listener
) -> Opened:
    """Open the images of a dataset's samples, as `dataset.on_bad_image` says, and note what is odd about them."""
    contents = [reading.contents[sample.image] for sample in reading.samples]
    files = [content.file for content in contents]
    listener.on_stage(_announcement(len(files), backbone.image_size, config.store))
    assert backbone.interpolation is not None
    images = open_images(
        files,
        backbone.image_size,
        interpolation=backbone.interpolation,
        store=config.store,
        on_bad_image=config.on_bad_image,
        progress=listener.on_count,
        hashes=[content.sha256 for content in contents],
        places=[sample.where for sample in reading.samples],
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
    return f"opening {many(n, 'image')} at {size[0]}×{size[1]}{need}"
