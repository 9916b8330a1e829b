"""Measure a dataset on this machine: its splits, captions, identities, image shapes and faults, and a few pictures.

Only those few images are decoded: of others only the header is read, and of many only a sample.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from harness.captions.vocabulary import caption_features, vocabulary
from harness.data.annotations import (
    annotation_fingerprint,
    image_files,
    locate,
    missing_data,
    missing_twin,
    read_dataset,
)
from harness.data.overview import chosen_place, describe
from harness.data.verify.verify import VerifyReport, verify
from harness.datasets import DATASETS, SPLITS, PersonDataset, Sample
from harness.errors import DataError
from harness.files import read_json, write_arrays, write_json
from harness.images.decoding import extent_of, thumbnail
from harness.paths import Place, data_root
from harness.record import REAL, TWIN, TWIN_ENDING

MOST_MEASURED, N_PERSONS, _N_PICTURES = 2000, 6, 5
TALL, WIDE = 160, 96
FILES = {"captions": "captions.npz", "images": "images.npz", "pictures": "pictures.npz"}
Arrays = dict[str, NDArray[Any]]


class Person(BaseModel):
    """One identity of the contact sheet: the number of its pictures in the sheet, and a caption of the first."""

    identity: int
    split: str
    n_images: int
    caption: str


class Profile(BaseModel):
    """What is known of a dataset on this machine, arrays apart.

    Attributes:
        fingerprint: of the annotations, as a run notes it; empty when they cannot be read.
        n_images: images that the annotation names.
        n_there: of those measured, how many could be opened.
        expected: counts of identities, images and captions that a split should have.
        found: those that it has.
        faults: what is wrong or odd, each with its severity and hint.
        known_wrong: known bad files, each with its hint.
        persons: those of the contact sheet, in its order.
    """

    name: str
    title: str
    synthetic: bool
    folder: str
    annotations: list[str]
    licence: str
    access: str
    image_folder: str
    default_val: str
    text_length: int
    met_in: list[dict[str, Any]] = []
    fingerprint: str = ""
    usable: bool = False
    n_images: int = 0
    n_measured: int = 0
    n_there: int = 0
    expected: dict[str, list[int]]
    found: dict[str, list[int]]
    faults: list[dict[str, Any]]
    known_wrong: list[dict[str, str]]
    persons: list[Person] = []

    @property
    def heading(self) -> str:
        """The name and the world, so that nobody takes a synthetic figure for a real one."""
        return f"{self.title} · {TWIN if self.synthetic else REAL}"


def _find_dataset(subject: str) -> tuple[type[PersonDataset], Place, bool]:
    """Return the dataset that a name means, where it should be, and whether `NAME-twin` asks for its synthetic twin.

    Raises `UsageError` for an unknown name and `MissingData` when it is not on this machine.
    """
    synthetic = subject.replace("_", "-").endswith(TWIN_ENDING)
    dataset = DATASETS.get(subject[: -len(TWIN_ENDING)] if synthetic else subject)
    place = chosen_place(data_root(), synthetic)
    if locate(dataset, place.path) is None:
        raise missing_twin(dataset, place) if synthetic else _missing(dataset, place)
    return dataset, place, synthetic


def measure(subject: str, data: Path) -> Profile:
    """Measure a dataset or its twin and write arrays and profile into the folder `data`."""
    dataset, place, synthetic = _find_dataset(subject)
    checked = verify(dataset, place, images="exist")
    profile = _profile(checked, describe(dataset, data_root(), synthetic))
    try:
        samples = read_dataset(dataset, place)
    except DataError:
        samples = []
    if samples:
        files = image_files(dataset, place.path, samples)
        profile.n_images = len(samples)
        profile.fingerprint = annotation_fingerprint(dataset, place.path, samples)
        write_arrays(data / FILES["captions"], _captions(samples) | _named_words())
        write_arrays(data / FILES["images"], _persons(samples) | _shapes(files, samples, profile))
        write_arrays(data / FILES["pictures"], _pictures(files, samples, profile))
    write_json(data / "dataset.json", profile.model_dump(mode="json"))
    return profile


def load_profile(path: str | Path) -> Profile:
    """Return the profile that `measure` wrote."""
    return Profile.model_validate(read_json(Path(path)))


def _missing(dataset: type[PersonDataset], place: Place) -> DataError:
    error = missing_data(dataset, place)
    twin = f"\n  The twin's own report: harness report dataset {dataset.name}{TWIN_ENDING}"
    return type(error)(f"{error}{twin}") if dataset.twin is not None else error


def _profile(checked: VerifyReport, described: dict[str, Any]) -> Profile:
    known = ("name", "licence", "access", "image_folder", "default_val", "text_length", "met_in")
    values = {
        "title": checked.title.removesuffix(" (synthetic twin)"),
        "synthetic": checked.synthetic,
        "folder": checked.folder,
        "annotations": [Path(file).name for file in checked.annotations],
        "usable": checked.usable,
        "expected": {split: list(row) for split, row in checked.expected.items()},
        "found": {split: list(row) for split, row in checked.found.items()},
        "faults": [asdict(fault) for fault in checked.faults],
        "known_wrong": described["known_wrong_files"],
    }
    return Profile.model_validate(values | {key: described[key] for key in known})


def _captions(samples: Sequence[Sample]) -> Arrays:
    """Return of each caption its split, how many words it has, and the colours and garments that it names."""
    texts = [caption for sample in samples for caption in sample.captions]
    splits = [SPLITS.index(sample.split) for sample in samples for _ in sample.captions]
    return {"split": np.array(splits, dtype=np.uint8), **caption_features(texts)}


def _named_words() -> Arrays:
    return {f"{name}_names": words for name, words in vocabulary().items()}


def _persons(samples: Sequence[Sample]) -> Arrays:
    """Return of each image its split and captions, and of each identity its split and images."""
    images = Counter((SPLITS.index(sample.split), sample.identity) for sample in samples)
    return {
        "split": np.array([SPLITS.index(sample.split) for sample in samples], dtype=np.uint8),
        "n_captions": np.array([len(sample.captions) for sample in samples], dtype=np.int64),
        "person_split": np.array([split for split, _ in images], dtype=np.uint8),
        "person_images": np.array(list(images.values()), dtype=np.int64),
    }


def _shapes(files: Sequence[Path], samples: Sequence[Sample], profile: Profile) -> Arrays:
    """Return height, width and split of images, of many a sample; a file that is no image is left out."""
    places = range(len(files))
    chosen = sorted(Random(0).sample(places, MOST_MEASURED)) if len(files) > MOST_MEASURED else list(places)
    found = [
        (*extent, SPLITS.index(samples[place].split))
        for place in chosen
        if (extent := extent_of(files[place]))
    ]
    profile.n_measured, profile.n_there = len(chosen), len(found)
    table = np.array(found, dtype=np.int64).reshape(-1, 3)
    return {"height": table[:, 0], "width": table[:, 1], "measured_split": table[:, 2]}


def _pictures(files: Sequence[Path], samples: Sequence[Sample], profile: Profile) -> Arrays:
    """Return pictures of a few identities [n, 160, 96, 3], always the same ones, and note whose they are."""
    owned: dict[tuple[str, int], list[int]] = {}
    for place, sample in enumerate(samples):
        owned.setdefault((sample.split, sample.identity), []).append(place)
    chosen = Random(0).sample(sorted(owned), min(N_PERSONS, len(owned)))
    shown: list[NDArray[Any]] = []
    for split, identity in chosen:
        places = owned[split, identity][:_N_PICTURES]
        pictures = [(place, small) for place in places if (small := _small(files[place])) is not None]
        if pictures:
            caption = next(iter(samples[pictures[0][0]].captions), "")
            profile.persons.append(
                Person(identity=identity, split=split, n_images=len(pictures), caption=caption)
            )
            shown += [small for _, small in pictures]
    return {"pictures": np.stack(shown) if shown else np.zeros((0, TALL, WIDE, 3), dtype=np.uint8)}


def _small(file: Path) -> NDArray[Any] | None:
    """Return a file as a picture in its own shape on white, uint8 [160, 96, 3]; None if it cannot be read."""
    pixels = thumbnail(file, (TALL, WIDE), enlarge=True)
    if pixels is None:
        return None
    height, width = pixels.shape[:2]
    sheet = np.full((TALL, WIDE, 3), 255, dtype=np.uint8)
    left = (WIDE - width) // 2
    sheet[TALL - height :, left : left + width] = pixels
    return sheet
