"""Find and read a dataset's annotation, in the original form or one of the public pre-split forms."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from filecmp import cmp
from itertools import chain
from pathlib import Path

from harness.data.annotation_entries import dataset_fingerprint, merge, parse_entries
from harness.data.back_translations import FILE, read_translations, with_translations
from harness.data.own_data import own_annotation
from harness.datasets import DATASETS, SPLITS, Counts, PersonDataset, Sample, WrongFile
from harness.errors import DataError, listed
from harness.paths import Place
from harness.twins.marker import Marker, read_marker

PRE_SPLIT = ("{split}.json", "processed_data/{split}.json", "{split}_reid.json", "{name}_{split}.json")
_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


class MissingData(DataError):
    """A dataset's annotation is not where it was looked for."""


@dataclass(frozen=True)
class Location:
    """Where a dataset is: its folder, its annotation files by split ("" for all in one) and its images."""

    folder: Path
    annotations: Mapping[str, Path]
    images: Path


@dataclass(frozen=True)
class Annotation:
    """What a dataset's annotation files hold.

    Attributes:
        samples: one for each image of a split.
        entries: one for each record, in file order, as it spells its path.
        files: the files that were read, and `unread` those that fit as well.
        notes: how data of one's own were read, and `warnings` what is odd about their file as a whole.
    """

    samples: list[Sample]
    entries: list[Sample]
    files: list[Path] = field(default_factory=list)
    unread: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def locate(dataset: type[PersonDataset], root: Path) -> Location | None:
    """Return where a dataset is under `root`, by file existence alone; None when no annotation is found.

    `root` holds the dataset's folder or is that folder. An original file has precedence over a pre-split form.
    """
    if own := dataset.own:
        return Location(own.file.parent, {"": own.file}, own.images) if own.file.is_file() else None
    inside = root / dataset.folder
    for folder, files in _forms(dataset, root):
        whole = [file for split, file in files if not split]
        if len(whole) > 1:
            names = ", ".join(file.name for file in whole)
            raise DataError(f"{folder} contains several annotation files ({names}): keep the one to be read.")
        images = folder / dataset.image_folder
        other = inside / dataset.image_folder
        return Location(folder, dict(files), other if folder == root and other.is_dir() else images)
    return None


def location_of(dataset: type[PersonDataset], root: Path) -> Location:
    """Return where a dataset is under `root`, where none of the known forms is there the place it is expected in."""
    folder = root / dataset.folder
    return locate(dataset, root) or Location(folder, {}, folder / dataset.image_folder)


def dataset_folder(dataset: type[PersonDataset], root: Path) -> Path:
    """Return the folder of a dataset under `root`: where it was found, else where it is expected."""
    return location_of(dataset, root).folder


def twin_marker(dataset: type[PersonDataset], root: Path) -> Marker | None:
    """Return what says that a dataset under `root` is a synthetic twin; None of real data, and of one's own."""
    return None if dataset.own else read_marker(dataset_folder(dataset, root))


def read_annotations(dataset: type[PersonDataset], root: Path) -> list[Sample]:
    """Return a dataset's samples, by its own `read` if it has one, else from the known forms."""
    return read_annotation(dataset, root).samples


def read_annotation(dataset: type[PersonDataset], root: Path) -> Annotation:
    """Return what a dataset's annotation holds, by its own `read` if it has one, else from the known forms."""
    if dataset.read:
        samples = dataset.read(root)
        return Annotation(samples, samples)
    if dataset.own:
        return _read_own(dataset)
    return _read_known_forms(dataset, root)


def _read_own(dataset: type[PersonDataset]) -> Annotation:
    location = locate(dataset, Path())
    if location is None:
        raise missing_data(dataset, Place(Path(dataset.folder), "the dataset's file"))
    samples, rows = own_annotation(dataset)
    samples = with_translations(samples, read_translations(location.folder / FILE))
    files = list(location.annotations.values())
    return Annotation(samples, rows.entries, files, notes=rows.notes, warnings=rows.warnings)


