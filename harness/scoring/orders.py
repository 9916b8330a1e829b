"""In which order somebody's captions and images are: lists of file names and texts, matched with the harness's own.

A list file is JSON: `{"images": [names], "captions": [texts]}`, of which either may be left out; a caption may also be
`[text, image]`, which tells equal texts apart.
"""

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.datasets import Pairs
from harness.errors import DataError, brief, many
from harness.file_kinds import parse_json, read_text

_KEYS = ("images", "captions")
_FORM = '{"images": [file names], "captions": [texts]}'


@dataclass(frozen=True)
class Order:
    """Which of the harness's captions and images stands at each place of somebody's lists.

    Attributes:
        captions: [n_caption].
        images: [n_image].
        given: whether lists said so; else the harness's own order is assumed.
        note: what had to be assumed although lists were given.
    """

    captions: Tensor
    images: Tensor
    given: bool = False
    note: str | None = None


def own_order(pairs: Pairs) -> Order:
    """Return the harness's order: of the annotation."""
    return Order(torch.arange(len(pairs.captions)), torch.arange(len(pairs.images)))


def template(pairs: Pairs) -> dict[str, Any]:
    """Return the lists in the harness's order, as `read_order` takes them."""
    captions = [[text, pairs.images[owner]] for text, owner in zip(pairs.captions, pairs.owners, strict=True)]
    return {"images": pairs.images, "captions": captions}


def read_order(file: Path, pairs: Pairs) -> Order:
    """Return the order that a file of lists tells of a split; raise `DataError` where a list is not the split's."""
    try:
        lists = parse_json(read_text(file))
    except ValueError as error:
        raise DataError(f"{file} is not valid JSON: {error}. Expected {_FORM}.") from error
    if not isinstance(lists, dict) or not lists or lists.keys() - {*_KEYS, "checksum"}:
        found = f"the keys {brief(list(lists))}" if isinstance(lists, dict) else brief(lists)
        raise DataError(f"{file} should hold {_FORM}, but holds {found}.")
    for key in lists.keys() & set(_KEYS):
        if not isinstance(lists[key], list):
            raise DataError(f"{key} of {file} should be a list, but is {brief(lists[key])}.")
    own = own_order(pairs)
    images = _places_of_images(lists["images"], pairs, file) if "images" in lists else own.images
    if "captions" not in lists:
        return Order(own.captions, images, given=True)
    captions, n_alike = _places_of_captions(lists["captions"], pairs, file)
    note = None
    if n_alike:
        note = (
            f"{many(n_alike, 'caption')} of {file.name} stand with several persons' images in the annotation, and "
            "nothing says whose they are: taken in the order of the annotation. [text, image] says it."
        )
    return Order(captions, images, given=True, note=note)


def _places_of_images(names: list[Any], pairs: Pairs, file: Path) -> Tensor:
    _check_number(len(names), len(pairs.images), "image", file)
    finder = _Finder(pairs.images)
    places = [finder.place(name, f"image {number:,} of {file}") for number, name in enumerate(names)]
    _check_once(places, names, "image", file)
    return torch.tensor(places)


def _places_of_captions(entries: list[Any], pairs: Pairs, file: Path) -> tuple[Tensor, int]:
    """Return the places, and how many captions are of a text that stands with several persons and names no image."""
    _check_number(len(entries), len(pairs.captions), "caption", file)
    finder = _Finder(pairs.images)
    by_text: dict[str, deque[int]] = defaultdict(deque)
    by_both: dict[tuple[str, int], deque[int]] = defaultdict(deque)
    for own, (caption, owner) in enumerate(zip(pairs.captions, pairs.owners, strict=True)):
        by_text[_plain(caption)].append(own)
        by_both[_plain(caption), owner].append(own)
    persons = {text: {pairs.identities[pairs.owners[at]] for at in found} for text, found in by_text.items()}
    taken: set[int] = set()
    places, n_alike = [], 0
    for number, entry in enumerate(entries):
        label = f"caption {number:,} of {file}"
        text, image = _parts(entry, label)
        found = by_text.get(text) if image is None else by_both.get((text, finder.place(image, label)))
        while found and found[0] in taken:
            found.popleft()
        if not found:
            why = (
                "is not in the annotation" if found is None else "is there more often than in the annotation"
            )
            raise DataError(
                f"{label} {why}: {brief(entry)}. Expected the texts of the split as the annotation has them."
            )
        taken.add(found[0])
        places.append(found.popleft())
        n_alike += image is None and len(persons[text]) > 1
    return torch.tensor(places), n_alike


def _parts(entry: Any, label: str) -> tuple[str, Any]:
    """Return the text of a caption and its image, None where none is named."""
    if isinstance(entry, str):
        return _plain(entry), None
    if isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str):
        return _plain(entry[0]), entry[1]
    raise DataError(f"{label} should be a text, or [text, image], but is {brief(entry)}.")


def _plain(text: str) -> str:
    """Return a text with single blanks: what codes do to blanks makes no other caption."""
    return " ".join(text.split())


class _Finder:
    """Finds an image by its path, of which more may be given than the annotation has, as in `/data/imgs/a/1.jpg`."""

    def __init__(self, images: Sequence[str]) -> None:
        self._places = {name: place for place, name in enumerate(images)}

    def place(self, name: Any, label: str) -> int:
        """Return the place of an image among the harness's; raise `DataError` for one that is not there."""
        parts = name.replace("\\", "/").split("/") if isinstance(name, str) else []
        for start in range(len(parts)):
            found = self._places.get("/".join(parts[start:]))
            if found is not None:
                return found
        example = brief(next(iter(self._places)))
        raise DataError(f"{label} is not in the split: {brief(name)}. Expected names as {example}.")


def _check_number(found: int, expected: int, what: str, file: Path) -> None:
    if found != expected:
        raise DataError(f"{file} lists {many(found, what)}: expected {expected:,}, those of the split.")


def _check_once(places: list[int], names: list[Any], what: str, file: Path) -> None:
    seen: dict[int, int] = {}
    for number, place in enumerate(places):
        if place in seen:
            raise DataError(
                f"{file} lists the {what} {brief(names[number])} twice, at {seen[place]:,} and {number:,} (from 0): "
                "expected each once."
            )
        seen[place] = number
