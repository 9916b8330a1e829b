"""What a picture of the corpus is: pixels, and what there is to say of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.pretrain.corpus.draws import Draws

# Words for drawn people, which paper dolls and pictograms share.
WHO: Mapping[str, tuple[str, ...]] = {
    "woman": ("woman", "lady", "girl", "female", "young woman"),
    "man": ("man", "guy", "boy", "male", "young man", "gentleman"),
    "anyone": ("person", "kid", "character", "figure", "model", "pedestrian", "adult"),
}
STANDING = ("standing", "standing still", "posing", "full body")
WALKING = ("walking", "taking a walk", "on the go", "mid stride")
RUNNING = ("running", "jogging", "in a hurry")
FRONT = ("front view", "facing the camera", "facing forward", "seen from the front")
BACK = ("back view", "from behind", "seen from the back", "rear view", "facing away")
SIDE = ("side view", "in profile", "from the side")


@dataclass(frozen=True)
class Mention:
    """One thing that is seen.

    Attributes:
        noun: what it is.
        before: adjectives, of which some are said, in this order.
        after: what may follow the noun, such as `with a logo`.
        plural: whether the noun is plural.
        always: whether every caption names it.
    """

    noun: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    plural: bool = False
    always: bool = False


@dataclass(frozen=True)
class Picture:
    """A picture and what it shows.

    Attributes:
        pixels: [height, width, 3].
        subject: who or what it is as a whole; empty where the mentions are all there is.
        mentions: the things on it.
        states: what may be said of the whole: poses, views, times of day.
        styles: words of which every caption holds one, for drawn people: `paper doll`, `pictogram`.
        worn: whether the subject wears or carries what is mentioned.
    """

    pixels: NDArray[np.uint8]
    subject: str
    mentions: tuple[Mention, ...]
    states: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    worn: bool = False


Make = Callable[[Draws, tuple[int, int]], Picture]


def who(draws: Draws) -> str:
    """Draw who a figure is: a key of `WHO`, women and men more often than anyone."""
    return draws.weighted({"woman": 4, "man": 4, "anyone": 2})
