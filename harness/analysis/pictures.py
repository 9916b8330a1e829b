"""The pictures and captions of a dataset's test split, where its data are on this machine; else why they are not."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.data.annotations import annotation_fingerprint, image_files, locate, read_annotations
from harness.data.overview import chosen_place
from harness.data.own_data import remember
from harness.datasets import DATASETS, Pairs, Sample, pairs
from harness.errors import HarnessError
from harness.images.decoding import Pixels, thumbnail
from harness.paths import data_root

THUMBNAIL = (240, 160)
_SHORTEST = 8


class Pictures:
    """Opens the images and captions that a run was tested on, by their places in its per-query results.

    Attributes:
        missing: why there are no pictures, and the command that says where they belong; None when they are here.
    """

    def __init__(
        self,
        dataset: str,
        fingerprint: str,
        *,
        synthetic: bool = False,
        root: str | Path | None = None,
        queries: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """Look for the data; whatever is wrong with them does not raise but is in `missing`.

        Args:
            dataset: the name of the dataset that was tested on.
            fingerprint: of its annotations, as the run noted it, or its beginning.
            synthetic: whether it was a synthetic twin.
            root: folder of the datasets; else as `harness.paths.data_root` says.
            queries: the per-query results, to make sure that places mean the same images and captions.
            data: what a config says of the dataset, for data of one's own.
        """
        remember(data or {})
        self.missing: str | None = None
        self._samples: list[Sample] = []
        self._test: list[Sample] = []
        self._laid = Pairs([], [], [], [])
        command = shlex.join(["harness", "data", "info", dataset, *["--synthetic"] * synthetic])
        try:
            self._open(dataset, chosen_place(data_root(root), synthetic).path, fingerprint, queries or {})
        except _NoPictures as reason:
            what = f"The pictures and captions of {dataset}{' (synthetic twin)' if synthetic else ''}"
            self.missing = f"{what} {reason}: `{command}` says where they belong."

    def caption(self, place: int) -> str:
        """Return the text of a caption by its place among the test split's captions."""
        captions = self._laid.captions
        return captions[place] if 0 <= place < len(captions) else f"caption {place} (not on this machine)"

    def owner(self, place: int) -> int:
        """Return the place of the image that a caption describes, by the caption's place."""
        return self._laid.owners[place]

    def file(self, place: int) -> str:
        """Return the path of an image below the image folder, by its place among the test split's images."""
        return self._laid.images[place]

    def thumbnail(self, place: int) -> Pixels | None:
        """Return a small picture, as tall and wide as its image, uint8 [height, width, 3]; None if it cannot be read.

        Args:
            place: of the image in the test split.
        """
        file = self.path(place)
        return None if file is None else thumbnail(file, THUMBNAIL)

    def path(self, place: int) -> Path | None:
        """Return where an image is, by its place among the test split's images; None if it is not on this machine."""
        if not 0 <= place < len(self._test):
            return None
        try:
            (file,) = image_files(self._dataset, self._root, [self._test[place]], self._samples)
        except HarnessError:
            return None
        return file

    def _open(self, name: str, root: Path, fingerprint: str, queries: Mapping[str, Any]) -> None:
        if name not in DATASETS.names():
            raise _NoPictures("are not on this machine")
        try:
            self._dataset, self._root = DATASETS.get(name), root
            if locate(self._dataset, root) is None:
                raise _NoPictures("are not on this machine")
            samples = read_annotations(self._dataset, root)
            found = annotation_fingerprint(self._dataset, root, samples)
        except (HarnessError, OSError) as error:
            raise _NoPictures(f"cannot be read ({str(error).splitlines()[0]})") from error
        if len(fingerprint) < _SHORTEST or not found.startswith(fingerprint):
            noted = fingerprint[:12] or "unknown"
            raise _NoPictures(
                f"are not shown: the annotation on this machine ({found[:12]}) is not the one tested on ({noted})"
            )
        test = [sample for sample in samples if sample.split == "test"]
        laid = pairs(test, ("test",))
        if not _same_places(laid, queries):
            raise _NoPictures("are not shown: the test skipped unreadable images, so indices may not match")
        self._samples, self._test, self._laid = samples, test, laid


class _NoPictures(Exception):
    """Why there are no pictures to show, to follow `The pictures of ...`."""


def _same_places(laid: Pairs, queries: Mapping[str, Any]) -> bool:
    """Return whether per-query results are of these images and captions, as far as is known."""
    captions = [laid.identities[owner] for owner in laid.owners]
    wanted = {"i2t/identity": laid.identities, "t2i/identity": captions}
    return all(queries[key].tolist() == here for key, here in wanted.items() if key in queries)
