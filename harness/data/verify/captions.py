"""Find odd captions. They are counted and shown, never changed: the published codes read them as they are."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from harness.datasets import Sample

_KEPT = "Nothing to do: captions are read as they are, as in the published codes."
EMPTY = "Nothing has to be done; an empty query finds its person by chance. To fix it, write a caption."

_SPACES = re.compile(r"^\s|\s$")
_DOUBLE = re.compile(r"\s\s")
_WIDE = re.compile(r"[　-鿿가-힯豈-﫿＀-￯]")
_MARKUP = re.compile(r"</?\w+|&\w+;|https?://|[{}\\]|\w\(\)|==|[\x00-\x08\x0b-\x1f]")
_NO_SPACE = re.compile(r"[a-z][.,][A-Z]")


@dataclass
class Oddity:
    """One kind of odd captions, how many there are and the first few."""

    what: str
    mend: str = _KEPT
    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, example: str) -> None:
        """Count one more."""
        self.count += 1
        if len(self.examples) < 3:
            self.examples.append(example if len(example) <= 80 else example[:79] + "…")


def check_captions(samples: Sequence[Sample]) -> list[Oddity]:
    """Return the kinds of odd captions that occur, with their counts."""
    kinds = [(Oddity(what, fix), test) for what, fix, test in _kinds()]
    for sample in samples:
        for caption in sample.captions:
            for oddity, test in kinds:
                if test(caption):
                    oddity.add(f"{sample.label}: {caption!r}")
    return [oddity for oddity, _ in kinds if oddity.count] + list(_shared(samples))


def check_texts(samples: Sequence[Sample]) -> tuple[Oddity, Oddity]:
    """Return what matters of it before a run: captions that are empty, and those of several persons."""
    empty = Oddity("empty", EMPTY)
    for sample in samples:
        for caption in sample.captions:
            if not caption.strip():
                empty.add(sample.label)
    return empty, next(_shared(samples), Oddity(""))


def _kinds() -> list[tuple[str, str, Callable[[str], object]]]:
    return [
        ("empty", EMPTY, lambda caption: not caption.strip()),
        ("with spaces at an end", _KEPT, lambda caption: caption.strip() and _SPACES.search(caption)),
        ("with doubled spaces", _KEPT, lambda caption: caption.strip() and _DOUBLE.search(caption)),
        ("all upper case", _KEPT, lambda caption: len(caption) > 3 and caption.isupper()),
        ("with full-width or East Asian characters", _KEPT, lambda caption: _wide(caption)),
        (
            "with other characters beyond ASCII",
            _KEPT,
            lambda caption: not caption.isascii() and not _wide(caption),
        ),
        ("with fragments of markup or code", _KEPT, _MARKUP.search),
        ("without a space after a full stop or comma", _KEPT, _NO_SPACE.search),
    ]


def _wide(caption: str) -> bool:
    return not caption.isascii() and bool(_WIDE.search(caption))


def _shared(samples: Sequence[Sample]) -> Iterator[Oddity]:
    """Yield the texts that describe several persons, counted once each."""
    owners: dict[str, set[int]] = defaultdict(set)
    where: dict[str, str] = {}
    for sample in samples:
        for caption in sample.captions:
            if caption.strip():
                owners[caption].add(sample.identity)
                where.setdefault(caption, sample.where)
    oddity = Oddity("that describe several persons in the same words")
    for caption, identities in owners.items():
        if len(identities) > 1:
            place = f"{where[caption]}: " if where[caption] else ""
            oddity.add(f"{place}{len(identities)} persons: {caption!r}")
    if oddity.count:
        yield oddity
