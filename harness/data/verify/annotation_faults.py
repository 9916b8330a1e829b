"""What can be wrong with an annotation, found without opening an image, for `harness data verify` and every run."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from harness.data.annotation_entries import one_spelling
from harness.data.annotations import Annotation, Location, recognise
from harness.data.splits import NO_VALIDATION, begin_anew
from harness.data.verify.fault import Fault, PlacedFault, Severity, first
from harness.data.verify.own_faults import own_faults, text_faults
from harness.datasets import SPLITS, Counts, PersonDataset, Sample, count
from harness.errors import DataError, many
from harness.paths import DATASET_FILE
from harness.twins.marker import read_marker

_AGAIN = "Get the annotation file again"
_OWN = "Correct the file"
_JUNK = (
    "Market-1501 and its kin number junk and distractors so, which are no person: remove these entries, or give "
    "each person a number from 0 on."
)


def expected_counts(dataset: type[PersonDataset], folder: Path) -> tuple[dict[str, Counts], bool]:
    """Return the counts a folder should hold, and whether it is a synthetic twin, which has its own."""
    if dataset.own:
        return dataset.expected, False
    marker = read_marker(folder)
    return (dataset.expected, False) if marker is None else (marker.counts, True)


def faults_for_run(
    dataset: type[PersonDataset], annotation: Annotation, location: Location | None, needed: Collection[str]
) -> list[Fault]:
    """Return the errors and warnings that a run says and records, and goes on with.

    Args:
        dataset: the dataset's class.
        annotation: what its files hold.
        location: where it was found; None where only its own `read` knows.
        needed: the splits that the run cannot do without.

    Raises `DataError` with the fix for what no run can be made of.
    """
    expected, twin = expected_counts(dataset, location.folder) if location else (dataset.expected, False)
    for fault in stopping_faults(annotation.samples, expected, needed, own=bool(dataset.own)):
        where = f"{location.folder}: " if location else ""
        raise DataError(f"{where}{fault.line()}. {fault.mend}")
    found = [*annotation_faults(dataset, annotation, expected, twin=twin)]
    found += text_faults(annotation) if dataset.own else ()
    said = [fault for fault in found if fault.severity != "note"]
    return [PlacedFault(**vars(fault)) for fault in said] if dataset.own else said


def stopping_faults(
    samples: Sequence[Sample], expected: Mapping[str, Counts], needed: Collection[str], *, own: bool = False
) -> Iterator[Fault]:
    """Yield what no run can be made of: a needed split without entries, identities that are no persons."""
    there = {sample.split for sample in samples}
    for split in needed:
        if split not in there:
            published = f", published {expected[split].images:,} images" if split in expected else ""
            rest = ", ".join(name for name in SPLITS if name in there)
            what = f"No entry of the annotation belongs to the split {split}{published}; there is {rest}."
            without = f", or use --val holdout, or {NO_VALIDATION}" if split == "val" else ""
            drawn = f"Name some persons' split {split}; or draw all splits anew, with --columns split="
            yield Fault("error", what, f"{drawn if own else _AGAIN}{without}.")
    negative = [sample for sample in samples if sample.identity < 0]
    if negative:
        what = f"{many(len(negative), 'image')} with a negative identity."
        shown = [f"{sample.who}: {sample.label} in {sample.split}" for sample in negative]
        yield Fault("error", what, _JUNK, len(negative), first(shown))


def annotation_faults(
    dataset: type[PersonDataset], annotation: Annotation, expected: Mapping[str, Counts], *, twin: bool
) -> Iterator[Fault]:
    """Yield what makes results wrong or not comparable, and what is only odd, with the fix for each.

    Args:
        dataset: the dataset's class.
        annotation: what its files hold.
        expected: the counts of each split as published, or as the twin was made; {} where there are none.
        twin: whether it is a synthetic twin.
    """
    samples = annotation.samples
    found = count(samples)
    known = recognise(dataset, found)
    yield from (Fault("error", f"Known wrong file: {wrong.what}.", wrong.mend) for wrong in known)
    yield from _unread(annotation)
    yield from _wrong_counts(dataset, expected, found, twin)
    yield from own_faults(annotation) if dataset.own else ()
    again = "Correct the split" if dataset.own else f"{_AGAIN}, or keep each person in one split"
    if anew := begin_anew(dataset, annotation):
        what = f"Identities begin anew in {', '.join(anew)}: the same number is another person in each split."
        yield Fault("warning", what, "Nothing to do for --train-on train; train+val is refused.")
    yield from _leaks("person", [(sample.identity, sample) for sample in samples], again, apart=anew)
    yield from _leaks("image", [(sample.image, sample) for sample in samples], again)
    yield from _doubled(annotation.entries)
    yield from _two_spellings(annotation.entries)
    images = Counter((sample.split, sample.identity) for sample in samples)
    single = [_placed(sample.who, sample) for sample in samples if images[sample.split, sample.identity] == 1]
    if single:
        what = f"{many(len(single), 'person')} with a single image."
        yield Fault("note", what, "Nothing to do: they belong to the dataset.", len(single), first(single))


def _wrong_counts(
    dataset: type[PersonDataset], expected: Mapping[str, Counts], found: Mapping[str, Counts], twin: bool
) -> Iterator[Fault]:
    """Yield each split with wrong counts; between good copies only the number of captions may differ.

    Where no counts are published none are wrong.
    """
    told = "expected" if dataset.own else "published"
    again = f"{_OWN}, or the counts in its {DATASET_FILE}" if dataset.own else _AGAIN
    said, of = ("made", "that the synthetic twin was made with") if twin else (told, f"of {dataset.title}")
    for split in SPLITS if expected else ():
        want, got = expected.get(split), found.get(split)
        if want == got:
            continue
        if want is None or got is None:
            what = f"{'No' if got is None else 'A'} {split} set, unlike the {said} {dataset.title}."
            yield Fault("error", what, f"{again}.")
            continue
        names = [
            name for name in ("images", "captions", "identities") if getattr(want, name) != getattr(got, name)
        ]
        parts = [f"{getattr(got, name):,} {name}, {said} {getattr(want, name):,}" for name in names]
        whose = f"the {split} set {of}" if twin else f"the {said} {split} set"
        severity: Severity = "warning" if names == ["captions"] else "error"
        yield Fault(severity, f"Not {whose}: {'; '.join(parts)}.", f"{again}; results cannot be compared.")


def _leaks(
    name: str, places: Iterable[tuple[object, Sample]], again: str, apart: Sequence[str] = ()
) -> Iterator[Fault]:
    """Yield what is in more than one split; a number shared by splits that number `apart` is none."""
    splits: dict[object, dict[str, Sample]] = defaultdict(dict)
    for value, sample in places:
        splits[value].setdefault(sample.split, sample)
    shared = [
        f"{_name(value, found)} in {', '.join(_placed(split, found[split]) for split in sorted(found))}"
        for value, found in splits.items()
        if len(found) > 1 and not found.keys() <= set(apart)
    ]
    if shared:
        what = f"{many(len(shared), name)} in more than one split: test data would be trained on."
        yield Fault("error", what, f"{again}.", len(shared), first(shared))


def _name(value: object, found: Mapping[str, Sample]) -> object:
    """Return an image as it is, and a person by name."""
    return value if isinstance(value, str) else next(iter(found.values())).who


def _placed(what: str, sample: Sample) -> str:
    return f"{what} ({sample.where})" if sample.where else what


def _doubled(entries: Sequence[Sample]) -> Iterator[Fault]:
    seen: set[tuple[object, ...]] = set()
    again = []
    for entry in entries:
        key = (entry.split, one_spelling(entry.image), entry.identity, entry.captions)
        if key in seen:
            again.append(entry.label)
        seen.add(key)
    if again:
        one = len(again) == 1
        what = (
            f"{many(len(again), 'record')} {'is' if one else 'are'} there twice, so that "
            f"{'its' if one else 'their'} captions count twice."
        )
        yield Fault("warning", what, "Remove the second ones.", len(again), first(again))


def _two_spellings(entries: Sequence[Sample]) -> Iterator[Fault]:
    """Yield pictures whose path is written in several ways: `//`, `./`, percent codes, another form of Unicode."""
    spellings: dict[str, dict[str, Sample]] = defaultdict(dict)
    for entry in entries:
        spellings[_plainest(entry.image)].setdefault(entry.image, entry)
    several = [
        " and ".join(_placed(image, found[image]) for image in sorted(found))
        for found in spellings.values()
        if len(found) > 1
    ]
    if several:
        what = f"{many(len(several), 'picture')} under several spellings of the path."
        yield Fault("warning", what, "Write each path in one way.", len(several), first(several))


def _plainest(image: str) -> str:
    image = one_spelling(image)
    image = unquote(image) if "%" in image else image
    return image if image.isascii() else unicodedata.normalize("NFC", image)


def _unread(annotation: Annotation) -> Iterator[Fault]:
    if annotation.unread:
        n, read = len(annotation.unread), ", ".join(file.name for file in annotation.files)
        what = f"Read is {read}, but {many(n, 'other annotation file')} would fit as well."
        fix = "Remove or rename what is not to be read."
        yield Fault("warning", what, fix, n, first(annotation.unread))
