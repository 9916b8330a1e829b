"""What a dataset is. `datasets/NAME.py` defines one and imports as `harness.datasets.NAME`.

To add one, write that file: a docstring (paper, licence, how to get it, counts, annotation keys) and a class
with `@register` that fills in the class attributes of `PersonDataset`; annotation formats that
`harness.data.annotations` knows need no code at all.
"""

from abc import ABC
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar, NamedTuple

from harness.own.described import Described, described_datasets
from harness.own.own_files import OwnFiles
from harness.registry import Registry
from harness.registry.plug_ins import plugin_path

__path__ = plugin_path("datasets")

SPLITS = ("train", "val", "test")
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Sample:
    """One image with all its captions, in file order.

    `image` is relative to the dataset's image folder, with forward slashes; `identity` is the number in the
    annotation file, of any base and not necessarily consecutive; `split` is `train`, `val` or `test`, as the file says.
    `captions_bt` holds back-translations, one per caption, where the file has them; `where` is file and line of what
    someone wrote by hand and `person` the name that it has there, for messages.
    """

    image: str
    identity: int
    captions: tuple[str, ...]
    split: str
    captions_bt: tuple[str, ...] = ()
    where: str = field(default="", compare=False)
    person: str = field(default="", compare=False)

    @property
    def label(self) -> str:
        """The image as messages name it: with file and line where these are known."""
        return f"{self.where}: {self.image}" if self.where else self.image

    @property
    def who(self) -> str:
        """The person as messages name it: by the name in the file where it has one."""
        return self.person or str(self.identity)


class Counts(NamedTuple):
    """How many identities, images and captions a split holds."""

    identities: int
    images: int
    captions: int


@dataclass(frozen=True, kw_only=True)
class WrongFile:
    """A known bad annotation file, wrong or old, recognised by a split's counts (None fits any) or by its name."""

    what: str
    mend: str
    split: str = ""
    identities: int | None = None
    images: int | None = None
    captions: int | None = None
    file: str = ""


class Shot(NamedTuple):
    """What a naming function may use to name one image.

    Attributes:
        identity: running number of the person over all splits, from 0.
        split: `train`, `val` or `test`.
        number: running number of the image among those of its person.
        camera: camera number, from 1; differs between the images of a person as long as cameras last.
        running: running number of the image over all splits, from 0.
    """

    identity: int
    split: str
    number: int
    camera: int
    running: int = 0


@dataclass(frozen=True)
class Look:
    """How the pictures of a domain look; a pair is a range, drawn from uniformly for each image.

    Attributes:
        backdrop: kind of scene behind the person, a key of `harness.twins.drawing.backdrops.BACKDROPS`; of several,
            each image has one.
        width: image width in pixels.
        aspect: height divided by width.
        zoom: share of the image height that a whole person takes.
        tilt: camera height: 0 is at eye level, 0.5 looks steeply down.
        brightness, contrast, saturation: factors on the finished picture.
        tint: factors on red, green and blue.
        noise: standard deviation of the sensor noise, in grey levels.
        blur: radius of the lens blur in pixels.
        quality: JPEG quality.
        cropped: probability that the frame cuts the feet or legs.
        occluded: probability that something is in front of the person.
        fine: whether persons have fine things besides their attributes, such as cuffs, a watch or a hair band.
    """

    backdrop: str | tuple[str, ...]
    width: tuple[int, int]
    aspect: Span
    zoom: Span = (0.84, 0.95)
    tilt: Span = (0.0, 0.3)
    brightness: Span = (0.85, 1.1)
    contrast: Span = (0.9, 1.1)
    saturation: Span = (0.9, 1.1)
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    noise: Span = (1.0, 4.0)
    blur: Span = (0.0, 0.5)
    quality: tuple[int, int] = (80, 92)
    cropped: float = 0.15
    occluded: float = 0.2
    fine: bool = False


@dataclass(frozen=True)
class Speech:
    """How the captions of a domain are written.

    Attributes:
        voice: way of speaking, a key of `harness.twins.speech.voices.VOICES`.
        captions: captions per image.
        extra: probability that an image has a few captions more.
        detail: factor on the probability of naming a visible attribute; above 1 names more, below 1 omits more.
        loose_spaces: probability that a caption starts, ends or breaks with a stray space.
        others: further ways of speaking, which take turns with this one over the captions of an image.
    """

    voice: str
    captions: int
    extra: float = 0.0
    detail: float = 1.0
    loose_spaces: float = 0.0
    others: tuple["Speech", ...] = ()


