"""What is in a dataset's pictures: the SHA-256 of each file, and one hash for each split that a run uses."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from harness.config.values import content_hash
from harness.data.annotations import Location, image_files
from harness.data.pictures_aside import way_to_pictures
from harness.data.verify.own_faults import missing_pictures
from harness.datasets import PersonDataset, Sample
from harness.images.file_hashes import MISSING, content_hashes
from harness.images.store import contents_index, unreadable
from harness.listener import Listener


class Content(NamedTuple):
    """The file of an image and its SHA-256, `missing` where it cannot be read."""

    file: Path
    sha256: str


def read_contents(
    dataset: type[PersonDataset],
    root: Path,
    samples: Sequence[Sample],
    listener: Listener,
    among: Sequence[Sample] = (),
) -> dict[str, Content]:
    """Return file and SHA-256 of each image by its name in the annotation; only new or changed files are read.

    `among` are all samples of the annotation, where `samples` are some of them.
    """
    files = image_files(dataset, root, samples, among)
    told = False

    def tell(done: int, total: int) -> None:
        nonlocal told
        if not told:
            listener.on_stage(f"reading {total:,} new images of {dataset.title}")
            told = True
        listener.on_count(done, total)

    hashes = content_hashes(files, contents_index(), tell)
    return {
        sample.image: Content(file, sha256)
        for sample, file, sha256 in zip(samples, files, hashes, strict=True)
    }


def pictures_hash(samples: Iterable[Sample], contents: Mapping[str, Content]) -> str:
    """Return the SHA-256 of a split's pictures: of name and content of each, in order of names.

    A picture that is missing counts as such; one that cannot be decoded counts with the bytes that it has.
    """
    return content_hash(sorted((sample.image, contents[sample.image].sha256) for sample in samples))


def check_there(
    samples: Sequence[Sample], contents: Mapping[str, Content], on_bad_image: str, location: Location
) -> None:
    """Raise `ImageError` where pictures are missing and none may be, or where all of a split are.

    Where they lie one step aside of `location`, the error names the move that finds them.
    """
    missing = [sample for sample in samples if contents[sample.image].sha256 == MISSING]
    there = {sample.split for sample in samples if contents[sample.image].sha256 != MISSING}
    if missing and (on_bad_image == "fail" or {sample.split for sample in missing} - there):
        if missing[0].where:
            raise missing_pictures(location, missing, len(samples), on_bad_image)
        names = [sample.image for sample in missing]
        way = way_to_pictures(location.folder, location.images, names)
        bad = [contents[name].file for name in names]
        raise unreadable(bad, len(samples), on_bad_image, way)
