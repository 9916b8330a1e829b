"""Noisy correspondence: a fixed share of the training captions goes to other training images.

As in RDE (Qin et al., CVPR 2024, https://arxiv.org/abs/2308.09911): a caption is moved to another pair, while each
image keeps its identity. RDE draws a share of the captions and shuffles them among themselves, so that a few stay where
they are; here none does, and the share is exactly what was asked for. A caption may still come to another image of its
person, as in RDE.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.config.sections import DatasetConfig
from harness.datasets import Sample
from harness.errors import DataError, UsageError, many
from harness.files import replaced

Indices = NDArray[np.int64]
# Of the annotation that most captions were ever written in: an index file is not read before it is known to be small.
_MOST_BYTES = 64 << 20
_RETURN = "RDE's own are `noiseindex/DATASET_RATE.npy` of its repository"


@dataclass(frozen=True)
class Noise:
    """Which caption each training pair has.

    Attributes:
        indices: for each training pair, in file order, the place of the caption that it has [n_caption].
        moved: how many captions are not where they belong.
        same_person: how many of these describe the person that they came to.
    """

    indices: Indices
    moved: int
    same_person: int

    def note(self) -> str:
        """Say in one line how many captions are moved."""
        share = 100 * self.moved / max(len(self.indices), 1)
        return (
            f"noisy correspondence: {self.moved:,} of {many(len(self.indices), 'training caption')} ({share:.4g} %) "
            f"are with another image, {self.same_person:,} of them with one of their person"
        )

    def write(self, file: Path) -> None:
        """Write the indices as RDE's files hold them: one array of int64 [n_caption], without pickles."""
        with replaced(file) as draft, draft.open("wb") as opened:
            np.save(opened, self.indices, allow_pickle=False)


def with_noise(
    samples: Sequence[Sample], config: DatasetConfig, splits: Sequence[str]
) -> tuple[list[Sample], Noise | None]:
    """Return the samples with captions moved as the config says, and how; None where it says nothing.

    Args:
        samples: of all splits; those that are not for training stay as they are.
        config: `noise` and `noise_seed`, or `noise_file`.
        splits: the splits that training sees.

    Raises `DataError` for a file that is none or of other captions, `UsageError` for a share of fewer than two.
    """
    trained = [sample for sample in samples if sample.split in splits]
    if config.noise_file:
        indices = read_indices(config.noise_file)
        _check_still(config, indices)
        _check_fits(config.noise_file, indices, trained)
    elif config.noise:
        indices = draw_indices(trained, config.noise, config.noise_seed)
    else:
        return list(samples), None
    moved = iter(_moved(trained, indices))
    return [next(moved) if sample.split in splits else sample for sample in samples], _noise(trained, indices)


def draw_indices(samples: Sequence[Sample], rate: float, seed: int) -> Indices:
    """Return which caption each pair has when a share of them is moved [n_caption].

    Of n captions `int(rate * n)` are moved, in one cycle, so that none stays. Which ones depends on the images' paths,
    the share and the seed alone, not on the order of the file; those of a smaller share are part of a larger's.
    Raises `UsageError` where the share is of fewer than two captions.
    """
    places = _in_order_of_paths(samples)
    n_moved = int(rate * len(places) + 1e-9)
    if n_moved < 2:
        raise UsageError(
            f"dataset.noise={rate:g} is {many(n_moved, 'caption')} of {len(places):,}, and no fewer than 2 can change "
            f"places: ask for {2 / max(len(places), 2):.2g} or more, or leave it out."
        )
    order = np.random.default_rng(seed).permutation(len(places))
    # A cycle through the captions in a random order leaves none in its place, each such cycle as likely as any.
    cycle = places[np.random.default_rng([seed, n_moved]).permutation(order[:n_moved])]
    indices = np.arange(len(places), dtype=np.int64)
    indices[cycle] = np.roll(cycle, 1)
    return indices


