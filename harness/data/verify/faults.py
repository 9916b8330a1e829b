"""What can be wrong with a dataset's splits, image files and captions, each with the fix."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from harness.data.annotations import recognise
from harness.data.verify.captions import EMPTY, check_captions
from harness.data.verify.image_files import Checked
from harness.datasets import SPLITS, Counts, PersonDataset, Sample, count
from harness.errors import many
from harness.images.decoding import Mark

_SHOWN = 3
_GROUPS = 12
_AGAIN = "Unpack the archive again, or get it again."
# Of each mark what is said of such files, and the fix.
_ODD = {
    Mark.CUT: ("cut off; the part that exists is used", _AGAIN),
    Mark.SINGLE_COLOUR: ("of one single colour, which show nobody", _AGAIN),
    Mark.TURNED: (
        "turned by their EXIF, which nothing heeds: they are used as they are stored",
        "Turn the pixels and take the entry out: magick mogrify -auto-orient FILE.",
    ),
}

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong or odd: an error makes the dataset unusable, a warning or a note does not."""

    severity: Severity
    what: str
    mend: str
    count: int = 1
    examples: list[str] = field(default_factory=list)


def split_faults(
    dataset: type[PersonDataset], samples: Sequence[Sample], expected: Mapping[str, Counts], kind: str
) -> Iterator[Fault]:
    """Yield known wrong files, wrong counts and leaks between splits; `kind` says what the counts belong to."""
    found = count(samples)
    known = recognise(dataset, found)
    yield from (Fault("error", f"Known wrong file: {wrong.what}.", wrong.mend) for wrong in known)
    yield from _wrong_counts(expected, found, kind)
    yield from _leaks("person", [(sample.identity, sample.split) for sample in samples])
    yield from _leaks("image", [(sample.image, sample.split) for sample in samples])
    images = Counter((sample.split, sample.identity) for sample in samples)
    single = [identity for (_, identity), n in images.items() if n == 1]
    if single:
        what = f"{many(len(single), 'person')} with a single image."
        yield Fault("note", what, "Nothing to do: they belong to the dataset.", len(single), _first(single))


def image_faults(
    folder: Path, samples: Sequence[Sample], files: Sequence[str], checked: Checked
) -> Iterator[Fault]:
    """Yield missing files by top folder, unreadable and odd files, and files under another extension."""
    top = {file: _top(sample.image) for file, sample in zip(files, samples, strict=True)}
    yield from _missing(folder, checked.missing, top)
    if checked.unreadable:
        n = len(checked.unreadable)
        shown = [f"{_short(folder, file)}: {_why(file, why)}" for file, why in checked.unreadable.items()]
        fix = f"{_AGAIN} --on-bad-image skip runs without them."
        yield Fault("error", f"{many(n, 'image file')} cannot be decoded.", fix, n, _first(shown))
    for mark, found in checked.marked.items():
        if found:
            state, mend = _ODD[mark]
            shown = [_short(folder, file) for file in found]
            yield Fault(
                "warning", f"{many(len(found), 'image file')} {state}.", mend, len(found), _first(shown)
            )
    other = [s.image for s, file in zip(samples, files, strict=True) if _renamed(file, f"{folder}/{s.image}")]
    if other:
        what = f"{many(len(other), 'image file')} with another extension than the annotation says."
        yield Fault("note", what, "Nothing to do: they are found.", len(other), _first(other))


def caption_faults(samples: Sequence[Sample], text_length: int) -> Iterator[Fault]:
    """Yield odd captions by kind."""
    for odd in check_captions(samples, text_length):
        severity: Severity = "warning" if odd.mend == EMPTY else "note"
        what = f"{many(odd.count, 'caption')} {odd.what}."
        yield Fault(severity, what, odd.mend, odd.count, odd.examples)


def _wrong_counts(expected: Mapping[str, Counts], found: Mapping[str, Counts], kind: str) -> Iterator[Fault]:
    """Yield the splits with wrong counts; between good copies only the number of captions may differ.

    Where no counts are published none are wrong.
    """
    wrong = [split for split in SPLITS if expected.get(split) != found.get(split)]
    if not wrong or not expected:
        return
    only_captions = all(
        split in expected and split in found and expected[split][:2] == found[split][:2] for split in wrong
    )
    what = f"The counts of {', '.join(wrong)} are not those of {kind}: results cannot be compared with it."
    examples = [_difference(split, expected.get(split), found.get(split)) for split in wrong]
    severity: Severity = "warning" if only_captions else "error"
    yield Fault(severity, what, "Get the annotation file again.", len(wrong), examples)


def _difference(split: str, expected: Counts | None, found: Counts | None) -> str:
    if expected is None or found is None:
        return f"{split}: {'should not be there' if found else 'is missing'}"
    names = [name for name in Counts._fields if getattr(expected, name) != getattr(found, name)]
    parts = [f"{getattr(found, name):,} {name} instead of {getattr(expected, name):,}" for name in names]
    return f"{split}: {', '.join(parts)}"


def _leaks(name: str, places: Iterable[tuple[object, str]]) -> Iterator[Fault]:
    splits: dict[object, set[str]] = defaultdict(set)
    for value, split in places:
        splits[value].add(split)
    shared = [f"{value} in {', '.join(sorted(found))}" for value, found in splits.items() if len(found) > 1]
    if shared:
        what = f"{many(len(shared), name)} in more than one split: test data would be trained on."
        fix = "Get the annotation file again, or keep each person in one split."
        yield Fault("error", what, fix, len(shared), _first(shared))


def _missing(folder: Path, missing: Sequence[str], top: Mapping[str, str]) -> Iterator[Fault]:
    if missing and not folder.is_dir():
        what = f"The image folder {folder} does not exist, so all {len(missing):,} image files are missing."
        yield Fault("error", what, "Put the images there, or make a link of that name to them.", len(missing))
        return
    groups: dict[str, list[str]] = defaultdict(list)
    for file in missing:
        groups[top[file]].append(_short(folder, file))
    totals = Counter(top.values())
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    for name, files in ordered[:_GROUPS]:
        whole = len(files) == totals[name] and name != "."
        what = f"{_place(name)}: {len(files):,} of {many(totals[name], 'image file')} missing."
        fix = f"The whole folder is missing: {_AGAIN[0].lower()}{_AGAIN[1:]}" if whole else _AGAIN
        yield Fault("error", what, fix, len(files), _first(files))
    rest = [file for _, files in ordered[_GROUPS:] for file in files]
    if rest:
        what = f"{len(ordered) - _GROUPS:,} more folders: {many(len(rest), 'image file')} missing."
        yield Fault("error", what, _AGAIN, len(rest), _first(rest))


def _top(image: str) -> str:
    folder, slash, _ = image.partition("/")
    return folder if slash else "."


def _place(name: str) -> str:
    return "The image folder itself" if name == "." else f"{name}/"


def _short(folder: Path, file: str) -> str:
    return file.removeprefix(f"{folder}/")


def _why(file: str, reason: str) -> str:
    return reason.replace(repr(file), "it").replace(file, "it")


def _renamed(file: str, annotated: str) -> bool:
    return Path(file) != Path(annotated)


def _first(values: Sequence[object]) -> list[str]:
    return [str(value) for value in values[:_SHOWN]]
