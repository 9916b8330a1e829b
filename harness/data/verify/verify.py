"""Check a dataset against what was published, or a synthetic twin against what was made."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from harness.data.annotations import (
    Annotation,
    MissingData,
    annotation_of,
    image_files,
    location_of,
)
from harness.data.verify.annotation_faults import annotation_faults, expected_counts, stopping_faults
from harness.data.verify.content_faults import copied_faults
from harness.data.verify.fault import SEVERITIES, Fault
from harness.data.verify.faults import caption_faults, image_faults
from harness.data.verify.image_files import Checked, Progress, check_files
from harness.data.verify.own_faults import outside_faults
from harness.datasets import Counts, PersonDataset, Sample, count, is_test_only
from harness.errors import DataError
from harness.images.file_hashes import content_hashes
from harness.images.store import contents_index
from harness.paths import Place


@dataclass(frozen=True)
class VerifyReport:
    """What a check of a dataset found.

    `expected` and `found` map splits to counts, `notes` say how it was read. Of `looked_for` images `whole`
    were found, or decoded where `images` is `decode`.
    """

    dataset: str
    title: str
    synthetic: bool
    folder: str
    annotations: list[str]
    images: str
    expected: dict[str, Counts]
    found: dict[str, Counts]
    faults: list[Fault]
    notes: list[str] = field(default_factory=list)
    looked_for: int = 0
    whole: int = 0

    @property
    def usable(self) -> bool:
        """Whether nothing was found that makes results wrong or not comparable."""
        return not any(fault.severity == "error" for fault in self.faults)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        tables = {"expected": self.expected, "found": self.found}
        counts = {
            name: {split: row._asdict() for split, row in table.items()} for name, table in tables.items()
        }
        return {"usable": self.usable, **asdict(self), **counts}


def verify(
    dataset: type[PersonDataset],
    place: Place,
    *,
    images: Literal["exist", "decode"] = "decode",
    workers: int | None = None,
    progress: Progress | None = None,
) -> VerifyReport:
    """Check a dataset under `place`: counts, splits, image files and captions.

    Args:
        dataset: the dataset's class.
        place: the data root and the setting that chose it.
        images: `exist` looks for the files, `decode` also decodes each to RGB.
        workers: processes that decode; by default one per core.
        progress: called with the images done and their total.

    Raises `MissingData` when there is no annotation; a faulty one is reported.
    """
    location = location_of(dataset, place.path)
    expected, synthetic = expected_counts(dataset, location.folder)
    annotation, faults = _read(dataset, place)
    samples, whole = annotation.samples, 0
    if samples:
        needed = {"test"} if is_test_only(dataset) else {"train", "test"}
        faults += stopping_faults(samples, {}, needed - set(expected), own=bool(dataset.own))
        faults += annotation_faults(dataset, annotation, expected, twin=synthetic)
        files = [str(file) for file in image_files(dataset, place.path, samples)]
        faults += outside_faults(location, samples, files) if dataset.own else ()
        checked = check_files(files, images, workers or len(os.sched_getaffinity(0)), progress)
        whole = len(files) - len(checked.missing) - len(checked.unreadable)
        faults += image_faults(location, samples, files, checked)
        faults += _copies(samples, files, checked, progress) if images == "decode" else ()
        faults += caption_faults(samples, dataset.text_length)
    if synthetic:
        faults = [_for_twin(dataset, fault) for fault in faults]
    return VerifyReport(
        dataset=dataset.name,
        title=f"{dataset.title} (synthetic twin)" if synthetic else dataset.title,
        synthetic=synthetic,
        folder=str(location.folder),
        annotations=[str(file) for file in location.annotations.values()],
        images=images,
        expected=expected,
        found=count(samples),
        faults=sorted(faults, key=lambda fault: SEVERITIES.index(fault.severity)),
        notes=annotation.notes,
        looked_for=len(samples),
        whole=whole,
    )


def _copies(
    samples: Sequence[Sample], files: Sequence[str], checked: Checked, progress: Progress | None
) -> Iterator[Fault]:
    """Yield the faults of pictures that are there twice; only files that no earlier start knows are read for it."""
    there = [place for place, file in enumerate(files) if file not in checked.unreadable]
    hashes = content_hashes([Path(files[place]) for place in there], contents_index(), progress)
    return copied_faults([samples[place] for place in there], hashes)


def _for_twin(dataset: type[PersonDataset], fault: Fault) -> Fault:
    """Replace the fix: a twin is made again, not downloaded again."""
    fix = f"Make the synthetic twin again: harness data make {dataset.name} --force"
    return fault if fault.severity == "note" else replace(fault, mend=fix)


def _read(dataset: type[PersonDataset], place: Place) -> tuple[Annotation, list[Fault]]:
    """Return what the annotation holds, or the fault that keeps it from being read."""
    try:
        return annotation_of(dataset, place), []
    except MissingData:
        raise
    except DataError as error:
        mend = "Correct the file." if dataset.own else "Fix the file, or get it again."
        return Annotation([], []), [Fault("error", str(error), mend)]
