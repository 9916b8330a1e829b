"""Describe a file of one's own in a `dataset.yaml`: its name, where it is, how it is read and what it holds."""

import os
from pathlib import Path
from typing import Any

from harness.data.annotations import image_files, location_of, read_annotation
from harness.data.own_data import dataset_of_file
from harness.data.own_rows import read_own
from harness.data.verify.annotation_faults import faults_for_run
from harness.data.verify.own_faults import missing_pictures
from harness.datasets import DATASETS, PersonDataset, Sample, count
from harness.errors import UsageError
from harness.files import write_text
from harness.own.described import dataset_files, read_described
from harness.own.own_files import OwnFiles, parse_columns
from harness.paths import DATASET_FILE, included
from harness.places import writable

_HEAD = """# A dataset for `harness --include FOLDER`, with the path of this folder, or HARNESS_INCLUDE=FOLDER.
# Paths are from this folder on; counts are what `harness data verify` and runs hold the data to.
"""


def write_description(
    name: str,
    *,
    data: str | None,
    images: str | None = None,
    columns: str | None = None,
    shares: str | None = None,
    title: str | None = None,
    licence: str | None = None,
    source: str | None = None,
    out: str | None = None,
    force: bool = False,
) -> dict[str, Any]:
    """Write the description of a file and return what it says, with a line for each thing that is odd (`faults`).

    Raises `UsageError` for a name that is taken or that no dataset can have, and where a description is there already;
    `DataError` or `ImageError` for what no run can be made of.
    """
    if data is None:
        raise UsageError("Nothing to describe: give the rows of the dataset by --data FILE.")
    folder = (Path(out) if out else Path(data).parent).expanduser().absolute()
    file = folder / DATASET_FILE
    if name.replace("-", "_") in DATASETS.names() and not _is_of(file, name.replace("-", "_")):
        raise UsageError(f"There is a dataset {name} already: give yours another name.")
    dataset = dataset_of_file(data, images, columns or "", shares)
    own = dataset.own
    assert own is not None
    if file.exists() and not force:
        raise UsageError(f"{file} is there already: --force replaces it, --out writes to another folder.")
    samples, faults = _looked_at(dataset)
    values: dict[str, Any] = {
        "name": name,
        "title": title or name,
        "licence": licence or "not named",
        "source": source or "not named",
        "file": os.path.relpath(own.file, folder),
        "images": os.path.relpath(own.images, folder),
        **_columns(own),
        **({"shares": own.shares, "seed": own.seed} if not read_own(own).named else {}),
        "val": dataset.default_val,
        "counts": {split: row._asdict() for split, row in count(samples).items()},
    }
    _write(file, values)
    return {**values, "folder": str(folder), "file": str(file), "faults": faults}


def _is_of(file: Path, name: str) -> bool:
    """Whether a known dataset's name is that of the description in a file, which may be written anew."""
    here = os.path.realpath(file)
    return any(
        os.path.realpath(one) == here and read_described(one).name == name
        for one in dataset_files(included())
    )


def _looked_at(dataset: type[PersonDataset]) -> tuple[list[Sample], list[str]]:
    """Return the samples of a file, and what is odd about them as a run would tell it; no picture is opened."""
    annotation, location = read_annotation(dataset, Path()), location_of(dataset, Path())
    samples = annotation.samples
    found = faults_for_run(dataset, annotation, location, needed=("test",))
    lines = [f"{fault.line()}. {fault.mend}" for fault in found]
    files = image_files(dataset, Path(), samples)
    missing = [sample for sample, file in zip(samples, files, strict=True) if not file.is_file()]
    if missing:
        error = missing_pictures(location, missing, len(samples), "skip")
        gone = {id(sample) for sample in missing}
        if {sample.split for sample in missing} - {one.split for one in samples if id(one) not in gone}:
            raise error
        lines.append(str(error))
    return samples, lines


def _columns(own: OwnFiles) -> dict[str, Any]:
    told = {
        role: list(names) if len(names) > 1 else "".join(names)
        for role, names in parse_columns(own.columns).items()
    }
    return {"columns": told} if told else {}


def _write(file: Path, values: dict[str, Any]) -> None:
    """Write a description that can be read back; one that cannot leaves the file as it was."""
    import yaml

    text = _HEAD + yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)
    writable(file.parent)
    draft = file.with_name(f".{file.name}.new")
    try:
        write_text(draft, text)
        read_described(draft)
        os.replace(draft, file)
    except UsageError as error:
        raise UsageError(str(error).replace(str(draft), str(file))) from error
    finally:
        draft.unlink(missing_ok=True)