def _read_known_forms(dataset: type[PersonDataset], root: Path) -> Annotation:
    """Return a dataset's samples, one per image, in file order.

    Back translations are the annotation's own, else those of the file beside it (`harness.data.back_translations`).
    Raises `MissingData` when no annotation is found under `root`, `DataError` when it is faulty.
    """
    location = locate(dataset, root)
    if location is None:
        raise missing_data(dataset, Place(root, "the folder given"))
    strip = [dataset.folder, dataset.image_folder]
    entries = [
        sample
        for split, file in location.annotations.items()
        for sample in parse_entries(file, split or None, strip)
    ]
    if not entries:
        raise DataError(f"{location.folder}: the annotation has no entries. Download it again.")
    samples = with_translations(merge(entries), read_translations(location.folder / FILE))
    return Annotation(samples, entries, list(location.annotations.values()), _unread(dataset, root, location))


def read_dataset(dataset: type[PersonDataset], place: Place) -> list[Sample]:
    """Return a dataset's samples; when they are missing, the error names the setting that chose the place."""
    return annotation_of(dataset, place).samples


def annotation_of(dataset: type[PersonDataset], place: Place) -> Annotation:
    """Return what a dataset's annotation holds; an error for missing data names the setting that chose the place."""
    try:
        return read_annotation(dataset, place.path)
    except MissingData:
        raise missing_data(dataset, place) from None


def recognise(dataset: type[PersonDataset], counts: Mapping[str, Counts]) -> list[WrongFile]:
    """Return the known wrong files whose counts these are."""
    return [
        wrong for wrong in dataset.wrong_files if wrong.split in counts and _fits(wrong, counts[wrong.split])
    ]


def missing_data(dataset: type[PersonDataset], place: Place) -> MissingData:
    """Build the one error for missing data: where they come from, where they belong, what was found."""
    if own := dataset.own:
        return MissingData(
            f"{dataset.title} is not here: {own.file} does not exist. Put it back, or give --data and --images "
            "anew where it was moved."
        )
    lines = [
        f"{dataset.title} is not in {place}.",
        f"Expected: {place.path / dataset.folder / dataset.annotation_files[0]} and the images in "
        f"{place.path / dataset.folder / dataset.image_folder}",
        f"Found: {found_at(dataset, place.path)}",
        *(f"Known: {wrong.what}. {wrong.mend}" for wrong in named_wrong(dataset, place.path)),
        f"To get it: {dataset.access}",
    ]
    if owner := _other_owner(dataset, place.path):
        lines.insert(3, f"That is the folder of {owner.title}: give the one that holds {dataset.folder}.")
    if dataset.twin is not None:
        lines.append("Without it: --synthetic uses the synthetic twin, which needs no download.")
    return MissingData("\n  ".join(lines))


def missing_twin(dataset: type[PersonDataset], place: Place) -> MissingData:
    """Build the error for a synthetic twin that is not made yet, or that cannot be made."""
    if dataset.own:
        return MissingData(f"{dataset.title} are data of your own, which have no synthetic twin.")
    if dataset.twin is None:
        return MissingData(f"{dataset.title} has no synthetic twin, and none is in {place}.")
    fix = f"make it with: harness data make {dataset.name}"
    return MissingData(f"The synthetic twin of {dataset.title} is not in {place}: {fix}")


def found_at(dataset: type[PersonDataset], root: Path) -> str:
    """Say what is where a dataset is expected."""
    folder = root / dataset.folder
    place = folder if folder.is_dir() else root
    if not place.is_dir():
        return f"{place} does not exist."
    names = sorted(f"{entry.name}/" if entry.is_dir() else entry.name for entry in place.iterdir())
    return f"{place} contains {listed(names, 8)}." if names else f"{place} is empty."


def named_wrong(dataset: type[PersonDataset], root: Path) -> list[WrongFile]:
    """Return the known wrong files that are there by name."""
    folders = (root / dataset.folder, root)
    return [
        wrong
        for wrong in dataset.wrong_files
        if wrong.file and any((folder / wrong.file).is_file() for folder in folders)
    ]


