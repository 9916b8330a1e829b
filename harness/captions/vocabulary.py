"""What a caption mentions: how many words it has, and which colours, clothes and things it names.

A caption's colours (or garments) are one number whose bit i is set when it says a word for the i-th name of
`COLOURS` (or `GARMENTS`). Words count whole, in any case, in the plural too; a hyphenated word counts as itself
and by its parts. What a colour refers to is not considered: brown hair counts as brown, too.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Lexicon = Mapping[str, str]
MAX_WORDS = 65_535
COLOURS: Lexicon = {
    "black": "blackish",
    "white": "whitish",
    "grey": "gray greyish grayish silver charcoal",
    "red": "reddish maroon burgundy crimson scarlet",
    "orange": "orangish",
    "yellow": "yellowish gold golden",
    "green": "greenish olive",
    "blue": "bluish navy turquoise teal cyan",
    "purple": "purplish violet lavender lilac",
    "pink": "pinkish magenta",
    "brown": "brownish",
    "beige": "khaki cream tan",
}
GARMENTS: Lexicon = {
    "shirt": "tshirt tee teeshirt blouse polo top singlet camisole",
    "sweater": "jumper pullover hoodie hoody sweatshirt cardigan",
    "jacket": "coat blazer parka anorak raincoat overcoat trenchcoat windbreaker",
    "vest": "waistcoat",
    "suit": "tuxedo",
    "trousers": "pants jean slacks leggings sweatpants chinos bottoms",
    "shorts": "",
    "skirt": "miniskirt",
    "dress": "gown sundress",
    "shoes": "shoe sneaker trainer boot sandal heel slipper loafer footwear flipflop",
    "socks": "sock stocking tights",
    "bag": "backpack rucksack knapsack handbag purse satchel schoolbag tote suitcase briefcase luggage pouch",
    "hat": "cap beanie bonnet helmet",
    "glasses": "sunglasses eyeglasses spectacles goggles",
    "scarf": "scarves shawl",
    "gloves": "glove mitten",
    "belt": "",
    "tie": "necktie bowtie",
    "jewellery": "jewelry watch bracelet necklace earring",
    "mask": "",
    "umbrella": "",
    "phone": "cellphone smartphone telephone",
}
_HYPHENS = "-\u2010\u2011\u2012\u2013\u2212"
_WORD = re.compile(rf"\w+(?:[{_HYPHENS}'’]\w+)*")
_PART = re.compile(rf"[{_HYPHENS}'’]")
# Where these words name no garment of their own: the top of something, a vest top, and what belongs to a dress.
_OTHERWISE = re.compile(
    r"\btops?\s+of\b|\bvest(?=[\s-]+top)|\bdress(?=[\s-]+(?:shirt|pant|shoe|trouser|boot))"
)


def caption_features(captions: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Return what captions mention, to be kept with their results.

    `n_words` is uint16 [n_caption], the count of words; `colours` and `garments` are uint32 [n_caption], a bit for
    each name of `COLOURS` and `GARMENTS`.

    >>> found = caption_features(["A man in a dark-blue T-shirt and grey pants."])
    >>> found["n_words"].tolist(), named(found["colours"], COLOURS), named(found["garments"], GARMENTS)
    ([9], [['grey', 'blue']], [['shirt', 'trousers']])
    """
    bits = _Bits()
    rows = [bits.of_caption(caption) for caption in captions]
    n_words, colours, garments = zip(*rows, strict=True) if rows else ((), (), ())
    return {
        "n_words": np.array(n_words, dtype=np.uint16),
        "colours": np.array(colours, dtype=np.uint32),
        "garments": np.array(garments, dtype=np.uint32),
    }


def vocabulary() -> dict[str, NDArray[Any]]:
    """Return the names of the bits, in their order, as arrays of text that load without pickle."""
    return {"colours": np.array(list(COLOURS)), "garments": np.array(list(GARMENTS))}


def named_by(masks: Any, names: Iterable[str]) -> dict[str, NDArray[np.bool_]]:
    """Return of each name which numbers have its bit set [n].

    >>> {name: inside.tolist() for name, inside in named_by([1, 0], ["black"]).items()}
    {'black': [True, False]}
    """
    bits = np.asarray(masks, dtype=np.uint32)
    return {str(name): (bits >> np.uint32(bit) & 1).astype(bool) for bit, name in enumerate(names)}


def named(masks: Any, names: Iterable[str]) -> list[list[str]]:
    """Return the names whose bits are set in each number.

    >>> named([5, 0], ["black", "white", "grey"])
    [['black', 'grey'], []]
    """
    found = named_by(masks, names)
    return [[name for name, inside in found.items() if inside[place]] for place in range(len(masks))]


class _Bits:
    """The bits of every word met so far, so that each is looked up once."""

    def __init__(self) -> None:
        self._known = _forms(COLOURS), _forms(GARMENTS)
        self._met: dict[str, tuple[int, int]] = {}

    def of_caption(self, caption: str) -> tuple[int, int, int]:
        """Return how many words a caption has, and the bits of its colours and garments."""
        text = caption.lower()
        words = _WORD.findall(text)
        spoken = _WORD.findall(_OTHERWISE.sub(" ", text)) if "top" in text or "dress" in text else words
        colours = garments = 0
        for word in spoken:
            bits = self._met.get(word) or self._look_up(word)
            colours |= bits[0]
            garments |= bits[1]
        return min(len(words), MAX_WORDS), colours, garments

    def _look_up(self, word: str) -> tuple[int, int]:
        parts = _PART.split(word)
        colours, garments = self._known
        joined = garments.get("".join(parts))
        garment = joined or _union(garments.get(part, 0) for part in parts)
        self._met[word] = found = _union(colours.get(part, 0) for part in parts), garment
        return found


def _forms(lexicon: Lexicon) -> dict[str, int]:
    """Return the bit of each word for a name, in the singular and the plural."""
    assert len(lexicon) <= 32, "a name too many for uint32"
    words = {word: 1 << bit for bit, name in enumerate(lexicon) for word in (name, *lexicon[name].split())}
    plurals = {plural: bit for word, bit in words.items() for plural in (f"{word}s", f"{word}es")}
    return plurals | words


def _union(bits: Iterable[int]) -> int:
    found = 0
    for bit in bits:
        found |= bit
    return found
