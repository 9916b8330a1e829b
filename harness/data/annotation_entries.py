"""Turn the objects of an annotation file into samples; every error names file, entry and fix.

Read are all public spellings: `file_path`, `img_path`, `image`; `captions`, `caption`; `id`, `image_id`.
Texts are kept as they are, in file order; `processed_tokens` is not read.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from harness.datasets import SPLITS, Sample
from harness.errors import DataError
from harness.file_kinds import parse_json, read_text

_PATH_KEYS = ("file_path", "img_path", "image")
_TEXT_KEYS = ("captions", "caption")
_IDENTITY_KEYS = ("id", "image_id")
# Other names under which a person's number is published; beside one of the above they leave open which is meant.
_PERSON_KEYS = ("pid", "person_id", "personid", "person", "identity", "identity_id", "p_id")
_IDENTITIES = range(-(2**63), 2**63)
_ABSOLUTE = re.compile(r"/|[A-Za-z]:")


def _read_entries(file: Path) -> list[Any]:
    """Return the list that an annotation file holds; raise `DataError` when it is anything else."""
    text = read_text(file)
    try:
        value = parse_json(text)
    except ValueError as error:
        fix = "It is cut off or damaged: download or unpack it again."
        raise DataError(
            f"{file} ({file.stat().st_size:,} bytes) is not valid JSON: {error}. {fix}"
        ) from error
    if not isinstance(value, list):
        raise DataError(f"{file} should hold a list with one object per image, but holds {_shown(value)}.")
    return value


def parse_entries(file: Path, split: str | None, strip: Sequence[str]) -> list[Sample]:
    """Return one sample for each entry of a file, with the path as it is written there, but for leading folders.

    Args:
        file: the annotation file.
        split: the split that the whole file belongs to, which none of its entries may deny; None: each says its own.
        strip: leading folders that some variants write before the path, outermost first.

    Raises `DataError` with file, index of the entry (from 0), what is wrong and the fix.
    """
    entries = _read_entries(file)
    check_one_identity(file, entries)
    return [_Entry(file, index, entry).sample(split, strip) for index, entry in enumerate(entries)]


def check_one_identity(file: Path, entries: Sequence[Any]) -> None:
    """Raise `DataError` where two keys could be the person and do not agree.

    An `image_id` that numbers the pictures beside an `id` that comes again is no person.
    """
    objects = [entry for entry in entries if isinstance(entry, dict)]
    keys = [key for key in dict.fromkeys(key for entry in objects for key in entry) if _may_be_person(key)]
    if len(keys) < 2:
        return
    known = next((key for key in _IDENTITY_KEYS if key in keys), keys[0])
    values = {key: [repr(entry.get(key)) for entry in objects] for key in keys}
    for key in (key for key in keys if values[key] != values[known]):
        numbers = len(set(values[key])) == len(objects) > len(set(values[known]))
        if (known, key) == _IDENTITY_KEYS and numbers:
            continue
        place = next(place for place, one in enumerate(values[known]) if one != values[key][place])
        raise DataError(
            f"{file}: {known} and {key} could both be the number of the person, and they differ (entry {place}: "
            f"{_shown(objects[place].get(known))}, {_shown(objects[place].get(key))}): keep that of the person alone, "
            "under the name id."
        )


def _may_be_person(key: Any) -> bool:
    return isinstance(key, str) and (key in _IDENTITY_KEYS or key.lower() in _PERSON_KEYS)


def one_spelling(path: str) -> str:
    r"""Return a path with forward slashes, without the parts that lead nowhere.

    >>> one_spelling(r".\a//b/./c.jpg")
    'a/b/c.jpg'
    """
    if "//" not in path and "./" not in path and "\\" not in path:
        return path
    return "/".join(part for part in path.replace("\\", "/").split("/") if part not in ("", "."))


def dataset_fingerprint(samples: Sequence[Sample]) -> str:
    """Return the SHA-256 of images, identities, captions and splits in order: what a run learns from."""
    content = [(s.image, s.identity, s.captions, s.split, s.captions_bt) for s in samples]
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()


def merge(samples: Sequence[Sample]) -> list[Sample]:
    """Join the entries about one image of a split into one sample, captions in file order.

    Raises `DataError` when they disagree on the identity or only some have back-translations.
    """
    joined: dict[tuple[str, str], Sample] = {}
    for sample in samples:
        if (image := one_spelling(sample.image)) != sample.image:
            sample = replace(sample, image=image)
        key = (sample.split, image)
        joined[key] = _join(joined[key], sample) if key in joined else sample
    return list(joined.values())


def _join(first: Sample, second: Sample) -> Sample:
    if first.identity != second.identity:
        raise DataError(
            f"The image {first.image!r} ({first.split}) has two identities, {first.identity} and "
            f"{second.identity}: correct or remove one of its entries."
        )
    if bool(first.captions_bt) != bool(second.captions_bt):
        raise DataError(f"Only some entries of the image {first.image!r} ({first.split}) have captions_bt.")
    captions = first.captions + second.captions
    return replace(first, captions=captions, captions_bt=first.captions_bt + second.captions_bt)


class _Entry:
    """One object of an annotation file and its place there, for messages."""

    def __init__(self, file: Path, index: int, entry: Any) -> None:
        self.file, self.index, self.entry = file, index, entry
        if not isinstance(entry, dict):
            self.fail(f"should be an object with a path, captions and an id, but is {_shown(entry)}")

    def sample(self, split: str | None, strip: Sequence[str]) -> Sample:
        captions = self.texts(*self.value(_TEXT_KEYS))
        translated = self.translations(captions)
        return Sample(self.image(strip), self.identity(), captions, self.split(split), translated)

    def value(self, keys: Sequence[str]) -> tuple[str, Any]:
        key = next((key for key in keys if key in self.entry), None)
        if key is not None:
            return key, self.entry[key]
        return self.fail(
            f"has none of the keys {', '.join(keys)}; it has {', '.join(map(str, self.entry)) or 'none'}"
        )

    def image(self, strip: Sequence[str]) -> str:
        key, path = self.value(_PATH_KEYS)
        if not isinstance(path, str) or not path.strip():
            self.fail(f"{key} should be the path of an image, but is {_shown(path)}")
        written = self.text(key, path)
        whole = path = written.replace("\\", "/").removeprefix("./")
        for folder in strip:
            path = path.removeprefix(f"{folder}/")
        if "\0" in path or _ABSOLUTE.match(path) or ".." in path.split("/"):
            self.fail(f"{key} {path!r} is outside the image folder; only paths inside it are read")
        return written if path == whole else path

    def identity(self) -> int:
        key, identity = self.value(_IDENTITY_KEYS)
        if not isinstance(identity, int) or isinstance(identity, bool):
            self.fail(f"{key} should be the identity, a whole number, but is {_shown(identity)}")
        if identity not in _IDENTITIES:
            self.fail(f"{key} {identity} is beyond 64 bit: number the persons from 0 on")
        return identity

    def split(self, of_file: str | None) -> str:
        if of_file:
            own = _known_split(self.entry.get("split"))
            # What validates may be carved out of train, or be a copy of test (as in CADA), which its counts tell.
            if own and own != of_file != "val":
                self.fail(
                    f"the split is {own}, but this is the file of the split {of_file}: it bears the wrong name or "
                    "holds entries of another, so put each entry into the file of its split, or take the key split "
                    "out where it is wrong"
                )
            return of_file
        if "split" not in self.entry:
            self.fail(
                "has no key split, so this is not the file with the published split (caption_all.json, "
                "which comes with some image archives, has none either): get the annotation file itself"
            )
        split = self.entry["split"]
        return _known_split(split) or self.fail(
            f"the split is {_shown(split)}; allowed are {', '.join(SPLITS)} and valid"
        )

    def texts(self, key: str, value: Any) -> tuple[str, ...]:
        if isinstance(value, str):
            return (self.text(key, value),)
        if not isinstance(value, list) or not value:
            self.fail(f"{key} should be a list of sentences, but is {_shown(value)}")
        return tuple(self.text(key, caption) for caption in value)

    def translations(self, captions: tuple[str, ...]) -> tuple[str, ...]:
        value = self.entry.get("captions_bt")
        if not value:
            return ()
        translated = self.texts("captions_bt", value)
        if len(translated) != len(captions):
            self.fail(
                f"has {len(captions)} captions but {len(translated)} captions_bt; there must be one for each"
            )
        return translated

    def text(self, key: str, value: Any) -> str:
        if isinstance(value, list) and all(isinstance(token, str) for token in value):
            if len(value) > 1 and any(" " in token.strip() for token in value):
                self.fail(
                    f"{key} holds a list of sentences in its list ({_shown(value)}), where the words of one "
                    "caption are expected: take the sentences out of the inner list"
                )
            value = " ".join(value)
        if not isinstance(value, str):
            self.fail(f"{key} should hold sentences, but holds {_shown(value)}")
        try:
            value.isascii() or value.encode()
        except UnicodeEncodeError:
            self.fail(f"{key} contains half a character (a lone surrogate): {_shown(value)}")
        return str(value)

    def fail(self, what: str) -> NoReturn:
        raise DataError(f"{self.file}, entry {self.index} (counted from 0): {what}.")


def _known_split(value: Any) -> str | None:
    """Return the split that an entry names, in whatever case; None where it is none."""
    name = value.lower() if isinstance(value, str) else None
    name = "val" if name == "valid" else name
    return name if name in SPLITS else None


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return f"an object with the keys {', '.join(str(key)[:30] for key in list(value)[:6]) or '(none)'}"
    text = ascii(value)
    return f"{type(value).__name__} {text[:60]}{'…' if len(text) > 60 else ''}"
