"""What can be wrong with data of one's own besides what can be with a published dataset, each with its line."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.data.annotations import Annotation, Location
from harness.data.pictures_aside import way_to_pictures
from harness.data.verify.captions import EMPTY, check_texts
from harness.data.verify.fault import Fault, first
from harness.datasets import Sample
from harness.errors import DataError, many
from harness.images.decoding import ImageError

_SHOWN = 5


def own_faults(annotation: Annotation) -> Iterator[Fault]:
    """Yield what is odd about the file as a whole."""
    for line in annotation.warnings:
        yield Fault("warning", f"{line}.", "Nothing to do where that is meant.")


def text_faults(annotation: Annotation) -> Iterator[Fault]:
    """Yield what a run says of captions: those that are empty, and those of several persons."""
    empty, shared = check_texts(annotation.samples)
    if empty.count:
        what = f"{many(empty.count, 'caption')} without a word."
        yield Fault("warning", what, EMPTY, empty.count, empty.examples)
    if shared.count:
        what = f"{many(shared.count, 'caption')} shared by several persons."
        mend = "Nothing has to be done; but of these persons only one counts as right."
        yield Fault("warning", what, mend, shared.count, shared.examples)


def outside_faults(
    location: Location, samples: Sequence[Sample], files: Sequence[str | Path]
) -> Iterator[Fault]:
    """Yield pictures that a link leads out of the image folder."""
    if out := _outside(location.images, samples, files):
        what = f"Links lead {many(len(out), 'picture')} out of {location.images}."
        fix = "Copy the pictures there, or give --images a folder that holds them all."
        yield Fault("error", what, fix, len(out), first(out))


def check_inside(location: Location, samples: Sequence[Sample], files: Sequence[str | Path]) -> None:
    """Raise `DataError` where a link leads a picture out of the image folder."""
    for fault in outside_faults(location, samples, files):
        raise DataError(f"{fault.line()}. {fault.mend}")


def missing_pictures(location: Location, missing: Sequence[Sample], n: int, on_bad_image: str) -> ImageError:
    """Return the error that names missing pictures with their lines, and the folder in which they are, if any is."""
    named = [f"  {sample.label}" for sample in missing[:_SHOWN]]
    named += [f"  and {len(missing) - _SHOWN:,} more"] * (len(missing) > _SHOWN)
    fix = "Give the folder that the paths start from by --images, or correct them"
    if other := _folder_of(location, missing):
        fix = f"They are in another folder: --images {other}"
    elif way := way_to_pictures(location.images, location.images, [sample.image for sample in missing]):
        fix = way
    skip = "; --on-bad-image skip leaves them out" if on_bad_image == "fail" and len(missing) < n else ""
    head = f"{len(missing):,} of {many(n, 'picture')} are not in {location.images}:"
    return ImageError("\n".join([head, *named, f"{fix}{skip}."]))


def _folder_of(location: Location, missing: Sequence[Sample]) -> Path | None:
    """Return the folder near by in which the missing pictures are, as far as the first of them tell."""
    near = [location.images.parent, location.folder, location.folder.parent]
    for base in (location.images, location.folder):
        near += sorted(one for one in base.iterdir() if one.is_dir())[:20] if base.is_dir() else []
    names = [sample.image for sample in missing[:_SHOWN]]
    return next((one for one in near if all((one / name).is_file() for name in names)), None)


def _outside(images: Path, samples: Sequence[Sample], files: Sequence[str | Path]) -> list[str]:
    """Return the samples whose file is outside of a folder once links are followed."""
    inside, folders = os.path.realpath(images), dict[str, bool]()

    def is_inside(path: str) -> bool:
        real = os.path.realpath(path)
        return real == inside or real.startswith(inside.rstrip("/") + "/")

    found = []
    for sample, file in zip(samples, files, strict=True):
        folder = os.path.dirname(file)
        if folder not in folders:
            folders[str(folder)] = is_inside(str(folder))
        if not folders[str(folder)] or (os.path.islink(file) and not is_inside(str(file))):
            found.append(sample.label)
    return found