def _in_order_of_paths(samples: Sequence[Sample]) -> Indices:
    """Return the places of all captions, in order of the paths of their images [n_caption]."""
    starts = np.cumsum([0, *(len(sample.captions) for sample in samples)])
    order = sorted(range(len(samples)), key=lambda place: samples[place].image)
    places = [place for one in order for place in range(starts[one], starts[one + 1])]
    return np.asarray(places, dtype=np.int64)


def read_indices(file: str | Path) -> Indices:
    """Return the indices of an index file [n_caption]; raise `DataError` in one line for what is no permutation."""
    path = Path(file).expanduser()
    if not path.is_file():
        raise DataError(f"{path}, from dataset.noise_file, is no file: give a .npy of indices. {_RETURN}.")
    if path.stat().st_size > _MOST_BYTES:
        raise DataError(
            f"{path} has {path.stat().st_size:,} bytes: expected a .npy of one index for each caption."
        )
    try:
        with path.open("rb") as opened:
            found = np.lib.format.read_array(opened, allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError, OverflowError) as error:
        reason = (str(error).splitlines() or ["nothing in it"])[0][:120]
        raise DataError(
            f"{path} is no .npy of numbers ({reason}): save indices by numpy.save. {_RETURN}."
        ) from error
    if found.ndim != 1 or found.dtype.kind not in "iu":
        shape = " x ".join(map(str, found.shape)) or "one value"
        raise DataError(
            f"{path} holds {found.dtype} of the shape {shape}: expected whole numbers in one row."
        )
    if not len(found):
        raise DataError(f"{path} is empty: expected one index for each training caption.")
    if not np.array_equal(np.sort(found), np.arange(len(found))):
        raise DataError(
            f"{path} is no permutation: expected each number from 0 to {len(found) - 1:,} once, but got "
            f"{len(np.unique(found)):,} different ones from {found.min():,} to {found.max():,}."
        )
    return found.astype(np.int64)


def indices_hash(indices: Indices) -> str:
    """Return the SHA-256 of indices, the same for any type of whole numbers that they were saved as."""
    return hashlib.sha256(indices.astype("<i8").tobytes()).hexdigest()


def with_index(config: DatasetConfig) -> DatasetConfig:
    """Return a config whose `noise_index` says what its `noise_file` holds, where it has one and does not say so."""
    if not config.noise_file or config.noise_index:
        return config
    path = Path(config.noise_file).expanduser().absolute()
    told = {"noise_index": indices_hash(read_indices(path)), "noise_file": str(path)}
    return config.model_copy(update=told)


def _check_still(config: DatasetConfig, indices: Indices) -> None:
    if config.noise_index and indices_hash(indices) != config.noise_index:
        raise DataError(
            f"{config.noise_file} holds other indices than when the run was set up: put back what it held, or begin "
            "another run."
        )


def _check_fits(file: str, indices: Indices, trained: Sequence[Sample]) -> None:
    n = sum(len(sample.captions) for sample in trained)
    if len(indices) != n:
        raise DataError(
            f"{file} has {len(indices):,} indices, but training sees {many(n, 'caption')}: expected one for each. "
            "RDE's are of the whole train split; where a hold-out takes some it is --val none --set eval.rule=last."
        )


def _moved(trained: Sequence[Sample], indices: Indices) -> list[Sample]:
    """Return the training samples with the captions that they have instead, each with its back translation."""
    captions = [caption for sample in trained for caption in sample.captions]
    translated = [text for one in trained for text in one.captions_bt or ("",) * len(one.captions)]
    given = iter(indices.tolist())
    found = []
    for sample in trained:
        places = [next(given) for _ in sample.captions]
        texts = tuple(captions[place] for place in places)
        back = tuple(translated[place] for place in places)
        found.append(replace(sample, captions=texts, captions_bt=back if any(back) else ()))
    return found


def _noise(trained: Sequence[Sample], indices: Indices) -> Noise:
    persons = np.repeat([sample.identity for sample in trained], [len(sample.captions) for sample in trained])
    moved = indices != np.arange(len(indices))
    return Noise(indices, int(moved.sum()), int((persons[indices] == persons)[moved].sum()))
