"""Data of one's own as a dataset: named after the file and what it holds, and checked to hold it still."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.data.annotation_entries import dataset_fingerprint, merge
from harness.data.own_rows import OwnRows, read_own
from harness.datasets import DATASETS, PersonDataset, Sample, own_dataset
from harness.errors import DataError, UsageError
from harness.own.described import Described
from harness.own.own_files import SHARES, OwnFiles, parse_columns, parse_shares

# What a config says of where such data are.
OWN_SETTINGS = ("file", "images", "columns", "shares")
_MARK = 8


def dataset_of_file(
    file: str | Path, images: str | Path | None = None, columns: str = "", shares: str | None = None
) -> type[PersonDataset]:
    """Return the dataset that a file makes, known from now on in this process under its name.

    The name is the file's with the beginning of the fingerprint of what it holds, so that a file of the same name with
    other content is another dataset, and one that was moved is the same.

    Args:
        file: rows of image, caption, person, and maybe split.
        images: folder that the paths in it are relative to; by default the folder of the file.
        columns: which column is what, as `image=photo,person=who`.
        shares: percent of the persons that train, validate and test where it names no splits, by default 80/10/10.

    Raises `DataError` or `UsageError` for a file that is none, or in which rows are wrong, and for shares of one that
    names its splits.
    """
    parse_columns(columns), parse_shares(shares or SHARES)
    path = Path(file).expanduser().absolute()
    folder = path.parent if images is None else Path(images).expanduser().absolute()
    if not path.is_file():
        raise UsageError(f"{path}, from --data, is no file: give a .jsonl, .csv or .json.")
    if not folder.is_dir():
        raise UsageError(f"{folder}, from --images, is no folder: give the one that the paths start from.")
    own = OwnFiles(path, folder, columns, shares or SHARES)
    rows = read_own(own)
    if shares and rows.named:
        raise UsageError(
            f"{path.name} names the split of each row, so --shares {shares} has nothing to draw: leave --shares out, "
            "or draw the splits anew with --columns split=, which takes no column for them."
        )
    samples = merge(rows.entries)
    content = dataset_fingerprint(samples)[:_MARK]
    splits = {sample.split for sample in samples}
    val = "own" if "val" in splits else "holdout" if "train" in splits else "none"
    return _entered(path.stem, replace(own, content=content), val, splits == {"test"})


def remember(values: Mapping[str, Any]) -> None:
    """Make known what the section `dataset` of a stored config says of data of one's own; their file may be gone."""
    name, file, images, columns, shares = (values.get(key) for key in ("name", *OWN_SETTINGS))
    if not isinstance(name, str) or not file or not images or name in DATASETS.names():
        return
    stem, _, content = name.rpartition("_")
    own = OwnFiles(Path(str(file)), Path(str(images)), str(columns or ""), str(shares or SHARES), 0, content)
    _entered(stem, own, str(values.get("val", "holdout")), False)


def own_settings(dataset: type[PersonDataset]) -> dict[str, str | None]:
    """Return what a config says of where the data are; None of each where the dataset's name says it all."""
    own = dataset.own
    if own is None or not own.content:
        return dict.fromkeys(OWN_SETTINGS)
    return {"file": str(own.file), "images": str(own.images), "columns": own.columns, "shares": own.shares}


def own_annotation(dataset: type[PersonDataset]) -> tuple[list[Sample], OwnRows]:
    """Return the samples of a dataset of one's own, one for each image of a split, and what was read of its rows.

    Raises `DataError` where the file holds other rows than those that its dataset is named after.
    """
    own = dataset.own
    assert own is not None
    rows = read_own(own)
    samples = merge(rows.entries)
    if not dataset_fingerprint(samples).startswith(own.content):
        raise DataError(
            f"{own.file} was changed since {dataset.name} was made of it: put back what it held, or begin anew with "
            "--data, which makes another dataset of it."
        )
    return samples, rows


def _entered(stem: str, own: OwnFiles, val: str, test_only: bool) -> type[PersonDataset]:
    name = f"{_plain(stem)}_{own.content}"
    dataset = own_dataset(Described(name, name, own, "your own", str(own.file), val=val, test_only=test_only))
    DATASETS.enter(name, dataset)
    return dataset


def _plain(stem: str) -> str:
    """Return a file's name as a part of the names of datasets, runs and metrics.

    >>> _plain("Street photos (2)"), _plain("7."), _plain("写真")
    ('street_photos_2', 'data_7', 'data')
    """
    plain = re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_")[:30].strip("_")
    return plain if plain[:1].isalpha() else f"data_{plain}".rstrip("_")