def image_files(
    dataset: type[PersonDataset], root: Path, samples: Sequence[Sample], among: Sequence[Sample] = ()
) -> list[Path]:
    """Return the file of each sample, under another extension where only that exists.

    A missing file keeps the path of the annotation, so that whoever opens it can name it. So does one whose name the
    annotation has with another extension, too: that file is another picture.

    Args:
        dataset: its class.
        root: where it is.
        samples: whose files are asked for.
        among: all samples of the annotation, where `samples` are some of them.
    """
    folder = location_of(dataset, root).images
    files = {sample.image: f"{folder}/{sample.image}" for sample in samples}
    if missing := [image for image, file in files.items() if not os.path.isfile(file)]:
        stems = Counter(os.path.splitext(image)[0] for image in {*files, *(one.image for one in among)})
        for image in missing:
            if stems[os.path.splitext(image)[0]] == 1:
                files[image] = existing(files[image])
    return [Path(files[sample.image]) for sample in samples]


def existing(path: str) -> str:
    """Return the path, or the same with another image extension when one such file alone exists."""
    if os.path.isfile(path):
        return path
    stem = os.path.splitext(path)[0]
    others = [stem + suffix for lower in _IMAGE_SUFFIXES for suffix in (lower, lower.upper())]
    there = [other for other in others if os.path.isfile(other)]
    # Where case makes no difference, one file has two of these names.
    return there[0] if there and all(os.path.samefile(there[0], other) for other in there) else path


def annotation_fingerprint(dataset: type[PersonDataset], root: Path, samples: Sequence[Sample]) -> str:
    """Return the fingerprint of a dataset's annotations that a run records; a twin's depends on its generator, too."""
    from harness.config.values import content_hash  # brings pydantic, which `harness data list` does without

    fingerprint, marker = dataset_fingerprint(samples), twin_marker(dataset, root)
    return content_hash([fingerprint, marker.version]) if marker else fingerprint


def _forms(dataset: type[PersonDataset], root: Path) -> Iterator[tuple[Path, list[tuple[str, Path]]]]:
    """Yield each form of the annotation that is there: its folder, and its files with the split of each, "" for all."""
    for folder in dict.fromkeys((root / dataset.folder, root)):
        for pattern in dataset.annotation_files:
            if whole := [("", file) for file in sorted(folder.glob(pattern))]:
                yield folder, whole
        yield from ((folder, files) for files in _pre_split(dataset, folder, named=folder == root))


def _pre_split(dataset: type[PersonDataset], folder: Path, named: bool) -> Iterator[list[tuple[str, Path]]]:
    """Yield pre-split forms; with `named`, one that names no dataset counts only beside the images of no other."""
    alone = dataset.image_folder != "." and (folder / dataset.image_folder).is_dir()
    for pattern in PRE_SPLIT if alone or not named else PRE_SPLIT[-1:]:
        files = [(split, folder / pattern.format(split=split, name=dataset.name)) for split in SPLITS]
        files = [(split, file) for split, file in files if file.is_file()]
        whole = {"train", "test"} <= {split for split, _ in files}
        if whole and not (named and "{name}" not in pattern and _other_owner(dataset, folder)):
            yield files


def _other_owner(dataset: type[PersonDataset], root: Path) -> type[PersonDataset] | None:
    """Return another published dataset whose own folder a data root is, by its name or an annotation file in it."""
    names = {os.path.basename(path) for path in (os.path.abspath(root), os.path.realpath(root))}
    if dataset.folder in names:
        return None
    others = [one for one in DATASETS.usable() if one.name != dataset.name and not one.own]
    by_name = (one for one in others if one.folder in names)
    by_file = (one for one in others if any(any(root.glob(name)) for name in one.annotation_files))
    return next(chain(by_name, by_file), None)


def _unread(dataset: type[PersonDataset], root: Path, location: Location) -> list[Path]:
    """Return the annotation files that fit as well as those read, but for copies of these."""
    read = list(location.annotations.values())
    others = [file for _, files in _forms(dataset, root) for _, file in files if file not in read]
    return [file for file in others if not any(_same(file, one) for one in read)]


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and other.is_file() and cmp(one, other, shallow=False)


def _fits(wrong: WrongFile, counts: Counts) -> bool:
    wanted = (wrong.identities, wrong.images, wrong.captions)
    return all(want is None or want == got for want, got in zip(wanted, counts, strict=True))
