"""What a dataset is. `datasets/NAME.py` defines one and imports as `harness.datasets.NAME`.

To add one, write that file: a docstring (paper, licence, how to get it, counts, annotation keys) and a class
with `@register` that fills in the class attributes of `PersonDataset`; annotation formats that
`harness.data.annotations` knows need no code at all.
"""

from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from harness.registry import Registry, plugin_path

if TYPE_CHECKING:
    from harness.twins.domains import Domain

__path__ = plugin_path("datasets")

SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Sample:
    """One image with all its captions, in file order.

    `image` is relative to the dataset's image folder, with forward slashes; `identity` is the number in the
    annotation file, of any base and with any gaps; `split` is `train`, `val` or `test`, as the file says.
    `captions_bt` holds back-translations, one per caption, where the file has them.
    """

    image: str
    identity: int
    captions: tuple[str, ...]
    split: str
    captions_bt: tuple[str, ...] = ()


class Counts(NamedTuple):
    """How many identities, images and captions a split holds."""

    identities: int
    images: int
    captions: int


@dataclass(frozen=True, kw_only=True)
class WrongFile:
    """A known wrong or old annotation file, recognised by a split's counts (None fits any) or by its name."""

    what: str
    mend: str
    split: str = ""
    identities: int | None = None
    images: int | None = None
    captions: int | None = None
    file: str = ""


class PersonDataset(ABC):
    """A text-based person retrieval dataset, described by class attributes.

    Should fill in all attributes without a default; may override `read` when the annotation is of another form.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    title: ClassVar[str]
    folder: ClassVar[str]
    licence: ClassVar[str]
    access: ClassVar[str]
    annotation_files: ClassVar[tuple[str, ...]]
    image_folder: ClassVar[str] = "imgs"
    expected: ClassVar[dict[str, Counts]]
    wrong_files: ClassVar[tuple[WrongFile, ...]] = ()
    default_val: ClassVar[str] = "own"
    text_length: ClassVar[int] = 77
    shares_persons_with: ClassVar[tuple[str, ...]] = ()
    twin: ClassVar["Domain | None"] = None

    @classmethod
    def read(cls, root: Path) -> list[Sample]:
        """Return the samples found under `root`, which holds the dataset's folder or is that folder.

        Raises `DataError` that names what was looked for, what was found and the mend.
        """
        from harness.data.annotations import read_annotations

        return read_annotations(cls, root)


class Pairs(NamedTuple):
    """A split laid out for training and retrieval.

    Attributes:
        images: path of each image, relative to the image folder [n_image].
        identities: identity of each image [n_image].
        captions: all captions, in file order [n_caption].
        owners: index of the image that each caption describes [n_caption].
        captions_bt: back translation of each caption, "" where a caption has none [n_caption]; empty where none has.
    """

    images: list[str]
    identities: list[int]
    captions: list[str]
    owners: list[int]
    captions_bt: list[str] = []


def pairs(samples: Sequence[Sample], splits: Sequence[str]) -> Pairs:
    """Lay the samples of the named splits out as images and (caption, image) pairs, in file order."""
    chosen = [sample for sample in samples if sample.split in splits]
    captions = [caption for sample in chosen for caption in sample.captions]
    owners = [index for index, sample in enumerate(chosen) for _ in sample.captions]
    translated = [text for s in chosen for text in s.captions_bt or [""] * len(s.captions)]
    images, identities = [s.image for s in chosen], [s.identity for s in chosen]
    return Pairs(images, identities, captions, owners, translated if any(translated) else [])


def count(samples: Sequence[Sample]) -> dict[str, Counts]:
    """Count identities, images and captions of each split that has any sample."""
    counts = {}
    for split in SPLITS:
        chosen = [sample for sample in samples if sample.split == split]
        if chosen:
            n_captions = sum(len(sample.captions) for sample in chosen)
            counts[split] = Counts(len({sample.identity for sample in chosen}), len(chosen), n_captions)
    return counts


DATASETS: Registry[PersonDataset] = Registry("dataset", __name__, __path__)
register = DATASETS.register
