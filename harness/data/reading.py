"""A dataset's annotations as a run uses them: read, checked and arranged, before any image is opened."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from harness.compute.child_processes import check_not_importing
from harness.config.sections import DatasetConfig
from harness.data.annotations import (
    MissingData,
    annotation_fingerprint,
    annotation_of,
    locate,
    location_of,
    missing_twin,
    twin_marker,
)
from harness.data.contents import Content, check_there, pictures_hash, read_contents
from harness.data.cut_captions import Tokenize, count_cut, cut_faults
from harness.data.protocols.noise import Noise, with_noise
from harness.data.splits import Arranged, arrange, begin_anew, few_persons, few_shot
from harness.data.verify.annotation_faults import faults_for_run
from harness.data.verify.content_faults import copied_faults, renamed_faults
from harness.data.verify.own_faults import check_inside
from harness.datasets import DATASETS, Counts, PersonDataset, Sample, pairs
from harness.errors import DataError, many
from harness.listener import Listener
from harness.paths import Place, data_root
from harness.twins.writer import clear_traces, write_twin


@dataclass(frozen=True)
class Reading:
    """A dataset's samples as a run uses them, before any image is opened.

    `holdout` holds the identities held out of train, `few` the training images where only some are learned from,
    `few_persons` the identities where they were chosen by person, `noise` which captions are with other images,
    `contents` the file and SHA-256 of each image by its name in the annotation, `faults` a line for each thing that is
    wrong or odd with the annotation, `notes` one for how data of one's own were read.
    """

    dataset: type[PersonDataset]
    root: Path
    samples: list[Sample]
    train_splits: tuple[str, ...]
    has_val: bool
    holdout: list[int]
    fingerprint: str
    synthetic: bool
    few: list[str] = field(default_factory=list)
    few_persons: list[int] = field(default_factory=list)
    noise: Noise | None = None
    contents: Mapping[str, Content] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def splits(self) -> dict[str, tuple[str, ...]]:
        """Which of the file's splits each split of a run is made of."""
        own: dict[str, tuple[str, ...]] = {"val": ("val",)} if self.has_val else {}
        return {"train": self.train_splits, **own, "test": ("test",)}

    @cached_property
    def pictures(self) -> dict[str, str]:
        """The SHA-256 of what the pictures of each split of a run hold."""
        return {
            name: pictures_hash([sample for sample in self.samples if sample.split in splits], self.contents)
            for name, splits in self.splits.items()
        }

    def of(self, *splits: str) -> "Reading":
        """Return the same dataset with the samples of some of the file's splits alone."""
        return replace(self, samples=[sample for sample in self.samples if sample.split in splits])

    def check_pictures(self, on_bad_image: str) -> None:
        """Raise `ImageError` where pictures are missing and none may be, or where all of a split are.

        `DataError` where one of a dataset of one's own is outside of its folder.
        """
        if self.dataset.own:
            files = [self.contents[sample.image].file for sample in self.samples]
            check_inside(location_of(self.dataset, self.root), self.samples, files)
        check_there(self.samples, self.contents, on_bad_image, location_of(self.dataset, self.root))

    @property
    def train_counts(self) -> Counts:
        """How many identities, images and captions training sees, unreadable images included."""
        trained = [sample for sample in self.samples if sample.split in self.train_splits]
        n_captions = sum(len(sample.captions) for sample in trained)
        return Counts(len({sample.identity for sample in trained}), len(trained), n_captions)

    def cut_faults(self, tokenize: Tokenize) -> list[str]:
        """Return the line on the captions of each split of a run that the tokeniser cuts; none where none is."""
        cuts = {}
        for name, splits in self.splits.items():
            captions = pairs(self.samples, splits).captions
            cuts[name] = count_cut(captions, tokenize(captions), tokenize)
        return list(cut_faults(cuts))

    @property
    def n_identities(self) -> int:
        """How many identities training sees."""
        return self.train_counts.identities


