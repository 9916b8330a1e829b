"""A small twin as someone would write it down: rows in a file of one's own, beside a folder of pictures."""

import csv
import json
import shutil
from pathlib import Path

from harness.data.annotations import location_of, read_annotations
from harness.datasets import DATASETS, Sample


def samples_of(twins: Path, name: str = "icfg") -> tuple[list[Sample], Path]:
    """Return the samples of a twin and the folder of its pictures."""
    dataset, root = DATASETS.get(name), twins / "synthetic"
    return read_annotations(dataset, root), location_of(dataset, root).images


def rows_of(samples: list[Sample]) -> list[dict[str, str]]:
    """Return a row for each caption."""
    return [
        {"image": one.image, "caption": caption, "person": str(one.identity), "split": one.split}
        for one in samples
        for caption in one.captions
    ]


def write_csv(file: Path, rows: list[dict[str, str]]) -> Path:
    """Write rows as CSV."""
    with open(file, "w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return file


def write_coco(file: Path, samples: list[Sample]) -> Path:
    """Write samples as COCO's JSON."""
    images = [{"id": n, "file_name": one.image, "split": one.split} for n, one in enumerate(samples)]
    said = [
        {"id": n, "image_id": n, "caption": caption, "person_id": one.identity}
        for n, one in enumerate(samples)
        for caption in one.captions
    ]
    file.write_text(json.dumps({"images": images, "annotations": said}))
    return file


def copied_pictures(twins: Path, folder: Path, n: int = 12) -> list[dict[str, str]]:
    """Copy the first pictures of a twin as 00.jpg, 01.jpg, ... and return their rows, three pictures a person."""
    samples, images = samples_of(twins)
    folder.mkdir(parents=True)
    rows = []
    for number, one in enumerate(samples[:n]):
        shutil.copyfile(images / one.image, folder / f"{number:02d}.jpg")
        rows.append({"image": f"{number:02d}.jpg", "caption": one.captions[0], "person": str(number // 3)})
    return rows


def forget() -> None:
    """Make this process forget the datasets of one's own, as another one would not know them."""
    for name in [name for name, dataset in DATASETS._classes.items() if dataset.own]:
        del DATASETS._classes[name]
