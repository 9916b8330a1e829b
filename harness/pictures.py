"""The pictures and captions of a dataset's test split, where its data are on this machine; else why they are not."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.annotations import dataset_fingerprint, dataset_folder, image_files, locate
from harness.config import content_hash
from harness.dataset_info import chosen_place
from harness.datasets import DATASETS, Pairs, PersonDataset, Sample, pairs
from harness.errors import DataError, HarnessError
from harness.images import Pixels, decode
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
    ) -> None:
        """Look for the data; nothing that is wrong with them raises, `missing` tells it.

        Args:
            dataset: the name of the dataset that was tested on.
            fingerprint: of its annotations, as the run noted it, or its beginning.
            synthetic: whether it was a synthetic twin.
            root: folder of the datasets; else as `harness.paths.data_root` says.
            queries: the per-query results, to make sure that places mean the same images and captions.
        """
        self.missing: str | None = None
        self._test: list[Sample] = []
        self._laid = Pairs([], [], [], [])
        command = shlex.join(["harness", "data", "info", dataset, *["--synthetic"] * synthetic])
        try:
            self._dataset, self._root = DATASETS.get(dataset), chosen_place(data_root(root), synthetic).path
            self._open(fingerprint, queries or {})
        except (HarnessError, OSError) as error:
            what = (
                str(error)
                if isinstance(error, _NotTheSame)
                else f"{_what(dataset, synthetic)} are not on this machine"
            )
            self.missing = f"{what}: `{command}` says where they belong."

    def caption(self, place: int) -> str:
        """Return the text of a caption by its place among the test split's captions."""
        captions = self._laid.captions
        return captions[place] if 0 <= place < len(captions) else f"caption {place} (not on this machine)"

    def thumbnail(self, place: int) -> Pixels | None:
        """Return a small picture, as tall and wide as its image, uint8 [height, width, 3]; None if it cannot be read.

        Args:
            place: of the image in the test split.
        """
        if not 0 <= place < len(self._test):
            return None
        try:
            (file,) = image_files(self._dataset, self._root, [self._test[place]])
            return decode(file, _small(file)).transpose(1, 2, 0)
        except Exception:  # hostile bytes make decoders raise nearly anything
            return None

    def _open(self, fingerprint: str, queries: Mapping[str, Any]) -> None:
        if locate(self._dataset, self._root) is None:
            raise DataError("not found")
        samples = self._dataset.read(self._root)
        found = annotation_fingerprint(self._dataset, self._root, samples)
        if len(fingerprint) < _SHORTEST or not found.startswith(fingerprint):
            raise _NotTheSame(
                f"The annotation of {self._dataset.title} on this machine ({found[:12]}) is not the one that was "
                f"tested on ({fingerprint[:12] or 'unknown'}), so no picture is shown"
            )
        test = [sample for sample in samples if sample.split == "test"]
        laid = pairs(test, ("test",))
        if not _same_places(laid, queries):
            raise _NotTheSame(
                f"The test left out unreadable images of {self._dataset.title}, so it is not known which of them "
                "a place means, and no picture is shown"
            )
        self._test, self._laid = test, laid


class _NotTheSame(DataError):
    """The data on this machine are not those that were tested on."""


def annotation_fingerprint(dataset: type[PersonDataset], root: Path, samples: list[Sample]) -> str:
    """Return the fingerprint that a run notes of a dataset's annotations; a twin's depends on its generator, too."""
    from harness.twins import read_marker

    fingerprint, marker = dataset_fingerprint(samples), read_marker(dataset_folder(dataset, root))
    return content_hash([fingerprint, marker.version]) if marker else fingerprint


def _what(dataset: str, synthetic: bool) -> str:
    return f"The pictures and captions of {dataset}{' (synthetic twin)' if synthetic else ''}"


def _same_places(laid: Pairs, queries: Mapping[str, Any]) -> bool:
    """Say whether per-query results are of just these images and captions, as far as they tell."""
    captions = [laid.identities[owner] for owner in laid.owners]
    wanted = {"i2t/identity": laid.identities, "t2i/identity": captions}
    return all(queries[key].tolist() == here for key, here in wanted.items() if key in queries)


def _small(file: Path) -> tuple[int, int]:
    """Return height and width of an image made to fit a thumbnail, its shape unchanged; small ones stay."""
    from PIL import Image

    with Image.open(file) as image:
        width, height = image.size
    scale = min(THUMBNAIL[0] / height, THUMBNAIL[1] / width, 1.0)
    return max(1, round(height * scale)), max(1, round(width * scale))