def read_dataset(
    config: DatasetConfig, listener: Listener, needed: Collection[str] = ("train", "test")
) -> Reading:
    """Read, check and arrange a dataset's annotations; a synthetic twin is made on first use.

    Args:
        config: which dataset, and how its splits are used.
        listener: hears of each fault that the work can go on with.
        needed: the splits that must have entries; one that is to validate must have them too.

    Raises `DataError` that says where the data come from, where they are expected and what was found, or what no run
    can be made of.
    """
    check_not_importing()
    dataset = DATASETS.get(config.name)
    place = ensure_twin(dataset, config.root, listener) if config.synthetic else data_root(config.root)
    annotation = annotation_of(dataset, place)
    samples = annotation.samples
    own_val = config.val == "own" or config.train_on == "train+val"
    faults = faults_for_run(
        dataset,
        annotation,
        locate(dataset, place.path),
        [*needed, *["val"] * (own_val and "val" in dataset.expected)],
    )
    for note in annotation.notes:
        listener.on_note(note)
    for fault in faults:
        listener.on_note(f"warning: {fault.line()}. {fault.mend}")
    arranged = arrange(samples, dataset, config.val, config.train_on, begin_anew(dataset, annotation))
    few = _fewer(arranged, config)
    chosen, noise = with_noise(few.samples, config, arranged.train_splits)
    contents = read_contents(dataset, place.path, chosen, listener, among=samples)
    copied = list(copied_faults(chosen, [contents[sample.image].sha256 for sample in chosen]))
    for fault in copied:
        listener.on_note(f"warning: {fault.line()}. {fault.mend}")
    files = [contents[sample.image].file for sample in chosen]
    renamed = [fault.line() for fault in renamed_faults(chosen, files)]
    chosen_notes = [*few.notes, *([noise.note()] if noise else []), *renamed]
    for note in chosen_notes:
        listener.on_note(note)
    return Reading(
        dataset,
        place.path,
        chosen,
        arranged.train_splits,
        arranged.has_val,
        arranged.holdout,
        annotation_fingerprint(dataset, place.path, samples),
        synthetic=twin_marker(dataset, place.path) is not None,
        few=few.images,
        few_persons=few.persons,
        noise=noise,
        contents=contents,
        faults=[fault.line() for fault in [*faults, *copied]],
        notes=[*annotation.notes, *chosen_notes],
    )


class _Few(NamedTuple):
    """The samples of a run, and the training images and persons where only some are learned from."""

    samples: list[Sample]
    images: list[str]
    persons: list[int]

    @property
    def notes(self) -> list[str]:
        """A line on how many persons were chosen; none where all were taken."""
        return [f"few-shot by identity: {many(len(self.persons), 'training person')}"] * bool(self.persons)


def _fewer(arranged: Arranged, config: DatasetConfig) -> _Few:
    """Return what a run works on of arranged samples: all, a share of the training images, or some of its persons."""
    splits, seed = arranged.train_splits, config.few_shot_seed
    if config.few_shot_persons:
        samples, persons = few_persons(arranged.samples, config.few_shot_persons, splits=splits, seed=seed)
        return _Few(samples, sorted({one.image for one in samples if one.split in splits}), persons)
    if config.few_shot < 1:
        return _Few(*few_shot(arranged.samples, config.few_shot, splits=splits, seed=seed), [])
    return _Few(arranged.samples, [], [])


def known_faults(config: DatasetConfig, needed: Collection[str] = ("train", "test")) -> list[str]:
    """Return the lines that a run on real data would say of its annotation, or the one that would stop it.

    None where the data are not on this machine.
    """
    dataset, place = DATASETS.get(config.name), data_root(config.root)
    try:
        annotation = annotation_of(dataset, place)
        return [
            fault.line() for fault in faults_for_run(dataset, annotation, locate(dataset, place.path), needed)
        ]
    except MissingData:
        return []
    except DataError as error:
        return [str(error)]


def ensure_twin(dataset: type[PersonDataset], root: str | None, listener: Listener) -> Place:
    """Return the folder that holds the synthetic twins, after making this dataset's twin when it is missing."""
    place = data_root(root)
    if dataset.own:
        raise missing_twin(dataset, place)
    clear_traces(dataset, place.path)
    if not (place.path / "synthetic" / dataset.folder).is_dir():
        listener.on_stage(f"making the synthetic twin of {dataset.title}")
        write_twin(dataset, place.path, progress=listener.on_count)
    return Place(place.path / "synthetic", place.chosen_by)