@dataclass(frozen=True)
class Form:
    """How the annotation file of a domain is written.

    Attributes:
        annotation_file: file name inside the dataset folder.
        keys: record keys in file order; the values `split`, `captions`, `path`, `tokens`, `id` and `source` say what
            each holds.
        name_image: image path below the image folder; a pure function of the shot and the given random source.
        first_id: lowest identity number.
        cameras: number of cameras.
    """

    annotation_file: str
    keys: Mapping[str, str]
    name_image: Callable[[Shot, Random], str]
    first_id: int = 0
    cameras: int = 15


@dataclass(frozen=True)
class Domain:
    """One dataset's twin.

    Attributes:
        small: identities of each split when no number is asked for.
        images: fewest and most images of a person.
        singles: probability that a training person has one image only.
        source: name of the dataset that the persons are from, where it is gathered from several.
        other_looks: how pictures from further sources look, by name; the persons come from all sources in turn.
    """

    look: Look
    speech: Speech
    form: Form
    small: Mapping[str, int] = field(default_factory=lambda: {"train": 400, "val": 50, "test": 100})
    images: tuple[int, int] = (3, 5)
    singles: float = 0.0
    source: str = ""
    other_looks: Mapping[str, Look] = field(default_factory=dict)

    @property
    def looks(self) -> dict[str, Look]:
        """The look of each source."""
        return {self.source: self.look, **self.other_looks}


class PersonDataset(ABC):
    """A text-based person retrieval dataset, described by class attributes.

    Should fill in all attributes without a default. Where the annotation is of another form than those that the
    harness knows, a class defines `read(root)` as a static or class method: it returns the samples found under
    `root`, which holds the dataset's folder or is that folder, and raises `DataError` naming what was looked for.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    title: ClassVar[str]
    folder: ClassVar[str]
    licence: ClassVar[str]
    access: ClassVar[str]
    annotation_files: ClassVar[tuple[str, ...]]
    image_folder: ClassVar[str] = "imgs"
    # The published counts of each split; {} where none are published.
    expected: ClassVar[dict[str, Counts]]
    wrong_files: ClassVar[tuple[WrongFile, ...]] = ()
    default_val: ClassVar[str] = "own"
    text_length: ClassVar[int] = 77
    twin: ClassVar[Domain | None] = None
    # Where the files are of what no plug-in describes (`harness.own`); whether they are a test alone.
    own: ClassVar[OwnFiles | None] = None
    test_only: ClassVar[bool] = False
    # The arguments are open, for a type checker would take them for those of a method.
    read: ClassVar[Callable[..., list[Sample]] | None] = None


class Pairs(NamedTuple):
    """A split as training and retrieval read it.

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
    """Return the samples of the named splits as images and (caption, image) pairs, in file order."""
    chosen = [sample for sample in samples if sample.split in splits]
    captions = [caption for sample in chosen for caption in sample.captions]
    owners = [index for index, sample in enumerate(chosen) for _ in sample.captions]
    translated = [text for s in chosen for text in s.captions_bt or [""] * len(s.captions)]
    images, identities = [s.image for s in chosen], [s.identity for s in chosen]
    return Pairs(images, identities, captions, owners, translated if any(translated) else [])


def is_test_only(dataset: type[PersonDataset]) -> bool:
    """Say whether a dataset is published without a training split, as a test of what was trained elsewhere."""
    return dataset.test_only or (bool(dataset.expected) and "train" not in dataset.expected)


def count(samples: Sequence[Sample]) -> dict[str, Counts]:
    """Count identities, images and captions of each split that has any sample."""
    counts = {}
    for split in SPLITS:
        chosen = [sample for sample in samples if sample.split == split]
        if chosen:
            n_captions = sum(len(sample.captions) for sample in chosen)
            counts[split] = Counts(len({sample.identity for sample in chosen}), len(chosen), n_captions)
    return counts


class Datasets(Registry[PersonDataset]):
    """The datasets that plug-ins define, and those that a YAML file in a folder of the user's describes."""

    def get(self, name: str) -> type[PersonDataset]:
        """Return the class called `name`; raise `UsageError` with the nearest match."""
        if found := self._described().get(name.replace("-", "_")):
            return own_dataset(found)
        return super().get(name)

    def _registered(self) -> list[str]:
        return [*super()._registered(), *self._described()]

    def _described(self) -> dict[str, Described]:
        return described_datasets({*(file.stem for file in self._files()), *self._entry_points()})


def own_dataset(said: Described) -> type[PersonDataset]:
    """Return the class of a dataset that files alone describe."""
    expected = {split: Counts(*numbers) for split, numbers in said.counts.items()}
    told = {"__doc__": said.title, "__module__": __name__, "expected": expected, **said.attributes()}
    return type("OwnDataset", (PersonDataset,), told)


DATASETS = Datasets("dataset", __name__, __path__, PersonDataset)
register = DATASETS.register
