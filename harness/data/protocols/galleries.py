"""Galleries of lower or mixed resolution: what a test with one is called, and by how much each picture is reduced.

A trained run is tested on as many as one likes. Such a test has a name of its own, `icfg-low4`, so that no table takes
its result for that of the gallery as it is.
"""

import hashlib
import re
from dataclasses import dataclass

from harness.errors import UsageError, brief
from harness.limits import LARGEST_SEED

LARGEST_FACTOR, _MOST = 64, 16
_FACTOR = re.compile(r"[0-9]{1,3}")
_TEST = re.compile(
    r"(?P<dataset>.+)-(?:low(?P<one>\d+)|mixed(?P<several>\d+(?:_\d+)+))(?:-seed(?P<seed>\d+))?"
)


@dataclass(frozen=True)
class Gallery:
    """By how much the pictures of a gallery are reduced.

    Attributes:
        factors: height and width of a picture are divided by one of these, in ascending order; what is named twice is
            twice as frequent, and 1 leaves a picture as it is.
        seed: of the choice for each picture, where there are several.
    """

    factors: tuple[int, ...]
    seed: int = 0

    @property
    def name(self) -> str:
        """What comes behind the dataset's name in that of a test.

        >>> Gallery((4,)).name, Gallery((1, 2)).name, Gallery((1, 2), seed=3).name
        ('low4', 'mixed1_2', 'mixed1_2-seed3')
        """
        kind = "low" if len(self.factors) == 1 else "mixed"
        return f"{kind}{'_'.join(map(str, self.factors))}" + (f"-seed{self.seed}" if self.seed else "")

    @property
    def words(self) -> str:
        """What a table says of it.

        >>> Gallery((4,)).words, Gallery((1, 2, 4), seed=3).words
        ('pictures reduced to 1/4', 'pictures at 1, 1/2, 1/4, mixed by seed 3')
        """
        parts = ["1" if factor == 1 else f"1/{factor}" for factor in self.factors]
        if len(parts) == 1:
            return f"pictures reduced to {parts[0]}"
        return f"pictures at {', '.join(parts)}, mixed by seed {self.seed}"

    def factor_of(self, image: str) -> int:
        """Return by how much a picture is reduced: it follows from its name and the seed, whatever else is there."""
        digest = hashlib.sha256(f"{self.seed}/{image}".encode()).digest()
        return self.factors[int.from_bytes(digest[:8], "big") % len(self.factors)]


def parse_gallery(text: str, seed: int = 0) -> Gallery:
    """Return the gallery of a text, `4` or `1,2,4`; raise `UsageError` for none.

    >>> parse_gallery("4"), parse_gallery("4,1, 1")
    (Gallery(factors=(4,), seed=0), Gallery(factors=(1, 1, 4), seed=0))
    """
    parts = [part.strip() for part in str(text).split(",")]
    if len(parts) > _MOST or not all(
        _FACTOR.fullmatch(part) and 1 <= int(part) <= LARGEST_FACTOR for part in parts
    ):
        raise UsageError(
            f"A gallery is one factor or up to {_MOST} with commas, each from 1 to {LARGEST_FACTOR}, such as 4 or "
            f"1,2,4, but got {brief(text)}."
        )
    factors = tuple(sorted(map(int, parts)))
    if factors[-1] == 1:
        raise UsageError(
            f"A gallery of the factor 1 is the gallery as it is, but got {brief(text)}: leave it out."
        )
    return Gallery(factors, seed if len(factors) > 1 else 0)


def check_fits(gallery: Gallery, size: tuple[int, int]) -> None:
    """Raise `UsageError` where a gallery would leave nothing of pictures of a height and width."""
    if gallery.factors[-1] > min(size):
        raise UsageError(
            f"A gallery of the factor {gallery.factors[-1]} leaves nothing of pictures of {size[0]}x{size[1]}: take up "
            f"to {min(size)}."
        )


def name_of_test(dataset: str, gallery: Gallery | None) -> str:
    """Return what a test is called: its dataset, and its gallery where that is reduced."""
    return dataset if gallery is None else f"{dataset}-{gallery.name}"


def parse_test(name: str) -> tuple[str, Gallery | None]:
    """Return the dataset of a test and its gallery; None where that is as it is.

    >>> parse_test("icfg-low4")
    ('icfg', Gallery(factors=(4,), seed=0))
    >>> parse_test("icfg"), parse_test("my_set_1a2b")[1]
    (('icfg', None), None)
    """
    found = _TEST.fullmatch(name)
    if found is None:
        return name, None
    factors = found["one"] or found["several"].replace("_", ",")
    seed = int(found["seed"] or 0)
    if seed > LARGEST_SEED:
        raise UsageError(f"A seed is at most {LARGEST_SEED:,}, but got {brief(name)}.")
    return found["dataset"], parse_gallery(factors, seed)
