"""What makes one dataset's twin look, speak and lie on disk as it does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

Span = tuple[float, float]


class Shot(NamedTuple):
    """What a naming function may use to name one image.

    Attributes:
        identity: running number of the person over all splits, from 0.
        split: `train`, `val` or `test`.
        number: running number of the image among those of its person.
        camera: camera number, from 1; differs between the images of a person as long as cameras last.
    """

    identity: int
    split: str
    number: int
    camera: int


@dataclass(frozen=True)
class Look:
    """How the pictures of a domain look; a pair is a range drawn from evenly for each image.

    Attributes:
        backdrop: kind of scene behind the person, a key of `harness.twins.drawing.backdrops.BACKDROPS`.
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
        occluded: probability that something stands before the person.
    """

    backdrop: str
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


@dataclass(frozen=True)
class Speech:
    """How the captions of a domain are written.

    Attributes:
        voice: way of speaking, a key of `harness.twins.speech.voices.VOICES`.
        captions: captions per image.
        extra: probability that an image has a few captions more.
        detail: factor on the probability of naming a visible attribute; above 1 tells more, below 1 omits more.
        loose_spaces: probability that a caption starts, ends or breaks with a stray space.
    """

    voice: str
    captions: int
    extra: float = 0.0
    detail: float = 1.0
    loose_spaces: float = 0.0


@dataclass(frozen=True)
class Form:
    """How the annotation file of a domain is written.

    Attributes:
        annotation_file: file name inside the dataset folder.
        keys: record keys in file order; the values `split`, `captions`, `path`, `tokens` and `id` say what each holds.
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
    """

    look: Look
    speech: Speech
    form: Form
    small: Mapping[str, int] = field(default_factory=lambda: {"train": 400, "val": 50, "test": 100})
    images: tuple[int, int] = (3, 5)
    singles: float = 0.0
